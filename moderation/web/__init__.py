"""The blueprints: each turns requests into calls of a service, and the outcome into an answer."""

from flask import Flask

from moderation.web import (
    access,
    account_api,
    accounts,
    akismet,
    bodies,
    comments,
    coral,
    cors,
    demo,
    desk,
    desk_api,
    erasing,
    events_api,
    feeds,
    forms,
    health,
    history,
    imports,
    numbers,
    own_account,
    people,
    perspective,
    problems,
    reference,
    scores,
    scoring,
    site_models,
    sites,
    thresholds,
    uploads,
    webhooks,
)

_DESK = (
    accounts,
    own_account,
    people,
    sites,
    thresholds,
    site_models,
    webhooks,
    desk,
    history,
    numbers,
    scores,
    imports,
    erasing,
)
_API = (
    comments,
    forms,
    feeds,
    scoring,
    akismet,
    perspective,
    coral,
    account_api,
    desk_api,
    events_api,
    reference,
    health,
)
_MODULES = (*_API, demo, *_DESK)


def register(app: Flask) -> None:
    """Put every blueprint and handler onto the application."""
    app.request_class = uploads.Request
    problems.register(app)
    access.register(app)
    cors.register(app)
    bodies.register(app)
    for module in _MODULES:
        app.register_blueprint(module.blueprint)
