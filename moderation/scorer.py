"""The process's classifiers: the general one, and on top of it those of sites with a model of their
own. Each is loaded once, asked in batches, and never trusted to be there."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from threading import RLock

from moderation.classifier.adaptation import Adaptation, adapted
from moderation.classifier.artifact import ArtifactError, load
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document, Explanation, Prediction
from moderation.db import Database
from moderation.domain import ModelRef
from moderation.learning import site_models
from moderation.policy import SPANS_KEPT

log = logging.getLogger(__name__)

# After a failure to load, how long until the model is looked at again, in seconds.
_RETRY_AFTER = 10.0

# Models of sites that are kept: a site has one, or two while another one shadows.
_KEPT = 64


class Scorer:
    """Loads the artifact when it is first needed, and again later if that failed; so it does with
    the models of sites. Any number of threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._classifier: Classifier | None = None
        self._next_try = 0.0
        # By version, which names the content; what was asked for last stands last.
        self._of_sites: dict[str, Classifier] = {}
        self._failed: dict[str, float] = {}
        self._loading = RLock()

    def classifier(self) -> Classifier | None:
        """The general classifier, warmed up; None while there is no usable one."""
        if self._classifier is None:
            with self._loading:
                self._load()
        return self._classifier

    def for_site(self, database: Database, model: ModelRef | None) -> Classifier | None:
        """The classifier that decides for a site with this model: that model on top of the general
        one. The general one alone where there is no such model, or it cannot be used; None while
        there is no usable general one."""
        return (model and self.adapted(database, model)) or self.classifier()

    def adapted(self, database: Database, model: ModelRef) -> Classifier | None:
        """A site's model on top of the general one; None while it cannot be used, which is noted
        with the stored model."""
        with self._loading:
            found = self._of_sites.pop(model.version, None)
            if found is None and time.monotonic() >= self._failed.get(model.version, 0.0):
                found = self._adapt(database, model)
            if found is not None:
                self._of_sites[model.version] = found
            while len(self._of_sites) > _KEPT:
                del self._of_sites[next(iter(self._of_sites))]
        return found

    def _load(self) -> None:
        if self._classifier is not None or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _RETRY_AFTER
        try:
            classifier = load(self._path)
            classifier.warm_up()
        except ArtifactError as error:
            log.error("no model, so everything is held: %s", error)
        except Exception:
            log.exception("the model cannot be used, so everything is held")
        else:
            self._classifier = classifier
            log.info("model %s is loaded", classifier.version)

    def _adapt(self, database: Database, model: ModelRef) -> Classifier | None:
        general = self.classifier()
        if general is None:
            return None
        try:
            found = _loaded(database, general, model)
        except Exception as error:
            log.error(
                "the general model decides alone: %s cannot be used: %s",
                model.version,
                error,
                exc_info=not isinstance(error, ArtifactError),
            )
            self._failed[model.version] = time.monotonic() + _RETRY_AFTER
            _note(database, model, str(error) or type(error).__name__)
            return None
        self._failed.pop(model.version, None)
        _note(database, model, "")
        log.info("model %s is loaded", found.version)
        return found


def _loaded(database: Database, general: Classifier, model: ModelRef) -> Classifier:
    with database.read() as connection:
        data = site_models.artifact(connection, model.id)
    if data is None:
        raise ArtifactError("the site's model is not in the database")
    adaptation = Adaptation.from_bytes(data)
    if adaptation.version != model.version:
        raise ArtifactError(f"the database has {adaptation.version} in its place")
    found = adapted(general, adaptation)
    found.warm_up()
    return found


def _note(database: Database, model: ModelRef, problem: str) -> None:
    try:
        with database.write() as connection:
            site_models.report_problem(connection, model.id, problem)
    except Exception:
        log.exception("it could not be noted whether model %s can be used", model.version)


def predict_each(
    classifier: Classifier, documents: Sequence[Document]
) -> tuple[list[Prediction | None], Reading | None]:
    """Predictions in the same order, None for a document that the model fails on; and the reading
    that they came from.

    A batch that fails is asked again one by one, so that a single text cannot hold up the rest;
    there is no reading of it then.
    """
    try:
        reading = classifier.read(documents)
    except Exception:
        if len(documents) == 1:
            log.exception("the model failed on a comment, which is held")
            return [None], None
        return [predict_each(classifier, [document])[0][0] for document in documents], None
    return list(reading.predictions), reading


def explain_each(
    classifier: Classifier,
    documents: Sequence[Document],
    heads: Sequence[str],
    reading: Reading | None = None,
) -> list[Explanation | None]:
    """Explanations in the same order, each of its own head; None where it could not be had.

    `reading`: that of the documents, if there is one.
    """
    try:
        reading = reading or classifier.read(documents)
        return list(reading.explain(heads, most=SPANS_KEPT))
    except Exception:
        if len(documents) == 1:
            log.exception("the model could not explain a decision")
            return [None]
        pairs = zip(documents, heads, strict=True)
        return [explain_each(classifier, [document], [head])[0] for document, head in pairs]
