"""The blueprints: each turns requests into calls of a service, and the outcome into an answer."""

from flask import Flask

from moderation.web import (
    access,
    account_api,
    accounts,
    comments,
    demo,
    health,
    own_account,
    people,
    problems,
    reference,
    review,
    sites,
)

_MODULES = (
    comments,
    demo,
    accounts,
    own_account,
    people,
    sites,
    review,
    account_api,
    reference,
    health,
)


def register(app: Flask) -> None:
    """Put every blueprint and handler onto the application."""
    problems.register(app)
    access.register(app)
    for module in _MODULES:
        app.register_blueprint(module.blueprint)
