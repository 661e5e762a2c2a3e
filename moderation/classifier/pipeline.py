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
        probabilities = (1 / (1 + np.exp(-log_odds))).tolist()
        return [
            Prediction(
                reject=row[-1],
                reasons=dict(zip(self.reasons, row, strict=False)),
                able=self._able(document, *tally),
            )
            for document, row, tally in zip(documents, probabilities, words.tolist(), strict=True)
        ]

    def log_odds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Log-odds (documents x `HEADS`) and, per document, its words and its known words."""
        given = self.parameters
        codes, offsets = encode(documents)
        margins, words = scoring.score(
            codes, offsets, given.tables, given.kept, given.ranks, given.packed, given.idf
        )
        return with_spam(given.bias + given.scales * margins), words

    def explain(self, documents: Sequence[Document], head: str = REJECT) -> list[Explanation]:
        """Why `head` gave each document its probability; ValueError for an unknown head.

        Where `reject` is as probable as spam, the explanation is that of spam.
        """
        if head not in HEADS:
            raise ValueError(f"no head is called {head!r}")
        heads = self._speaking(documents) if head == REJECT else [head] * len(documents)
        return [explain(self.parameters, *pair) for pair in zip(documents, heads, strict=True)]

    def _speaking(self, documents: Sequence[Document]) -> list[str]:
        """The head whose sum is the log-odds of `reject`, for each document."""
        log_odds, _ = self.log_odds(documents)
        spam = log_odds[:, HEADS.index(Reason.SPAM)] == log_odds[:, HEADS.index(REJECT)]
        return [Reason.SPAM if is_spam else REJECT for is_spam in spam.tolist()]

    def warm_up(self) -> None:
        """Compile, or read the compiled code from its cache, before the first comment waits."""
        document = Document("Je ne sais pas ce que vous voulez.")
        self.predict([document])
        self.explain([document])

    def _able(self, document: Document, words: int, known: int) -> bool:
        return language.able(
            document.text, words, known, self.languages, self.parameters.least_known
        )
