"""What the views share: the services, who signed in, and what kind of answer is wanted."""

from typing import cast

from flask import current_app, g, request

from moderation.accounts import AccountRef
from moderation.services import Services


def services() -> Services:
    """The services of the current application."""
    return cast(Services, current_app.extensions["moderation"])


def account() -> AccountRef:
    """Who signed in; only for views that are closed to others (see `access`)."""
    return cast(AccountRef, g.account)


def wants_html() -> bool:
    """Whether a browser asks, and not a program."""
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best == "text/html"
