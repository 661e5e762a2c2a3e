"""What the rules want to know about pending comments, gathered for a whole batch. Free of RQ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from moderation import similarity
from moderation.clock import HOUR, SECOND, now_ms
from moderation.domain import Status
from moderation.ids import floor_id
from moderation.models import Comment, Site
from moderation.policy import SiteSettings
from moderation.rules import LONG_ENOUGH_TO_REPEAT, Facts

# Recent comments of a site that a new one is compared with.
_COMPARED_WITH = 1000


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending comment and what there is to know about it."""

    id: str
    settings: SiteSettings
    facts: Facts
    fingerprint: bytes


def gather(connection: Connection, comment_ids: Sequence[str]) -> list[Pending]:
    """Those of the comments that are pending, site by site, the oldest first."""
    found = []
    for site_id, settings in _settings(connection, comment_ids).items():
        rows = _load(connection, comment_ids, site_id, settings)
        prints = [similarity.fingerprint(row.text) for row in rows]
        recent = _recent(connection, site_id, settings) if rows else []
        agreements = _agreements(rows, prints, recent)
        found += [
            Pending(row.id, settings, _facts(row, agreement), fingerprint)
            for row, fingerprint, agreement in zip(rows, prints, agreements, strict=True)
        ]
    return found


def _settings(connection: Connection, comment_ids: Sequence[str]) -> dict[int, SiteSettings]:
    sites = select(Comment.site_id).where(Comment.id.in_(comment_ids))
    rows = connection.execute(select(Site.id, Site.settings).where(Site.id.in_(sites)))
    return {row.id: SiteSettings.model_validate(row.settings) for row in rows}


def _load(
    connection: Connection, comment_ids: Sequence[str], site_id: int, settings: SiteSettings
) -> Sequence[Any]:
    values = {
        "ids": comment_ids,
        "site": site_id,
        "window": settings.rules.flood_seconds * SECOND,
        "at_most": settings.rules.flood_comments,
    }
    return connection.execute(_LOAD, values).all()


def _author_approved() -> ColumnElement[bool]:
    other = aliased(Comment)
    return (
        select(other.id)
        .where(
            other.site_id == Comment.site_id,
            other.author_id == Comment.author_id,
            other.status == Status.APPROVED,
        )
        .correlate(Comment)
        .exists()
    )


def _earlier(
    sender: Callable[[type[Comment]], InstrumentedAttribute[Any]],
) -> ScalarSelect[int]:
    """How many comments the same sender sent within the window before, counted to `at_most`.

    One question for each kind of sender, because "this author or that address" would use no index.
    """
    other = aliased(Comment)
    earlier = (
        select(other.id)
        .where(
            other.site_id == Comment.site_id,
            sender(other) == sender(Comment),
            other.created_at > Comment.created_at - bindparam("window", type_=BigInteger),
            other.created_at <= Comment.created_at,
            other.id < Comment.id,
        )
        .limit(bindparam("at_most", type_=Integer))
        .correlate(Comment)
        .subquery()
    )
    return select(func.count()).select_from(earlier).scalar_subquery()


# Made once: putting it together takes longer than a small batch's answer.
_LOAD = (
    select(
        Comment.id,
        Comment.author_id,
        Comment.name,
        Comment.website,
        Comment.text,
        _author_approved().label("author_approved"),
        _earlier(lambda comment: comment.author_id).label("earlier_of_author"),
        _earlier(lambda comment: comment.ip).label("earlier_of_address"),
    )
    .where(
        Comment.id.in_(bindparam("ids", expanding=True)),
        Comment.site_id == bindparam("site"),
        Comment.status == Status.PENDING,
    )
    .order_by(Comment.id)
)


def _recent(connection: Connection, site_id: int, settings: SiteSettings) -> Sequence[Any]:
    """Fingerprints of the site's latest decided comments, as far back as its rules look."""
    since = floor_id(now_ms() - settings.rules.duplicate_hours * HOUR)
    query = (
        select(Comment.author_id, Comment.fingerprint)
        .where(Comment.site_id == site_id, Comment.id >= since, Comment.fingerprint.is_not(None))
        .order_by(Comment.id.desc())
        .limit(_COMPARED_WITH)
    )
    return connection.execute(query).all()


def _agreements(rows: Sequence[Any], prints: Sequence[bytes], recent: Sequence[Any]) -> list[int]:
    """For each comment, how much the most similar one that came before it agrees with it."""
    best = []
    authors = np.array([row.author_id for row in [*recent, *rows]])
    table = similarity.agreement(prints, [row.fingerprint for row in recent] + list(prints))
    for place, row in enumerate(rows):
        came_before = len(recent) + place
        candidates = table[place, :came_before]
        if len(similarity.normalize(row.text)) < LONG_ENOUGH_TO_REPEAT:
            candidates = candidates[authors[:came_before] == row.author_id]
        best.append(int(candidates.max(initial=0)))
    return best


def _facts(row: Any, agreement: int) -> Facts:
    return Facts(
        text=row.text,
        name=row.name,
        website=row.website,
        author_approved=row.author_approved,
        earlier_from_sender=max(row.earlier_of_author, row.earlier_of_address),
        agreement=agreement,
    )
