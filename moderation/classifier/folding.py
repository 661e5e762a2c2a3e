"""How one code point is read: its class, and the code point it stands for.

The table is worked out once, in training, and travels with the model, so that a model reads text
the same way under every Python version. It is paged because most pages are alike.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PAGE = 256
CODE_POINTS = 0x110000

OTHER, LETTER, CAPITAL, DIGIT, SPACE, MARK, IGNORED = range(7)
"""Classes. MARK is punctuation or a symbol that stands for itself; IGNORED leaves no trace
(zero-width characters, combining accents); OTHER separates like SPACE."""

CLASS_SHIFT = 24
TARGET_MASK = (1 << CLASS_SHIFT) - 1


@dataclass(frozen=True, slots=True)
class FoldingTable:
    """`pages[index[cp // 256], cp % 256]` is the entry of code point `cp`.

    An entry is `class << 24 | target`; target 0 means the code point itself.
    """

    index: npt.NDArray[np.uint16]
    pages: npt.NDArray[np.uint32]


def build() -> FoldingTable:
    """The table from this Python's Unicode data."""
    numbers: dict[bytes, int] = {}
    pages: list[npt.NDArray[np.uint32]] = []
    index = np.zeros(CODE_POINTS // PAGE, np.uint16)
    for number in range(CODE_POINTS // PAGE):
        start = number * PAGE
        page = np.array([_entry(code) for code in range(start, start + PAGE)], np.uint32)
        index[number] = numbers.setdefault(page.tobytes(), len(pages))
        if index[number] == len(pages):
            pages.append(page)
    return FoldingTable(index, np.stack(pages))


def _entry(code: int) -> int:
    character = chr(code)
    target = _target(character)
    kind = _class(character, target)
    folded = 0 if target == character else ord(target)
    return kind << CLASS_SHIFT | folded


def _target(character: str) -> str:
    """The first base character of the compatibility decomposition, in lower case."""
    decomposed = unicodedata.normalize("NFKD", character)
    base = next((c for c in decomposed if not unicodedata.combining(c)), character)
    lowered = base.lower()
    return lowered if len(lowered) == 1 else base


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
