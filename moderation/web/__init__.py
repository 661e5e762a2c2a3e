"""The blueprints: each turns requests into calls of a service, and the outcome into an answer."""

from flask import Flask

from moderation.web import (
    access,
    accounts,
    comments,
    demo,
    desk,
    desk_api,
    health,
    problems,
    reference,
)


def register(app: Flask) -> None:
    """Put every blueprint and handler onto the application."""
    problems.register(app)
    access.register(app)
    for module in (comments, demo, accounts, desk, desk_api, reference, health):
        app.register_blueprint(module.blueprint)
