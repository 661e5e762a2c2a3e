"""Feeds of published comments, for feed readers and for programs."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection

from moderation.clock import SECOND, now_ms, to_datetime
from moderation.errors import Closed, NotFound
from moderation.schemas import FeedQuery, parse
from moderation.sites import SiteRef
from moderation.web.conditional import conditional
from moderation.web.context import services
from moderation.website import feeds
from moderation.website.feeds import Feed
from moderation.website.freshness import Moment

blueprint = Blueprint("feeds", __name__, url_prefix="/v1/feeds")


@blueprint.get("/<site>.json")
def json_feed(site: str) -> Response:
    """The latest published comments in JSON Feed."""
    return _answer(site, _json)


@blueprint.get("/<site>.atom")
def atom(site: str) -> Response:
    """The latest published comments in Atom."""
    return _answer(site, _atom)


def _json(feed: Feed) -> Response:
    response = jsonify(feeds.json_feed(feed))
    response.content_type = "application/feed+json"
    return response


def _atom(feed: Feed) -> Response:
    return Response(feeds.atom(feed), content_type="application/atom+xml; charset=utf-8")


def _answer(name: str, write: Callable[[Feed], Response]) -> Response:
    wanted = parse(FeedQuery, request.args.to_dict())
    site = services().sites.by_name(name)
    if site is None:
        raise NotFound("there is no such site")
    if not wanted.page and not site.settings.site_feed:
        raise Closed("this site has no feed of all its comments: name a page in `page`")

    def build(connection: Connection, moment: Moment) -> Response:
        response = write(_feed(connection, site, wanted))
        # What happens within the same second would not show.
        if moment.at and now_ms() - moment.at > SECOND:
            response.last_modified = to_datetime(moment.at)
        return response

    return conditional(site.id, build)


def _feed(connection: Connection, site: SiteRef, wanted: FeedQuery) -> Feed:
    entries = feeds.latest(connection, site_id=site.id, page=wanted.page, limit=wanted.limit)
    query = f"?{urlencode({'page': wanted.page})}" if wanted.page else ""
    title = next((entry.title for entry in entries if entry.title), wanted.page)
    return Feed(
        title=f"Comments on {title if wanted.page else site.name}",
        url=f"{services().settings.base_url}{request.path}{query}",
        page=wanted.page,
        entries=entries,
    )
