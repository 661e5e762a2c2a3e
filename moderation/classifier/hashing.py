"""Hashes, and sets of them, for the compiled code."""

import numpy as np
import numpy.typing as npt

from moderation.classifier.compiled import callee, inlined

# Multiplier of 64-bit FNV-1a, and a multiplier of the splitmix64 finaliser (Steele, Lea, Flood
# 2014), which spreads the low bits over the high ones that are used.
_PRIME = np.uint64(0x100000001B3)
_FINAL = np.uint64(0xBF58476D1CE4E5B9)
_FOLD = np.uint64(29)
_GOLDEN = 0x9E3779B97F4A7C15


def seed(number: int) -> np.uint64:
    """The start of a kind of hash; different numbers give unrelated hashes."""
    return np.uint64(_GOLDEN * number & 0xFFFFFFFFFFFFFFFF)


WORD_SEED = seed(1)


@inlined
def step(state, value):  # type: ignore[no-untyped-def]
    """Hash one more value (both uint64)."""
    return (state ^ value) * _PRIME


@inlined
def mixed(state):  # type: ignore[no-untyped-def]
    """The hash with its high bits fit for use."""
    return (state ^ (state >> _FOLD)) * _FINAL


@callee
def hash_word(word, size):  # type: ignore[no-untyped-def]
    """Hash (uint64) of the first `size` code points of `word`."""
    state = WORD_SEED
    for position in range(size):
        state = step(state, np.uint64(word[position]))
    return state


@inlined
def has_bit(bitmap, number):  # type: ignore[no-untyped-def]
    """Whether bit `number` (uint64) of a uint64 bitmap is set."""
    return (bitmap[number >> np.uint64(6)] >> (number & np.uint64(63))) & np.uint64(1) != 0


def bitmap(numbers: npt.NDArray[np.integer], bits: int) -> npt.NDArray[np.uint64]:
    """A bitmap of 2 ** bits bits with those of `numbers` set."""
    flags = np.zeros(1 << bits, np.uint8)
    flags[numbers] = 1
    return np.packbits(flags, bitorder="little").view(np.uint64)


@inlined
def place_of(seen, wrap, key):  # type: ignore[no-untyped-def]
    """Where a non-zero key is, or would be, in the open-addressing set `seen` (uint32, 0 for
    empty), of which wrap + 1 slots, a power of two, are in use."""
    slot = (key * np.uint32(0x9E3779B1)) >> np.uint32(9) & wrap
    while seen[slot] != 0 and seen[slot] != key:
        slot = (slot + np.uint32(1)) & wrap
    return slot


@inlined
def is_new(seen, wrap, key):  # type: ignore[no-untyped-def]
    """Add a key to such a set; False when it was there."""
    slot = place_of(seen, wrap, key)
    if seen[slot] == key:
        return False
    seen[slot] = key
    return True
