"""A reader's text as a moderator has to see it: what is invisible gets a label, and stacks of
combining marks are cut, so that no text hides something or covers what is around it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# More marks on one letter than any script needs.
_MARKS_SHOWN = 4

_JOINERS = "\u200c\u200d"
# Where a joiner does its work: letters without case (Arabic, Devanagari …), marks, emoji.
_JOINED = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
# Letters and symbols by their category, and blank all the same: Hangul fillers, Braille's blank.
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"
_PLAIN_SPACES = " \n\t\u00a0\u202f"

# Most of most texts; passed over in one step.
_NOTHING_HIDDEN = re.compile(r"[\n\t -~]+")

_SHORT = {
    "\u00ad": "SHY",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u061c": "ALM",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to show as it is or, where there is a `meaning`, the label of something invisible."""

    text: str
    meaning: str = ""


def pieces(text: str) -> Iterator[Piece]:
    """The text in pieces, in order; without invisible characters they make the text again."""
    plain = ""
    place = 0
    while place < len(text):
        if visible := _NOTHING_HIDDEN.match(text, place):
            plain += visible[0]
            place = visible.end()
            continue
        end = _end_of_run(text, place)
        if end == place:
            plain += text[place]
            place += 1
            continue
        if plain:
            yield Piece(plain)
        plain = ""
        yield _label(text[place:end])
        place = end
    if plain:
        yield Piece(plain)


def _end_of_run(text: str, start: int) -> int:
    """Where the run of the same hidden character, or of marks too many, ends; `start` if there is
    none."""
    end = start
    if _is_mark(text[start]):
        if start >= _MARKS_SHOWN and all(map(_is_mark, text[start - _MARKS_SHOWN : start])):
            while end < len(text) and _is_mark(text[end]):
                end += 1
    elif _is_hidden(text, start):
        while end < len(text) and text[end] == text[start]:
            end += 1
    return end


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


def _is_hidden(text: str, place: int) -> bool:
    character = text[place]
    if character in _PLAIN_SPACES:
        return False
    if character in _JOINERS and 0 < place < len(text) - 1:
        around = (text[place - 1], text[place + 1])
        return any(unicodedata.category(c) not in _JOINED for c in around)
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character in _FILLERS


def _label(run: str) -> Piece:
    if _is_mark(run[0]):
        return Piece(f"+{len(run):,} marks", f"{len(run):,} more combining marks on this letter")
    name = unicodedata.name(run[0], f"U+{ord(run[0]):04X}").lower()
    short = _SHORT.get(run[0], f"U+{ord(run[0]):04X}")
    if len(run) == 1:
        return Piece(short, name)
    return Piece(f"{short} ×{len(run):,}", f"{len(run):,} times {name}")
