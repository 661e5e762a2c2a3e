"""All that a moderator sees of a comment, gathered for a whole page at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from moderation import alike
from moderation.desk import authors
from moderation.desk.queue import Count, Row
from moderation.domain import PEOPLE, ActorKind, EventKind
from moderation.models import Comment, Event

# Resembling comments are counted up to here on a card.
_LIKE_IT = 100


@dataclass(frozen=True, slots=True)
class Parent:
    """The comment that is answered."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a moderator wrote about a comment."""

    by: str
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """A comment and what there is to know about it.

    `evidence` and `model` are those of the latest automatic decision, empty where the row is blind;
    `decided_by` is the moderator whose decision stands, empty where none does.
    """

    row: Row
    model: str | None
    evidence: Mapping[str, Any]
    decided_by: str
    notes: Sequence[Note]
    parent: Parent | None
    author: authors.Record
    similar: Count
    """Other waiting comments that resemble it."""


def cards(connection: Connection, rows: Sequence[Row]) -> list[Card]:
    """The cards of these comments, in their order."""
    events = _events(connection, rows)
    parents = _parents(connection, rows)
    similar = _similar(connection, rows)
    records = authors.records(connection, [row.id for row in rows])
    return [
        Card(
            row=row,
            **_from_events(row, events.get(row.id, ())),
            parent=parents.get(row.parent_id or ""),
            author=records[row.site_id, row.author_id],
            similar=similar[row.id],
        )
        for row in rows
    ]


def _events(connection: Connection, rows: Sequence[Row]) -> dict[str, list[Any]]:
    query = select(Event.__table__).where(Event.comment_id.in_([row.id for row in rows]))
    found: dict[str, list[Any]] = {}
    # Sorted here: PostgreSQL would read all events in their order to save itself the sorting.
    for event in sorted(connection.execute(query), key=attrgetter("id")):
        found.setdefault(event.comment_id, []).append(event)
    return found


def _from_events(row: Row, events: Sequence[Any]) -> dict[str, Any]:
    by_worker = [e for e in events if e.actor_kind == ActorKind.WORKER and not row.is_blind]
    last = _that_stands([e for e in events if e.kind in _DECIDING])
    return {
        "model": by_worker[-1].model if by_worker else None,
        "evidence": by_worker[-1].evidence if by_worker else {},
        "decided_by": _decided_by(last) if last else "",
        "notes": [
            Note(event.actor, event.at, event.evidence["note"])
            for event in events
            # Of an erased comment nothing is left of them.
            if event.kind == EventKind.NOTE and "note" in event.evidence
        ],
    }


_DECIDING = (EventKind.DECISION, EventKind.UNDO, EventKind.ERASURE)


def _that_stands(deciding: Sequence[Any]) -> Any | None:
    """The latest decision that was not taken back; where all were, the latest at all."""
    undone = {e.evidence.get("undoes") for e in deciding if e.kind == EventKind.UNDO}
    standing = [e for e in deciding if e.kind != EventKind.UNDO and e.id not in undone]
    return next(reversed(standing or deciding), None)


def _decided_by(event: Any) -> str:
    """Who decided, where that was not the worker."""
    if event.actor_kind == ActorKind.IMPORT:
        return f"the import from {event.actor}"
    return str(event.actor) if event.actor_kind in PEOPLE else ""


def _parents(connection: Connection, rows: Sequence[Row]) -> dict[str, Parent]:
    ids = [row.parent_id for row in rows if row.parent_id]
    query = select(Comment.id, Comment.name, Comment.text).where(Comment.id.in_(ids))
    return {found.id: Parent(found.name, found.text) for found in connection.execute(query)}


def _similar(connection: Connection, rows: Sequence[Row]) -> dict[str, Count]:
    wanted = [(row.site_id, row.fingerprint) for row in rows]
    found = alike.like_each(connection, wanted, at_most=_LIKE_IT)
    return {
        row.id: _others(row.id, comment_ids) for row, comment_ids in zip(rows, found, strict=True)
    }


def _others(comment_id: str, found: Sequence[str]) -> Count:
    others = len(found) - (comment_id in found)
    return Count(min(others, _LIKE_IT), more=others >= _LIKE_IT)
