"""Status changes. `set_status` is the only writer of a comment's status, and writes the event row
in the same transaction; a person's decision is final for every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from moderation.clock import now_ms
from moderation.domain import ActorKind, Status
from moderation.errors import Conflict, NotFound
from moderation.models import Comment, Event, Site, Thread

# Kept for the bound parameters' names: a column's own name would stand for its value.
_WRITE = (
    update(Comment.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table
    .where(Comment.id == bindparam("comment"))
    .values(
        status=bindparam("to"),
        reason=bindparam("why"),
        score=bindparam("scored"),
        fingerprint=bindparam("print"),
        version=Comment.version + 1,
    )
)

# Of the table, not of the class: what the mapping adds to an insert is not needed.
_RECORD = insert(Event.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who or what decides; `name` is the account's name or the program's part."""

    kind: ActorKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A wish to move a comment to another status.

    `seen_version` is the version that the decider looked at; None if it need not match. `score` and
    `fingerprint` replace the stored ones unless they are None.
    """

    comment_id: str
    to: Status
    reason: str
    seen_version: int | None = None
    model: str | None = None
    score: float | None = None
    fingerprint: bytes | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that was made."""

    comment_id: str
    from_status: Status
    to_status: Status
    version: int


def set_status(connection: Connection, changes: Sequence[Change], *, actor: Actor) -> list[Applied]:
    """Make those changes that are still allowed, each with its event; return them.

    A worker moves a comment only out of `pending`. A moderator moves it from any status to
    approved, held or rejected, as long as nobody else did since `seen_version`. What is not allowed
    is left out, silently: the caller compares. Ids that do not exist are left out too.
    """
    current = _lock(connection, [change.comment_id for change in changes])
    allowed = [
        (change, row)
        for change in changes
        if (row := current.get(change.comment_id)) is not None and _allowed(change, row, actor)
    ]
    if not allowed:
        return []
    at = now_ms()
    connection.execute(_WRITE, [_values(change, row) for change, row in allowed])
    connection.execute(_RECORD, [_event(change, row, actor, at) for change, row in allowed])
    return [
        Applied(change.comment_id, Status(row.status), change.to, row.version + 1)
        for change, row in allowed
    ]


def _lock(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """The rows as they stand, kept from changing until the transaction ends.

    PostgreSQL locks the rows, always in the same order; SQLite's transaction holds the write lock
    anyway, and its dialect leaves FOR UPDATE out.
    """
    query = (
        select(Comment.id, Comment.status, Comment.version, Comment.score, Comment.fingerprint)
        .where(Comment.id.in_(ids))
        .order_by(Comment.id)
        .with_for_update()
    )
    return {row.id: row for row in connection.execute(query).all()}


def _allowed(change: Change, row: Any, actor: Actor) -> bool:
    if change.to is Status.PENDING:
        return False
    if actor.kind is ActorKind.WORKER:
        return bool(row.status == Status.PENDING)
    return change.seen_version is None or bool(row.version == change.seen_version)


def _values(change: Change, row: Any) -> dict[str, Any]:
    return {
        "comment": change.comment_id,
        "to": change.to,
        "why": change.reason,
        "scored": row.score if change.score is None else change.score,
        "print": row.fingerprint if change.fingerprint is None else change.fingerprint,
    }


def _event(change: Change, row: Any, actor: Actor, at: int) -> dict[str, Any]:
    return {
        "comment_id": change.comment_id,
        "at": at,
        "actor_kind": actor.kind,
        "actor": actor.name,
        "from_status": row.status,
        "to_status": change.to,
        "reason": change.reason,
        "model": change.model,
        "evidence": change.evidence,
    }


@dataclass(frozen=True, slots=True)
class HeldComment:
    """A comment that waits for a moderator, with the decision that held it.

    Without the e-mail address: moderators decide about what was said.
    """

    id: str
    version: int
    site: str
    page: str
    title: str
    name: str
    website: str
    text: str
    created_at: int
    reason: str
    score: float | None
    model: str | None
    evidence: dict[str, Any]


def held(connection: Connection, *, after: str, limit: int) -> list[HeldComment]:
    """Held comments, the oldest first, beginning after the id `after`."""
    newest_event = (
        select(func.max(Event.id))
        .where(Event.comment_id == Comment.id)
        .correlate(Comment)
        .scalar_subquery()
    )
    query = (
        select(
            Comment.id,
            Comment.version,
            Site.name.label("site"),
            Thread.page,
            Thread.title,
            Comment.name,
            Comment.website,
            Comment.text,
            Comment.created_at,
            Comment.reason,
            Comment.score,
            Event.model,
            Event.evidence,
        )
        .join(Site, Site.id == Comment.site_id)
        .join(Thread, Thread.id == Comment.thread_id)
        .join(Event, Event.id == newest_event)
        .where(Comment.status == Status.HELD, Comment.id > after)
        .order_by(Comment.id)
        .limit(limit)
    )
    return [HeldComment(**row._mapping) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[Status, int]:
    """How many comments stand where."""
    query = select(Comment.status, func.count()).group_by(Comment.status)
    found = {Status(status): count for status, count in connection.execute(query)}
    return {status: found.get(status, 0) for status in Status}


def moderate(
    connection: Connection,
    *,
    comment_id: str,
    to: Status,
    reason: str,
    seen_version: int,
    moderator: str,
) -> Applied:
    """A moderator's decision about one comment.

    Raises:
        NotFound: there is no such comment.
        Conflict: somebody else decided since; the message says who, and what.
    """
    change = Change(comment_id=comment_id, to=to, reason=reason, seen_version=seen_version)
    applied = set_status(connection, [change], actor=Actor(ActorKind.MODERATOR, moderator))
    if applied:
        return applied[0]
    latest = connection.execute(
        select(Event.actor, Event.to_status)
        .where(Event.comment_id == comment_id)
        .order_by(Event.id.desc())
        .limit(1)
    ).one_or_none()
    if latest is None:
        raise NotFound("there is no such comment")
    raise Conflict(f"{latest.actor} has decided meanwhile: {latest.to_status}")
