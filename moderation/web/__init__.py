"""The blueprints: each turns requests into calls of a service, and the outcome into an answer."""

from flask import Flask

from moderation.web import (
    access,
    accounts,
    comments,
    demo,
    events_api,
    health,
    history,
    numbers,
    problems,
    reference,
    review,
    scores,
)


def register(app: Flask) -> None:
    """Put every blueprint and handler onto the application."""
    problems.register(app)
    access.register(app)
    desk = (accounts, review, history, numbers, scores)
    for module in (comments, demo, *desk, events_api, reference, health):
        app.register_blueprint(module.blueprint)
