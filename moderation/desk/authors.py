"""What is known of authors on a site: how they fared, and whom moderators trust or block."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select

from moderation.access.accounts import AccountRef
from moderation.clock import now_ms
from moderation.desk import remarks
from moderation.domain import EventKind, Standing
from moderation.models import (
    AuthorStanding,
    Comment,
    is_approved,
    is_open_audit,
    is_rejected,
    is_waiting,
)

COUNTED = 100
"""Counting an author's comments stops here."""

Author = tuple[int, str]
"""A site's id and the author's id there."""


@dataclass(frozen=True, slots=True)
class Record:
    """How many of an author's comments stand where, up to `COUNTED` each; what waits for a
    moderator, drawn for the audit or held, is `held`."""

    approved: int
    rejected: int
    held: int
    standing: Standing | None


def records(connection: Connection, comment_ids: Iterable[str]) -> Mapping[Author, Record]:
    """The record of each author of these comments."""
    found = connection.execute(_RECORDS, {"comment_ids": list(comment_ids)})
    return {(row.site_id, row.author_id): _record(row) for row in found}


def set_standing(
    connection: Connection, *, comment_id: str, standing: Standing | None, moderator: AccountRef
) -> None:
    """Trust or block the author of a comment on its site from now on; None for neither.

    Raises:
        NotFound: there is no such comment on the moderator's sites.
    """
    comment = remarks.record(
        connection,
        comment_id=comment_id,
        kind=EventKind.AUTHOR,
        moderator=moderator,
        evidence={"standing": standing},
    )
    author = {"site_id": comment.site_id, "author_id": comment.author_id}
    connection.execute(delete(AuthorStanding).filter_by(**author))
    if standing is not None:
        values = author | {"standing": standing, "at": now_ms(), "moderator": moderator.name}
        connection.execute(insert(AuthorStanding).values(values))


# Of comments, since rows of values would have to be compiled anew each time.
_AUTHORS = (
    select(Comment.site_id, Comment.author_id)
    .where(Comment.id.in_(bindparam("comment_ids", expanding=True)))
    .distinct()
    .cte("authors")
)


def _up_to_some(condition: ColumnElement[bool]) -> Any:
    """Counts the author's comments of one status, in the index of that status alone."""
    some = (
        select(Comment.id)
        .where(
            condition,
            Comment.site_id == _AUTHORS.c.site_id,
            Comment.author_id == _AUTHORS.c.author_id,
        )
        .limit(COUNTED)
        .correlate(_AUTHORS)
        .subquery()
    )
    return select(func.count()).select_from(some).scalar_subquery()


_RECORDS = select(
    _AUTHORS,
    _up_to_some(and_(is_approved(Comment), ~is_open_audit(Comment))).label("approved"),
    _up_to_some(is_rejected(Comment)).label("rejected"),
    _up_to_some(is_waiting(Comment)).label("held"),
    select(AuthorStanding.standing)
    .where(
        AuthorStanding.site_id == _AUTHORS.c.site_id,
        AuthorStanding.author_id == _AUTHORS.c.author_id,
    )
    .scalar_subquery()
    .label("standing"),
)


def _record(row: Any) -> Record:
    standing = None if row.standing is None else Standing(row.standing)
    return Record(row.approved, row.rejected, row.held, standing)
