"""The compiled inner loop: features of a comment times the weights of every head."""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import math

import numpy as np

from moderation.classifier.compiled import callee, inlined, kernel
from moderation.classifier.features import (
    BLOCKS,
    SEGMENTS,
    WHOLE,
    block_of,
    bucket_of,
    keep_distinct,
    longest_document,
    make_scratch,
    make_seen,
    scan,
)

LARGEST_IDF = 255
"""Inverse document frequencies are stored as one byte."""

WHOLE_VALUE = 0.35
"""Size of a property of the whole comment."""

HEADS_IN_A_ROW = 8
"""Weights of a row, one byte each, that are added with one instruction."""

# Every other byte of a row: the four even ones, and after a shift the odd ones, have 16 bits of
# room each, enough for this many rows.
_LANES = np.uint64(0x00FF00FF00FF00FF)
_BYTE = np.uint64(8)
_ROWS_BEFORE_OVERFLOW = 256
_BIAS = 128


@inlined
def row_of(kept, ranks, bucket):  # type: ignore[no-untyped-def]
    """Row of a kept bucket: how many kept buckets come before it."""
    place = bucket >> np.uint32(6)
    below = (np.uint64(1) << np.uint64(bucket & np.uint32(63))) - np.uint64(1)
    return np.int64(ranks[place]) + _ones(kept[place] & below)


@inlined
def _ones(bits):  # type: ignore[no-untyped-def]
    """Number of bits set (the parallel sum of Hacker's Delight, section 5-1)."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + (
        (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inlined
def _flush(lanes, block, rows, sums):  # type: ignore[no-untyped-def]
    """Add the lanes of a block to its sums, without the bias of `rows` rows, and clear them."""
    for head in range(HEADS_IN_A_ROW):
        lane = lanes[block, head & 1] >> np.uint64(16 * (head >> 1))
        sums[block, head] += np.int64(lane & np.uint64(0xFFFF)) - _BIAS * rows
    lanes[block] = 0


@callee
def _add_up(keys, count, kept, ranks, packed, idf, lanes, pending, sums, squares):  # type: ignore[no-untyped-def]
    """Sum weights and squared idf of `count` distinct kept features, per block."""
    lanes[:] = 0
    pending[:] = 0
    sums[:] = 0
    squares[:] = 0
    for number in range(count):
        key = keys[number]
        block = block_of(key)
        row = row_of(kept, ranks, bucket_of(key))
        weights = packed[row]
        lanes[block, 0] += weights & _LANES
        lanes[block, 1] += (weights >> _BYTE) & _LANES
        size = np.int64(idf[row])
        squares[block] += size * size
        pending[block] += 1
        if pending[block] == _ROWS_BEFORE_OVERFLOW:
            _flush(lanes, block, _ROWS_BEFORE_OVERFLOW, sums)
            pending[block] = 0
    for block in range(BLOCKS):
        _flush(lanes, block, pending[block], sums)


@kernel
def score(codes, offsets, tables, kept, ranks, packed, idf):  # type: ignore[no-untyped-def]
    """Add up the weights of the distinct features of every document.

    Returns `margins` (float64, documents x heads, in units of a weight) and `words` (int64,
    documents x 2: words, words of the vocabulary).
    """
    documents = (len(offsets) - 1) // SEGMENTS
    margins = np.zeros((documents, HEADS_IN_A_ROW))
    words = np.empty((documents, 2), np.int64)
    scratch = make_scratch(longest_document(offsets))
    seen = make_seen(scratch)
    lanes = np.empty((BLOCKS, 2), np.uint64)
    pending = np.empty(BLOCKS, np.int64)
    sums = np.empty((BLOCKS, HEADS_IN_A_ROW), np.int64)
    squares = np.empty(BLOCKS, np.int64)
    for document in range(documents):
        scan(codes, offsets, document, tables, scratch)
        tally = scratch.tally
        words[document, 0], words[document, 1] = tally[2], tally[3]
        count = keep_distinct(scratch.keys, tally[0], kept, seen)
        _add_up(scratch.keys, count, kept, ranks, packed, idf, lanes, pending, sums, squares)
        for block in range(BLOCKS):
            worth = unit(block, squares[block])
            for head in range(HEADS_IN_A_ROW):
                margins[document, head] += sums[block, head] * worth
    return margins, words


@inlined
def unit(block, squares):  # type: ignore[no-untyped-def]
    """What one unit of idf is worth in a block whose squared idf sum to `squares`: each block of a
    comment has length 1, properties of the whole comment a fixed size."""
    if block == WHOLE:
        return WHOLE_VALUE / LARGEST_IDF
    return 1 / math.sqrt(max(squares, 1.0))
