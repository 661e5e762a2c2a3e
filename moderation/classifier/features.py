"""From characters to features, in one compiled pass.

A feature is a bucket number below `BUCKETS` (a hash) and a block: n-grams of characters inside
a word, words, what stands around a word (pairs, gaps, "not", "you" and groups of people nearby,
punctuation), the order of words with a part ("not", hatred, a group), and properties of the
comment as a whole. The same function serves training,
scoring and explaining, so the three cannot drift apart.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderation.classifier.compiled import callee, inlined
from moderation.classifier.folding import (
    CAPITAL,
    CLASS_SHIFT,
    DIGIT,
    IGNORED,
    LETTER,
    MARK,
    PAGE,
    SPACE,
    TARGET_MASK,
)
from moderation.classifier.hashing import (
    WORD_SEED,
    has_bit,
    has_rank,
    hash_word,
    mixed,
    prefetch,
    rank,
    seed,
    step,
)
from moderation.classifier.prediction import Document
from moderation.classifier.spelling import (
    VOCABULARY_BITS,
    in_vocabulary,
    is_letter,
    is_word,
    joins,
    spaced_end,
    spell,
    spell_spaced,
    vocabulary_bit,
    word_end,
)

BUCKET_BITS = 22
BUCKETS = 1 << BUCKET_BITS

CHARACTERS, WORDS, CONTEXT, ROLES, WHOLE = range(5)
BLOCKS = 5

SEGMENTS = 3
"""Of a document: text, name, website."""

_READINGS = 4  # of a word, side by side while it is spelled

_KEYS_PER_SYMBOL, _KEYS_PER_TEXT = 16, 128
AHEAD = 16
"""How many features ahead of its turn the place of one in the index is fetched from memory."""
_BLOCK_SHIFT = np.uint32(BUCKET_BITS)
_BUCKET_MASK = np.uint32(BUCKETS - 1)
_BLOCK_MASK = ~_BUCKET_MASK
_HASH_SHIFT = np.uint64(64 - BUCKET_BITS)
_VOCABULARY_SHIFT = np.uint64(BUCKET_BITS - VOCABULARY_BITS)

(
    _PAIR_SEED, _GAP_SEED, _GRAM_SEED, _WHOLE_SEED, _NAME_SEED, _WEBSITE_SEED,
    _NUMBER_SEED, _NOT_SEED, _YOU_SEED, _GROUP_SEED, _BEFORE_GROUP_SEED, _EDGE_SEED, _ROLE_SEED,
) = (seed(number) for number in range(2, 15))  # fmt: skip

_EDGE = _BLANK = np.uint64(32)
_A, _N = 0x61, 0x6E
_COLON, _SLASH, _EXCLAMATION, _QUESTION, _STOP = 0x3A, 0x2F, 0x21, 0x3F, 0x2E
_AT, _HASH, _UNDERSCORE, _HYPHEN, _STAR = 0x40, 0x23, 0x5F, 0x2D, 0x2A
_DOUBLE_QUOTE, _OPENING, _CLOSING = 0x22, 0x201C, 0x201D
_PICTURES = 0x2300  # emoji and other symbols start here
_SAID_BITS = 4096
_FEATURES, _UNITS, _WORD_COUNT, _KNOWN, _REPEATS = range(5)
_START, _LENGTH, _UNIT, _WAS_KNOWN = range(4)

_LONGEST_TERM = 4  # in words
_NEAR = 4  # how many words "not", "you" or a group of people reach
_ANY_PART, _REACH = 3, 7  # place of the last marked word in `near`, how many words it reaches


class Tables(NamedTuple):
    """What a model knows of characters and words.

    `page_of`, `pages`: see `folding`. `vocabulary`: bitmap of common words. `marked`:
    open-addressing table of the hashes of words with a part of their own (uint64, 0 for empty), a
    power of two of slots; `parts`: the part of each (uint8), and `OPENS` for the first word of a
    term of several.
    """

    page_of: npt.NDArray[np.uint16]
    pages: npt.NDArray[np.uint32]
    vocabulary: npt.NDArray[np.uint64]
    marked: npt.NDArray[np.uint64]
    parts: npt.NDArray[np.uint8]


(
    NOT, YOU, GROUP, PERSON, GOOD, BAD, HATE, HARM, MODAL, SAY, CONDEMN, THING, NO_PART,
) = range(13)  # fmt: skip
"""Parts: words that deny, that address the reader, terms for groups of people, "person" and the
like (a group with the term before it), words that praise, that disparage, that say hatred or harm,
what should or will be, what is said, what condemns, things and trades."""

OPENS = 128
"""Added to the part of a word: terms of several words start with it."""

_STOP_ROLE, _QUOTE_ROLE = NO_PART + 1, NO_PART + 2


def marked_words(
    words: Mapping[str, int],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """`Tables.marked` and `Tables.parts` for words in lower case without apostrophes, and for terms
    of up to `_LONGEST_TERM` of them with spaces between."""
    opening = {term.split()[0] for term in words if " " in term}
    found = {**dict.fromkeys(opening, NO_PART), **words}
    slots = 1 << (4 * len(found)).bit_length()
    marked, parts = np.zeros(slots, np.uint64), np.full(slots, NO_PART, np.uint8)
    for word, part in sorted(found.items()):
        state = np.uint64(hash_word(np.array([ord(c) for c in word], np.uint32), len(word)))
        slot = first_slot(state, slots)
        while marked[slot] != 0:
            slot = (slot + 1) % slots
        marked[slot], parts[slot] = state, part | (OPENS if word in opening else 0)
    return marked, parts


@callee
def first_slot(state, slots):  # type: ignore[no-untyped-def]
    """Where to look for a hash first in a table of `slots` slots."""
    return np.int64((mixed(state) >> np.uint64(20)) & np.uint64(slots - 1))


def encode(documents: Sequence[Document]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Code points of text, name and website of all documents in a row, and where each of these
    starts (3 * documents + 1 offsets)."""
    parts = [part for d in documents for part in (d.text, d.name, d.website)]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    # NumPy keeps text as code points. It has no empty one: that is one zero, which no part reaches.
    return np.array(["".join(parts)]).view(np.uint32), offsets


@callee
def longest_document(offsets):  # type: ignore[no-untyped-def]
    """Code points of the longest document, name and website included."""
    longest = 0
    for first in range(0, len(offsets) - 1, SEGMENTS):
        longest = max(longest, offsets[first + SEGMENTS] - offsets[first])
    return longest


class Scratch(NamedTuple):
    """Working memory of `scan`, made by `make_scratch`.

    `symbols`, `kinds`, `source`: the folded text and where each symbol came from. `word`: the word
    being read; `padded`: the same with its edges. `keys`: the features, block and bucket in one.
    `units`: per unit (a word or a sign) its first feature, its start and its end. `recent`: hashes
    of the three words before this one. `near`: when "not", "you", a group of people and any
    marked word were last met, in words. `roles`: the three marked words before this one, by part.
    `last`: start, length, unit of the word before this one and whether it was in the vocabulary.
    `said`: bitmap of the words so far, by part of their hash. `tally`: features, units, words,
    words of the vocabulary, words met before.
    """

    symbols: npt.NDArray[np.uint32]
    kinds: npt.NDArray[np.uint8]
    source: npt.NDArray[np.int32]
    word: npt.NDArray[np.uint32]
    padded: npt.NDArray[np.uint64]
    keys: npt.NDArray[np.uint32]
    units: npt.NDArray[np.int32]
    recent: npt.NDArray[np.uint64]
    near: npt.NDArray[np.int64]
    roles: npt.NDArray[np.uint64]
    last: npt.NDArray[np.int64]
    said: npt.NDArray[np.uint64]
    tally: npt.NDArray[np.int64]


@inlined
def room_for(symbols, texts):  # type: ignore[no-untyped-def]
    """As many features, and units, as so many code points and texts have at most."""
    return _KEYS_PER_SYMBOL * symbols + _KEYS_PER_TEXT * texts, symbols + 4 * texts


@inlined
def make_scratch(longest):  # type: ignore[no-untyped-def]
    """Working memory for documents of up to `longest` code points."""
    features, room = room_for(longest, 1)
    return Scratch(
        np.empty(room, np.uint32),
        np.empty(room, np.uint8),
        np.empty(room, np.int32),
        np.empty(_READINGS * room, np.uint32),
        np.empty(2 * room, np.uint64),
        np.empty(features, np.uint32),
        np.empty((room, 3), np.int32),
        np.empty(3, np.uint64),
        np.empty(4, np.int64),
        np.empty(3, np.uint64),
        np.empty(4, np.int64),
        np.empty(_SAID_BITS // 64, np.uint64),
        np.empty(5, np.int64),
    )


@inlined
def feature(block, state):  # type: ignore[no-untyped-def]
    """Block and bucket in one uint32, from a hash."""
    return (np.uint32(block) << _BLOCK_SHIFT) | np.uint32(mixed(state) >> _HASH_SHIFT)


@inlined
def block_of(key):  # type: ignore[no-untyped-def]
    return key >> _BLOCK_SHIFT


@inlined
def bucket_of(key):  # type: ignore[no-untyped-def]
    return key & _BUCKET_MASK


@inlined
def place_in_vocabulary(key):  # type: ignore[no-untyped-def]
    """Place in the vocabulary of a word, from its feature: both are leading bits of one hash."""
    return np.uint64(bucket_of(key)) >> _VOCABULARY_SHIFT


@callee
def _fold(codes, tables, symbols, kinds, source):  # type: ignore[no-untyped-def]
    """Write the folded text; return its length."""
    page_of, pages = tables.page_of, tables.pages
    length = 0
    for position in range(len(codes)):
        code = codes[position]
        entry = pages[page_of[code // PAGE], code % PAGE]
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


@inlined
def _part(tables, state):  # type: ignore[no-untyped-def]
    marked = tables.marked
    slot = first_slot(state, len(marked))
    while marked[slot] != 0:
        if marked[slot] == state:
            return tables.parts[slot]
        slot = (slot + 1) & (len(marked) - 1)
    return NO_PART


@callee
def _level(value, total):  # type: ignore[no-untyped-def]
    """A share as one of seven levels."""
    if total == 0 or value == 0:
        return 0
    share = value / total
    return 1 + (share > 0.02) + (share > 0.1) + (share > 0.25) + (share > 0.5) + (share > 0.8)


@callee
def _magnitude(value):  # type: ignore[no-untyped-def]
    """A count as its number of binary digits."""
    digits = 0
    while value > 0:
        value >>= 1
        digits += 1
    return digits


@callee
def _whole(codes, scratch, length, keys, count):  # type: ignore[no-untyped-def]
    """Write the properties of the whole text; return the number of features so far. Terms for
    groups of people do not count: none of them is longer than another."""
    symbols, kinds, source = scratch.symbols, scratch.kinds, scratch.source
    words, repeats = scratch.tally[_WORD_COUNT], scratch.tally[_REPEATS]
    total = length
    capitals = letters = digits = marks = loud = asking = links = foreign = fancy = 0
    pictures = runs = names = tags = dots = joints = 0
    for position in range(length):
        kind, symbol = kinds[position], symbols[position]
        # Without branches, which at every edge of a word would be foreseen wrongly.
        is_ascii, letter = symbol <= 127, (kind == LETTER) | (kind == CAPITAL)
        total -= kind == IGNORED
        capitals += kind == CAPITAL
        digits += kind == DIGIT
        letters += letter
        foreign += letter & ~is_ascii
        fancy += letter & is_ascii & (codes[source[position]] > 127)
        if kind == MARK:
            marks += 1
            loud += symbol == _EXCLAMATION
            asking += symbol == _QUESTION
            joints += symbol == _UNDERSCORE
            if symbol >= _PICTURES:
                pictures += 1
                runs += position > 0 and symbols[position - 1] == symbol
            elif position + 1 < length and is_word(kinds[position + 1]):
                names += symbol == _AT
                tags += symbol == _HASH
                dots += symbol == _STOP and position > 0 and is_letter(kinds[position - 1])
        links += (
            symbol == _COLON
            and kind != IGNORED
            and position + 2 < length
            and symbols[position + 1] == _SLASH
            and symbols[position + 2] == _SLASH
        )
    levels = (
        _level(capitals, letters),
        _level(digits, total),
        _level(marks, total),
        _level(foreign, total),
        min(_magnitude(loud), 4),
        min(_magnitude(asking), 3),
        min(_magnitude(links), 4),
        _magnitude(total),
        _level(links * 20, total),
        _level(words, total),
        _level(fancy, total),
        _level(pictures, total),
        min(_magnitude(pictures - runs), 5),
        min(_magnitude(runs), 4),
        min(_magnitude(names), 3),
        int(length > 0 and symbols[0] == _AT),
        min(_magnitude(tags), 4),
        min(_magnitude(dots), 3),
        min(_magnitude(joints), 3),
        # Long texts repeat words anyway.
        _level(repeats, words) * 9 + min(_magnitude(words), 8),
    )
    for number in range(len(levels)):
        keys[count] = feature(WHOLE, step(_WHOLE_SEED, np.uint64(number * 64 + levels[number] + 1)))
        count += 1
    return count


@callee
def _aside(codes, tables, scratch, salt, count):  # type: ignore[no-untyped-def]
    """Write the words of a name or a website as properties of the whole comment."""
    symbols, kinds, word = scratch.symbols, scratch.kinds, scratch.word
    length = _fold(codes, tables, symbols, kinds, scratch.source)
    position = 0
    while position < length:
        if is_word(kinds[position]):
            end = word_end(symbols, kinds, position, length)
            size = spell(symbols, kinds, position, end, tables.vocabulary, word)
            scratch.keys[count] = feature(WHOLE, salt ^ hash_word(word, size))
            count += 1
            position = end
        else:
            position += 1
    return count


@inlined
def _pad(word, size, padded):  # type: ignore[no-untyped-def]
    """Write the word with an edge at either side to `padded`."""
    padded[0] = _EDGE
    for place in range(size):
        padded[place + 1] = word[place]
    padded[size + 1] = _EDGE


@callee
def _grams(padded, size, keys, count):  # type: ignore[no-untyped-def]
    """Write the n-grams, 3 to 5 long, of a padded word of so many letters; return the features so
    far."""
    for start in range(size):
        state = step(step(step(_GRAM_SEED, padded[start]), padded[start + 1]), padded[start + 2])
        keys[count] = feature(CHARACTERS, state)
        count += 1
        if start + 1 < size:
            state = step(state, padded[start + 3])
            keys[count] = feature(CHARACTERS, state)
            count += 1
            if start + 2 < size:
                keys[count] = feature(CHARACTERS, step(state, padded[start + 4]))
                count += 1
    return count


@inlined
def _pair(keys, count, one, other):  # type: ignore[no-untyped-def]
    keys[count] = feature(CONTEXT, step(one, other >> np.uint64(20)))
    return count + 1


@inlined
def _end_sentence(scratch):  # type: ignore[no-untyped-def]
    """The edge of a sentence is a word, and nothing reaches over it."""
    recent = scratch.recent
    recent[0], recent[1], recent[2] = recent[1], recent[2], _EDGE_SEED
    scratch.near[:] = scratch.tally[_WORD_COUNT] - _NEAR


@inlined
def _take_role(role, scratch, count):  # type: ignore[no-untyped-def]
    """Write the marked word and up to three before it, by their parts ("not", hatred, a group);
    return the features so far."""
    roles, near, words = scratch.roles, scratch.near, scratch.tally[_WORD_COUNT]
    if words - near[_ANY_PART] > _REACH:
        roles[:] = 0
    near[_ANY_PART] = words
    state = step(_ROLE_SEED, np.uint64(role + 1))
    scratch.keys[count] = feature(ROLES, state)
    count += 1
    for place in range(2, -1, -1):
        if roles[place] == 0:
            break
        state = step(state, roles[place])
        scratch.keys[count] = feature(ROLES, state)
        count += 1
    roles[0], roles[1], roles[2] = roles[1], roles[2], np.uint64(role + 1)
    return count


@inlined
def _is_hyphen(position, scratch):  # type: ignore[no-untyped-def]
    """Whether the sign joins a term for a group to what follows ("African-American")."""
    last = scratch.last
    return (
        scratch.symbols[position] == _HYPHEN
        and scratch.recent[2] == _GROUP_SEED
        and last[_START] + last[_LENGTH] == position
    )


@inlined
def _take_sign(position, scratch):  # type: ignore[no-untyped-def]
    symbol, tally, units = scratch.symbols[position], scratch.tally, scratch.units
    unit = tally[_UNITS]
    units[unit, 0] = tally[_FEATURES]
    units[unit, 1], units[unit, 2] = scratch.source[position], scratch.source[position] + 1
    scratch.keys[tally[_FEATURES]] = feature(CONTEXT, step(WORD_SEED, np.uint64(symbol)))
    tally[_FEATURES] += 1
    tally[_UNITS] += 1
    if symbol in (_STOP, _EXCLAMATION, _QUESTION):
        _end_sentence(scratch)
        if scratch.roles[2] != _STOP_ROLE + 1:
            tally[_FEATURES] = _take_role(_STOP_ROLE, scratch, tally[_FEATURES])
    elif symbol in (_DOUBLE_QUOTE, _OPENING, _CLOSING):
        tally[_FEATURES] = _take_role(_QUOTE_ROLE, scratch, tally[_FEATURES])


@inlined
def _rejoin(position, size, is_known, tables, scratch):  # type: ignore[no-untyped-def]
    """Put a word back together that was cut in two by a space or a sign ("st upid", "stu.pid"):
    its parts are not both words, and together they are one. Returns its length, else 0."""
    last, word = scratch.last, scratch.word
    gap = position - last[_START] - last[_LENGTH]
    if last[_LENGTH] == 0 or gap > 1 or (is_known and last[_WAS_KNOWN]):
        return 0
    before, joined = last[_LENGTH], word[size:]
    for place in range(before):
        joined[place] = scratch.symbols[last[_START] + place]
    for place in range(size):
        joined[before + place] = word[place]
    if not in_vocabulary(tables.vocabulary, joined, before + size):
        return 0
    for place in range(before + size):
        word[place] = joined[place]
    return before + size


@inlined
def _surroundings(state, part, scratch, count):  # type: ignore[no-untyped-def]
    """Write what stands around a word; return the features so far."""
    keys, recent, near = scratch.keys, scratch.recent, scratch.near
    words = scratch.tally[_WORD_COUNT]
    count = _pair(keys, count, recent[2] ^ _PAIR_SEED, state)
    count = _pair(keys, count, recent[1] ^ _GAP_SEED, state)
    if words - near[NOT] < _NEAR:
        count = _pair(keys, count, _NOT_SEED, state)
    if words - near[YOU] < _NEAR:
        count = _pair(keys, count, _YOU_SEED, state)
    if words - near[GROUP] < _NEAR:
        count = _pair(keys, count, _GROUP_SEED, state)
    if part == GROUP:
        count = _pair(keys, count, recent[0] ^ _BEFORE_GROUP_SEED, state)
    return count


@inlined
def _remember(state, part, scratch):  # type: ignore[no-untyped-def]
    recent, said = scratch.recent, scratch.said
    bit = vocabulary_bit(state) & np.uint64(_SAID_BITS - 1)
    scratch.tally[_REPEATS] += has_bit(said, bit)
    said[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
    recent[0], recent[1], recent[2] = recent[1], recent[2], state
    if part <= GROUP:
        scratch.near[part] = scratch.tally[_WORD_COUNT]


@inlined
def _fold_term(start, end, scratch):  # type: ignore[no-untyped-def]
    """Take a term for a group out of the properties of the whole text."""
    scratch.kinds[start:end] = IGNORED


@callee
def _longest_term(end, size, length, tables, scratch):  # type: ignore[no-untyped-def]
    """(end, part) of the longest listed term that starts with the word just read, else of it."""
    symbols, kinds, rest = scratch.symbols, scratch.kinds, scratch.word[size:]
    state = hash_word(scratch.word, size)
    found, part = end, _part(tables, state) & ~OPENS
    for _ in range(_LONGEST_TERM - 1):
        start = end + 1
        if start >= length or not is_word(kinds[start]):
            break
        if kinds[end] != SPACE and symbols[end] != _HYPHEN:
            break
        end = word_end(symbols, kinds, start, length)
        state = step(state, _BLANK)
        for place in range(spell(symbols, kinds, start, end, tables.vocabulary, rest)):
            state = step(state, np.uint64(rest[place]))
        term = _part(tables, state) & ~OPENS
        if term != NO_PART:
            found, part = end, term
    return found, part


@inlined
def _spell_at(position, length, tables, scratch):  # type: ignore[no-untyped-def]
    """Spell the word at `position`; return (its end in the text, its length)."""
    symbols, kinds, word = scratch.symbols, scratch.kinds, scratch.word
    end = spaced_end(kinds, position, length)
    if end > position:
        return end, spell_spaced(symbols, position, end, word)
    end = word_end(symbols, kinds, position, length)
    size = spell(symbols, kinds, position, end, tables.vocabulary, word)
    # "An" is read as "a", which else would tell groups of people apart.
    return end, 1 if size == 2 and word[0] == _A and word[1] == _N else size


@inlined
def _read_plain(position, length, tables, scratch):  # type: ignore[no-untyped-def]
    """Read the word at `position` in one go if nothing is odd about it, as about nine of ten.

    Writes it to `word` and `padded`; returns (its end in the text, its length, its hash), as
    `_spell_at` and `hash_word` would; a length of 0 for a word that is not so plain.
    """
    symbols, kinds, word, padded = scratch.symbols, scratch.kinds, scratch.word, scratch.padded
    state = WORD_SEED
    before = earlier = np.uint32(0)
    doubled = tripled = False
    end, size = position, 0
    while end < length and is_letter(kinds[end]):
        symbol = symbols[end]
        again = symbol == before
        tripled |= doubled & again & (symbol == earlier)
        doubled |= again
        earlier, before = before, symbol
        word[size] = symbol
        size += 1
        padded[size] = symbol
        state = step(state, np.uint64(symbol))
        end += 1
    padded[0] = padded[size + 1] = _EDGE
    goes_on = end < length and (
        kinds[end] == DIGIT or symbols[end] == _STAR or joins(symbols, kinds, end, length)
    )
    is_an = size == 2 and word[0] == _A and word[1] == _N
    if size < 2 or goes_on or is_an or tripled:
        return end, 0, state
    if doubled and not has_bit(tables.vocabulary, vocabulary_bit(state)):
        return end, 0, state
    return end, size, state


@inlined
def _read_word(position, length, tables, scratch):  # type: ignore[no-untyped-def]
    """Read the word at `position`; return (its end in the text, its length, its hash)."""
    end, size, state = _read_plain(position, length, tables, scratch)
    if size == 0:
        end, size = _spell_at(position, length, tables, scratch)
        state = hash_word(scratch.word, size)
        _pad(scratch.word, size, scratch.padded)
    return end, size, state


@inlined
def _take_word(position, length, tables, scratch):  # type: ignore[no-untyped-def]
    """Write the features of the word at `position`; return where it ends."""
    word, keys, tally = scratch.word, scratch.keys, scratch.tally
    units, last = scratch.units, scratch.last
    end, size, state = _read_word(position, length, tables, scratch)
    part = _part(tables, state)
    if part >= OPENS:
        end, part = _longest_term(end, size, length, tables, scratch)
    is_known = part == GROUP or has_bit(tables.vocabulary, vocabulary_bit(state))
    whole = _rejoin(position, size, is_known, tables, scratch)
    if whole:
        size, state, is_known = whole, hash_word(word, whole), True
        _pad(word, size, scratch.padded)
        part = _part(tables, state) & ~OPENS
        tally[_UNITS] = last[_UNIT]
        scratch.recent[2] = scratch.recent[1]
    unit = tally[_UNITS]
    follows = scratch.recent[2] == _GROUP_SEED and unit == last[_UNIT] + 1
    if follows and part in (GROUP, PERSON):
        # "black women", "deaf people": one group.
        units[unit - 1, 2] = scratch.source[end - 1] + 1
        _fold_term(last[_START] + last[_LENGTH], end, scratch)
        last[_START], last[_LENGTH] = position, end - position
        return end
    if not whole:
        units[unit, 0], units[unit, 1] = tally[_FEATURES], scratch.source[position]
    units[unit, 2] = scratch.source[end - 1] + 1
    count = tally[_FEATURES]
    if part == GROUP:
        state, is_known = _GROUP_SEED, True
        _fold_term(position, end, scratch)
    else:
        count = _grams(scratch.padded, size, keys, count)
    keys[count] = feature(WORDS, state)
    count += 1
    if scratch.kinds[position] == DIGIT:
        # Years, prices and telephone numbers differ in length more than in digits.
        keys[count] = feature(CONTEXT, step(_NUMBER_SEED, np.uint64(size)))
        count += 1
    count = _surroundings(state, part, scratch, count)
    if part not in (PERSON, NO_PART):
        count = _take_role(part, scratch, count)
    tally[_FEATURES] = count
    _remember(state, part, scratch)
    last[_START], last[_LENGTH], last[_UNIT], last[_WAS_KNOWN] = (
        position,
        end - position,
        unit,
        is_known,
    )
    tally[_UNITS] += 1
    tally[_WORD_COUNT] += 1
    tally[_KNOWN] += is_known
    return end


@callee
def scan(codes, offsets, document, tables, scratch):  # type: ignore[no-untyped-def]
    """Write the features of one document, repeats included, to the scratch memory.

    A unit's features run from its first to the next unit's first; what follows the last unit's
    belongs to the whole comment. How many there are is in `scratch.tally`.
    """
    symbols, kinds, tally = scratch.symbols, scratch.kinds, scratch.tally
    first = document * SEGMENTS
    text = codes[offsets[first] : offsets[first + 1]]
    length = _fold(text, tables, symbols, kinds, scratch.source)
    tally[:] = 0
    scratch.said[:] = 0
    scratch.recent[:] = _EDGE_SEED
    scratch.near[:] = -_REACH
    scratch.roles[:] = 0
    scratch.last[:] = 0
    position = 0
    while position < length:
        if is_word(kinds[position]) or joins(symbols, kinds, position, length):
            position = _take_word(position, length, tables, scratch)
        else:
            if kinds[position] == MARK and not _is_hyphen(position, scratch):
                _take_sign(position, scratch)
            position += 1
    count = tally[_FEATURES]
    scratch.units[tally[_UNITS], 0] = count
    count = _whole(text, scratch, length, scratch.keys, count)
    name = codes[offsets[first + 1] : offsets[first + 2]]
    count = _aside(name, tables, scratch, _NAME_SEED, count)
    website = codes[offsets[first + 2] : offsets[first + 3]]
    tally[_FEATURES] = _aside(website, tables, scratch, _WEBSITE_SEED, count)


@inlined
def make_met(rows):  # type: ignore[no-untyped-def]
    """Room for `keep_distinct`, of a model with so many rows."""
    return np.zeros((rows >> 6) + 1, np.uint64)


@callee
def keep_distinct(keys, count, index, met, rows):  # type: ignore[no-untyped-def]
    """Move the distinct kept features to the front, with rows in place of buckets; return their
    number.

    `index`: the kept buckets, `ranked`; a bucket's row is how many are kept before it. `met`:
    bitmap of rows, all 0 before and after. `rows`: what will be read next of each feature, and is
    fetched meanwhile. A bucket met in two blocks belongs to the first.

    The loop waits neither for memory nor for a branch, of which none could be foreseen: that halves
    the time of scoring.
    """
    found = np.int64(0)
    for number in range(count):
        prefetch(index, np.uint64(bucket_of(keys[number + AHEAD]) >> np.uint32(5)))
        key = keys[number]
        bucket = np.uint64(bucket_of(key))
        row = rank(index, bucket)
        place, bit = row >> np.uint64(6), row & np.uint64(63)
        is_new = has_rank(index, bucket) & ~(met[place] >> bit)
        met[place] |= is_new << bit
        keys[found] = (key & _BLOCK_MASK) | np.uint32(row)
        prefetch(rows, row)
        found += np.int64(is_new)
    for number in range(found):
        met[bucket_of(keys[number]) >> np.uint32(6)] = 0
    return found
