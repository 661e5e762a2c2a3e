"""Weighs a model against what people said on a site, so that thresholds can follow from goals."""

from collections.abc import Iterable, Iterator
from itertools import islice

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Prediction
from moderation.db import Database
from moderation.learning import goals, labels, operating_points, site_models
from moderation.learning.goals import Evidence
from moderation.learning.held_out import HeldOut
from moderation.learning.labels import Labelled
from moderation.scorer import Scorer, predict_each

_BATCH = 500


def weigh_deciding(database: Database, scorer: Scorer, site_id: int) -> tuple[str, Evidence] | None:
    """Weigh the labels of a site for the model that decides there; its version and what they say,
    None while no model can be used."""
    with database.read() as connection:
        site = sites.get(connection, site_id)
        current = site_models.current(connection, site_id)
        stored = None if current is None else site_models.held_out(connection, current.id)
    classifier = scorer.for_site(database, site.current)
    if classifier is None:
        return None
    if current is None or not classifier.version.endswith(f"+{current.version}"):
        return classifier.version, weigh(database, site_id, classifier)
    known = HeldOut.from_bytes(stored) if stored else HeldOut(current.last_label_id)
    return classifier.version, weigh(database, site_id, classifier, known)


def weigh(
    database: Database, site_id: int, classifier: Classifier, known: HeldOut | None = None
) -> Evidence:
    """Score the labelled comments of a site and keep what follows for the model's thresholds.

    Args:
        known: what the model was trained on, with the scores that count in the place of its own;
            None: it was trained on none of them.
    """
    with database.read() as connection:
        settings = operating_points.settings_of(connection, site_id)
        scored = _scored(labels.effective(connection, site_id), classifier, known or HeldOut())
        found = list(scored)
    evidence = Evidence.of(
        goals.sample(
            [label for label, _ in found],
            [score for _, score in found],
            imports_complete=settings.imports_complete,
        )
    )
    with database.write() as connection:
        operating_points.keep(
            connection, site_id=site_id, model=classifier.version, evidence=evidence
        )
    return evidence


def _scored(
    labelled: Iterable[Labelled], classifier: Classifier, known: HeldOut
) -> Iterator[tuple[Labelled, float | None]]:
    """Each label without its comment's text, so that many take little memory, and the probability
    of `reject`; None where no model was able to judge that was not trained on it."""
    rows = iter(labelled)
    while batch := list(islice(rows, _BATCH)):
        new = [label for label in batch if not known.knows(label)]
        documents = [Document(label.text, label.name, label.website) for label in new]
        predictions, _ = predict_each(classifier, documents)
        by_model = dict(zip((label.key for label in new), predictions, strict=True))
        for label in batch:
            score = known.score(label) if known.knows(label) else _reject(by_model[label.key])
            yield label._replace(text=""), score


def _reject(prediction: Prediction | None) -> float | None:
    return prediction.reject if prediction is not None and prediction.able else None
