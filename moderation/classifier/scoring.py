"""The compiled inner loop: features of a comment times the weights of every head."""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderation.classifier.compiled import callee, inlined, kernel
from moderation.classifier.features import (
    AHEAD,
    BLOCKS,
    SEGMENTS,
    WHOLE,
    WORDS,
    block_of,
    bucket_of,
    keep_distinct,
    longest_document,
    make_met,
    make_scratch,
    place_in_vocabulary,
    room_for,
    scan,
)
from moderation.classifier.hashing import has_bit
from moderation.classifier.parameters import LEVEL_SHIFT, LEVELS

LARGEST_IDF = 255
"""Inverse document frequencies are stored as one byte."""

WHOLE_VALUE = 0.35
"""Size of a property of the whole comment."""

HEADS_IN_A_ROW = 8
"""Weights of a row, one byte each, that are added with one instruction."""
LAST_HEAD = HEADS_IN_A_ROW - 1
"""`reject`"""

KINDS = BLOCKS * LEVELS
"""Kinds of features: of each block, those of each level of how rare they are where the model was
trained."""

# Every other byte of a row: the four even ones, and after a shift the odd ones, have 16 bits of
# room each, enough for this many rows.
_LANES = np.uint64(0x00FF00FF00FF00FF)
_BYTE = np.uint64(8)
_ROWS_BEFORE_OVERFLOW = 256
_BIAS = 128
_COUNT_SHIFT, _COUNT_MASK = np.uint64(32), np.uint64(0xFFFF)
_SQUARES_MASK = np.uint64(0xFFFFFFFF)


@inlined
def weight_of(rows, row, head):  # type: ignore[no-untyped-def]
    """One weight of `Parameters.rows`."""
    byte = (rows[row, 0] >> (_BYTE * np.uint64(head))) & np.uint64(0xFF)
    return np.int64(byte) - _BIAS


@inlined
def kind_of(rows, row, block):  # type: ignore[no-untyped-def]
    """The kind (see `KINDS`) of the feature in that row, met in that block."""
    return LEVELS * np.int64(block) + np.int64(rows[row, 1] >> LEVEL_SHIFT)


@inlined
def _flush(lanes, kind, sums, squares):  # type: ignore[no-untyped-def]
    """Add the lanes of a kind to its sums, without the bias of its rows, and clear them."""
    bias = _BIAS * np.int64((lanes[kind, 2] >> _COUNT_SHIFT) & _COUNT_MASK)
    squares[kind] += np.int64(lanes[kind, 2] & _SQUARES_MASK)
    for head in range(HEADS_IN_A_ROW):
        lane = lanes[kind, head & 1] >> np.uint64(16 * (head >> 1))
        sums[kind, head] += np.int64(lane & np.uint64(0xFFFF)) - bias
    lanes[kind] = 0


@callee
def _add_up(keys, count, rows, lanes, sums, squares):  # type: ignore[no-untyped-def]
    """Sum weights and squared idf of `count` distinct kept features, per kind."""
    lanes[:] = 0
    sums[:] = 0
    squares[:] = 0
    for start in range(0, count, _ROWS_BEFORE_OVERFLOW):
        for number in range(start, min(start + _ROWS_BEFORE_OVERFLOW, count)):
            key = keys[number]
            block, row = block_of(key), bucket_of(key)
            weights = rows[row, 0]
            kind = kind_of(rows, row, block)
            lanes[kind, 0] += weights & _LANES
            lanes[kind, 1] += (weights >> _BYTE) & _LANES
            lanes[kind, 2] += rows[row, 1]
        for kind in range(KINDS):
            if lanes[kind, 2] != 0:
                _flush(lanes, kind, sums, squares)


@inlined
def _total(sums, squares, worths, kinds, margins):  # type: ignore[no-untyped-def]
    """From the sums of each kind: `worth` and `kinds` of a document (see `Scan`), and its
    `margins`, which start at 0."""
    for block in range(BLOCKS):
        first, end = LEVELS * block, LEVELS * (block + 1)
        total = np.int64(0)
        for kind in range(first, end):
            total += squares[kind]
        worth = _unit(block, total)
        worths[block] = worth
        for kind in range(first, end):
            kinds[kind] = sums[kind, LAST_HEAD] * worth
            for head in range(HEADS_IN_A_ROW):
                margins[head] += sums[kind, head] * worth


class Scan(NamedTuple):
    """What `score` found in its documents, all that `explain` needs of them.

    `keys`: the features of one document after the other, repeats included (see `features.scan`).
    `units`: of one document after the other, each unit's first feature (counted within the
    document), start and end; the last of a document stands for the whole comment. `ends`: where
    each document's begin in the two, and the last ends. `worth`: per document and block, what one
    unit of idf is worth. `kinds`: per document and kind, what its features add to the margin of
    the last head, `reject`.
    """

    keys: npt.NDArray[np.uint32]
    units: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]
    worth: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.float64]


@callee
def _keep(scratch, document, scan):  # type: ignore[no-untyped-def]
    ends = scan.ends
    first, first_unit = ends[document, 0], ends[document, 1]
    count, units = scratch.tally[0], scratch.tally[1] + 1
    for number in range(count):
        scan.keys[first + number] = scratch.keys[number]
    for number in range(units):
        for column in range(3):
            scan.units[first_unit + number, column] = scratch.units[number, column]
    ends[document + 1, 0], ends[document + 1, 1] = first + count, first_unit + units


@kernel
def score(codes, offsets, tables, index, rows, keep):  # type: ignore[no-untyped-def]
    """Add up the weights of the distinct features of every document.

    Returns `margins` (float64, documents x heads, in units of a weight), `words` (int64,
    documents x 2: words, words of the vocabulary) and a `Scan`, without keys and units unless
    `keep`.
    """
    documents = (len(offsets) - 1) // SEGMENTS
    margins = np.zeros((documents, HEADS_IN_A_ROW))
    words = np.empty((documents, 2), np.int64)
    scratch = make_scratch(longest_document(offsets))
    met = make_met(len(rows))
    lanes = np.empty((KINDS, 3), np.uint64)
    sums = np.empty((KINDS, HEADS_IN_A_ROW), np.int64)
    squares = np.empty(KINDS, np.int64)
    features, units = room_for(len(codes), documents) if keep else (0, 0)
    found = Scan(
        np.empty(features, np.uint32),
        np.empty((units, 3), np.int32),
        np.zeros((documents + 1, 2), np.int64),
        np.empty((documents, BLOCKS)),
        np.empty((documents, KINDS)),
    )
    for document in range(documents):
        scan(codes, offsets, document, tables, scratch)
        tally = scratch.tally
        words[document, 0], words[document, 1] = tally[2], tally[3]
        if keep:
            _keep(scratch, document, found)
        count = keep_distinct(scratch.keys, tally[0], index, met, rows)
        _add_up(scratch.keys, count, rows, lanes, sums, squares)
        _total(sums, squares, found.worth[document], found.kinds[document], margins[document])
    return margins, words, found


@kernel
def add_up(scan, index, rows):  # type: ignore[no-untyped-def]
    """Add up other weights of the features that `score` kept.

    Returns margins and `worth` (see `Scan`) as `score` does.
    """
    documents = len(scan.ends) - 1
    margins, worths = np.zeros((documents, HEADS_IN_A_ROW)), np.empty((documents, BLOCKS))
    longest = 0
    for document in range(documents):
        longest = max(longest, scan.ends[document + 1, 0] - scan.ends[document, 0])
    keys, kinds = np.zeros(longest + AHEAD, np.uint32), np.empty(KINDS)
    met = make_met(len(rows))
    lanes = np.empty((KINDS, 3), np.uint64)
    sums = np.empty((KINDS, HEADS_IN_A_ROW), np.int64)
    squares = np.empty(KINDS, np.int64)
    for document in range(documents):
        first, end = scan.ends[document, 0], scan.ends[document + 1, 0]
        keys[: end - first] = scan.keys[first:end]
        count = keep_distinct(keys, end - first, index, met, rows)
        _add_up(keys, count, rows, lanes, sums, squares)
        _total(sums, squares, worths[document], kinds, margins[document])
    return margins, worths


@kernel
def words_known(scan, vocabulary):  # type: ignore[no-untyped-def]
    """Per document of a scan its words, and those of them in the vocabulary (see `Tables`)."""
    documents = len(scan.ends) - 1
    words = np.zeros((documents, 2), np.int64)
    for document in range(documents):
        for key in scan.keys[scan.ends[document, 0] : scan.ends[document + 1, 0]]:
            if block_of(key) == WORDS:
                words[document, 0] += 1
                words[document, 1] += has_bit(vocabulary, place_in_vocabulary(key))
    return words


@inlined
def _unit(block, squares):  # type: ignore[no-untyped-def]
    """What one unit of idf is worth in a block whose squared idf sum to `squares`: each block of a
    comment has length 1, properties of the whole comment a fixed size."""
    if block == WHOLE:
        return WHOLE_VALUE / LARGEST_IDF
    return 1 / math.sqrt(max(squares, 1.0))
