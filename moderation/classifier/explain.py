"""Which characters of the original text gave a head its log-odds."""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import numpy as np

from moderation.classifier.compiled import inlined, kernel
from moderation.classifier.features import (
    BLOCKS,
    block_of,
    bucket_of,
    encode,
    longest_document,
    make_scratch,
    make_seen,
    scan,
)
from moderation.classifier.hashing import has_bit, place_of
from moderation.classifier.parameters import HEADS, Parameters
from moderation.classifier.prediction import Document, Explanation, Span
from moderation.classifier.scoring import row_of, unit


def explain(given: Parameters, document: Document, head: str) -> Explanation:
    """The exact parts of one head's log-odds.

    A feature that occurs several times counts once in the model; its weight is shared equally
    among its occurrences here.
    """
    codes, offsets = encode([document])
    column = HEADS.index(head)
    units, totals, elsewhere = _attribute(
        codes, offsets, given.tables, given.kept, given.ranks, given.weights, given.idf, column
    )
    scale = float(given.scales[column])
    return Explanation(
        head=head,
        bias=float(given.bias[column]),
        elsewhere=scale * elsewhere,
        spans=tuple(
            Span(start, end, scale * total)
            for (_, start, end), total in zip(units.tolist(), totals.tolist(), strict=True)
            if total
        ),
    )


@inlined
def _count(keys, count, kept, ranks, idf, seen, owners, repeats):  # type: ignore[no-untyped-def]
    """Count the occurrences of kept buckets; return what a unit of weight is worth per block.

    `seen` is a set as in `hashing.is_new`, cleared, with the block that a bucket was met in first
    in `owners` and its occurrences in `repeats`.
    """
    squares = np.zeros(BLOCKS)
    for number in range(count):
        key = keys[number]
        bucket = bucket_of(key)
        if not has_bit(kept, np.uint64(bucket)):
            continue
        slot = place_of(seen, np.uint32(len(seen) - 1), bucket + np.uint32(1))
        if seen[slot] == 0:
            seen[slot] = bucket + np.uint32(1)
            owners[slot] = block_of(key)
            repeats[slot] = 0
            squares[owners[slot]] += float(idf[row_of(kept, ranks, bucket)]) ** 2
        repeats[slot] += 1
    worth = np.empty(BLOCKS)
    for block in range(BLOCKS):
        worth[block] = unit(block, squares[block])
    return worth


@kernel
def _attribute(codes, offsets, tables, kept, ranks, weights, idf, column):  # type: ignore[no-untyped-def]
    """Share the margin of the first document out: (units, their totals, what is left)."""
    scratch = make_scratch(longest_document(offsets))
    scan(codes, offsets, 0, tables, scratch)
    count, unit_count = scratch.tally[0], scratch.tally[1]
    seen = make_seen(scratch)
    seen[:] = 0
    owners, repeats = np.empty(len(seen), np.uint8), np.empty(len(seen), np.int32)
    keys = scratch.keys
    worth = _count(keys, count, kept, ranks, idf, seen, owners, repeats)
    totals = np.zeros(unit_count + 1)
    unit = -1
    for number in range(count):
        while unit < unit_count and scratch.units[unit + 1, 0] <= number:
            unit += 1
        bucket = bucket_of(keys[number])
        if has_bit(kept, np.uint64(bucket)):
            slot = place_of(seen, np.uint32(len(seen) - 1), bucket + np.uint32(1))
            weight = weights[row_of(kept, ranks, bucket), column]
            totals[unit] += weight * worth[owners[slot]] / repeats[slot]
    return scratch.units[:unit_count], totals[:unit_count], totals[unit_count]
