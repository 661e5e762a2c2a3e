"""Events for programs: what was done about comments, in order, to be followed by a cursor."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from moderation.desk import history
from moderation.desk.event_schemas import EventPage, EventsFollowed, event_out
from moderation.schemas import parse
from moderation.web.context import services, sites_named

blueprint = Blueprint("events_api", __name__, url_prefix="/v1/events")


@blueprint.get("")
def events() -> ResponseReturnValue:
    """The events that come after the cursor."""
    wanted = parse(EventsFollowed, request.args.to_dict())
    with services().database.read() as connection:
        found = history.following(
            connection,
            wanted.filter(sites_named(connection, wanted.site)),
            after=wanted.after,
            limit=wanted.limit,
        )
    page = EventPage(
        events=[event_out(event) for event in found], next=found[-1].id if found else wanted.after
    )
    return jsonify(page.model_dump(mode="json"))
