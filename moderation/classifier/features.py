"""From characters to features, in one compiled pass.

A feature is a bucket number below `BUCKETS` (a hash) and a block: n-grams of characters inside
a word, words, what stands around a word (pairs, pairs with a gap, punctuation), and properties of
the text as a whole. The same function serves training, scoring and explaining, so the three
cannot drift apart.
"""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from moderation.classifier.folding import (
    CAPITAL,
    CLASS_SHIFT,
    DIGIT,
    IGNORED,
    LETTER,
    MARK,
    PAGE,
    TARGET_MASK,
)
from moderation.classifier.prediction import Document

BUCKET_BITS = 22
BUCKETS = 1 << BUCKET_BITS

CHARACTERS, WORDS, CONTEXT, WHOLE = range(4)
BLOCKS = 4

SHORTEST_GRAM, LONGEST_GRAM = 3, 5

KEYS_PER_SYMBOL, KEYS_PER_TEXT = 12, 32
"""Room that `scan` needs: a word of one letter makes the most features per character."""

# Multiplier of 64-bit FNV-1a, and the finaliser of splitmix64 (Steele, Lea, Flood 2014).
_PRIME = np.uint64(0x100000001B3)
_FINAL = np.uint64(0xBF58476D1CE4E5B9)
_BASIS = np.uint64(0xCBF29CE484222325)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(64 - BUCKET_BITS)
_FOLD = np.uint64(29)
_WORD_SEED, _PAIR_SEED, _SKIP_SEED, _GRAM_SEED, _WHOLE_SEED = (
    np.uint64(0x9E3779B97F4A7C15 * n & 0xFFFFFFFFFFFFFFFF) for n in range(1, 6)
)

_EDGE = np.uint64(32)
_APOSTROPHE, _QUOTE, _STAR = 0x27, 0x2019, 0x2A
_COLON, _SLASH, _EXCLAMATION = 0x3A, 0x2F, 0x21


def _leet() -> npt.NDArray[np.uint32]:
    """What an ASCII digit or sign stands for inside a word; 0 for nothing."""
    table = np.zeros(128, np.uint32)
    for sign, letter in zip("013457@$!|+*", "oieastasiit*", strict=True):
        table[ord(sign)] = ord(letter)
    return table


_LEET = _leet()


def encode(documents: Sequence[Document]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Code points of all texts in a row, and where each text starts (length + 1 offsets)."""
    texts = [document.text for document in documents]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, np.uint32), offsets


@njit(inline="always")
def _step(state, symbol):  # type: ignore[no-untyped-def]
    return (state ^ symbol) * _PRIME


@njit(inline="always")
def _bucket(state):  # type: ignore[no-untyped-def]
    state = (state ^ (state >> _FOLD)) * _FINAL
    return np.uint32(state >> _SHIFT)


@njit(inline="always")
def _is_word(kind):  # type: ignore[no-untyped-def]
    return kind in (LETTER, CAPITAL, DIGIT)


@njit(nogil=True, cache=True)
def _fold(codes, index, pages, symbols, kinds, source):  # type: ignore[no-untyped-def]
    """Write the folded text; return its length."""
    length = 0
    for position in range(len(codes)):
        code = codes[position]
        entry = pages[index[code // PAGE], code % PAGE]
        kind = entry >> CLASS_SHIFT
        if kind == IGNORED:
            continue
        target = entry & TARGET_MASK
        symbols[length] = code if target == 0 else target
        kinds[length] = kind
        source[length] = position
        length += 1
    source[length] = len(codes)
    return length


@njit(inline="always")
def _joins(symbols, kinds, position, length):  # type: ignore[no-untyped-def]
    """Whether the sign at `position` belongs to the word around it: it stands for a letter, or
    is an apostrophe, and a letter follows."""
    symbol = symbols[position]
    if position + 1 >= length or kinds[position] != MARK or not _is_word(kinds[position + 1]):
        return False
    if symbol in (_APOSTROPHE, _QUOTE):
        return True
    return symbol < 128 and _LEET[symbol] != 0 and kinds[position + 1] != DIGIT


@njit(nogil=True, cache=True)
def _word_end(symbols, kinds, start, length):  # type: ignore[no-untyped-def]
    end = start + 1
    while end < length and (
        _is_word(kinds[end])
        or _joins(symbols, kinds, end, length)
        or (symbols[end] == _STAR and end - start <= 4 and _is_word(kinds[start]))
    ):
        end += 1
    return end


@njit(nogil=True, cache=True)
def _spell(symbols, kinds, start, end, word):  # type: ignore[no-untyped-def]
    """Write the word as it was meant, without apostrophes, signs read as letters and a letter
    repeated three times or more written once; return its length."""
    letters = 0
    for position in range(start, end):
        letters += kinds[position] in (LETTER, CAPITAL)
    length = 0
    position = start
    while position < end:
        symbol = symbols[position]
        run = 1
        while position + run < end and symbols[position + run] == symbol:
            run += 1
        position += run
        if symbol in (_APOSTROPHE, _QUOTE):
            continue
        if letters and symbol < 128 and _LEET[symbol] != 0:
            symbol = _LEET[symbol]
        copies = run if run < 3 or letters == 0 else 1
        for _ in range(copies):
            word[length] = symbol
            length += 1
    return length


@njit(nogil=True, cache=True)
def _letter_run(kinds, start, length):  # type: ignore[no-untyped-def]
    """End of a row of single letters with one separator between them ("s p a c e d"), or
    `start` when there are not at least three."""
    count, position = 0, start
    while position < length and kinds[position] in (LETTER, CAPITAL):
        if position + 1 < length and _is_word(kinds[position + 1]):
            break
        count += 1
        position += 2
    return position - 1 if count >= 3 else start


@njit(nogil=True, cache=True)
def _spell_spaced(symbols, start, end, word):  # type: ignore[no-untyped-def]
    length = 0
    for position in range(start, end, 2):
        word[length] = symbols[position]
        length += 1
    return length


@njit(nogil=True, cache=True)
def _level(value, total):  # type: ignore[no-untyped-def]
    """A share as one of seven levels."""
    if total == 0 or value == 0:
        return 0
    share = value / total
    return 1 + (share > 0.02) + (share > 0.1) + (share > 0.25) + (share > 0.5) + (share > 0.8)


@njit(nogil=True, cache=True)
def _magnitude(value):  # type: ignore[no-untyped-def]
    """A count as its number of binary digits."""
    digits = 0
    while value > 0:
        value >>= 1
        digits += 1
    return digits


@njit(nogil=True, cache=True)
def _whole(symbols, kinds, length, words, keys, blocks, count):  # type: ignore[no-untyped-def]
    capitals = letters = digits = marks = loud = links = foreign = 0
    for position in range(length):
        kind = kinds[position]
        capitals += kind == CAPITAL
        letters += kind in (LETTER, CAPITAL)
        digits += kind == DIGIT
        marks += kind == MARK
        symbol = symbols[position]
        loud += symbol == _EXCLAMATION
        foreign += symbol > 127
        links += (
            symbol == _COLON
            and position + 2 < length
            and symbols[position + 1] == _SLASH
            and symbols[position + 2] == _SLASH
        )
    levels = (
        _level(capitals, letters),
        _level(digits, length),
        _level(marks, length),
        _level(foreign, length),
        min(_magnitude(loud), 4),
        min(_magnitude(links), 4),
        _magnitude(length),
        _level(links * 20, length),
        _level(words, length),
    )
    for number in range(len(levels)):
        state = _step(_WHOLE_SEED, np.uint64(number * 64 + levels[number] + 1))
        keys[count] = _bucket(state)
        blocks[count] = WHOLE
        count += 1
    return count


@njit(nogil=True, cache=True)
def _grams(word, size, keys, blocks, count):  # type: ignore[no-untyped-def]
    """N-grams of the word with an edge at either side."""
    for start in range(-1, size + 1):
        state = _GRAM_SEED
        for offset in range(LONGEST_GRAM):
            position = start + offset
            if position > size:
                break
            inside = 0 <= position < size
            state = _step(state, np.uint64(word[position]) if inside else _EDGE)
            if offset + 1 >= SHORTEST_GRAM:
                keys[count] = _bucket(state)
                blocks[count] = CHARACTERS
                count += 1
    return count


@njit(nogil=True, cache=True)
def scan(codes, index, pages, scratch, keys, blocks, starts, ends):  # type: ignore[no-untyped-def]
    """Write the features of one text, repeats included; return (features, words).

    `codes`: uint32 code points. `index`, `pages`: the folding table. `scratch`: uint32 of four
    times length + 2. `keys` (uint32 bucket), `blocks` (uint8), `starts`, `ends` (int32, code
    points of the original text, both 0 for the whole): `KEYS_PER_SYMBOL` times length +
    `KEYS_PER_TEXT` each.
    """
    room = len(codes) + 2
    symbols, kinds = scratch[:room], scratch[room : 2 * room]
    source, word = scratch[2 * room : 3 * room], scratch[3 * room :]
    length = _fold(codes, index, pages, symbols, kinds, source)
    count = words = 0
    before, previous = _PAIR_SEED, _PAIR_SEED
    position = 0
    while position < length:
        if not (_is_word(kinds[position]) or _joins(symbols, kinds, position, length)):
            if kinds[position] == MARK:
                keys[count] = _bucket(_step(_WORD_SEED, np.uint64(symbols[position])))
                blocks[count] = CONTEXT
                starts[count], ends[count] = source[position], source[position + 1]
                count += 1
            position += 1
            continue
        end = _letter_run(kinds, position, length)
        if end > position:
            size = _spell_spaced(symbols, position, end, word)
        else:
            end = _word_end(symbols, kinds, position, length)
            size = _spell(symbols, kinds, position, end, word)
        first = count
        current = _WORD_SEED
        for letter in range(size):
            current = _step(current, np.uint64(word[letter]))
        keys[count] = _bucket(current)
        keys[count + 1] = _bucket(_step(previous ^ _PAIR_SEED, current & _MASK))
        keys[count + 2] = _bucket(_step(before ^ _SKIP_SEED, current & _MASK))
        blocks[count] = WORDS
        blocks[count + 1 : count + 3] = CONTEXT
        count = _grams(word, size, keys, blocks, count + 3)
        starts[first:count] = source[position]
        ends[first:count] = source[end]
        before, previous = previous, current
        words += 1
        position = end
    first = count
    count = _whole(symbols, kinds, length, words, keys, blocks, count)
    starts[first:count] = 0
    ends[first:count] = 0
    return count, words


@njit(nogil=True, cache=True)
def is_new(seen, key):  # type: ignore[no-untyped-def]
    """Add `key` to the open-addressing set `seen` (size a power of two, 0 for empty)."""
    wrap = np.uint32(len(seen) - 1)
    slot = (key * np.uint32(0x9E3779B1)) >> np.uint32(7) & wrap
    while seen[slot] != 0:
        if seen[slot] == key + 1:
            return False
        slot = (slot + np.uint32(1)) & wrap
    seen[slot] = key + 1
    return True


@njit(inline="always")
def is_kept(kept, key):  # type: ignore[no-untyped-def]
    return (kept[key >> np.uint32(6)] >> np.uint64(key & np.uint32(63))) & np.uint64(1) != 0


@njit(nogil=True, cache=True)
def known_features(keys, blocks, count, kept):  # type: ignore[no-untyped-def]
    """Move the distinct kept features to the front; return (their number, known words).

    `kept` is a bitmap, uint64 of `BUCKETS` / 64. A bucket seen in two blocks counts in the first.
    """
    size = 64
    while size < 2 * count:
        size *= 2
    seen = np.zeros(size, np.uint32)
    found = known = 0
    for number in range(count):
        key, block = keys[number], blocks[number]
        if not is_kept(kept, key):
            continue
        known += block == WORDS
        if is_new(seen, key):
            keys[found], blocks[found] = key, block
            found += 1
    return found, known
