"""Sites and comments for tests, put into a database without the web."""

from typing import Any

from sqlalchemy import insert, select

from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.ids import new_id
from moderation.models import Comment, Event, Thread
from moderation.policy import HEADS, SiteSettings
from moderation.review import Actor, Change, set_status
from moderation.similarity import fingerprint
from moderation.sites import create_site
from moderation.submissions import NewComment, author_id

PAGE = "https://news.example/bridge"
EMAIL = "zoe@example.org"
TEXT = "The old bridge had a tram line, which nobody mentions."

MODERATOR = Actor(ActorKind.MODERATOR, "mona")
WORKER = Actor(ActorKind.WORKER, "worker")


def new_comment(site_id: int, **fields: Any) -> NewComment:
    """A comment as it comes in."""
    values = {
        "page": PAGE,
        "page_title": "",
        "parent_id": None,
        "name": "Zoë",
        "email": EMAIL,
        "website": "",
        "text": TEXT,
        "ip": None,
        "user_agent": "",
        "referrer": "",
        "idempotency_key": None,
    }
    return NewComment(site_id=site_id, **(values | fields))


def add_site(database: Database, name: str = "news", **settings: Any) -> int:
    """A site with these settings and the key `<name>-key`, without an audit unless they say so; its
    id."""
    with database.write() as connection:
        return create_site(
            connection,
            name=name,
            key=f"{name}-key",
            settings=SiteSettings.model_validate({"audit_share": 0} | settings),
        )


def add_comment(
    database: Database,
    site_id: int,
    *,
    status: Status = Status.PENDING,
    page: str = PAGE,
    parent: str | None = None,
    age: int = 0,
    **columns: Any,
) -> str:
    """A comment that was stored `age` milliseconds ago, decided by a moderator; its id."""
    at = now_ms() - age
    comment_id = new_id(at)
    email = columns.get("email", EMAIL)
    with database.write() as connection:
        find = select(Thread.id).where(Thread.site_id == site_id, Thread.page == page)
        thread_id = connection.execute(find).scalar_one_or_none()
        if thread_id is None:
            thread = insert(Thread).values(site_id=site_id, page=page, title="", created_at=at)
            thread_id = connection.execute(thread.returning(Thread.id)).scalar_one()
        root = select(Comment.root_id).where(Comment.id == parent)
        values = {
            "id": comment_id,
            "site_id": site_id,
            "thread_id": thread_id,
            "parent_id": parent,
            "root_id": connection.execute(root).scalar_one() if parent else comment_id,
            "created_at": at,
            "name": "Zoë",
            "email": email,
            "author_id": author_id(site_id, email),
            "website": "",
            "text": TEXT,
            "user_agent": "",
            "referrer": "",
            "status": Status.PENDING,
            "reason": "",
            "version": 0,
            "sweeps": 0,
        }
        connection.execute(insert(Comment).values(values | columns))
        if status is not Status.PENDING:
            change = Change(comment_id=comment_id, to=status, reason="")
            set_status(connection, [change], actor=MODERATOR)
    return comment_id


EVIDENCE: dict[str, Any] = {
    "rules": [
        {"rule": "first_comment", "verdict": "hold", "detail": "no approved comment of this author"}
    ],
    "able": True,
    "scores": dict.fromkeys(HEADS, 0.1) | {"reject": 0.7, "insult": 0.9},
    "thresholds": dict.fromkeys(HEADS, 0.5) | {"reject": 0.8},
}


def held_by_worker(
    database: Database,
    site_id: int,
    *,
    evidence: dict[str, Any] = EVIDENCE,
    reason: str = "insult",
    language: str = "en",
    **columns: Any,
) -> str:
    """A comment that the worker has held on this evidence; its id."""
    comment_id = add_comment(database, site_id, **columns)
    change = Change(
        comment_id=comment_id,
        to=Status.HELD,
        reason=reason,
        model="model-1",
        score=evidence.get("scores", {}).get("reject"),
        fingerprint=fingerprint(columns.get("text", TEXT)),
        language=language,
        evidence=evidence,
    )
    with database.write() as connection:
        set_status(connection, [change], actor=WORKER)
    return comment_id


def row_of(database: Database, comment_id: str) -> Any:
    """The comment's row."""
    with database.read() as connection:
        return connection.execute(select(Comment.__table__).where(Comment.id == comment_id)).one()


def events_of(database: Database, comment_id: str) -> list[Any]:
    """The comment's events, the oldest first."""
    query = select(Event.__table__).where(Event.comment_id == comment_id).order_by(Event.id)
    with database.read() as connection:
        return list(connection.execute(query))
