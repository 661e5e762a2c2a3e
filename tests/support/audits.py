"""Comments that were drawn for the audit, and what people say of them."""

from typing import Any

from sqlalchemy import update

from moderation import review
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.domain import Audit, Role, Status
from moderation.learning.audits import Drawn
from moderation.models import Comment
from moderation.policy import HEADS
from moderation.review import Change, set_status
from moderation.similarity import fingerprint
from tests.support.comments import EVIDENCE, TEXT, WORKER, add_comment, held_by_worker, row_of

MONA = AccountRef(1, "mona", Role.ADMINISTRATOR, None)
NILS = AccountRef(2, "nils", Role.ADMINISTRATOR, None)
BELOW = EVIDENCE | {"rules": [], "scores": dict.fromkeys(HEADS, 0.03)}


def drawn(database: Database, site: int, *, propensity: float = 0.05, **columns: Any) -> str:
    """A comment that the worker has approved, and the lot has drawn; its id."""
    comment_id = add_comment(database, site, **columns)
    change = Change(
        comment_id=comment_id,
        to=Status.APPROVED,
        reason="below_thresholds",
        model="model-1",
        score=0.03,
        fingerprint=fingerprint(columns.get("text", TEXT)),
        language="en",
        evidence=BELOW,
        drawn=Drawn(Audit.OPEN, propensity, 0.5, 0.5),
    )
    with database.write() as connection:
        set_status(connection, [change], actor=WORKER)
    return comment_id


def decoy(database: Database, site: int, **columns: Any) -> str:
    """A comment that is held and shown as one that was drawn; its id."""
    comment_id = held_by_worker(database, site, **columns)
    with database.write() as connection:
        connection.execute(
            update(Comment).where(Comment.id == comment_id).values(audit=Audit.DECOY)
        )
    return comment_id


def decide(
    database: Database, comment_id: str, to: Status, moderator: AccountRef = MONA
) -> review.Outcome:
    seen = [(comment_id, row_of(database, comment_id).version)]
    reason = "spam" if to is Status.REJECTED else ""
    with database.write() as connection:
        return review.decide(connection, seen, to=to, reason=reason, moderator=moderator)
