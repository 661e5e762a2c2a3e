"""What a site's own people decided there, passed on by its program: a person's word like any other.

Between the desk's moderators and them, the later word counts. What readers report is passed on in
the same way; it decides nothing.
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, insert, select

from moderation.clock import now_ms
from moderation.domain import (
    ERASED,
    ActorKind,
    EventKind,
    LabelSource,
    Selection,
    Status,
)
from moderation.errors import NotFound
from moderation.learning import labels
from moderation.learning.labels import NewLabel
from moderation.models import Comment, Event, Example, Label
from moderation.review import Actor, Change, set_status
from moderation.schemas import TEXT_LENGTH, prose

ACTOR_LENGTH = 64

REPORT_STRENGTH = 0.3
"""Of a reader's report as evidence: readers also report what they only disagree with."""

# Of a reader's name at the site, in hexadecimal digits: enough to tell a site's readers apart.
_DIGEST_LENGTH = 16


def correct(
    connection: Connection, *, site_id: int, comment_id: str, to: Status, reason: str, by: str
) -> None:
    """Let a comment stand where the site's people want it; a label, too.

    The same said again by the same changes nothing, because clients repeat their calls.

    Args:
        to: approved, held or rejected.
        by: the person at the site, or the protocol.

    Raises:
        NotFound: the site has no such comment.
    """
    if not has_comment(connection, site_id, comment_id):
        raise NotFound("there is no such comment")
    actor = Actor(ActorKind.CLIENT, by[:ACTOR_LENGTH])
    last = _last_decision(connection, comment_id)
    said = (actor.kind, actor.name, to, reason)
    if last is None or (last.actor_kind, last.actor, last.to_status, last.reason) != said:
        change = Change(comment_id=comment_id, to=to, reason=reason)
        set_status(connection, [change], actor=actor)


def report(connection: Connection, *, site_id: int, comment_id: str, reason: str, by: str) -> None:
    """Keep that a reader reported a comment: a weak label, until a person decides. The comment
    stays where it stands; the same reader's reports of it are one.

    Args:
        by: what stands for the reader at the site. A digest of it is kept.

    Raises:
        NotFound: the site has no such comment, or it was erased.
    """
    query = select(Comment.site_id, Comment.reason).where(Comment.id == comment_id)
    found = connection.execute(query).one_or_none()
    if found is None or found.site_id != site_id or found.reason == ERASED:
        raise NotFound("there is no such comment")
    reader = hashlib.sha256(f"{site_id}:{by}".encode()).hexdigest()[:_DIGEST_LENGTH]
    known = select(Label.id).where(
        Label.comment_id == comment_id, Label.source == LabelSource.READER, Label.actor == reader
    )
    if connection.scalar(known) is not None:
        return
    label = NewLabel(
        site_id=site_id,
        comment_id=comment_id,
        source=LabelSource.READER,
        actor=reader,
        unwanted=1.0,
        strength=REPORT_STRENGTH,
        reason=reason,
        selection=Selection.PUBLISHED,
    )
    labels.record(connection, [label])


def has_comment(connection: Connection, site_id: int, comment_id: str) -> bool:
    """Whether the site has this comment."""
    query = select(Comment.site_id).where(Comment.id == comment_id)
    return connection.scalar(query) == site_id


def teach(
    connection: Connection,
    *,
    site_id: int,
    origin: str,
    origin_id: str,
    text: str,
    unwanted: float,
    reason: str = "",
    page: str = "",
    name: str = "",
    website: str = "",
) -> None:
    """Keep the label of a comment that was never sent here, with the comment as an example; the
    same said again adds nothing.

    Args:
        origin: the protocol it came by.
        origin_id: the same for the same comment.
        unwanted: from 0 to 1, as in `models.Label`.
    """
    known = select(Example.id).where(
        Example.site_id == site_id, Example.origin == origin, Example.origin_id == origin_id
    )
    example_id = connection.scalar(known)
    if example_id is None:
        created = connection.execute(
            insert(Example)
            .values(
                site_id=site_id,
                origin=origin,
                origin_id=origin_id,
                page=page,
                name=name,
                website=website,
                text=prose(text)[:TEXT_LENGTH],
                created_at=now_ms(),
            )
            .returning(Example.id)
        )
        example_id = created.scalar_one()
    if _last_label(connection, example_id) == unwanted:
        return
    label = NewLabel(
        site_id=site_id,
        example_id=example_id,
        source=LabelSource.CLIENT,
        actor=origin,
        unwanted=unwanted,
        reason=reason,
        # It is the exception that people speak of: what was published and is unwanted, or the
        # reverse.
        selection=Selection.PUBLISHED if unwanted >= 0.5 else Selection.REJECTED,
    )
    labels.record(connection, [label])


def _last_label(connection: Connection, example_id: int) -> float | None:
    query = (
        select(Label.unwanted)
        .where(Label.example_id == example_id, Label.withdrawn_at.is_(None))
        .order_by(Label.id.desc())
        .limit(1)
    )
    return connection.scalar(query)


def _last_decision(connection: Connection, comment_id: str) -> Any:
    query = (
        select(Event.actor_kind, Event.actor, Event.to_status, Event.reason)
        .where(
            Event.comment_id == comment_id,
            Event.kind.in_((EventKind.DECISION, EventKind.UNDO)),
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    return connection.execute(query).one_or_none()
