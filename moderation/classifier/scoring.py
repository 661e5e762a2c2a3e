"""The compiled inner loop: features of a text times the weights of every head."""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import numpy as np
from numba import njit

from moderation.classifier.features import (
    BLOCKS,
    KEYS_PER_SYMBOL,
    KEYS_PER_TEXT,
    known_features,
    scan,
)


@njit(inline="always")
def row_of(kept, ranks, key):  # type: ignore[no-untyped-def]
    """Row of a kept bucket: how many kept buckets come before it."""
    below = kept[key >> np.uint32(6)] & (
        (np.uint64(1) << np.uint64(key & np.uint32(63))) - np.uint64(1)
    )
    return ranks[key >> np.uint32(6)] + _ones(below)


@njit(inline="always")
def _ones(bits):  # type: ignore[no-untyped-def]
    """Number of bits set (the parallel sum of Hacker's Delight, section 5-1)."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + (
        (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(nogil=True, cache=True)
def score(codes, offsets, index, pages, kept, ranks, weights):  # type: ignore[no-untyped-def]
    """Sum the weights of the distinct features of every text.

    Returns `sums` (int32, texts x blocks x heads), `counts` (int32, texts x blocks: distinct
    known features) and `words` (int32, texts x 2: words, known words).
    """
    texts, heads = len(offsets) - 1, weights.shape[1]
    sums = np.zeros((texts, BLOCKS, heads), np.int32)
    counts = np.zeros((texts, BLOCKS), np.int32)
    words = np.zeros((texts, 2), np.int32)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    room = KEYS_PER_SYMBOL * longest + KEYS_PER_TEXT
    scratch = np.empty(4 * (longest + 2), np.uint32)
    keys, blocks = np.empty(room, np.uint32), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    for text in range(texts):
        part = codes[offsets[text] : offsets[text + 1]]
        count, words[text, 0] = scan(part, index, pages, scratch, keys, blocks, starts, ends)
        count, words[text, 1] = known_features(keys, blocks, count, kept)
        for number in range(count):
            row, block = row_of(kept, ranks, keys[number]), blocks[number]
            counts[text, block] += 1
            for head in range(heads):
                sums[text, block, head] += weights[row, head]
    return sums, counts, words
