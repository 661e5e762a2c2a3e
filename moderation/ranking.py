"""What of the held comments wants a moderator's eyes first. Pure.

Both figures run from 0 to 1 and are stored with the comment, so that the queue is sorted by an
index.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from moderation.classifier.prediction import REJECT, Reason
from moderation.policy import farthest_above, short

SEVERITY: Mapping[str, float] = {
    Reason.THREAT: 1.0,
    Reason.SEVERE_TOXIC: 1.0,
    Reason.IDENTITY_ATTACK: 0.9,
    Reason.INSULT: 0.6,
    Reason.TOXIC: 0.6,
    REJECT: 0.5,
    Reason.OBSCENE: 0.5,
    Reason.SPAM: 0.3,
}
"""How bad it would be to publish what each head looks for: an order of urgency, not a measurement.
Threats to persons come first, what only annoys comes last."""


class Rank(NamedTuple):
    """The sort keys of a comment, and what they were made from.

    `uncertainty` is 1 where the probability that decided met its threshold exactly, or where there
    is no probability, and 0 where it was as far away as can be. `harm` is the highest probability,
    weighted by `SEVERITY`. `head` went farthest above its threshold, `rule` spoke first; each is
    empty where there is none.
    """

    head: str = ""
    rule: str = ""
    uncertainty: float = 1.0
    harm: float = 0.0


def rank(evidence: Mapping[str, Any], reason: str = "") -> Rank:
    """The rank of a comment by its decision's evidence and reason (see `policy.Decision`)."""
    rules = evidence.get("rules") or [{"rule": ""}]
    scores, limits = evidence.get("scores"), evidence.get("thresholds")
    if not scores or not limits:
        return Rank(rule=rules[0]["rule"])
    # The evidence is rounded, so two heads may be equal in it of which one decided.
    above = reason if reason in scores else farthest_above(scores, limits)
    decided_by = above or REJECT
    return Rank(
        head=above or "",
        rule=rules[0]["rule"],
        uncertainty=_closeness(scores[decided_by], limits[decided_by]),
        harm=short(max([p * SEVERITY.get(head, 0.5) for head, p in scores.items()])),
    )


def _closeness(score: float, limit: float) -> float:
    """1 at the threshold, 0 as far from it as a probability can be on the farther side."""
    # A threshold that is no number stays one: `short` would refuse it.
    return round(1 - abs(score - limit) / max(limit, 1 - limit), 4)
