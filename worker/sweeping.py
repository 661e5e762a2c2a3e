"""Finds comments that have been pending for too long, whatever the cause. Free of RQ.

The queue only says "look now": Redis may lose it, a worker may die with a job in hand. What is
older than everything that still waits in the queue, and is pending all the same, was lost there.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select, update

from moderation.clock import SECOND, now_ms
from moderation.db import Database
from moderation.deciding import WORKER
from moderation.domain import Status
from moderation.ids import floor_id
from moderation.models import Comment, is_pending
from moderation.policy import UNDECIDED
from moderation.review import Change, set_status

log = logging.getLogger(__name__)

# A comment that is found this often gets a job of its own, in case it brings its batch down.
ALONE_AFTER = 2

# A comment that is found this often is held undecided: it may be what kills the workers.
HELD_AFTER = 5

_PAGE = 1000
_BATCH = 200


def sweep(database: Database, *, grace: int, oldest_waiting: int | None) -> Iterator[list[str]]:
    """Find lost comments, count that they were found, and yield batches of ids to enqueue again.

    Args:
        grace: seconds from a comment's job to its decision; it takes well under one.
        oldest_waiting: when the job that has waited longest was enqueued, in milliseconds since
            1970; None if the queue is empty.
    """
    before = floor_id((now_ms() if oldest_waiting is None else oldest_waiting) - grace * SECOND)
    after = ""
    while page := _take_page(database, after, before):
        after = page[-1].id
        yield from ([row.id] for row in page if ALONE_AFTER <= row.sweeps < HELD_AFTER)
        together = [row.id for row in page if row.sweeps < ALONE_AFTER]
        yield from (together[start : start + _BATCH] for start in range(0, len(together), _BATCH))


def _take_page(database: Database, after: str, before: str) -> Sequence[Any]:
    """The next lost comments, each counted; those found too often are held here and now."""
    with database.write() as connection:
        page = connection.execute(
            select(Comment.id, Comment.sweeps)
            .where(is_pending(Comment), Comment.id > after, Comment.id < before)
            .order_by(Comment.id)
            .limit(_PAGE)
        ).all()
        ids = [row.id for row in page]
        connection.execute(
            update(Comment).where(Comment.id.in_(ids)).values(sweeps=Comment.sweeps + 1)
        )
        hopeless = [row.id for row in page if row.sweeps >= HELD_AFTER]
        if hopeless:
            log.error("%d comments could not be decided and are held", len(hopeless))
            held = [Change(comment_id=i, to=Status.HELD, reason=UNDECIDED) for i in hopeless]
            set_status(connection, held, actor=WORKER)
    return page
