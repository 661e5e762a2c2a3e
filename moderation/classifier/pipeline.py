"""The classifier: documents in, calibrated probabilities and exact explanations out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moderation.classifier import language, scoring
from moderation.classifier.explain import explain
from moderation.classifier.features import encode
from moderation.classifier.parameters import HEADS, Parameters, with_spam
from moderation.classifier.prediction import REJECT, Document, Explanation, Prediction, Reason


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
        log_odds, words = self.log_odds(documents)
        probabilities = 1 / (1 + np.exp(-log_odds))
        reject = probabilities[:, -1].tolist()
        reasons = [
            dict(zip(self.reasons, row, strict=True)) for row in probabilities[:, :-1].tolist()
        ]
        able = [
            certain or self._able(document, *tally)
            for document, tally, certain in zip(
                documents, words.tolist(), language.certain(words), strict=True
            )
        ]
        return list(map(Prediction, reject, reasons, able))

    def log_odds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Log-odds (documents x `HEADS`) and, per document, its words and its known words."""
        given = self.parameters
        codes, offsets = encode(documents)
        margins, words = scoring.score(codes, offsets, given.tables, given.index, given.rows)
        return with_spam(given.bias + given.scales * margins), words

    def explain(
        self,
        documents: Sequence[Document],
        head: str | Sequence[str] = REJECT,
        *,
        most: int | None = None,
    ) -> list[Explanation]:
        """Why a head gave each document its probability; ValueError for an unknown head.

        `head`: one for all documents, for which `Prediction.summed` is applied; or one for each, of
        which the sum is explained. `most`: how many spans are shown, those that weigh most; None
        for all.
        """
        heads = self._summed(documents, head) if isinstance(head, str) else head
        for unknown in set(heads).difference(HEADS):
            raise ValueError(f"no head is called {unknown!r}")
        return explain(self.parameters, documents, heads, most)

    def _summed(self, documents: Sequence[Document], head: str) -> list[str]:
        if head != REJECT:
            return [head] * len(documents)
        return [prediction.summed(head) for prediction in self.predict(documents)]

    def warm_up(self) -> None:
        """Compile, or read the compiled code from its cache, before the first comment waits."""
        document = Document("Je ne sais pas ce que vous voulez.")
        self.predict([document])
        self.explain([document])

    def _able(self, document: Document, words: int, known: int) -> bool:
        return language.able(
            document.text, words, known, self.languages, self.parameters.least_known
        )
