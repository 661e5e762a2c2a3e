"""What the rules want to know about pending comments, gathered for a whole batch. Free of RQ."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, select
from sqlalchemy.orm import aliased

from moderation import similarity, sites
from moderation.clock import HOUR, SECOND
from moderation.domain import CHANGING, PEOPLE, ActorKind, ModelRef, Standing, Status
from moderation.ids import floor_id
from moderation.learning import operating_points
from moderation.learning.audits import has_room
from moderation.learning.operating_points import Points
from moderation.models import AuthorStanding, Comment, Event, is_approved, is_held
from moderation.policy import SiteSettings
from moderation.rules import LONG_ENOUGH_TO_REPEAT, NEARLY_THE_SAME, Facts, Rules
from moderation.sites import SiteRef

# Comments of a site, the latest before a new one, that it is compared with for repeats and floods.
_COMPARED_WITH = 1000


class Pending(NamedTuple):
    """A pending comment and what there is to know about it."""

    id: str
    settings: SiteSettings
    facts: Facts
    fingerprint: bytes
    current: ModelRef | None = None
    """The model of its site that decides; None: the general model alone."""
    shadow: ModelRef | None = None
    points: Points = MappingProxyType({})
    """The thresholds of each model that follow from the site's goals."""
    room: bool = False
    """Whether it may be drawn for the audit: see `audits`."""


class Held(NamedTuple):
    """A held comment that may be scored again, and what was last said of it."""

    pending: Pending
    version: int
    reason: str
    model: str | None
    """The model that held it; None where none was asked."""


class Incoming(NamedTuple):
    """A comment that is about to be stored."""

    id: str
    site_id: int
    author_id: str
    ip: str | None
    created_at: int
    name: str
    website: str
    text: str
    trap: str
    author_approved: bool = False
    standing: str | None = None


def gather(connection: Connection, comment_ids: Sequence[str]) -> list[Pending]:
    """Those of the comments that are pending, site by site, the oldest first."""
    return _gathered(connection, connection.execute(_PENDING, {"ids": comment_ids}).all())


def gather_incoming(connection: Connection, comments: Sequence[Incoming]) -> list[Pending]:
    """What `gather` would find if these comments were stored: what is known of their authors does
    not come with them."""
    rows: list[Incoming] = []
    for site_id, of_site in groupby(
        sorted(comments, key=attrgetter("site_id", "id")), key=attrgetter("site_id")
    ):
        mine = list(of_site)
        values = {"site": site_id, "authors": [comment.author_id for comment in mine]}
        approved = frozenset(connection.scalars(_APPROVED_AUTHORS, values))
        standings = {row.author_id: row.standing for row in connection.execute(_STANDINGS, values)}
        rows += (
            comment._replace(
                author_approved=comment.author_id in approved,
                standing=standings.get(comment.author_id),
            )
            for comment in mine
        )
    return _gathered(connection, rows)


def _gathered(connection: Connection, rows: Sequence[Any]) -> list[Pending]:
    found: list[Pending] = []
    for site_id, of_site in groupby(rows, key=attrgetter("site_id")):
        site = sites.get(connection, site_id)
        points = operating_points.points(connection, site_id, site.settings)
        found += _of_one_site(connection, site, points, list(of_site))
    return found


def gather_held(connection: Connection, site: SiteRef, *, after: str, limit: int) -> list["Held"]:
    """Comments of a site that a worker held and about which no person ever decided, the oldest
    first, with what the rules knew when they were held, except for what is known of their authors
    by now.

    Args:
        after: the comment to go on behind; empty for the first ones.
        limit: so many at most.
    """
    values = {"site": site.id, "after": after, "at_most": limit}
    points = operating_points.points(connection, site.id, site.settings)
    room = _room(connection, site)
    found = []
    for row in connection.execute(_HELD, values):
        known = remembered(row.evidence) | {
            "author_approved": row.author_approved,
            "standing": Standing(row.standing) if row.standing else None,
        }
        facts = Facts(text=row.text, name=row.name, website=row.website, **known)
        pending = Pending(
            row.id, site.settings, facts, row.fingerprint, site.current, site.shadow, points, room
        )
        found.append(Held(pending, row.version, row.reason, row.model))
    return found


def count_held(connection: Connection, site_id: int, *, after: str = "") -> int:
    """How many comments `gather_held` gives in all, one batch after the other."""
    # One more than any database holds, because the limit is a part of the statement.
    values = {"site": site_id, "after": after, "at_most": sys.maxsize}
    count = select(func.count()).select_from(_HELD.order_by(None).subquery())
    return connection.scalar(count, values) or 0


def _room(connection: Connection, site: SiteRef) -> bool:
    return site.settings.audit_share > 0 and has_room(connection, site.id)


def remembered(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What the rules were told beside the comment itself, from the evidence of a decision."""
    known = dict(evidence.get("facts") or _guessed(evidence))
    standing = known.get("standing")
    return known | {"standing": Standing(standing) if standing else None}


def _guessed(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a decision from before they were stored: as the rules that spoke tell."""
    spoke = {finding["rule"] for finding in evidence.get("rules", [])}
    return {
        "author_approved": "first_comment" not in spoke,
        "earlier_from_sender": sys.maxsize if "flood" in spoke else 0,
        "agreement": NEARLY_THE_SAME if "duplicate" in spoke else 0,
    }


def _of_one_site(
    connection: Connection, site: SiteRef, points: Points, rows: Sequence[Any]
) -> Iterable[Pending]:
    settings = site.settings
    recent = _recent(connection, site.id, settings.rules, rows)
    crowd = _Crowd.of(recent, rows)
    earlier = crowd.earlier_from_sender(settings.rules.flood_seconds * SECOND)
    texts = [similarity.normalize(row.text) for row in rows]
    prints = similarity.fingerprints(texts)
    agreements = _agreements(texts, prints, recent, crowd)
    room = _room(connection, site)
    for place, row in enumerate(rows):
        facts = Facts(
            text=row.text,
            name=row.name,
            website=row.website,
            author_approved=row.author_approved,
            earlier_from_sender=earlier[place],
            agreement=agreements[place],
            standing=Standing(row.standing) if row.standing else None,
            trap=row.trap,
        )
        yield Pending(
            row.id, settings, facts, prints[place], site.current, site.shadow, points, room
        )


def _author_approved() -> ColumnElement[bool]:
    other = aliased(Comment)
    return (
        select(other.id)
        .where(
            other.site_id == Comment.site_id,
            other.author_id == Comment.author_id,
            is_approved(other),
        )
        .correlate(Comment)
        .exists()
    )


# Made once: putting a query together takes longer than a small batch's answer.
_PENDING = (
    select(
        Comment.id,
        Comment.site_id,
        Comment.author_id,
        Comment.ip,
        Comment.created_at,
        Comment.name,
        Comment.website,
        Comment.text,
        Comment.trap,
        _author_approved().label("author_approved"),
        AuthorStanding.standing,
    )
    .outerjoin(
        AuthorStanding,
        and_(
            AuthorStanding.site_id == Comment.site_id,
            AuthorStanding.author_id == Comment.author_id,
        ),
    )
    .where(
        Comment.id.in_(bindparam("ids", expanding=True)),
        Comment.status == Status.PENDING,
    )
    .order_by(Comment.site_id, Comment.id)
)

_APPROVED_AUTHORS = (
    select(Comment.author_id)
    .where(
        Comment.site_id == bindparam("site"),
        Comment.author_id.in_(bindparam("authors", expanding=True)),
        is_approved(Comment),
    )
    .distinct()
)

_STANDINGS = select(AuthorStanding.author_id, AuthorStanding.standing).where(
    AuthorStanding.site_id == bindparam("site"),
    AuthorStanding.author_id.in_(bindparam("authors", expanding=True)),
)

_SAID, _THEIRS = aliased(Event), aliased(Event)

_LAST_SAID = (
    select(func.max(_SAID.id))
    .where(_SAID.comment_id == Comment.id, _SAID.actor_kind == ActorKind.WORKER)
    .correlate(Comment)
    .scalar_subquery()
)

_HELD = (
    select(
        Comment.id,
        Comment.version,
        Comment.reason,
        Comment.name,
        Comment.website,
        Comment.text,
        Comment.fingerprint,
        _author_approved().label("author_approved"),
        AuthorStanding.standing,
        Event.evidence,
        Event.model,
    )
    .select_from(Comment)
    .join(Event, Event.id == _LAST_SAID)
    .outerjoin(
        AuthorStanding,
        and_(
            AuthorStanding.site_id == Comment.site_id,
            AuthorStanding.author_id == Comment.author_id,
        ),
    )
    .where(
        is_held(Comment),
        Comment.site_id == bindparam("site"),
        Comment.id > bindparam("after"),
        ~exists().where(
            _THEIRS.comment_id == Comment.id,
            _THEIRS.actor_kind.in_(PEOPLE),
            _THEIRS.kind.in_(CHANGING),
        ),
    )
    .order_by(Comment.id)
    .limit(bindparam("at_most"))
)

_RECENT = (
    select(Comment.id, Comment.author_id, Comment.ip, Comment.created_at, Comment.fingerprint)
    .where(
        Comment.site_id == bindparam("site"),
        Comment.id >= bindparam("since"),
        Comment.id <= bindparam("until"),
    )
    .order_by(Comment.id.desc())
    .limit(bindparam("at_most"))
)


class _Recent(NamedTuple):
    """The comments that new ones are compared with, column by column, as they are compared."""

    author_ids: Sequence[str] = ()
    ips: Sequence[str | None] = ()
    times: Sequence[int] = ()
    prints: Sequence[bytes | None] = ()


def _recent(connection: Connection, site_id: int, rules: Rules, rows: Sequence[Any]) -> _Recent:
    """The site's latest comments up to the batch's last, as far back as the rules look, without the
    batch itself."""
    batch = {row.id for row in rows}
    looks_back = max(rules.duplicate_hours * HOUR, rules.flood_seconds * SECOND)
    values = {
        "site": site_id,
        "since": floor_id(rows[0].created_at - looks_back),
        "until": rows[-1].id,
        "at_most": _COMPARED_WITH + len(rows),
    }
    found = connection.execute(_RECENT, values).all()
    others = [row for row in found if row.id not in batch][:_COMPARED_WITH]
    _, *columns = zip(*others, strict=True) if others else ((),)
    return _Recent(*columns)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Which comments came before each one of the batch, recent ones and then those of the batch:
    arrays of batch x (recent + batch), because each is compared with all of them."""

    before: NDArray[np.bool_]
    same_author: NDArray[np.bool_]
    same_address: NDArray[np.bool_]
    times: NDArray[np.int64]

    @classmethod
    def of(cls, recent: _Recent, rows: Sequence[Any]) -> Self:
        """The crowd of a batch's rows and the recent ones."""
        first, everyone = len(recent.times), len(recent.times) + len(rows)
        authors = _numbered(recent.author_ids, [row.author_id for row in rows])
        addresses = _numbered(recent.ips, [row.ip for row in rows])
        return cls(
            before=np.tri(len(rows), everyone, first - 1, dtype=np.bool_),
            same_author=authors[first:, None] == authors,
            same_address=(addresses[first:, None] == addresses) & (addresses >= 0),
            times=np.array([*recent.times, *(row.created_at for row in rows)], dtype=np.int64),
        )

    def earlier_from_sender(self, window: int) -> list[int]:
        """How many comments the author or the address of each sent in the `window` (in
        milliseconds) before it."""
        first = len(self.times) - len(self.before)
        places, others = np.nonzero(self.before & (self.same_author | self.same_address))
        own, theirs = self.times[first + places], self.times[others]
        just_before = (theirs > own - window) & (theirs <= own)
        counts: list[int] = np.bincount(places[just_before], minlength=len(self.before)).tolist()
        return counts


def _numbered(others: Sequence[str | None], own: Sequence[str | None]) -> NDArray[np.int32]:
    """A number for each value, the same for the same; -1 for None, and for what is not among the
    batch's own."""
    numbers: dict[str | None, int] = {value: number for number, value in enumerate(own)}
    numbers[None] = -1
    return np.array([numbers.get(value, -1) for value in chain(others, own)], dtype=np.int32)


def _agreements(
    texts: Sequence[str], prints: Sequence[bytes], recent: _Recent, crowd: _Crowd
) -> list[int]:
    """For each comment (its text normalized), how much the most similar one that came before it
    agrees with it.

    A recent comment that is not decided yet has no fingerprint, and agrees with none.
    """
    nothing = bytes(similarity.SIZE)
    theirs = [print_ or nothing for print_ in recent.prints]
    table = similarity.agreement(prints, theirs + list(prints))
    table[:, [place for place, print_ in enumerate(recent.prints) if not print_]] = 0
    enough = np.array([len(text) >= LONG_ENOUGH_TO_REPEAT for text in texts])
    candidates = crowd.before & (crowd.same_author | enough[:, None])
    table *= candidates.view(np.uint8)
    best: list[int] = table.max(axis=1, initial=0).tolist()
    return best
