"""Held comments by their probability of `reject`: how they are spread, and deciding a range."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Integer, cast, exists, func, select

from moderation import review
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import queue
from moderation.desk.queue import QueueFilter, Row
from moderation.domain import CHANGING, Status
from moderation.models import Comment, Event, is_held

BINS = 100
"""The histogram's columns, each as wide as one of the probability's percents."""

BATCH = 1_000
"""Comments in one transaction, and what one "undo" takes back: others who want to write wait for no
more than that."""

MOST_AT_ONCE = 10_000
"""Comments decided before the moderator is asked again."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How many held comments there are in each of `BINS`, and how many without a probability."""

    bins: list[int]
    without: int


@dataclass(frozen=True, slots=True)
class InRange:
    """The comments in a range.

    `marker` is the latest event that was looked at: see `decide`.
    """

    count: int
    marker: int
    sample: list[Row]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a decision about a range: `left` are still to be decided."""

    decided: int
    left: int


def spread(connection: Connection, wanted: QueueFilter) -> Spread:
    """The comments of the filter, whatever range of probabilities it names."""
    everything = wanted.model_copy(update={"score_from": None, "score_to": None})
    # A cast rounds on PostgreSQL, and SQLite may have no floor().
    scaled = Comment.score * BINS
    whole = connection.dialect.name == "sqlite"
    place = (cast(scaled, Integer) if whole else func.floor(scaled)).label("place")
    counted = (
        select(place, func.count().label("number"))
        .where(*_held(connection, everything))
        .group_by(place)
    )
    found = Spread([0] * BINS, 0)
    without = 0
    for row in connection.execute(counted):
        if row.place is None:
            without = row.number
        else:
            found.bins[min(int(row.place), BINS - 1)] += row.number
    return Spread(found.bins, without)


def in_range(connection: Connection, wanted: QueueFilter, *, sample: int) -> InRange:
    """The comments of the filter, with up to `sample` of them drawn by lot."""
    conditions = _held(connection, wanted)
    # The marker first: what is decided after it was read is left alone, at worst needlessly.
    marker = queue.latest_event(connection)
    count = connection.execute(
        select(func.count()).select_from(Comment).where(*conditions)
    ).scalar_one()
    drawn = select(Comment.id).where(*conditions).order_by(func.random()).limit(sample)
    ids = list(connection.scalars(drawn)) if sample else []
    return InRange(count, marker, queue.rows(connection, ids))


def decide(
    database: Database,
    wanted: QueueFilter,
    *,
    to: Status,
    reason: str,
    moderator: AccountRef,
    marker: int,
) -> Outcome:
    """Decide the held comments of the filter as they stood at the event `marker`, in batches, up to
    `MOST_AT_ONCE`.

    Left alone is what has changed its status since the marker, whoever changed it, and what came
    into the range after it: nobody had counted it.
    """
    decided = 0
    while decided < MOST_AT_ONCE:
        with database.read() as connection:
            seen = _unchanged(connection, wanted, marker, min(BATCH, MOST_AT_ONCE - decided))
        if not seen:
            return Outcome(decided, 0)
        with database.write() as connection:
            outcome = review.decide(connection, seen, to=to, reason=reason, moderator=moderator)
        decided += len(outcome.applied)
    with database.read() as connection:
        left = connection.execute(
            select(func.count())
            .select_from(Comment)
            .where(*_conditions(connection, wanted, marker))
        ).scalar_one()
    return Outcome(decided, left)


def _unchanged(
    connection: Connection, wanted: QueueFilter, marker: int, limit: int
) -> list[tuple[str, int]]:
    query = select(Comment.id, Comment.version).where(*_conditions(connection, wanted, marker))
    return [(row.id, row.version) for row in connection.execute(query.limit(limit))]


def _conditions(
    connection: Connection, wanted: QueueFilter, marker: int
) -> list[ColumnElement[bool]]:
    changed = exists().where(
        Event.comment_id == Comment.id,
        Event.id > marker,
        Event.kind.in_(CHANGING),
    )
    return [*_held(connection, wanted), ~changed]


def _held(connection: Connection, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    # What was drawn for the audit is not decided by its score, and its score would tell of it.
    return [is_held(Comment), *queue.conditions(connection, wanted)]
