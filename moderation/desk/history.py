"""Events as they are read: page by page, by who follows them, and in an export.

Ids of events are the order of everything here: an id is the cursor to go on from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    func,
    insert,
    null,
    select,
    union_all,
)

from moderation.clock import MINUTE, SECOND, now_ms
from moderation.db import Database
from moderation.domain import ERASED, ActorKind, EventKind, Status, is_blind
from moderation.models import Account, Comment, Event, Export, Site, Thread, is_by_person, is_remark

SETTLING = 2 * SECOND
"""On PostgreSQL an event may become visible after a later one, by as long as its transaction took;
who follows events is told of those only that are older than this, and so misses none."""

# By less than this the ids and the times of events disagree about what came first: writers that
# overtake each other, and clocks of several machines.
_DISORDER = 10 * MINUTE

_BIGGEST_ID = 2**63 - 1

# Rows that an export reads at once: it holds no more in memory, and no connection while it waits.
_CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; a field that is None or empty narrows nothing.

    `sites` has the ids of the sites that the reader may see and wants; `since` (inclusive) and
    `until` (exclusive) are milliseconds since 1970.
    """

    sites: frozenset[int] | None = None
    moderator: str = ""
    actor_kind: ActorKind | None = None
    kind: EventKind | None = None
    comment: str = ""
    since: int | None = None
    until: int | None = None
    to: Status | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event with the comment it is about.

    `email` is the author's address where it was asked for, else None.
    """

    id: int
    at: int
    site: str
    page: str
    title: str
    comment_id: str
    name: str
    text: str
    email: str | None
    kind: EventKind
    actor_kind: ActorKind
    actor: str
    from_status: Status
    to_status: Status
    reason: str
    model: str | None
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CommentRecord:
    """A comment as its history shows it: without the e-mail address."""

    id: str
    site: str
    page: str
    title: str
    name: str
    text: str
    created_at: int
    status: Status
    reason: str
    version: int
    audit: str

    @property
    def is_erased(self) -> bool:
        """Whether its text and its author were removed for good."""
        return self.reason == ERASED

    @property
    def is_blind(self) -> bool:
        """See `domain.is_blind`."""
        return is_blind(self.status, self.audit)


def newest(
    connection: Connection, wanted: EventFilter, *, before: int | None, limit: int
) -> list[EventRecord]:
    """Events of the filter, the newest first, beginning below the id `before`."""
    bound = [] if before is None else [Event.id < before]
    return _records(connection, _ids(connection, wanted, bound, limit, newest_first=True))


def following(
    connection: Connection, wanted: EventFilter, *, after: int, limit: int, now: int | None = None
) -> list[EventRecord]:
    """Events of the filter that come after the id `after`, the oldest first; see `SETTLING`."""
    fresh = (now_ms() if now is None else now) - SETTLING
    # With the sum, the few fresh events are looked through, and not all of them from the first.
    first_fresh = connection.execute(
        select(func.min(Event.id + 0)).where(Event.at > fresh)
    ).scalar_one_or_none()
    bound = [Event.id > after, Event.id < (first_fresh or _BIGGEST_ID)]
    ids = _ids(connection, wanted, bound, limit, newest_first=False)
    return _records(connection, ids)[::-1]


def of_comment(
    connection: Connection, comment_id: str, *, sites: frozenset[int] | None
) -> tuple[CommentRecord, list[EventRecord]] | None:
    """A comment and its events, the oldest first; None if there is none on these sites."""
    query = (
        select(
            Comment.id,
            Site.name.label("site"),
            Thread.page,
            Thread.title,
            Comment.name,
            Comment.text,
            Comment.created_at,
            Comment.status,
            Comment.reason,
            Comment.version,
            Comment.audit,
        )
        .join(Site, Site.id == Comment.site_id)
        .join(Thread, Thread.id == Comment.thread_id)
        .where(Comment.id == comment_id)
    )
    if sites is not None:
        query = query.where(Comment.site_id.in_(sites))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    values = row._asdict() | {"status": Status(row.status)}
    ids = select(Event.id).where(Event.comment_id == comment_id)
    events = _records(connection, list(connection.execute(ids).scalars()))
    return CommentRecord(**values), events[::-1]


def exported(
    database: Database, wanted: EventFilter, *, with_emails: bool = False
) -> Iterator[EventRecord]:
    """All events of the filter, the newest first, read in chunks; it ends, whatever comes in."""
    before: int | None = None
    while True:
        with database.read() as connection:
            bound = [] if before is None else [Event.id < before]
            ids = _ids(connection, wanted, bound, _CHUNK, newest_first=True)
            records = _records(connection, ids, with_emails=with_emails)
        yield from records
        if len(ids) < _CHUNK:
            return
        before = ids[-1]


def log_export(
    connection: Connection, *, actor: str, form: str, filters: Mapping[str, str], with_emails: bool
) -> None:
    """Keep that somebody takes events out of the service."""
    connection.execute(
        insert(Export).values(
            at=now_ms(), actor=actor, form=form, filters=dict(filters), with_emails=with_emails
        )
    )


def exports(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """The latest exports, the newest first."""
    return connection.execute(
        select(Export.__table__).order_by(Export.id.desc()).limit(limit)
    ).all()


def moderators(connection: Connection) -> list[str]:
    """Names of all accounts, by which events can be asked for."""
    return list(connection.execute(select(Account.name).order_by(Account.name)).scalars())


def _ids(
    connection: Connection,
    wanted: EventFilter,
    bound: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    newest_first: bool,
) -> list[int]:
    """Ids of the first `limit` events of the filter that meet `bound`, in order.

    Several sites are asked one by one, because no index gives the events of several in order.
    """
    order = Event.id.desc() if newest_first else Event.id.asc()
    conditions = [*bound, *_conditions(wanted)]
    found = select(Event.id).where(*conditions).order_by(order).limit(limit)
    if wanted.sites is None:
        return list(connection.execute(found).scalars())
    if not wanted.sites:
        return []
    parts = [
        select(found.where(Event.site_id == site).subquery().c.id) for site in sorted(wanted.sites)
    ]
    together = union_all(*parts).subquery()
    place = together.c.id.desc() if newest_first else together.c.id.asc()
    return list(connection.execute(select(together.c.id).order_by(place).limit(limit)).scalars())


def _conditions(wanted: EventFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.moderator:
        yield is_by_person(Event)
        yield Event.actor == wanted.moderator
    for column, value in (
        (Event.actor_kind, wanted.actor_kind),
        (Event.kind, wanted.kind),
        (Event.comment_id, wanted.comment),
        (Event.to_status, wanted.to),
        (Event.reason, wanted.reason),
    ):
        if value:
            yield column == value
    if wanted.kind not in (None, EventKind.DECISION):
        yield is_remark(Event)
    # The second condition of each pair follows from the first, and is in the order of the ids.
    if wanted.since is not None:
        yield Event.at >= wanted.since
        yield Event.id > _nearest(Event.at < wanted.since - _DISORDER, Event.at.desc(), 0)
    if wanted.until is not None:
        yield Event.at < wanted.until
        yield Event.id < _nearest(Event.at > wanted.until + _DISORDER, Event.at.asc(), _BIGGEST_ID)


def _nearest(
    beyond: ColumnElement[bool], order: ColumnElement[int], otherwise: int
) -> ColumnElement[int]:
    """The id of the first event `beyond` a time; `otherwise` where there is none."""
    found = select(Event.id).where(beyond).order_by(order).limit(1).scalar_subquery()
    return func.coalesce(found, otherwise)


def _records(
    connection: Connection, ids: Sequence[int], *, with_emails: bool = False
) -> list[EventRecord]:
    """These events, the newest first."""
    query = (
        select(
            Event.id,
            Event.at,
            Site.name.label("site"),
            Thread.page,
            Thread.title,
            Event.comment_id,
            Comment.name,
            Comment.text,
            (Comment.email if with_emails else null()).label("email"),
            Event.kind,
            Event.actor_kind,
            Event.actor,
            Event.from_status,
            Event.to_status,
            Event.reason,
            Event.model,
            Event.evidence,
        )
        .join(Comment, Comment.id == Event.comment_id)
        .join(Thread, Thread.id == Comment.thread_id)
        .join(Site, Site.id == Event.site_id)
        .where(Event.id.in_(ids))
        .order_by(Event.id.desc())
    )
    return [_record(row) for row in connection.execute(query)]


def _record(row: Any) -> EventRecord:
    values = row._asdict()
    values["kind"] = EventKind(row.kind)
    values["actor_kind"] = ActorKind(row.actor_kind)
    values["from_status"] = Status(row.from_status)
    values["to_status"] = Status(row.to_status)
    return EventRecord(**values)
