"""Held comments that resemble one another, found by the bands of their fingerprints.

A comment has rows in `similar` exactly as long as it is held: `review.set_status` sees to that.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
)

from moderation import similarity
from moderation.db import execute_many
from moderation.models import Comment, Similar
from moderation.rules import NEARLY_THE_SAME

MOST = 1_000
"""Comments that are looked for at most."""

_ADD = insert(Similar)

_REMOVE = delete(Similar).where(
    Similar.band == bindparam("in_band"), Similar.comment_id == bindparam("comment")
)


def add(connection: Connection, held: Iterable[tuple[str, int, bytes]]) -> None:
    """Let these comments be found: id, site and fingerprint of each."""
    rows = [
        {"band": band, "comment_id": comment_id, "fingerprint": fingerprint}
        for comment_id, site_id, fingerprint in held
        for band in similarity.bands(site_id, fingerprint)
    ]
    execute_many(connection, _ADD, rows)


def remove(connection: Connection, decided: Iterable[tuple[str, int, bytes]]) -> None:
    """Let these comments no longer be found."""
    rows = [
        {"in_band": band, "comment": comment_id}
        for comment_id, site_id, fingerprint in decided
        for band in similarity.bands(site_id, fingerprint)
    ]
    execute_many(connection, _REMOVE, rows)


def like(
    connection: Connection, *, site_id: int, fingerprint: bytes | None, at_most: int = MOST
) -> Sequence[str]:
    """Ids of held comments of the site with nearly this fingerprint, about `at_most` of them."""
    (found,) = like_each(connection, [(site_id, fingerprint)], at_most=at_most)
    return found


def like_each(
    connection: Connection, wanted: Sequence[tuple[int, bytes | None]], *, at_most: int
) -> list[Sequence[str]]:
    """What `like` finds for each site and fingerprint, found by one query."""
    known = [(site_id, one) for site_id, one in wanted if one is not None]
    values: dict[str, Any] = {"at_most": at_most * similarity.SIZE // similarity.BAND}
    for number, (site_id, one) in enumerate(known):
        values[f"bands_{number}"] = similarity.bands(site_id, one)
    met: list[dict[str, bytes]] = [{} for _ in known]
    if known:
        for row in connection.execute(_alike(len(known)), values):
            met[row.number][row.comment_id] = row.fingerprint
    found = iter(
        _nearly_the_same(one, candidates) for (_, one), candidates in zip(known, met, strict=True)
    )
    return [[] if one is None else next(found) for _, one in wanted]


@cache
def _alike(number: int) -> CompoundSelect[Any]:
    """Held comments with enough bands in common, for each of so many lists of bands."""
    return union_all(*(_in_bands(place) for place in range(number)))


def _in_bands(place: int) -> Select[Any]:
    met = (
        select(Similar.comment_id, Similar.fingerprint)
        .where(Similar.band.in_(bindparam(f"bands_{place}", expanding=True)))
        # Sorted, or PostgreSQL would read the whole table in the hope of finding enough soon.
        .order_by(Similar.band, Similar.comment_id)
        .limit(bindparam("at_most"))
        .subquery()
    )
    return (
        select(literal(place).label("number"), met.c.comment_id, met.c.fingerprint)
        .group_by(met.c.comment_id, met.c.fingerprint)
        .having(func.count() >= similarity.SHARED_BANDS)
    )


def _nearly_the_same(fingerprint: bytes, candidates: Mapping[str, bytes]) -> Sequence[str]:
    if not candidates:
        return []
    agreements = similarity.agreement([fingerprint], list(candidates.values()))[0]
    return [
        comment_id
        for comment_id, agreement in zip(candidates, agreements, strict=True)
        if agreement >= NEARLY_THE_SAME
    ]


def like_comment(connection: Connection, comment_id: str) -> Sequence[str]:
    """Ids of held comments that resemble the comment, itself among them if it is held."""
    query = select(Comment.site_id, Comment.fingerprint).where(Comment.id == comment_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return []
    return like(connection, site_id=row.site_id, fingerprint=row.fingerprint)
