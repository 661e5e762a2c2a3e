"""The numbers of a model, apart from the code that uses them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moderation.classifier.features import Tables
from moderation.classifier.prediction import REJECT, Reason

HEADS: tuple[str, ...] = (*Reason, REJECT)

_SPAM, _REJECT = HEADS.index(Reason.SPAM), HEADS.index(REJECT)


def with_spam(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds (documents x `HEADS`) in which `reject` is at least as probable as spam.

    What makes spam and what makes an attack share no words, so that no sum is their "or"; the
    greater of two sums is, and either explains itself.
    """
    settled = log_odds.copy()
    settled[:, _REJECT] = np.maximum(log_odds[:, _REJECT], log_odds[:, _SPAM])
    return settled


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
    def ranks(self) -> npt.NDArray[np.uint32]:
        """How many buckets are kept before each word of the bitmap."""
        ones = np.bitwise_count(self.kept).astype(np.uint32)
        return np.cumsum(ones, dtype=np.uint32) - ones

    @cached_property
    def packed(self) -> npt.NDArray[np.uint64]:
        """Eight weights of a row, each plus 128, as the bytes of one number."""
        biased = self.weights.view(np.uint8) ^ np.uint8(128)
        return np.ascontiguousarray(biased).view(np.uint64)[:, 0]
