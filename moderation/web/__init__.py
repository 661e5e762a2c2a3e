"""The blueprints: each turns requests into calls of a service, and the outcome into an answer."""

from flask import Flask

from moderation.web import (
    access,
    account_api,
    accounts,
    comments,
    cors,
    demo,
    desk,
    desk_api,
    events_api,
    feeds,
    forms,
    health,
    history,
    numbers,
    own_account,
    people,
    problems,
    reference,
    scores,
    sites,
    webhooks,
)

_DESK = (accounts, own_account, people, sites, webhooks, desk, history, numbers, scores)
_MODULES = (
    comments,
    forms,
    feeds,
    demo,
    *_DESK,
    account_api,
    desk_api,
    events_api,
    reference,
    health,
)


def register(app: Flask) -> None:
    """Put every blueprint and handler onto the application."""
    problems.register(app)
    access.register(app)
    cors.register(app)
    for module in _MODULES:
        app.register_blueprint(module.blueprint)
