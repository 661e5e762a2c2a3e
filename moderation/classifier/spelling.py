"""Words as they were meant, whatever was done to their letters.

Works on folded text (see `folding`) and a vocabulary of words that are common in training. The
vocabulary decides between readings: "assss" and "goood", "1oser" and "1diot".
"""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import numpy as np
import numpy.typing as npt

from moderation.classifier.compiled import callee, inlined
from moderation.classifier.folding import CAPITAL, DIGIT, LETTER, MARK
from moderation.classifier.hashing import has_bit, hash_word, mixed

VOCABULARY_BITS = 20
_SHIFT = np.uint64(64 - VOCABULARY_BITS)

_APOSTROPHE, _QUOTE, _STAR, _LONGEST_STARRED = 0x27, 0x2019, 0x2A, 5
_I, _L = 0x69, 0x6C
_SIGNS, _LETTERS = "01345789@$!|+*(", "oieastbgasiit*c"


def _leet() -> npt.NDArray[np.uint32]:
    """What an ASCII digit or sign stands for inside a word; 0 for nothing."""
    table = np.zeros(128, np.uint32)
    for sign, letter in zip(_SIGNS, _LETTERS, strict=True):
        table[ord(sign)] = ord(letter)
    return table


_LEET = _leet()


@inlined
def is_letter(kind):  # type: ignore[no-untyped-def]
    return kind in (LETTER, CAPITAL)


@inlined
def is_word(kind):  # type: ignore[no-untyped-def]
    return kind in (LETTER, CAPITAL, DIGIT)


@inlined
def vocabulary_bit(state):  # type: ignore[no-untyped-def]
    """Place of a word's hash in the vocabulary (a bitmap of 2 ** `VOCABULARY_BITS` bits)."""
    return mixed(state) >> _SHIFT


@inlined
def in_vocabulary(vocabulary, word, size):  # type: ignore[no-untyped-def]
    return has_bit(vocabulary, vocabulary_bit(hash_word(word, size)))


@inlined
def joins(symbols, kinds, position, length):  # type: ignore[no-untyped-def]
    """Whether the sign at `position` belongs to a word: an apostrophe or a sign that stands for a
    letter, with a word's character after it."""
    symbol = symbols[position]
    if position + 1 >= length or kinds[position] != MARK or not is_word(kinds[position + 1]):
        return False
    if symbol in (_APOSTROPHE, _QUOTE):
        return True
    return symbol < 128 and _LEET[symbol] != 0 and kinds[position + 1] != DIGIT


@callee
def word_end(symbols, kinds, start, length):  # type: ignore[no-untyped-def]
    """End of the word that starts at `start`; asterisks end a short one ("f***")."""
    end = start + 1
    while end < length and (
        is_word(kinds[end])
        or joins(symbols, kinds, end, length)
        or (symbols[end] == _STAR and end - start < _LONGEST_STARRED and is_word(kinds[start]))
    ):
        end += 1
    return end


@callee
def spaced_end(kinds, start, length):  # type: ignore[no-untyped-def]
    """End of a row of single letters with one separator between them ("s p a c e d"), or
    `start` when there are not at least three."""
    count, position = 0, start
    while position < length and is_letter(kinds[position]):
        if position + 1 < length and is_word(kinds[position + 1]):
            break
        count += 1
        position += 2
    return position - 1 if count >= 3 else start


@callee
def spell_spaced(symbols, start, end, word):  # type: ignore[no-untyped-def]
    """Write every other symbol to `word`; return their number."""
    size = 0
    for position in range(start, end, 2):
        word[size] = symbols[position]
        size += 1
    return size


@callee
def spell(symbols, kinds, start, end, vocabulary, word):  # type: ignore[no-untyped-def]
    """Write the most likely reading of a word to `word`; return its length.

    `word` needs the room of four readings.
    """
    letters = 0
    odd = False
    size = 0
    for position in range(start, end):
        symbol = symbols[position]
        if symbol in (_APOSTROPHE, _QUOTE):
            continue
        letter = is_letter(kinds[position])
        letters += letter
        odd |= not letter or (size > 0 and word[size - 1] == symbol)
        if size < 2 or word[size - 1] != symbol or word[size - 2] != symbol or not letter:
            word[size] = symbol
            size += 1
    if not odd or letters == 0 or in_vocabulary(vocabulary, word, size):
        return size
    return _read(word, size, 2 * letters >= end - start, end - start > size, vocabulary)


@inlined
def _copy(source, target, size):  # type: ignore[no-untyped-def]
    for position in range(size):
        target[position] = source[position]


@callee
def _read(word, size, mostly_letters, long_runs, vocabulary):  # type: ignore[no-untyped-def]
    """The first reading in the vocabulary: signs as letters, then 1 as l, then doubled letters as
    one. Without any, signs are letters in a word that is mostly letters."""
    plain, other, single = word[size:], word[2 * size :], word[3 * size :]
    for position in range(size):
        symbol = word[position]
        meant = _LEET[symbol] if symbol < 128 and _LEET[symbol] != 0 else symbol
        plain[position] = meant
        other[position] = _L if meant == _I and symbol != _I else meant
    for reading in (plain, other):
        if in_vocabulary(vocabulary, reading, size):
            _copy(reading, word, size)
            return size
    for reading in (plain, other):
        length = _without_doubles(reading, size, single)
        if in_vocabulary(vocabulary, single, length):
            _copy(single, word, length)
            return length
    if mostly_letters:
        _copy(plain, word, size)
    if long_runs:
        length = _without_doubles(word, size, single)
        _copy(single, word, length)
        return length
    return size


@callee
def _without_doubles(word, size, single):  # type: ignore[no-untyped-def]
    length = 0
    for position in range(size):
        if position == 0 or word[position] != word[position - 1]:
            single[length] = word[position]
            length += 1
    return length
