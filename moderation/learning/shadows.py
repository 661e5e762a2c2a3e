"""What models that shadow would have decided, beside what was decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from moderation.clock import now_ms
from moderation.domain import Status
from moderation.models import Comment, ShadowScore
from moderation.policy import Decision


class Beside(NamedTuple):
    """Two decisions about one comment, of which the second was made."""

    model_id: int
    comment_id: str
    would_be: Decision
    live: Decision


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a shadow's decisions compare with those that were made."""

    compared: int
    agreed: int
    since: int | None
    """When the first was compared, in milliseconds since 1970; None without any."""
    table: Mapping[tuple[Status, Status], int]
    """Comments by what was decided and what the shadow would have decided."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A comment that the shadow would have decided differently."""

    comment_id: str
    name: str
    text: str
    at: int
    live_status: Status
    live_score: float | None
    live_reason: str
    shadow_status: Status
    shadow_score: float | None
    shadow_reason: str
    status: Status
    """Where it stands now: a person may have decided since."""


def record(connection: Connection, rows: Iterable[Beside]) -> None:
    """Keep the shadow's word on these comments; what was kept before stays."""
    at = now_ms()
    values = [
        {
            "model_id": row.model_id,
            "comment_id": row.comment_id,
            "at": at,
            "score": row.would_be.score,
            "status": row.would_be.status,
            "reason": row.would_be.reason,
            "live_model": row.live.model,
            "live_score": row.live.score,
            "live_status": row.live.status,
            "live_reason": row.live.reason,
        }
        for row in rows
    ]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # Two workers may have had the same comment in hand.
    connection.execute(dialect.insert(ShadowScore).on_conflict_do_nothing(), values)


def forget(connection: Connection, comment_ids: Sequence[str]) -> None:
    """Delete what shadows said of these comments."""
    connection.execute(delete(ShadowScore).where(ShadowScore.comment_id.in_(comment_ids)))


def agreement(connection: Connection, model_id: int) -> Agreement:
    """How a shadow's decisions compare with those that were made."""
    kinds = ShadowScore.live_status, ShadowScore.status
    query = (
        select(*kinds, func.count().label("number"), func.min(ShadowScore.at).label("since"))
        .where(ShadowScore.model_id == model_id)
        .group_by(*kinds)
    )
    rows = connection.execute(query).all()
    table = {(Status(row.live_status), Status(row.status)): row.number for row in rows}
    return Agreement(
        compared=sum(table.values()),
        agreed=sum(number for (live, would_be), number in table.items() if live is would_be),
        since=min((row.since for row in rows), default=None),
        table=table,
    )


def disagreements(
    connection: Connection, model_id: int, *, limit: int, before: str = ""
) -> list[Disagreement]:
    """Comments that a shadow would have decided differently, the newest first.

    Args:
        before: id of the comment to go on below; empty for the first ones.
    """
    query = (
        select(
            Comment.id,
            Comment.name,
            Comment.text,
            ShadowScore.at,
            ShadowScore.live_status,
            ShadowScore.live_score,
            ShadowScore.live_reason,
            ShadowScore.status.label("shadow_status"),
            ShadowScore.score.label("shadow_score"),
            ShadowScore.reason.label("shadow_reason"),
            Comment.status,
        )
        .join(Comment, Comment.id == ShadowScore.comment_id)
        .where(ShadowScore.model_id == model_id, ShadowScore.status != ShadowScore.live_status)
        .order_by(ShadowScore.comment_id.desc())
        .limit(limit)
    )
    if before:
        query = query.where(ShadowScore.comment_id < before)
    return [
        Disagreement(
            row.id,
            row.name,
            row.text,
            row.at,
            Status(row.live_status),
            row.live_score,
            row.live_reason,
            Status(row.shadow_status),
            row.shadow_score,
            row.shadow_reason,
            Status(row.status),
        )
        for row in connection.execute(query)
    ]
