"""Errors as answers: problem details (RFC 9457) for programs, a page for people."""

import logging
import traceback
from http import HTTPStatus

from flask import Flask, Response, jsonify, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as MissingPage

from moderation.errors import Closed, Conflict, InvalidInput, NotFound, Overloaded, Unauthorized
from moderation.schemas import Problem, ProblemField
from moderation.web.context import wants_html

log = logging.getLogger(__name__)

# What people read; programs get the standard's phrase.
_HEADINGS = {
    HTTPStatus.FORBIDDEN: "This is not open to you",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is too large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something is not right yet",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not at the moment",
}

_IN_OUR_WORDS = {
    MissingPage.description: "there is nothing at this address",
    RequestEntityTooLarge.description: "more was sent than is taken at once",
}

# Enough to reach from a library back into our own code.
_FRAMES_LOGGED = 8


def register(app: Flask) -> None:
    """Give every error its answer."""
    app.register_error_handler(InvalidInput, invalid_input)
    app.register_error_handler(Unauthorized, _unauthorized)
    app.register_error_handler(NotFound, lambda e: problem(HTTPStatus.NOT_FOUND, str(e)))
    app.register_error_handler(Closed, lambda e: problem(HTTPStatus.FORBIDDEN, str(e)))
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
        heading = _HEADINGS.get(status, "That did not work")
        response = Response(render_template("error.html", heading=heading, problem=body))
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
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    response.headers["Retry-After"] = str(error.seconds)
    return response


def _http_exception(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error.get_response()
    detail = error.description or ""
    detail = _IN_OUR_WORDS.get(detail, detail)
    response = problem(HTTPStatus(error.code), detail)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def note(error: Exception) -> None:
    """Log what nobody expected."""
    # Only the type and the places: a message may quote what a reader sent.
    frames = traceback.extract_tb(error.__traceback__)
    places = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in frames[-_FRAMES_LOGGED:])
    log.error("a request failed with %s at %s", type(error).__name__, places)


def _unexpected(error: Exception) -> Response:
    note(error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our mistake, and it has been noted")
