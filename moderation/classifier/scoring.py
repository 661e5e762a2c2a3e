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
    make_met,
    make_scratch,
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
_COUNT_SHIFT, _SQUARES_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)


@inlined
def weight_of(rows, row, head):  # type: ignore[no-untyped-def]
    """One weight of `Parameters.rows`."""
    byte = (rows[row, 0] >> (_BYTE * np.uint64(head))) & np.uint64(0xFF)
    return np.int64(byte) - _BIAS


@inlined
def square_of(rows, row):  # type: ignore[no-untyped-def]
    """The squared idf in `Parameters.rows`."""
    return np.int64(rows[row, 1] & _SQUARES_MASK)


@inlined
def _flush(lanes, block, sums, squares):  # type: ignore[no-untyped-def]
    """Add the lanes of a block to its sums, without the bias of its rows, and clear them."""
    bias = _BIAS * np.int64(lanes[block, 2] >> _COUNT_SHIFT)
    squares[block] += np.int64(lanes[block, 2] & _SQUARES_MASK)
    for head in range(HEADS_IN_A_ROW):
        lane = lanes[block, head & 1] >> np.uint64(16 * (head >> 1))
        sums[block, head] += np.int64(lane & np.uint64(0xFFFF)) - bias
    lanes[block] = 0


@callee
def _add_up(keys, count, rows, lanes, sums, squares):  # type: ignore[no-untyped-def]
    """Sum weights and squared idf of `count` distinct kept features, per block."""
    lanes[:] = 0
    sums[:] = 0
    squares[:] = 0
    for start in range(0, count, _ROWS_BEFORE_OVERFLOW):
        for number in range(start, min(start + _ROWS_BEFORE_OVERFLOW, count)):
            key = keys[number]
            block, row = block_of(key), bucket_of(key)
            weights = rows[row, 0]
            lanes[block, 0] += weights & _LANES
            lanes[block, 1] += (weights >> _BYTE) & _LANES
            lanes[block, 2] += rows[row, 1]
        for block in range(BLOCKS):
            _flush(lanes, block, sums, squares)


@kernel
def score(codes, offsets, tables, index, rows):  # type: ignore[no-untyped-def]
    """Add up the weights of the distinct features of every document.

    Returns `margins` (float64, documents x heads, in units of a weight) and `words` (int64,
    documents x 2: words, words of the vocabulary).
    """
    documents = (len(offsets) - 1) // SEGMENTS
    margins = np.zeros((documents, HEADS_IN_A_ROW))
    words = np.empty((documents, 2), np.int64)
    scratch = make_scratch(longest_document(offsets))
    met = make_met(len(rows))
    lanes = np.empty((BLOCKS, 3), np.uint64)
    sums = np.empty((BLOCKS, HEADS_IN_A_ROW), np.int64)
    squares = np.empty(BLOCKS, np.int64)
    for document in range(documents):
        scan(codes, offsets, document, tables, scratch)
        tally = scratch.tally
        words[document, 0], words[document, 1] = tally[2], tally[3]
        count = keep_distinct(scratch.keys, tally[0], index, met, rows)
        _add_up(scratch.keys, count, rows, lanes, sums, squares)
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
