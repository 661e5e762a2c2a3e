"""Weighs a model against what people said on a site, so that thresholds can follow from goals."""

from collections.abc import Iterable, Iterator
from itertools import islice

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document
from moderation.db import Database
from moderation.learning import goals, labels, operating_points, site_models
from moderation.learning.goals import Evidence
from moderation.learning.labels import Labelled
from moderation.scorer import Scorer, predict_each

_BATCH = 500


def weigh_deciding(database: Database, scorer: Scorer, site_id: int) -> tuple[str, Evidence] | None:
    """Weigh the labels of a site for the model that decides there; its version and what they say,
    None while no model can be used."""
    with database.read() as connection:
        site = sites.get(connection, site_id)
        current = site_models.current(connection, site_id)
    classifier = scorer.for_site(database, site.current)
    if classifier is None:
        return None
    if current is None or not classifier.version.endswith(f"+{current.version}"):
        return classifier.version, weigh(database, site_id, classifier)
    known = current.report.get("evidence")
    found = weigh(
        database,
        site_id,
        classifier,
        after_label=current.last_label_id,
        known=Evidence.from_json(known) if known else None,
    )
    return classifier.version, found


def weigh(
    database: Database,
    site_id: int,
    classifier: Classifier,
    *,
    after_label: int = 0,
    known: Evidence | None = None,
) -> Evidence:
    """Score the labelled comments of a site and keep what follows for the model's thresholds.

    Args:
        after_label: the number of the last label that the model was trained on: comments that were
            labelled before do not count. 0: it was trained on none of them.
        known: what earlier labels say about the model, where that is known; it is added.
    """
    with database.read() as connection:
        settings = operating_points.settings_of(connection, site_id)
        labelled = (
            one for one in labels.effective(connection, site_id) if one.label_id > after_label
        )
        found = evidence_of(classifier, labelled, imports_complete=settings.imports_complete)
    evidence = found if known is None else found + known
    with database.write() as connection:
        operating_points.keep(
            connection, site_id=site_id, model=classifier.version, evidence=evidence
        )
    return evidence


def evidence_of(
    classifier: Classifier, labelled: Iterable[Labelled], *, imports_complete: bool
) -> Evidence:
    """What labels say about the thresholds of a model that was trained on none of them."""
    rows = list(_scored(labelled, classifier))
    return Evidence.of(
        goals.sample(
            [label for label, _ in rows],
            [score for _, score in rows],
            imports_complete=imports_complete,
        )
    )


def _scored(
    labelled: Iterable[Labelled], classifier: Classifier
) -> Iterator[tuple[Labelled, float | None]]:
    """Each label without its comment's text, so that many take little memory, and the probability
    of `reject`; None where the model is not able to judge."""
    rows = iter(labelled)
    while batch := list(islice(rows, _BATCH)):
        documents = [Document(label.text, label.name, label.website) for label in batch]
        predictions, _ = predict_each(classifier, documents)
        for label, prediction in zip(batch, predictions, strict=True):
            able = prediction is not None and prediction.able
            yield label._replace(text=""), prediction.reject if prediction and able else None
