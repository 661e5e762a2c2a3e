"""Errors as answers: problem details (RFC 9457) for programs, a page for people."""

import logging
from http import HTTPStatus

from flask import Flask, Response, jsonify, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from moderation.errors import Conflict, InvalidInput, NotFound, Overloaded, Unauthorized
from moderation.schemas import Problem, ProblemField
from moderation.web.context import wants_html

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Give every error its answer."""
    app.register_error_handler(InvalidInput, invalid_input)
    app.register_error_handler(Unauthorized, _unauthorized)
    app.register_error_handler(NotFound, lambda e: problem(HTTPStatus.NOT_FOUND, str(e)))
    app.register_error_handler(Conflict, lambda e: problem(HTTPStatus.CONFLICT, str(e)))
    app.register_error_handler(Overloaded, _overloaded)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def problem(
    status: HTTPStatus, detail: str = "", errors: list[ProblemField] | None = None
) -> Response:
    """The answer that tells of an error."""
    body = Problem(title=status.phrase, status=status, detail=detail, errors=errors or [])
    if wants_html():
        response = Response(render_template("error.html", problem=body))
    else:
        response = jsonify(body.model_dump())
        response.content_type = "application/problem+json"
    response.status_code = status
    return response


def invalid_input(error: InvalidInput) -> Response:
    """422 with an entry for each wrong field."""
    fields = [ProblemField(field=e.field, detail=e.detail) for e in error.errors]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), fields)


def _unauthorized(error: Unauthorized) -> Response:
    response = problem(HTTPStatus.UNAUTHORIZED, str(error))
    response.headers["WWW-Authenticate"] = 'Bearer realm="moderation"'
    return response


def _overloaded(error: Overloaded) -> Response:
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; nothing was stored, try again")
    response.headers["Retry-After"] = "5"
    return response


def _http_exception(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error.get_response()
    response = problem(HTTPStatus(error.code), error.description or "")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    # Only the type and the place: a message may quote what a reader sent.
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("a request failed with %s at %s", type(error).__name__, where)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our mistake, and it has been noted")
