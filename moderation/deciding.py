"""One batch of pending comments: load, score, apply the policy, write. Free of RQ."""

from collections.abc import Sequence

from moderation.classifier.language import detect
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Prediction
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.facts import Pending, gather
from moderation.policy import (
    SCORER_FAILED,
    SCORER_UNAVAILABLE,
    Decision,
    decide,
    explained,
)
from moderation.review import Actor, Applied, Change, set_status
from moderation.scorer import Scorer, explain_each, predict_each

WORKER = Actor(ActorKind.WORKER, "worker")


def decide_comments(
    database: Database, scorer: Scorer, comment_ids: Sequence[str]
) -> list[Applied]:
    """Decide those of the comments that are still pending; what was changed.

    Nothing is locked while the model works. What somebody else decided meanwhile stays.
    """
    with database.read() as connection:
        batch = gather(connection, comment_ids)
    if not batch:
        return []
    changes = [
        Change(
            comment_id=pending.id,
            to=decision.status,
            reason=decision.reason,
            model=decision.model,
            score=decision.score,
            fingerprint=pending.fingerprint,
            language=_language(scorer, pending, decision),
            evidence=decision.evidence,
        )
        for pending, decision in zip(batch, _decisions(scorer, batch), strict=True)
    ]
    with database.write() as connection:
        return set_status(connection, changes, actor=WORKER)


def _decisions(scorer: Scorer, batch: Sequence[Pending]) -> list[Decision]:
    classifier = scorer.classifier()
    if classifier is None:
        return [_decision(pending, None, None, SCORER_UNAVAILABLE) for pending in batch]
    documents = [Document(p.facts.text, p.facts.name, p.facts.website) for p in batch]
    predictions, reading = predict_each(classifier, documents)
    decisions = [
        _decision(pending, classifier, prediction, SCORER_FAILED)
        for pending, prediction in zip(batch, predictions, strict=True)
    ]
    heads = [decision.head for decision in decisions]
    explanations = explain_each(classifier, documents, heads, reading)
    return [
        explained(decision, explanation) if explanation and decision.score is not None else decision
        for decision, explanation in zip(decisions, explanations, strict=True)
    ]


def _language(scorer: Scorer, pending: Pending, decision: Decision) -> str:
    """The language of a comment that a moderator may look at; asked of few, because it takes as
    long as scoring. Where the detector is not sure, what a model of one language is able to judge
    is in that language."""
    if decision.status is Status.APPROVED:
        return ""
    classifier = scorer.classifier()
    known = classifier.languages if classifier and decision.evidence.get("able") else ()
    return detect(pending.facts.text) or (known[0] if len(known) == 1 else "")


def _decision(
    pending: Pending, classifier: Classifier | None, prediction: Prediction | None, otherwise: str
) -> Decision:
    return decide(
        prediction,
        pending.facts,
        pending.settings,
        model=classifier.version if classifier else None,
        thresholds=classifier.thresholds if classifier else {},
        unavailable=otherwise,
        point=pending.points.get(classifier.version) if classifier else None,
    )
