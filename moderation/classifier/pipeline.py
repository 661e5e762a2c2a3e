"""The classifier: documents in, calibrated probabilities and exact explanations out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from moderation.classifier import compiled, language, scoring
from moderation.classifier.explain import explain
from moderation.classifier.features import encode
from moderation.classifier.parameters import HEADS, Parameters, with_spam
from moderation.classifier.prediction import REJECT, Document, Explanation, Prediction, Reason

_REJECT = HEADS.index(REJECT)


class Classifier:
    """A loaded model. Immutable, so that any number of threads may use it at once."""

    def __init__(self, parameters: Parameters, version: str, metadata: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.version = version
        self.metadata = metadata
        self.reasons = tuple(Reason)
        self.languages: tuple[str, ...] = tuple(metadata["languages"])
        self.thresholds: Mapping[str, float] = metadata["thresholds"]

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """One prediction per document, in their order."""
        return self._predictions(documents, *self.log_odds(documents))

    def log_odds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Log-odds (documents x `HEADS`) and, per document, its words and its known words."""
        log_odds, words, _ = self._score(documents, keep=False)
        return log_odds, words

    def kinds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Log-odds (documents x `HEADS`), and what each kind of feature adds to those of `reject`
        (documents x `scoring.KINDS`), before `with_spam`."""
        log_odds, _, scan = self._score(documents, keep=False)
        return log_odds, self.parameters.scales[_REJECT] * scan.kinds

    def read(self, documents: Sequence[Document]) -> "Reading":
        """Predictions that can be explained without reading the documents again."""
        log_odds, words, scan = self._score(documents, keep=True)
        return Reading(self._predictions(documents, log_odds, words), self.parameters, scan)

    def explain(
        self,
        documents: Sequence[Document],
        head: str | Sequence[str] = REJECT,
        *,
        most: int | None = None,
    ) -> list[Explanation]:
        """Why a head gave each document its probability: see `Reading.explain`.

        `head`: one for all documents, for which `Prediction.summed` is applied; or one for each, of
        which the sum is explained.
        """
        reading = self.read(documents)
        if isinstance(head, str):
            head = [prediction.summed(head) for prediction in reading.predictions]
        return reading.explain(head, most=most)

    def _score(
        self, documents: Sequence[Document], *, keep: bool
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], scoring.Scan]:
        given = self.parameters
        codes, offsets = encode(documents)
        margins, words, scan = scoring.score(
            codes, offsets, given.tables, given.index, given.rows, keep
        )
        return with_spam(given.bias + given.scales * margins), words, scan

    def _predictions(
        self,
        documents: Sequence[Document],
        log_odds: npt.NDArray[np.float64],
        words: npt.NDArray[np.int64],
    ) -> list[Prediction]:
        probabilities = 1 / (1 + np.exp(-log_odds))
        reject = probabilities[:, -1].tolist()
        reasons = map(dict, map(zip, repeat(self.reasons), probabilities[:, :-1].tolist()))
        able = [
            certain or self._able(document, *tally)
            for document, tally, certain in zip(
                documents, words.tolist(), language.certain(words), strict=True
            )
        ]
        total, known = words.T
        unknown = (1 - known / np.maximum(total, 1)) * (total > 0)
        return list(map(Prediction, reject, reasons, able, unknown.tolist()))

    def warm_up(self) -> None:
        """Compile, or read the compiled code from its cache, before the first comment waits."""
        document = Document("Je ne sais pas ce que vous voulez.")
        with compiled.one_at_a_time():
            self.predict([document])
            self.explain([document])

    def _able(self, document: Document, words: int, known: int) -> bool:
        return language.able(
            document.text, words, known, self.languages, self.parameters.least_known
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a classifier found in some documents: a prediction for each, and what explains it."""

    predictions: Sequence[Prediction]
    parameters: Parameters
    scan: scoring.Scan

    def explain(self, heads: Sequence[str], *, most: int | None = None) -> list[Explanation]:
        """The sum of weights of one head for each document; ValueError for an unknown head.

        `most`: how many spans are shown, those that weigh most; None for all.
        """
        for unknown in set(heads).difference(HEADS):
            raise ValueError(f"no head is called {unknown!r}")
        return explain(self.parameters, self.scan, heads, most)
