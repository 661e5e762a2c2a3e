"""Works out the table of `moderation.classifier.folding` from Unicode data: compatibility forms and
accents from the standard library, look-alikes (Unicode Technical Standard 39) from
confusable-homoglyphs."""

import string
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
from confusable_homoglyphs.confusables import confusables_data

from moderation.classifier.folding import (
    CAPITAL,
    CLASS_SHIFT,
    CODE_POINTS,
    DIGIT,
    IGNORED,
    LETTER,
    MARK,
    OTHER,
    PAGE,
    SPACE,
)

# Unassigned, for private use, and surrogates.
_NO_CHARACTER = frozenset({"Cn", "Co", "Cs"})


@cache
def build() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint32]]:
    """(page_of, pages) of the table, which is the same each time: not to be written to."""
    numbers: dict[bytes, int] = {}
    pages: list[npt.NDArray[np.uint32]] = []
    page_of = np.zeros(CODE_POINTS // PAGE, np.uint16)
    for number in range(CODE_POINTS // PAGE):
        start = number * PAGE
        page = _page(range(start, start + PAGE))
        page_of[number] = numbers.setdefault(page.tobytes(), len(pages))
        if page_of[number] == len(pages):
            pages.append(page)
    return page_of, np.stack(pages)


def _page(codes: range) -> npt.NDArray[np.uint32]:
    # Three of four pages have none; to look at each code of them would take most of the time.
    if _NO_CHARACTER.issuperset(map(unicodedata.category, map(chr, codes))):
        return np.full(len(codes), OTHER << CLASS_SHIFT, np.uint32)
    return np.array([_entry(code) for code in codes], np.uint32)


def _entry(code: int) -> int:
    character = chr(code)
    target = _target(character)
    kind = _class(character, target)
    folded = 0 if target == character else ord(target)
    return kind << CLASS_SHIFT | folded


def _target(character: str) -> str:
    """The first base character of the compatibility decomposition, in lower case, or the ASCII
    letter that it looks like."""
    decomposed = unicodedata.normalize("NFKD", character)
    base = next((c for c in decomposed if not unicodedata.combining(c)), character)
    lowered = base.lower() if len(base.lower()) == 1 else base
    return lowered if lowered.isascii() else _look_alike(lowered)


def _look_alike(character: str) -> str:
    for other in confusables_data.get(character, []):
        if len(other["c"]) == 1 and other["c"] in string.ascii_letters:
            return str(other["c"]).lower()
    return character


def _class(character: str, target: str) -> int:
    category = unicodedata.category(character)
    if category in {"Mn", "Me", "Cf"}:
        return IGNORED
    if category in {"Zs", "Zl", "Zp", "Cc"}:
        return SPACE
    if unicodedata.category(target)[0] in "LM":
        return CAPITAL if category in {"Lu", "Lt"} else LETTER
    if category[0] == "N":
        return DIGIT
    return MARK if category[0] in "PS" else OTHER
