"""Events at any time, put into a database without those who make them."""

from typing import Any

from sqlalchemy import insert, select, update

from moderation.db import Database
from moderation.domain import ActorKind, EventKind, Status
from moderation.models import Comment, Event

HELD_BY_MACHINE = {
    "by": ActorKind.WORKER,
    "to": Status.HELD,
    "reason": "insult",
    "model": "model-1",
}


def add_event(
    database: Database,
    comment_id: str,
    *,
    at: int,
    to: Status,
    by: ActorKind = ActorKind.MODERATOR,
    kind: EventKind = EventKind.DECISION,
    actor: str = "",
    reason: str = "",
    model: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> int:
    """The comment's next event, `at` milliseconds since 1970; the event's id."""
    with database.write() as connection:
        comment = connection.execute(
            select(Comment.site_id, Comment.status).where(Comment.id == comment_id)
        ).one()
        event = insert(Event).values(
            comment_id=comment_id,
            site_id=comment.site_id,
            at=at,
            kind=kind,
            actor_kind=by,
            actor=actor or ("mona" if by is ActorKind.MODERATOR else "worker"),
            from_status=comment.status,
            to_status=to,
            reason=reason,
            model=model,
            evidence=evidence or {},
        )
        event_id: int = connection.execute(event.returning(Event.id)).scalar_one()
        connection.execute(
            update(Comment)
            .where(Comment.id == comment_id)
            .values(status=to, reason=reason, version=Comment.version + 1)
        )
    return event_id
