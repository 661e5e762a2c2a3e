"""One batch of pending comments: load, score, apply the policy, write. Free of RQ.

The comments of one site in a batch are all scored by one classifier, the one that was the site's
when the batch was loaded.
"""

import logging
from collections.abc import Container, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from moderation.classifier.language import detect
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Prediction
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.facts import Pending, gather
from moderation.learning import shadows
from moderation.learning.audits import Drawn, draw
from moderation.learning.shadows import Beside
from moderation.policy import (
    SCORER_FAILED,
    SCORER_UNAVAILABLE,
    Decision,
    decide,
    explained,
)
from moderation.review import Actor, Applied, Change, set_status
from moderation.scorer import Scorer, explain_each, predict_each

log = logging.getLogger(__name__)

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
    judged = judge(database, scorer, batch)
    with database.write() as connection:
        applied = set_status(connection, judged.changes, actor=WORKER)
    keep_shadows(database, scorer, judged, frozenset(comment_ids))
    return applied


class Judged(NamedTuple):
    """What a batch comes to, before that is written."""

    batch: Sequence[Pending]
    decisions: Sequence[Decision]
    changes: Sequence[Change]


def judge(database: Database, scorer: Scorer, batch: Sequence[Pending]) -> Judged:
    """What is to become of each comment; nothing is written."""
    decisions = decide_each(database, scorer, batch)
    changes = [
        change(pending, decision, classifier)
        for pending, (decision, classifier) in zip(batch, decisions, strict=True)
    ]
    return Judged(batch, [decision for decision, _ in decisions], changes)


def decide_each(
    database: Database, scorer: Scorer, batch: Sequence[Pending]
) -> list[tuple[Decision, Classifier | None]]:
    """The decision about each comment, explained, and who was asked; the batch goes site by
    site."""
    found: list[tuple[Decision, Classifier | None]] = []
    for model, together in groupby(batch, key=attrgetter("current")):
        classifier = scorer.for_site(database, model)
        found += [(decision, classifier) for decision in _decisions(classifier, list(together))]
    return found


def change(pending: Pending, decision: Decision, classifier: Classifier | None) -> Change:
    """The wish that a decision comes to."""
    drawn = draw(decision.status, pending.settings, room=pending.room)
    return Change(
        comment_id=pending.id,
        to=decision.status,
        reason=decision.reason,
        model=decision.model,
        score=decision.score,
        fingerprint=pending.fingerprint,
        language=_language(classifier, pending, decision, drawn),
        evidence=decision.evidence,
        drawn=drawn,
    )


def _decisions(classifier: Classifier | None, batch: Sequence[Pending]) -> list[Decision]:
    if classifier is None:
        return [_decision(pending, None, None, SCORER_UNAVAILABLE) for pending in batch]
    documents = _documents(batch)
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


def _documents(batch: Sequence[Pending]) -> list[Document]:
    return [Document(p.facts.text, p.facts.name, p.facts.website) for p in batch]


def _language(
    classifier: Classifier | None, pending: Pending, decision: Decision, drawn: Drawn
) -> str:
    """The language of a comment that a moderator may look at; asked of few, because it takes as
    long as scoring. Where the detector is not sure, what a model of one language is able to judge
    is in that language."""
    if decision.status is Status.APPROVED and drawn.audit is None:
        return ""
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


def keep_shadows(
    database: Database,
    scorer: Scorer,
    judged: Judged,
    stored: Container[str],
    *,
    urgent: bool = False,
) -> None:
    """Keep what the models that shadow would have decided about those that are `stored`. What was
    decided is written already, and no failure here is the caller's."""
    pairs = [
        pair for pair in zip(judged.batch, judged.decisions, strict=True) if pair[0].id in stored
    ]
    try:
        rows = [
            row
            for model, together in groupby(pairs, key=lambda pair: pair[0].shadow)
            if model is not None and (classifier := scorer.adapted(database, model)) is not None
            for row in _beside(model.id, classifier, list(together))
        ]
        if rows:
            with database.write(urgent=urgent) as connection:
                shadows.record(connection, rows)
    except Exception:
        log.exception("what the shadow would have decided is lost")


def _beside(
    model_id: int, classifier: Classifier, pairs: Sequence[tuple[Pending, Decision]]
) -> list[Beside]:
    batch = list(map(itemgetter(0), pairs))
    predictions, _ = predict_each(classifier, _documents(batch))
    return [
        Beside(
            model_id, pending.id, _decision(pending, classifier, prediction, SCORER_FAILED), live
        )
        for (pending, live), prediction in zip(pairs, predictions, strict=True)
    ]
