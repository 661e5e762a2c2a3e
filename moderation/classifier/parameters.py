"""The numbers of a model, apart from the code that uses them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moderation.classifier.features import Tables
from moderation.classifier.hashing import ranked
from moderation.classifier.prediction import REJECT, Reason

HEADS: tuple[str, ...] = (*Reason, REJECT)

LEVELS = 4
LEVEL_SHIFT = np.uint64(62)

# idf above which a feature is of the next level: about one comment of 12, of 50 and of 350 of the
# general model's has it. A fourth of a comment's features are of each level.
_EDGES = np.array([64, 100, 150], np.uint8)

_SPAM, _REJECT = HEADS.index(Reason.SPAM), HEADS.index(REJECT)


def with_spam(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds (documents x `HEADS`) in which `reject` is at least as probable as spam.

    What makes spam and what makes an attack share no words, so that no sum is their "or"; the
    greater of two sums is, and either explains itself.
    """
    settled = log_odds.copy()
    settled[:, _REJECT] = np.maximum(log_odds[:, _REJECT], log_odds[:, _SPAM])
    return settled


def packed(weights: npt.NDArray[np.int8], idf: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """What scoring adds up of each row, side by side: eight weights, each plus 128, as the bytes of
    one number; of another, the lower half is the square of `idf`, the upper one 1 and, from
    `LEVEL_SHIFT` on, the level of how rare the feature is."""
    biased = weights.view(np.uint8) ^ np.uint8(128)
    levels = np.searchsorted(_EDGES, idf).astype(np.uint64) << LEVEL_SHIFT
    squares = idf.astype(np.uint64) ** 2 | np.uint64(1 << 32) | levels
    return np.column_stack([np.ascontiguousarray(biased).view(np.uint64)[:, 0], squares])


@dataclass(frozen=True)
class Parameters:
    """What training found.

    `kept`: bitmap of the buckets with weights. `weights`: one row per kept bucket in ascending
    order, one column per head in the order of `HEADS` (int8), each already multiplied by the
    bucket's `idf` (uint8). `scales`: what one unit of a weight is worth in log-odds; `bias`:
    log-odds of an empty comment (float64, one per head), that of `reject` before `with_spam`.
    `least_known`: the share of words of the vocabulary below which a comment is out of depth unless
    its language is certain.
    """

    tables: Tables
    kept: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.int8]
    idf: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    least_known: float

    @cached_property
    def index(self) -> npt.NDArray[np.uint64]:
        """`kept`, `ranked`."""
        return ranked(self.kept)

    @cached_property
    def rows(self) -> npt.NDArray[np.uint64]:
        """`weights` and `idf`, `packed`."""
        return packed(self.weights, self.idf)
