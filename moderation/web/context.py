"""What the views share: the services, who signed in, and what kind of answer is wanted."""

from typing import Any, cast

from flask import current_app, g, request
from sqlalchemy import Connection
from werkzeug.exceptions import BadRequest

from moderation.access.accounts import AccountRef
from moderation.errors import FieldError, InvalidInput
from moderation.services import Services
from moderation.sites import names


def services() -> Services:
    """The services of the current application."""
    return cast(Services, current_app.extensions["moderation"])


def account() -> AccountRef:
    """Who signed in; only for views that are closed to others (see `access`)."""
    return cast(AccountRef, g.account)


def sites_named(connection: Connection, name: str) -> frozenset[int] | None:
    """The account's site of this name, or all its sites where the name is empty; None: every site.

    Raises:
        InvalidInput: the account sees no site of this name.
    """
    if not name:
        return account().sites
    found = [i for i, known in names(connection, account().sites).items() if known == name]
    if not found:
        raise InvalidInput(FieldError("site", "is not one of your sites"))
    return frozenset(found)


def json_object() -> dict[str, Any]:
    """The object that the request's body is.

    Raises:
        UnsupportedMediaType: it says that it is something else.
        BadRequest: it is no JSON, or no object.
    """
    try:
        fields = request.get_json()
    except BadRequest as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise BadRequest("the body has to be a JSON object")
    return fields


def wants_html() -> bool:
    """Whether a browser asks, and not a program."""
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best == "text/html"
