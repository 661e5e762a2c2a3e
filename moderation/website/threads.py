"""The published comments of a page, as readers see them."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, select

from moderation.clock import DAY, now_ms, to_datetime
from moderation.models import Comment, Thread, is_approved
from moderation.schemas import CommentPage, PublicComment

# Answers to answers go this deep; what is deeper is listed at this depth.
DEEPEST = 8


def published(
    connection: Connection, *, site_id: int, page: str, after: str, limit: int
) -> CommentPage:
    """Conversations of a page, oldest first.

    An answer whose parent is not published stands below the comment that started the conversation,
    and goes with it when that one is not published.

    Args:
        after: id of the last conversation that the caller has; empty for the first ones.
        limit: how many conversations at most.
    """
    thread = select(Thread.id).where(Thread.site_id == site_id, Thread.page == page)
    of_thread = _public_columns().where(
        Comment.thread_id == thread.scalar_subquery(), is_approved(Comment)
    )
    starts = connection.execute(
        of_thread.where(Comment.root_id == Comment.id, Comment.root_id > after)
        .order_by(Comment.root_id)
        .limit(limit + 1)
    ).all()
    shown = starts[:limit]
    if not shown:
        return CommentPage(comments=[], next=None)
    # A range, not a list: SQLite would rather walk all approved comments than look a list up.
    answers = connection.execute(
        of_thread.where(
            Comment.root_id.between(shown[0].id, shown[-1].id), Comment.root_id != Comment.id
        )
    ).all()
    return CommentPage(
        comments=_nested(shown, sorted(answers, key=attrgetter("id"))),
        next=shown[-1].id if len(starts) > limit else None,
    )


def is_closed(connection: Connection, *, site_id: int, page: str, after_days: int | None) -> bool:
    """Whether a page takes no more comments, because its first one is older than `after_days`."""
    if after_days is None:
        return False
    query = select(Thread.created_at).where(Thread.site_id == site_id, Thread.page == page)
    began = connection.scalar(query)
    return began is not None and now_ms() - began > after_days * DAY


def _public_columns() -> Select[str, str | None, str, str, str, str, int]:
    return select(
        Comment.id,
        Comment.parent_id,
        Comment.root_id,
        Comment.name,
        Comment.website,
        Comment.text,
        Comment.created_at,
    )


def _nested(starts: Sequence[Any], answers: Sequence[Any]) -> list[PublicComment]:
    """The conversations as trees; `answers` are in order of arrival, so parents come first."""
    nodes = {row.id: _public(row, None) for row in starts}
    places = {row.id: (1, nodes[row.id]) for row in starts}
    for row in answers:
        if row.root_id not in places:
            continue  # its conversation is not published
        parent = row.parent_id if row.parent_id in places else None
        depth, above = places[parent or row.root_id]
        node = _public(row, parent)
        above.replies.append(node)
        places[row.id] = (depth + 1, node) if depth < DEEPEST else (depth, above)
    return list(nodes.values())


def _public(row: Any, parent: str | None) -> PublicComment:
    return PublicComment(
        id=row.id,
        parent=parent,
        name=row.name,
        website=row.website,
        text=row.text,
        created_at=to_datetime(row.created_at),
        replies=[],
    )
