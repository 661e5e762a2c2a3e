"""The numbers of a model, apart from the code that uses them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from moderation.classifier.features import WHOLE
from moderation.classifier.folding import FoldingTable
from moderation.classifier.prediction import REJECT, Reason

HEADS: tuple[str, ...] = (*Reason, REJECT)


@dataclass(frozen=True)
class Parameters:
    """What training found.

    `kept`: bitmap of the buckets with weights (uint64). `weights`: one row per kept bucket in
    ascending order, one column per head in the order of `HEADS` (int8). `scales`: what one unit
    of a weight is worth in log-odds; `bias`: log-odds of an empty text (float64, one per head).
    `least_known`: the share of known words below which a text is out of depth.
    """

    folding: FoldingTable
    kept: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    least_known: float

    @cached_property
    def ranks(self) -> npt.NDArray[np.int64]:
        """How many buckets are kept before each word of the bitmap."""
        ones = np.bitwise_count(self.kept).astype(np.int64)
        return np.cumsum(ones) - ones


def unit(counts: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Value of one feature per text and block, so that a block's vector has length 1.

    Properties of the whole text are not scaled: there is one of each.
    """
    values = 1 / np.sqrt(np.maximum(counts, 1))
    values[:, WHOLE] = 1
    return values
