"""The classifier: documents in, calibrated probabilities and exact explanations out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moderation.classifier import scoring
from moderation.classifier.explain import explain
from moderation.classifier.features import encode
from moderation.classifier.parameters import HEADS, Parameters, unit
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
        able = self._able(words).tolist()
        return [
            Prediction(
                reject=row[-1], reasons=dict(zip(self.reasons, row, strict=False)), able=judge
            )
            for row, judge in zip(probabilities, able, strict=True)
        ]

    def log_odds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
        """Log-odds (documents x `HEADS`) and, per document, its words and its known words."""
        given = self.parameters
        codes, offsets = encode(documents)
        sums, counts, words = scoring.score(
            codes, offsets, given.folding.index, given.folding.pages, given.kept, given.ranks,
            given.weights,
        )  # fmt: skip
        margins = (sums * unit(counts)[:, :, None]).sum(axis=1)
        return given.bias + given.scales * margins, words

    def explain(self, documents: Sequence[Document], head: str = REJECT) -> list[Explanation]:
        """Why `head` gave each document its probability; ValueError for an unknown head."""
        if head not in HEADS:
            raise ValueError(f"no head is called {head!r}")
        return [explain(self.parameters, document, head) for document in documents]

    def warm_up(self) -> None:
        """Compile, or read the compiled code from its cache, before the first comment waits."""
        document = Document("Warm up.")
        self.predict([document])
        self.explain([document])

    def _able(self, words: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        total, known = words[:, 0], words[:, 1]
        return (known > 0) & (known >= self.parameters.least_known * total)
