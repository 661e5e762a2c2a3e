"""The process's one classifier: loaded once, asked in batches, never trusted to be there."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from moderation.classifier.artifact import ArtifactError, load
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document, Explanation, Prediction
from moderation.policy import SPANS_KEPT

log = logging.getLogger(__name__)

# After a failure to load, how long until the file is looked at again, in seconds.
_RETRY_AFTER = 10.0


class Scorer:
    """Loads the artifact when it is first needed, and again later if that failed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._classifier: Classifier | None = None
        self._next_try = 0.0
        self._loading = Lock()

    def classifier(self) -> Classifier | None:
        """The classifier, warmed up; None while there is no usable one.

        Who comes while it is being loaded waits for it.
        """
        if self._classifier is None:
            with self._loading:
                self._load()
        return self._classifier

    def _load(self) -> None:
        if self._classifier is None and time.monotonic() >= self._next_try:
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
