"""What models like a site's model, each trained without some of the labelled comments, give just
those: what thresholds follow from (see `goals`), since the model itself was trained on all of them.

It is kept comment by comment, not summed up: so these labels too are brought to the present, and
one that is corrected, withdrawn or erased later counts as it does everywhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from safetensors.numpy import load, save

from moderation.learning.labels import Labelled


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of the comments that a model was trained on; by default it was trained on none."""

    last_label_id: int = 0
    """The latest label that it was trained on."""
    scores: dict[int, float] = field(default_factory=dict)
    """Probability of `reject` by the first label of the comment, which stands for it; none where
    the model that was asked is not able to judge."""

    @classmethod
    def of(cls, labelled: Sequence[Labelled], scores: Sequence[float | None]) -> Self:
        """Of all that the model was trained on, with each comment's score."""
        return cls(
            max((label.label_id for label in labelled), default=0),
            {
                label.first_label_id: score
                for label, score in zip(labelled, scores, strict=True)
                if score is not None
            },
        )

    def knows(self, label: Labelled) -> bool:
        """Whether the model may have been trained on the comment, whatever was said of it then."""
        return label.first_label_id <= self.last_label_id

    def score(self, label: Labelled) -> float | None:
        """The score of a comment that it knows; None where there is none."""
        return self.scores.get(label.first_label_id)

    def to_bytes(self) -> bytes:
        """One safetensors file."""
        return save(
            {
                "last_label_id": np.array([self.last_label_id], np.int64),
                "first_label_ids": np.array(list(self.scores), np.int64),
                "scores": np.array(list(self.scores.values()), np.float32),
            }
        )

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """What `to_bytes` gave."""
        found = load(stored)
        scores = zip(found["first_label_ids"].tolist(), found["scores"].tolist(), strict=True)
        return cls(int(found["last_label_id"][0]), dict(scores))
