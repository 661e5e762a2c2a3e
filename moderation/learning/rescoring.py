"""Scores what is held again after another model has come to decide, in batches. Free of RQ.

The model may approve what the one before held, and never more than that; it never touches what a
person has decided, which `review.set_status` sees to. How far it came is in the database.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.db import Database
from moderation.deciding import WORKER, change, decide_each
from moderation.domain import EventKind, Status
from moderation.facts import Held, count_held, gather_held
from moderation.learning import site_models
from moderation.learning.audits import NOT_DRAWN
from moderation.policy import UNDECIDED, Decision
from moderation.review import Change, set_status
from moderation.scorer import Scorer

BATCH = 200
"""Comments in one go, so that new comments wait for no more than that."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is with a site."""

    left: int
    """Held comments that are still to be scored again."""
    share: float
    """Of those that are held, how many are behind."""


def progress(connection: Connection, site_id: int) -> Progress | None:
    """How far it is with a site; None where there is nothing to do."""
    after = dict(site_models.to_rescore(connection)).get(site_id)
    if after is None:
        return None
    held = count_held(connection, site_id)
    left = count_held(connection, site_id, after=after)
    return Progress(left, 1 - left / held if held else 1.0)


def rescore(database: Database, scorer: Scorer, site_id: int, after: str) -> str | None:
    """Score the next held comments of a site; the last of them, or None when there is no more to
    do, or somebody else does it.

    Args:
        after: the comment to go on behind: `site_models.to_rescore` knows it.
    """
    with database.read() as connection:
        site = sites.get(connection, site_id)
        batch = gather_held(connection, site, after=after, limit=BATCH)
    last = batch[-1].pending.id if len(batch) == BATCH else None
    # What could not be decided after several tries may be what kills the workers.
    wanted = [held for held in batch if held.reason != UNDECIDED]
    decisions = decide_each(database, scorer, [held.pending for held in wanted])
    changes = [
        _again(held, decision, classifier)
        for held, (decision, classifier) in zip(wanted, decisions, strict=True)
        if decision.score is not None and decision.model != held.model
    ]
    with database.write() as connection:
        if not site_models.advance(connection, site_id, after=after, to=last):
            return None
        set_status(connection, changes, actor=WORKER)
    return last


def _again(held: Held, decision: Decision, classifier: Classifier | None) -> Change:
    """The change that a new decision comes to: what would be rejected now stays held, because a
    moderator was to look at it. What stays held has had its lot."""
    first = change(held.pending, decision, classifier)
    is_approved = decision.status is Status.APPROVED
    return first._replace(
        to=Status.APPROVED if is_approved else Status.HELD,
        kind=EventKind.RESCORE,
        seen_version=held.version,
        language=first.language or None,
        drawn=first.drawn if is_approved else NOT_DRAWN,
    )
