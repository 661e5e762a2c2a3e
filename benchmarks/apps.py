"""The Flask applications that the service is compared with."""

from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, insert, select

from moderation.clock import now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import Status
from moderation.ids import new_id
from moderation.models import Comment, Thread
from moderation.queues import connect, enqueue_decide
from moderation.schemas import CommentSubmission, parse
from moderation.sites import SiteDirectory
from moderation.submissions import author_id


def noop() -> Flask:
    """Parses the body, stores nothing: what Flask and the server cost by themselves."""
    app = Flask("noop")

    @app.post("/v1/comments")
    def submit() -> ResponseReturnValue:
        request.get_json()
        return {"id": "0", "status": "pending"}, 202

    return app


def per_request() -> Flask:
    """The plain design: for each request one transaction and one job.

    Checks the same, and stores the same row in the same tables, as the service does.
    """
    settings = Settings.from_environment()
    database = Database(settings.database)
    redis = connect(settings.redis)
    sites = SiteDirectory(database)
    app = Flask("per_request")

    @app.post("/v1/comments")
    def submit() -> ResponseReturnValue:
        submission = parse(CommentSubmission, request.get_json())
        site = sites.by_key(request.headers["Authorization"].removeprefix("Bearer "))
        if site is None:
            return {"title": "Unauthorized"}, 401
        comment_id = new_id()
        with database.write() as connection:
            _store(connection, submission, site.id, comment_id)
        enqueue_decide(redis, [comment_id])
        return {"id": comment_id, "status": Status.PENDING}, 202

    return app


def _store(
    connection: Connection, submission: CommentSubmission, site_id: int, comment_id: str
) -> None:
    connection.execute(
        insert(Comment).values(
            id=comment_id,
            site_id=site_id,
            thread_id=_thread_id(connection, site_id, submission.page),
            root_id=comment_id,
            created_at=now_ms(),
            name=submission.name,
            email=submission.email,
            author_id=author_id(site_id, submission.email),
            website=submission.website,
            text=submission.text,
            ip=submission.ip,
            user_agent=submission.user_agent,
            referrer=submission.referrer,
        )
    )


def _thread_id(connection: Connection, site_id: int, page: str) -> int:
    known = select(Thread.id).where(Thread.site_id == site_id, Thread.page == page)
    found = connection.execute(known).scalar_one_or_none()
    if found is not None:
        return found
    values = {"site_id": site_id, "page": page, "created_at": now_ms()}
    return connection.execute(insert(Thread).values(values).returning(Thread.id)).scalar_one()
