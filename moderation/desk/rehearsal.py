"""What other settings would have done to the latest decisions, worked out from what was stored with
each: the probabilities, and the facts that the rules were told.

Both the present and the proposed settings are tried on each comment, so that what differs comes
from the change alone. What is counted in a window of time (repeats, floods) was counted in the
window of then: that a window gets longer or shorter is not rehearsed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from moderation.classifier.prediction import REJECT, Prediction, Reason
from moderation.domain import ActorKind, Status
from moderation.facts import remembered
from moderation.models import Comment, Event
from moderation.policy import Decision, OperatingPoint, SiteSettings, decide
from moderation.rules import Facts

DECISIONS = 1_000
"""So many of the latest are tried."""

EXAMPLES = 3
"""Shown for each kind of change."""

Point = Callable[[str], OperatingPoint | None]

Thresholds = Mapping[str, Mapping[str, float]]
"""The own thresholds of models, by version."""


@dataclass(frozen=True, slots=True)
class Example:
    """A comment that would have fared differently."""

    comment_id: str
    name: str
    text: str
    now: Decision
    then: Decision


@dataclass(frozen=True, slots=True)
class Move:
    """Comments that the present settings put to one status, and the proposed ones to another."""

    now: Status
    then: Status
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would have been."""

    tried: int
    moves: tuple[Move, ...]
    """What happens most first; empty if nothing would have been different."""
    outcome: Mapping[Status, int]
    """How many the proposed settings put to each status."""


def rehearse(
    connection: Connection,
    site_id: int,
    *,
    present: SiteSettings,
    proposed: SiteSettings,
    thresholds: Thresholds,
    point: Point = lambda _model: None,
    proposed_point: Point | None = None,
) -> Rehearsal:
    """Try both settings on the site's latest automatic decisions.

    Args:
        point: what follows from the site's goals, by the version of the model.
        proposed_point: the same for the proposed settings; None: it stays as it is.
    """
    setups = (present, point), (proposed, proposed_point or point)
    rows = _latest(connection, site_id)
    counts: Counter[tuple[Status, Status]] = Counter()
    outcome: Counter[Status] = Counter()
    examples: dict[tuple[Status, Status], list[Example]] = {}
    for row in rows:
        now, then = (_decision(row, *setup, thresholds) for setup in setups)
        outcome[then.status] += 1
        if now.status is then.status:
            continue
        kind = now.status, then.status
        counts[kind] += 1
        if counts[kind] <= EXAMPLES:
            example = Example(row.id, row.name, row.text, now, then)
            examples.setdefault(kind, []).append(example)
    moves = (Move(*kind, count, tuple(examples[kind])) for kind, count in counts.most_common())
    return Rehearsal(len(rows), tuple(moves), outcome)


def _latest(connection: Connection, site_id: int) -> Sequence[Row[Any]]:
    # The comments first: by them there is an index that knows the site.
    latest = (
        select(Comment.id, Comment.name, Comment.text, Comment.website)
        .where(Comment.site_id == site_id, Comment.status != Status.PENDING)
        .order_by(Comment.id.desc())
        .limit(DECISIONS)
        .subquery()
    )
    query = (
        select(latest, Event.model, Event.evidence)
        .join(Event, Event.comment_id == latest.c.id)
        .where(Event.actor_kind == ActorKind.WORKER)
        .order_by(latest.c.id.desc(), Event.id)
    )
    # What was scored again counts as it was scored last.
    return list({row.id: row for row in connection.execute(query)}.values())


def _decision(row: Any, settings: SiteSettings, point: Point, thresholds: Thresholds) -> Decision:
    evidence = row.evidence
    own = thresholds.get(row.model or "", evidence.get("thresholds", {}))
    return decide(
        _prediction(evidence),
        _facts(row),
        settings,
        model=row.model,
        thresholds=own,
        point=point(row.model or ""),
    )


def _prediction(evidence: Mapping[str, Any]) -> Prediction | None:
    scores = evidence.get("scores")
    if not scores:
        return None
    reasons = {Reason(head): score for head, score in scores.items() if head != REJECT}
    return Prediction(scores[REJECT], reasons, evidence["able"])


def _facts(row: Any) -> Facts:
    return Facts(text=row.text, name=row.name, website=row.website, **remembered(row.evidence))
