"""Answers that are asked for again and again: 304 where the asker has them, at little cost."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, request
from sqlalchemy import Connection

from moderation.web.context import services
from moderation.website.freshness import Moment, last_moment


def conditional(site_id: int, build: Callable[[Connection, Moment], Response]) -> Response:
    """The answer of `build`, which depends on nothing but the request and what a site publishes;
    or 304 without asking it, where nothing has happened on the site since the asker had it."""
    freshness = services().freshness
    question = (site_id, request.full_path)
    with services().database.read() as connection:
        # Before the answer is made: what happens in between is then news the next time.
        moment = last_moment(connection, site_id)
        etag = freshness.etag(question, moment)
        if etag is not None and request.if_none_match.contains_weak(etag):
            response = Response(status=HTTPStatus.NOT_MODIFIED)
            response.set_etag(etag)
        else:
            response = build(connection, moment)
            response.add_etag()
            freshness.remember(question, moment, response.get_etag()[0] or "")
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response
