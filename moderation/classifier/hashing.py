"""Hashes, and sets of them, for the compiled code."""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.np.arrayobj import make_array

from moderation.classifier.compiled import callee, inlined, instruction

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


@instruction
def ones(_context, _number):  # type: ignore[no-untyped-def]
    """Number of bits set in a uint64."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@instruction
def prefetch(_context, table, _row):  # type: ignore[no-untyped-def]
    """Have row `_row` (uint64) of an array fetched from memory while other work goes on."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        array = make_array(table)(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        stride = builder.extract_value(array.strides, 0)
        address = builder.add(
            builder.ptrtoint(array.data, stride.type), builder.mul(stride, arguments[1])
        )
        pointer = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        signature = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], signature)
        # To be read (0), more than once (3), as data (1).
        options = [number(0), number(3), number(1)]
        builder.call(function, [builder.inttoptr(address, pointer), *options])
        return context.get_dummy_value()

    return types.void(table, types.uint64), generate


def bitmap(numbers: npt.NDArray[np.integer], bits: int) -> npt.NDArray[np.uint64]:
    """A bitmap of 2 ** bits bits with those of `numbers` set."""
    flags = np.zeros(1 << bits, np.uint8)
    flags[numbers] = 1
    return np.packbits(flags, bitorder="little").view(np.uint64)


def ranked(bitmap: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The bitmap, 32 bits a number, with how many bits are set before these in the upper half: both
    in one look into memory."""
    halves = bitmap.view(np.uint32).astype(np.uint64)
    counts = np.bitwise_count(halves).astype(np.uint64)
    return (np.cumsum(counts, dtype=np.uint64) - counts) << np.uint64(32) | halves


@inlined
def has_rank(index, number):  # type: ignore[no-untyped-def]
    """1 if bit `number` (uint64) of a `ranked` bitmap is set, else 0."""
    return (index[number >> np.uint64(5)] >> (number & np.uint64(31))) & np.uint64(1)


@inlined
def rank(index, number):  # type: ignore[no-untyped-def]
    """How many bits of a `ranked` bitmap are set before bit `number` (uint64)."""
    entry = index[number >> np.uint64(5)]
    below = (np.uint64(1) << (number & np.uint64(31))) - np.uint64(1)
    return (entry >> np.uint64(32)) + ones(entry & below)


@inlined
def place_of(seen, wrap, key):  # type: ignore[no-untyped-def]
    """Where a non-zero key is, or would be, in the open-addressing set `seen` (uint32, 0 for
    empty), of which wrap + 1 slots, a power of two, are in use."""
    slot = (key * np.uint32(0x9E3779B1)) >> np.uint32(9) & wrap
    while seen[slot] != 0 and seen[slot] != key:
        slot = (slot + np.uint32(1)) & wrap
    return slot
