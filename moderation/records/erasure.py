"""Erasure: what somebody wrote, and all that tells who it was, is removed for good.

The comment's place stays, rejected and empty, so that answers keep theirs and no import brings it
back; its events stay, without what quotes it.
"""

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import Connection, select, update

from moderation.clock import now_ms
from moderation.domain import ERASED, EventKind, Status
from moderation.learning import labels, shadows
from moderation.models import Comment, Event, Example, Label
from moderation.review import Actor, Change, set_status

# Of an event's evidence, what quotes nothing that was written.
_KEPT = frozenset(
    {"able", "scores", "thresholds", "standing", "batch", "undoes", "field", "origin"}
)

_CHUNK = 500


def of_author(connection: Connection, site_id: int, author: str) -> list[str]:
    """Ids of what an author (`submissions.author_id`) wrote on a site, and is not erased yet."""
    query = select(Comment.id).where(
        Comment.site_id == site_id, Comment.author_id == author, Comment.reason != ERASED
    )
    return list(connection.scalars(query.order_by(Comment.id)))


def examples_named(connection: Connection, site_id: int, names: Sequence[str]) -> list[int]:
    """Examples of a site whose authors have one of these names: there is nothing else to know them
    by, and others may be called the same."""
    query = select(Example.id).where(
        Example.site_id == site_id, Example.name.in_([n for n in names if n]), Example.text != ""
    )
    return list(connection.scalars(query))


def names_of(connection: Connection, comment_ids: Sequence[str]) -> list[str]:
    """The names under which these comments were posted."""
    query = select(Comment.name).where(Comment.id.in_(comment_ids), Comment.name != "").distinct()
    return sorted(connection.scalars(query))


def erase(connection: Connection, comment_ids: Sequence[str], *, actor: Actor) -> int:
    """Erase comments; how many of them were there to be erased."""
    erased = 0
    ids = iter(comment_ids)
    while part := list(islice(ids, _CHUNK)):
        changes = [
            Change(comment_id=one, to=Status.REJECTED, reason=ERASED, kind=EventKind.ERASURE)
            for one in part
        ]
        done = [one.comment_id for one in set_status(connection, changes, actor=actor)]
        labels.withdraw(connection, done)
        shadows.forget(connection, done)
        _blank_events(connection, done)
        _blank(connection, done)
        erased += len(done)
    return erased


def erase_examples(connection: Connection, example_ids: Sequence[int]) -> int:
    """Erase examples; how many there were."""
    ids = iter(example_ids)
    erased = 0
    while part := list(islice(ids, _CHUNK)):
        connection.execute(
            update(Label)
            .where(Label.example_id.in_(part), Label.withdrawn_at.is_(None))
            .values(withdrawn_at=now_ms())
        )
        connection.execute(
            update(Example)
            .where(Example.id.in_(part))
            .values(text="", name="", website="", page="")
        )
        erased += len(part)
    return erased


def _blank(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(
        update(Comment)
        .where(Comment.id.in_(ids))
        .values(
            text="",
            name="",
            email="",
            # A digest of the address would still tell whose it was to who knows the address.
            author_id=Comment.id,
            website="",
            ip=None,
            user_agent="",
            referrer="",
            fingerprint=None,
            language="",
            # It waits for nobody: there is nothing to look at.
            audit="",
            propensity=None,
        )
    )


def _blank_events(connection: Connection, ids: Sequence[str]) -> None:
    """Words that weighed, what rules found, notes: any of it may quote the comment."""
    query = select(Event.id, Event.evidence).where(Event.comment_id.in_(ids))
    for event in connection.execute(query).all():
        kept = {name: value for name, value in event.evidence.items() if name in _KEPT}
        if kept != event.evidence:
            connection.execute(update(Event).where(Event.id == event.id).values(evidence=kept))
