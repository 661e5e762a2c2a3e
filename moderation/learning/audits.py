"""The random audit: some of what is published by itself stands before the moderators all the same,
so that the error of what nobody looks at is known.

Who is drawn is left to the operating system's source of randomness: no author can foresee it, and
it knows nothing of the score. See docs/decisions/0024.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from secrets import SystemRandom
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from moderation.domain import ActorKind, Audit, Status
from moderation.ids import floor_id, time_of
from moderation.learning.bounds import Rate, Stratum, rate
from moderation.models import Comment, Event, Label, is_of_audit, is_open_audit
from moderation.policy import SiteSettings

MOST_OPEN = 200
"""Drawn comments of a site on which nobody has spoken yet; while there are so many, none is drawn.
None expires: what moderators put off would be missing from the estimate."""

_lot = SystemRandom().random


class Drawn(NamedTuple):
    """What the lot gave a comment; `audit` is None for most.

    `uncertainty` and `harm` are its place in the queue's orders, by lot as well: by its score it
    would stand at the end, and which of the drawn ones are looked at would depend on the score.
    """

    audit: Audit | None = None
    propensity: float | None = None
    uncertainty: float = 0.0
    harm: float = 0.0


class Verdict(NamedTuple):
    """What people say of a drawn comment: the latest word that counts."""

    site_id: int
    arrived_at: int
    """In milliseconds since 1970."""
    propensity: float
    unwanted: bool


class Sample(NamedTuple):
    """Drawn comments of a site that were drawn with the same propensity and stand alike."""

    site_id: int
    propensity: float
    audit: Audit
    number: int


NOT_DRAWN = Drawn()


def last_published_unseen(connection: Connection, site_id: int) -> int:
    """When the service last published a comment of the site by itself, in milliseconds since 1970;
    0: never."""
    query = (
        select(Event.at)
        .where(
            Event.site_id == site_id,
            Event.actor_kind == ActorKind.WORKER,
            Event.to_status == Status.APPROVED,
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or 0


def draw(status: Status, settings: SiteSettings, *, room: bool) -> Drawn:
    """Cast the lot for a comment that the service is about to approve or hold by itself.

    Args:
        status: what becomes of it.
        room: whether one more may be drawn: see `has_room`.
    """
    if not settings.audit_share:
        return NOT_DRAWN
    if status is Status.APPROVED and room and _lot() < settings.audit_share:
        return Drawn(Audit.OPEN, settings.audit_share, _lot(), _lot())
    if status is Status.HELD and _lot() < settings.blind_share:
        return Drawn(Audit.DECOY)
    return NOT_DRAWN


def has_room(connection: Connection, site_id: int) -> bool:
    """Whether fewer than `MOST_OPEN` drawn comments of the site wait."""
    return connection.execute(_WAITING, {"site": site_id}).scalar_one() < MOST_OPEN


# Made once: it is asked with every batch that is decided.
_WAITING = select(func.count()).select_from(
    select(Comment.id)
    .where(
        Comment.site_id == bindparam("site"),
        # The other condition tells the databases which index has the answer.
        is_open_audit(Comment),
        Comment.propensity.is_not(None),
    )
    .limit(MOST_OPEN)
    .subquery()
)


def verdicts(
    connection: Connection, *, since: int, until: int, sites: frozenset[int] | None
) -> list[Verdict]:
    """The verdicts on what was drawn of the comments that arrived from `since` to before `until`
    (milliseconds since 1970)."""
    query = (
        select(Label.comment_id, Label.site_id, Label.propensity, Label.unwanted)
        .where(
            is_of_audit(Label),
            Label.withdrawn_at.is_(None),
            Label.comment_id >= floor_id(since),
            Label.comment_id < floor_id(until),
        )
        .order_by(Label.id)
    )
    if sites is not None:
        query = query.where(Label.site_id.in_(sorted(sites)))
    # A later word takes the place of an earlier one.
    found = {
        comment_id: Verdict(site_id, time_of(comment_id), propensity, unwanted >= 0.5)
        for comment_id, site_id, propensity, unwanted in connection.execute(query)
        if comment_id is not None
    }
    return list(found.values())


def rate_of(found: Iterable[Verdict], *, confidence: float = 0.95) -> Rate:
    """How often what was published by itself should not have been."""
    counts = Counter((one.propensity, one.unwanted) for one in found)
    return rate(
        [
            Stratum(one, counts[one, True], counts[one, True] + counts[one, False])
            for one in sorted({propensity for propensity, _ in counts})
        ],
        confidence=confidence,
    )


def samples(
    connection: Connection, *, since: int, until: int, sites: frozenset[int] | None
) -> Sequence[Sample]:
    """What was drawn of the comments that arrived from `since` to before `until` (milliseconds
    since 1970)."""
    query = (
        select(Comment.site_id, Comment.propensity, Comment.audit, func.count())
        .where(
            Comment.propensity.is_not(None),
            Comment.id >= floor_id(since),
            Comment.id < floor_id(until),
        )
        .group_by(Comment.site_id, Comment.propensity, Comment.audit)
    )
    if sites is not None:
        query = query.where(Comment.site_id.in_(sorted(sites)))
    return [
        Sample(site_id, propensity or 1.0, Audit(audit), number)
        for site_id, propensity, audit, number in connection.execute(query)
    ]
