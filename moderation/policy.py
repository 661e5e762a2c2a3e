"""Scores + rules + thresholds -> decision. Pure, and fails closed.

A rule that spoke decides; else a probability at or above its threshold holds the comment, unless a
moderator trusts its author; else it is approved. Whatever keeps the model from judging holds it.
Where the site has goals, the thresholds of `reject` follow from them, and the model's own count no
more: those are not proved on the site's comments.
"""

from collections.abc import Mapping
from dataclasses import asdict
from math import floor, isfinite
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from moderation.classifier.prediction import REJECT, Explanation, Prediction, Reason
from moderation.domain import Standing, Status
from moderation.rules import Facts, Finding, Rules, Verdict, consult

SCORER_UNAVAILABLE = "scorer_unavailable"
SCORER_FAILED = "scorer_failed"
NOT_ABLE_TO_JUDGE = "not_able_to_judge"
UNDECIDED = "undecided"
BELOW_THRESHOLDS = "below_thresholds"
TRUSTED_AUTHOR = "trusted_author"
TOO_FEW_LABELS = "too_few_labels"
"""There is a goal, and nothing shows yet that approving anything would meet it."""

# Plain strings: evidence is JSON, whose writer takes no others as keys.
_NAMES = {reason: str(reason) for reason in Reason}
HEADS = (REJECT, *_NAMES.values())


def _known_head(name: str) -> str:
    if name not in HEADS:
        raise ValueError(f"has to be one of {', '.join(HEADS)}")
    return name


Head = Annotated[str, AfterValidator(_known_head)]
Probability = Annotated[float, Field(ge=0, le=1)]
Precision = Annotated[float, Field(ge=0.5, lt=1)]

# What the rules knew beyond the comment itself, kept so that other settings can be tried on it.
_KEPT_FROM = len(("text", "name", "website"))
FACTS_KEPT = Facts._fields[_KEPT_FROM:]

SPANS_KEPT = 12
"""Spans of an explanation that are kept: what a moderator takes in at a glance."""


class SiteSettings(BaseModel):
    """All that a site may set; what it leaves out has these defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: Rules = Rules()
    thresholds: dict[Head, Probability] = Field(
        default_factory=dict,
        description="Probability at which a head holds a comment, in place of the model's own.",
    )
    reject_above: Probability | None = Field(
        None, description="Reject at this probability of `reject` instead of holding; none: never."
    )
    approve_precision: Precision | None = Field(
        None,
        description="Goal: of what is approved automatically, at least this share should be right. "
        "The thresholds follow from labels; none: the thresholds as they are set.",
    )
    reject_precision: Precision | None = Field(
        None,
        description="Goal: of what is rejected automatically, at least this share should be right; "
        "none: `reject_above` as it is set.",
    )
    imports_complete: bool = Field(
        False,
        description="Whether imported labels are of all comments that the old system was sent, so "
        "that thresholds may follow from them too.",
    )
    origins: tuple[str, ...] = Field(
        (),
        description="Addresses of the site's pages: they may ask by script, and be sent back to.",
    )
    close_after_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days after a page's first comment from which it takes no more; none: never.",
    )
    site_feed: bool = Field(
        False, description="Let everybody read a feed of the comments on all pages."
    )
    audit_share: Probability = Field(
        0.01,
        description="Share of the comments approved automatically that a moderator is shown all "
        "the same, after publication; 0: none.",
    )
    blind_share: Probability = Field(
        0.25,
        description="Share of the held comments that are shown without what the service found, as "
        "those drawn for the audit are; 1: all. Nothing while `audit_share` is 0.",
    )
    akismet_waits: bool = Field(
        False,
        description="Answer WordPress's Akismet plugin so that it keeps a held comment waiting.",
    )
    akismet_discard: bool = Field(
        False, description="Tell Akismet clients to drop rejected comments without a trace."
    )
    notify_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        max_length=500,
        description="Web address that is told when held comments wait for too long.",
    )
    notify_after_minutes: int = Field(
        60, ge=1, le=100_000, description="How long a held comment may wait, in minutes."
    )
    retrain_after_labels: int | None = Field(
        200,
        ge=10,
        le=1_000_000,
        description="Train the site's own model anew after so many new labels; none: not by them.",
    )
    retrain_every_days: int | None = Field(
        None,
        ge=1,
        le=366,
        description="Train it anew after so many days, if there are new labels; none: not by time.",
    )
    promote_automatically: bool = Field(
        False,
        description="Let a new model decide as soon as the gate recommends it; "
        "otherwise a person promotes it.",
    )


class OperatingPoint(NamedTuple):
    """The thresholds that follow from a site's goals, of the probability of `reject`."""

    approve_below: float | None
    """Approve below it; 0: nothing. None: there is no goal."""
    reject_from: float | None
    """Reject from it on; None: never."""


NOTHING_SHOWN = OperatingPoint(0.0, None)
"""Where a site has a goal, and no labels were weighed for the model."""


class Decision(NamedTuple):
    """What becomes of a comment, and all that it stands on.

    `head` is the head of the model to explain: the one that decided, or else the one that gave
    "reject" its probability.
    """

    status: Status
    reason: str
    head: str = REJECT
    model: str | None = None
    score: float | None = None
    evidence: Mapping[str, Any] = {}


def decide(
    prediction: Prediction | None,
    facts: Facts,
    settings: SiteSettings,
    *,
    model: str | None,
    thresholds: Mapping[str, float],
    unavailable: str = SCORER_UNAVAILABLE,
    point: OperatingPoint | None = None,
) -> Decision:
    """The decision about one comment.

    Args:
        prediction: what the classifier says; None when it could not be asked.
        model: version of the model that made `prediction`.
        thresholds: the model's own thresholds, one for each head.
        unavailable: the reason to give when there is no prediction.
        point: what follows from the site's goals for this model; without it, a site with a goal
            has everything held.
    """
    findings = consult(facts, settings.rules)
    evidence: dict[str, Any] = {
        "rules": [asdict(finding) for finding in findings],
        "facts": dict(zip(FACTS_KEPT, facts[_KEPT_FROM:], strict=True)),
    }
    if prediction is None:
        return Decision(Status.HELD, unavailable, evidence=evidence)
    scores = {REJECT: prediction.reject} | {_NAMES[r]: p for r, p in prediction.reasons.items()}
    if not all(map(isfinite, scores.values())):
        return Decision(Status.HELD, SCORER_FAILED, model=model, evidence=evidence)
    limits, reject_from, goals = _limits(thresholds, settings, point or NOTHING_SHOWN)
    evidence |= {
        "able": prediction.able,
        "unknown": short(prediction.unknown),
        # As `short` does: a call for each would take longer than its work.
        "scores": {head: floor(p * 10_000 + 0.5) / 10_000 for head, p in scores.items()},
        "thresholds": limits,
    }
    if goals:
        evidence["goals"] = goals
    status, reason, head = _conclude(
        prediction,
        scores,
        limits,
        findings,
        reject_from,
        trusted=facts.standing is Standing.TRUSTED,
    )
    if status is Status.HELD and reason == REJECT and goals.get("approve_below") == 0:
        reason = TOO_FEW_LABELS
    return Decision(status, reason, prediction.summed(head), model, prediction.reject, evidence)


def _limits(
    thresholds: Mapping[str, float], settings: SiteSettings, point: OperatingPoint
) -> tuple[dict[str, float], float | None, dict[str, Any]]:
    """The thresholds in effect, the probability from which to reject, and, for the evidence, the
    goals that they follow from."""
    limits = {**thresholds, **settings.thresholds}
    reject_from = settings.reject_above
    goals: dict[str, Any] = {}
    if settings.approve_precision is not None:
        below = point.approve_below or 0.0
        # What the site itself set for a head still holds; of the model's own only `reject` is left,
        # from where the goal puts it. (A probability of 1 is held in any case.)
        limits = dict.fromkeys(thresholds, 1.0) | settings.thresholds
        limits[REJECT] = min(below, limits.get(REJECT, 1.0))
        goals |= {"approve_precision": settings.approve_precision, "approve_below": below}
    if settings.reject_precision is not None:
        reject_from = point.reject_from
        goals |= {"reject_precision": settings.reject_precision, "reject_from": reject_from}
    return limits, reject_from, goals


def explained(decision: Decision, explanation: Explanation) -> Decision:
    """The decision with the words that weighed most, `SPANS_KEPT` of them, in its evidence."""
    words = {
        "head": explanation.head,
        "bias": short(explanation.bias),
        "elsewhere": short(explanation.elsewhere),
        "spans": [
            [start, end, floor(weight * 10_000 + 0.5) / 10_000]
            for start, end, weight in explanation.spans
        ],
        "others": short(explanation.others),
    }
    return Decision(*decision[:-1], evidence={**decision.evidence, "explanation": words})


def short(number: float) -> float:
    """The finite number to four decimals, as evidence has it; `round` takes ten times as long."""
    return floor(number * 10_000 + 0.5) / 10_000


def _conclude(
    prediction: Prediction,
    scores: Mapping[str, float],
    limits: Mapping[str, float],
    findings: list[Finding],
    reject_from: float | None,
    *,
    trusted: bool,
) -> tuple[Status, str, str]:
    """Status, reason, and the head to explain."""
    above = farthest_above(scores, limits)
    head = above or REJECT
    if findings:
        status = Status.REJECTED if findings[0].verdict is Verdict.REJECT else Status.HELD
        return status, findings[0].rule, head
    if not prediction.able:
        return Status.HELD, NOT_ABLE_TO_JUDGE, head
    if trusted and above:
        return Status.APPROVED, TRUSTED_AUTHOR, head
    if reject_from is not None and scores[REJECT] >= reject_from:
        return Status.REJECTED, head, head
    if above:
        return Status.HELD, head, head
    return Status.APPROVED, BELOW_THRESHOLDS, REJECT


def farthest_above(scores: Mapping[str, float], limits: Mapping[str, float]) -> str | None:
    """The head whose probability went farthest above its threshold; None if none reached it."""
    # Written as "not below" so that a threshold that is no number is never passed.
    above = [head for head, score in scores.items() if not score < limits[head]]
    return max(above, key=lambda h: _excess(scores[h], limits[h])) if above else None


def _excess(score: float, limit: float) -> float:
    """How far a score went from its threshold towards certainty, so that heads compare."""
    return (score - limit) / (1 - limit) if limit < 1 else 0.0
