"""Which characters of the original text gave a head its log-odds."""

import numpy as np
import numpy.typing as npt
from numba import njit

from moderation.classifier.features import (
    BLOCKS,
    KEYS_PER_SYMBOL,
    KEYS_PER_TEXT,
    encode,
    is_kept,
    scan,
)
from moderation.classifier.parameters import HEADS, Parameters, unit
from moderation.classifier.prediction import Document, Explanation, Span
from moderation.classifier.scoring import row_of


def explain(given: Parameters, document: Document, head: str) -> Explanation:
    """The exact parts of one head's log-odds.

    A feature that occurs several times counts once in the model; its weight is shared equally
    among its occurrences here.
    """
    codes, _ = encode([document])
    rows, blocks, starts, ends = occurrences(
        codes, given.folding.index, given.folding.pages, given.kept, given.ranks
    )
    _, first, inverse, repeats = np.unique(
        rows, return_index=True, return_inverse=True, return_counts=True
    )
    counts = np.bincount(blocks[first], minlength=BLOCKS)
    column = HEADS.index(head)
    worth = given.scales[column] * unit(counts[None, :].astype(np.int32))[0]
    # A bucket met in two blocks belongs to the first, as in scoring.
    owner = blocks[first][inverse]
    weights = given.weights[rows, column] * worth[owner] / repeats[inverse]
    inside = ends > 0
    return Explanation(
        head=head,
        bias=float(given.bias[column]),
        elsewhere=float(weights[~inside].sum()),
        spans=_spans(starts[inside], ends[inside], weights[inside]),
    )


def _spans(
    starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
) -> tuple[Span, ...]:
    """The features of a word add up; no two words overlap, so a start tells the word."""
    places, first, inverse = np.unique(starts, return_index=True, return_inverse=True)
    totals = np.bincount(inverse, weights, minlength=len(places))
    return tuple(
        Span(start, end, weight)
        for start, end, weight in zip(
            places.tolist(), ends[first].tolist(), totals.tolist(), strict=True
        )
    )


@njit(nogil=True, cache=True)
def occurrences(codes, index, pages, kept, ranks):  # type: ignore[no-untyped-def]
    """Every occurrence of a kept feature: (row, block, start, end), in order of appearance."""
    room = KEYS_PER_SYMBOL * len(codes) + KEYS_PER_TEXT
    scratch = np.empty(4 * (len(codes) + 2), np.uint32)
    keys, blocks = np.empty(room, np.uint32), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    count, _ = scan(codes, index, pages, scratch, keys, blocks, starts, ends)
    rows = np.empty(count, np.int64)
    found = 0
    for number in range(count):
        if is_kept(kept, keys[number]):
            rows[found] = row_of(kept, ranks, keys[number])
            blocks[found] = blocks[number]
            starts[found], ends[found] = starts[number], ends[number]
            found += 1
    return rows[:found], blocks[:found], starts[:found], ends[:found]
