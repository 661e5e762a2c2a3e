"""What was done, by whom and why: of one comment, of all, as a page and as a file."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import Field
from werkzeug.exceptions import Forbidden

from moderation.clock import now_ms, to_datetime
from moderation.desk import history
from moderation.desk.event_schemas import EventQuery
from moderation.desk.exports import CONTENT_TYPES, Form, lines
from moderation.domain import (
    ActorKind,
    EventKind,
    LabelSource,
    ModeratorReason,
    Selection,
    Status,
)
from moderation.errors import FieldError, InvalidInput, NotFound
from moderation.learning import labels
from moderation.policy import HEADS
from moderation.rules import DECIDERS
from moderation.schemas import parse
from moderation.sites import names
from moderation.web import sentences
from moderation.web.context import account, services, sites_named
from moderation.web.desk.legible import pieces

blueprint = Blueprint("history", __name__, url_prefix="/desk")

_PAGE = 50
_EXPORTS_SHOWN = 20

# Lines that are sent together: a system call for each of a million would be slow.
_LINES = 200

_ACTOR_KINDS = {
    ActorKind.WORKER: "the service",
    ActorKind.MODERATOR: "moderators",
    ActorKind.CLIENT: "people at the site",
    ActorKind.IMPORT: "imports",
}

_KINDS = {
    EventKind.DECISION: "decisions",
    EventKind.UNDO: "decisions taken back",
    EventKind.RESCORE: "held comments scored again",
    EventKind.NOTE: "notes",
    EventKind.LOOK: "looks at an e-mail address",
    EventKind.AUTHOR: "authors trusted or blocked",
    EventKind.ERASURE: "erasures",
}


_SOURCES = {
    LabelSource.MODERATOR: "moderator",
    LabelSource.CLIENT: "the site’s own program",
    LabelSource.IMPORT: "import",
    LabelSource.READER: "readers’ reports",
    LabelSource.RULE: "rule",
}

_SELECTIONS = {
    Selection.HELD: "it was held",
    Selection.AUDIT: "drawn at random",
    Selection.PUBLISHED: "it was published, and somebody objected",
    Selection.REJECTED: "it was rejected, and somebody looked again",
    Selection.IMPORTED: "came with an import",
}


class _Listed(EventQuery):
    before: int | None = Field(None, ge=0, le=2**63 - 1)


@blueprint.get("/history")
def events() -> str:
    """All events, or those that are asked for."""
    wanted = parse(_Listed, request.args.to_dict())
    with services().database.read() as connection:
        sites = names(connection, account().sites)
        found = history.newest(
            connection,
            wanted.filter(sites_named(connection, wanted.site)),
            before=wanted.before,
            limit=_PAGE + 1,
        )
        moderators = history.moderators(connection)
        exports = (
            history.exports(connection, limit=_EXPORTS_SHOWN) if account().is_administrator else []
        )
    shown = found[:_PAGE]
    set_fields = _set_fields()
    return render_template(
        "desk/history.html",
        events=shown,
        wanted=request.args,
        set_fields=set_fields,
        first_page=wanted.before is None,
        next_args=set_fields | {"before": shown[-1].id} if len(found) > _PAGE else None,
        sites=sites.values(),
        moderators=sorted({*moderators, *filter(None, [wanted.moderator])}),
        exports=exports,
        kinds=_KINDS,
        actor_kinds=_ACTOR_KINDS,
        statuses=Status,
        reasons=sorted({*HEADS, *ModeratorReason, *(rule.__name__ for rule in DECIDERS)}),
        words=sentences,
        to_datetime=to_datetime,
        pieces=pieces,
    )


@blueprint.get("/comments/<comment_id>/history")
def comment(comment_id: str) -> str:
    """Everything that was done about one comment."""
    with services().database.read() as connection:
        found = history.of_comment(connection, comment_id, sites=account().sites)
        known = labels.of_comment(connection, comment_id) if found else []
    if found is None:
        raise NotFound("there is no such comment")
    about, steps = found
    if about.is_blind:
        steps = [step for step in steps if step.actor_kind is not ActorKind.WORKER]
    return render_template(
        "desk/comment_history.html",
        comment=about,
        steps=steps,
        labels=known,
        sources=_SOURCES,
        selections=_SELECTIONS,
        words=sentences,
        to_datetime=to_datetime,
        pieces=pieces,
    )


@blueprint.get("/history/disagreements")
def disagreements() -> str:
    """Comments of which people said different things."""
    asked = request.args.get("site", "")
    with services().database.read() as connection:
        sites = names(connection, account().sites)
        wanted = sites_named(connection, asked)
        found = [
            one
            for site_id in sorted(sites if wanted is None else wanted)
            for one in labels.disagreements(connection, site_id, limit=_PAGE)
        ]
        found.sort(key=lambda one: one.labels[-1].id, reverse=True)
        about = {
            one.comment_id: history.of_comment(connection, one.comment_id, sites=account().sites)
            for one in found[:_PAGE]
        }
    return render_template(
        "desk/disagreements.html",
        shown=[(comment[0], one.labels) for one in found if (comment := about.get(one.comment_id))],
        most=_PAGE,
        sites=sites.values(),
        wanted=asked,
        words=sentences,
        to_datetime=to_datetime,
        pieces=pieces,
    )


@blueprint.post("/history/export")
def export() -> ResponseReturnValue:
    """The events that the form asks for, as a file; the export itself is logged."""
    wanted = parse(EventQuery, request.form.to_dict())
    try:
        form = Form(request.form.get("form", ""))
    except ValueError:
        raise InvalidInput(FieldError("form", "has to be csv or jsonl")) from None
    with_emails = "with_emails" in request.form
    if with_emails and not account().is_administrator:
        raise Forbidden("only administrators may export e-mail addresses")
    database = services().database
    with database.read() as connection:
        sites = sites_named(connection, wanted.site)
    with database.write() as connection:
        history.log_export(
            connection,
            actor=account().name,
            form=form,
            filters=_set_fields(),
            with_emails=with_emails,
        )
    found = history.exported(database, wanted.filter(sites), with_emails=with_emails)
    name = f"events-{to_datetime(now_ms()):%Y-%m-%d-%H%M%S}.{form}"
    return Response(
        _together(lines(found, form, with_emails=with_emails)),
        HTTPStatus.OK,
        {
            "Content-Type": CONTENT_TYPES[form],
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )


def _set_fields() -> dict[str, Any]:
    """The filters that are set, as the form sends them; without the place in the list."""
    sent = request.values.to_dict()
    return {name: sent[name] for name in EventQuery.model_fields if sent.get(name)}


def _together(parts: Any) -> Any:
    waiting: list[str] = []
    for part in parts:
        waiting.append(part)
        if len(waiting) == _LINES:
            yield "".join(waiting)
            waiting.clear()
    yield "".join(waiting)
