"""Held comments that resemble one another, found by the bands of their fingerprints.

A comment has rows in `similar` exactly as long as it is held: `review.set_status` sees to that.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

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

_MET = (
    select(Similar.comment_id, Similar.fingerprint)
    .where(Similar.band.in_(bindparam("bands", expanding=True)))
    # Sorted, or PostgreSQL would read the whole table in the hope of finding enough soon.
    .order_by(Similar.band, Similar.comment_id)
    .limit(bindparam("at_most"))
    .subquery()
)
# Made once: it is asked for each card of a page.
_ALIKE = (
    select(_MET.c.comment_id, _MET.c.fingerprint)
    .group_by(_MET.c.comment_id, _MET.c.fingerprint)
    .having(func.count() >= similarity.SHARED_BANDS)
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
    if fingerprint is None:
        return []
    bands = similarity.bands(site_id, fingerprint)
    values = {"bands": bands, "at_most": at_most * len(bands)}
    found = {row.comment_id: row.fingerprint for row in connection.execute(_ALIKE, values)}
    if not found:
        return []
    agreements = similarity.agreement([fingerprint], list(found.values()))[0]
    return [
        comment_id
        for comment_id, agreement in zip(found, agreements, strict=True)
        if agreement >= NEARLY_THE_SAME
    ]


def like_comment(connection: Connection, comment_id: str) -> Sequence[str]:
    """Ids of held comments that resemble the comment, itself among them if it is held."""
    query = select(Comment.site_id, Comment.fingerprint).where(Comment.id == comment_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return []
    return like(connection, site_id=row.site_id, fingerprint=row.fingerprint)
