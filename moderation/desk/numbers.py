"""What the desk's numbers are counted from, and how.

Days are UTC's. What happened on a day that is over never changes, so it is counted once and kept
in `day_figures`; days that are not kept yet are counted from their events. `close_days` keeps what
can be kept; nothing is wrong, only slower, where it did not run.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    func,
    insert,
    literal_column,
    null,
    select,
)
from sqlalchemy.orm import aliased

from moderation.clock import DAY, HOUR, MINUTE, SECOND, now_ms
from moderation.db import Database
from moderation.domain import PEOPLE, ActorKind, EventKind, Status
from moderation.ids import floor_id
from moderation.models import Comment, DayFigures, Event

VERDICTS = (Status.APPROVED, Status.REJECTED)
"""The statuses that answer the question whether a comment may be published."""

AGES = (15 * MINUTE, HOUR, 4 * HOUR, DAY, 3 * DAY, 7 * DAY)
"""Where the ages of waiting comments are divided, in milliseconds."""

# Waits are counted in buckets, each 9 % wider than the one before: a quantile is off by half of it.
_BUCKETS_PER_DOUBLING = 8

# A transaction that began on a day may still end on the next one, and clocks differ.
_GRACE = HOUR

SCORE_EDGES = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2),
    *(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
)
"""Where the probabilities of `reject` are divided: finer where most of them are."""

UNKNOWN_EDGES = (0.001, 0.02, 0.05, 0.08, 0.11, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7)
"""Where the shares of words that the model does not know are divided."""

_DECIDING = (EventKind.DECISION, EventKind.UNDO)
_AFTERWARDS = (EventKind.RESCORE, EventKind.ERASURE)

# The 0.975 quantile of the normal distribution: for intervals that cover 95 %.
_Z95 = 1.959963984540054


class Decided(NamedTuple):
    """A kind of decision."""

    kind: str
    from_status: str
    to_status: str
    reason: str
    model: str


class Judged(NamedTuple):
    """What the machine had said of a comment on which a person has decided, and the person."""

    machine: str
    reason: str
    model: str
    verdict: str


class Bin(NamedTuple):
    """The comments that a model judged whose figure is in one place between edges."""

    model: str
    place: int


@dataclass(slots=True)
class Figures:
    """Counts of what happened; they add up over days and sites."""

    decided: Counter[Decided] = field(default_factory=Counter)
    """Every decision, a machine's or a person's."""
    afterwards: Counter[Decided] = field(default_factory=Counter)
    """Every other change of a status: by a newer model that scored what was held again, or by an
    erasure."""
    judged: Counter[Judged] = field(default_factory=Counter)
    """Comments that the machine had decided on, by the last word that people had on the day."""
    waits: Counter[int] = field(default_factory=Counter)
    """Comments that the machine held, by `bucket` of the time to a person's first verdict."""
    scores: Counter[Bin] = field(default_factory=Counter)
    """Comments that the machine decided on, by their place in `SCORE_EDGES`."""
    unknown: Counter[Bin] = field(default_factory=Counter)
    """The same by their place in `UNKNOWN_EDGES`."""

    def add(self, other: "Figures") -> None:
        """Count what `other` has counted, too."""
        self.decided.update(other.decided)
        self.afterwards.update(other.afterwards)
        self.judged.update(other.judged)
        self.waits.update(other.waits)
        self.scores.update(other.scores)
        self.unknown.update(other.unknown)

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON can say it: a list for each kind, with its number last."""
        return {
            "decided": [[*key, n] for key, n in self.decided.items()],
            "afterwards": [[*key, n] for key, n in self.afterwards.items()],
            "judged": [[*key, n] for key, n in self.judged.items()],
            "waits": [[key, n] for key, n in self.waits.items()],
            "scores": [[*key, n] for key, n in self.scores.items()],
            "unknown": [[*key, n] for key, n in self.unknown.items()],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_json` has said, by an earlier release too."""
        return cls(
            Counter({Decided(*key): n for *key, n in stored["decided"]}),
            Counter({Decided(*key): n for *key, n in stored.get("afterwards", ())}),
            Counter({Judged(*key): n for *key, n in stored["judged"]}),
            Counter(dict(stored["waits"])),
            Counter({Bin(*key): n for *key, n in stored.get("scores", ())}),
            Counter({Bin(*key): n for *key, n in stored.get("unknown", ())}),
        )


class Share(NamedTuple):
    """A share, and the ends of its 95 % interval; `value` is None of nothing."""

    part: int
    whole: int
    value: float | None
    low: float
    high: float


class Waiting(NamedTuple):
    """How many held comments wait, and how long they have waited (milliseconds)."""

    held: int
    median: int | None
    oldest: int | None
    by_age: list[int]
    """How many are younger than each of `AGES`, and not younger than the one before; then the
    others."""


def share(part: int, whole: int) -> Share:
    """A share with its score interval (Wilson 1927, "Probable inference, the law of succession, and
    statistical inference", JASA 22, eq. for the roots in p; no continuity correction)."""
    if whole == 0:
        return Share(part, whole, None, 0.0, 1.0)
    value, square = part / whole, _Z95 * _Z95 / whole
    centre = (value + square / 2) / (1 + square)
    half = _Z95 * math.sqrt(value * (1 - value) / whole + square / (4 * whole)) / (1 + square)
    return Share(part, whole, value, max(0.0, centre - half), min(1.0, centre + half))


def bucket(wait: int) -> int:
    """The bucket of a wait in milliseconds."""
    return int(_BUCKETS_PER_DOUBLING * math.log2(1 + max(wait, 0) / SECOND))


def quantile(waits: Mapping[int, int], q: float) -> int | None:
    """The wait (milliseconds) that the share `q` of those in buckets did not exceed, in proportion
    within its bucket; None without any."""
    wanted = q * sum(waits.values())
    seen = 0
    for place, count in sorted(waits.items()):
        if seen + count >= wanted:
            return _edge(place + (wanted - seen) / count)
        seen += count
    return None


def _edge(place: float) -> int:
    return round((2 ** (place / _BUCKETS_PER_DOUBLING) - 1) * SECOND)


def day_of(at: int) -> int:
    """The day of a time, in days since 1970-01-01, UTC."""
    return at // DAY


def by_day(
    connection: Connection, *, first: int, last: int, sites: frozenset[int] | None
) -> dict[tuple[int, int], Figures]:
    """What happened on the days from `first` to `last`, by day and site; nothing, no entry."""
    stored = select(DayFigures.day, DayFigures.site_id, DayFigures.figures).where(
        DayFigures.day.between(first, last), *_on(DayFigures.site_id, sites)
    )
    found = {
        (row.day, row.site_id): Figures.from_json(row.figures) for row in connection.execute(stored)
    }
    open_from = max(first, _first_open_day(connection))
    if open_from <= last:
        found.update(_counted(connection, open_from, last, sites))
    return found


def close_days(database: Database, *, now: int | None = None, at_most: int = 60) -> int:
    """Keep the figures of days that are over, the oldest first; how many days were looked at.

    Each is a transaction of its own, so that nobody waits long for a turn to write.
    """
    over = day_of((now_ms() if now is None else now) - _GRACE)
    for closed in range(at_most):
        with database.read() as connection:
            day = _oldest_with_events(connection, _first_open_day(connection))
            if day is None or day >= over:
                return closed
            counted = _counted(connection, day, day, None)
        with database.write() as connection:
            if _first_open_day(connection) > day:
                continue  # somebody else was faster
            rows = [
                {"day": day, "site_id": site, "figures": figures.to_json()}
                for (_, site), figures in counted.items()
            ]
            connection.execute(insert(DayFigures), rows)
    return at_most


def waiting(
    connection: Connection, *, sites: frozenset[int] | None, now: int | None = None
) -> Waiting:
    """The held comments. Their age is counted from their arrival, which their ids tell."""
    now = now_ms() if now is None else now
    of_queue = (Comment.status == Status.HELD, *_on(Comment.site_id, sites))
    count = connection.execute(
        select(func.count()).select_from(Comment).where(*of_queue)
    ).scalar_one()
    if not count:
        return Waiting(0, None, None, [0] * (len(AGES) + 1))
    ids = select(Comment.created_at).where(*of_queue).order_by(Comment.id)
    median = connection.execute(ids.offset(count // 2).limit(1)).scalar_one_or_none()
    oldest = connection.execute(ids.limit(1)).scalar_one_or_none()
    younger = [
        connection.execute(
            select(func.count())
            .select_from(Comment)
            .where(*of_queue, Comment.id >= floor_id(now - age))
        ).scalar_one()
        for age in AGES
    ]
    edges = [0, *younger, count]
    by_age = [above - below for below, above in pairwise(edges)]
    return Waiting(
        count,
        None if median is None else now - median,
        None if oldest is None else now - oldest,
        by_age,
    )


def _on(column: Any, sites: frozenset[int] | None) -> list[ColumnElement[bool]]:
    return [] if sites is None else [column.in_(sorted(sites))]


def _first_open_day(connection: Connection) -> int:
    """The day after the last one that was kept: days are kept in order."""
    latest = connection.execute(select(func.max(DayFigures.day))).scalar_one_or_none()
    return 0 if latest is None else latest + 1


def _oldest_with_events(connection: Connection, first: int) -> int | None:
    at = connection.execute(
        select(func.min(Event.at)).where(Event.at >= first * DAY)
    ).scalar_one_or_none()
    return None if at is None else day_of(at)


def _counted(
    connection: Connection, first: int, last: int, sites: frozenset[int] | None
) -> dict[tuple[int, int], Figures]:
    """The same as `by_day`, from the events themselves."""
    found: dict[tuple[int, int], Figures] = {}

    def figures(day: int, site: int) -> Figures:
        return found.setdefault((day, site), Figures())

    on_these_days = (
        Event.at >= first * DAY,
        Event.at < (last + 1) * DAY,
        *_on(Event.site_id, sites),
    )
    within = (*on_these_days, Event.kind.in_(_DECIDING))
    for number, site, key, count in _grouped(connection, within):
        figures(number, site).decided[key] += count
    moved = (Event.kind.in_(_AFTERWARDS), Event.from_status != Event.to_status)
    for number, site, key, count in _grouped(connection, (*on_these_days, *moved)):
        figures(number, site).afterwards[key] += count
    _place(connection, within, figures)
    for number, site, judged, wait in _judgements(connection, within):
        if not first <= number <= last:
            continue
        if judged is not None:
            figures(number, site).judged[judged] += 1
        if wait is not None:
            figures(number, site).waits[bucket(wait)] += 1
    return found


def _grouped(
    connection: Connection, within: Iterable[ColumnElement[bool]]
) -> Iterator[tuple[int, int, Decided, int]]:
    """Day, site and kind of the changes `within` the time, and how many there were."""
    # Written out: PostgreSQL takes two parameters for two different expressions.
    day = Event.at // literal_column(str(DAY))
    kinds = (Event.actor_kind, Event.from_status, Event.to_status, Event.reason, Event.model)
    grouped = select(day, Event.site_id, *kinds, func.count()).where(*within)
    for row in connection.execute(grouped.group_by(day, Event.site_id, *kinds)):
        number, site, *key, count = row
        yield int(number), site, Decided(*(part or "" for part in key)), count


def _place(
    connection: Connection,
    within: Iterable[ColumnElement[bool]],
    figures: Callable[[int, int], Figures],
) -> None:
    """Count the machine's decisions by score and by share of unknown words."""
    placed = (
        select(
            (Event.at // literal_column(str(DAY))).label("day"),
            Event.site_id,
            Event.model,
            _place_in(SCORE_EDGES, Comment.score).label("score"),
            _place_in(UNKNOWN_EDGES, Event.evidence["unknown"].as_float()).label("unknown"),
        )
        .join(Comment, Comment.id == Event.comment_id)
        .where(*within, Event.actor_kind == ActorKind.WORKER, Event.model.is_not(None))
        .subquery()
    )
    keys = placed.c
    grouped = select(*keys, func.count().label("number")).group_by(*keys)
    for row in connection.execute(grouped):
        found = figures(int(row.day), row.site_id)
        if row.score is not None:
            found.scores[Bin(row.model, row.score)] += row.number
        if row.unknown is not None:
            found.unknown[Bin(row.model, row.unknown)] += row.number


def _place_in(edges: Sequence[float], value: Any) -> ColumnElement[Any]:
    """The number of edges that a value has reached; NULL of NULL."""
    below = [(value < edge, place) for place, edge in enumerate(edges)]
    return case((value.is_(None), null()), *below, else_=len(edges))


def _judgements(
    connection: Connection, within: Iterable[ColumnElement[bool]]
) -> Iterator[tuple[int, int, Judged | None, int | None]]:
    """For each comment on which a person had a word `within` the time: see `_of_one`."""
    touched = select(Event.comment_id).where(*within, Event.actor_kind.in_(PEOPLE))
    whole = aliased(Event)
    query = (
        select(
            whole.comment_id,
            whole.site_id,
            whole.at,
            whole.actor_kind,
            whole.to_status,
            whole.reason,
            whole.model,
        )
        .where(whole.comment_id.in_(touched), whole.kind.in_((*_DECIDING, EventKind.RESCORE)))
        .order_by(whole.comment_id, whole.id)
        .execution_options(yield_per=1000)
    )
    for _, events in groupby(connection.execute(query), key=lambda row: row.comment_id):
        yield from _of_one(list(events))


def _of_one(events: list[Any]) -> Iterator[tuple[int, int, Judged | None, int | None]]:
    """For each day on which a person had a word on a comment, from all its events in order: the
    day, the site, the machine's latest word beside the last one of the day (none if that was to let
    it wait), and how long it had waited for the first verdict, if that fell on this day."""
    said = [e for e in events if e.actor_kind == ActorKind.WORKER]
    if not said:
        return
    # It says nothing more once a person has spoken: see `review.set_status`.
    machine = said[-1]
    words = [e for e in events if e.actor_kind in PEOPLE]
    first = next((e for e in words if e.to_status in VERDICTS), None)
    for day, of_day in groupby(words, key=lambda event: day_of(event.at)):
        on_day = list(of_day)
        last = on_day[-1]
        judged = wait = None
        if last.to_status in VERDICTS:
            judged = Judged(machine.to_status, machine.reason, machine.model or "", last.to_status)
        if machine.to_status == Status.HELD and first is not None and first in on_day:
            wait = first.at - said[0].at
        yield day, last.site_id, judged, wait
