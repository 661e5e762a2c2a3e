"""Whether a comment is in a language the model was trained on.

CLD2 knows, but takes as long as scoring does; so it is asked only where the vocabulary leaves a
doubt. A comment made of common words of the training sets is in their language.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pycld2

CERTAIN = 0.75
"""Share of words of the vocabulary that needs no second opinion; other languages share fewer."""

ENOUGH = 400
"""Characters that are looked at."""

FEW = 5
"""Comments of fewer words are too short for CLD2, which then says nothing."""


def certain(words: npt.NDArray[np.int64]) -> list[bool]:
    """Which texts are certainly in a language of the model.

    `words`: texts x 2, the text's words and how many of them are in the vocabulary.
    """
    enough: list[bool] = ((words[:, 0] >= FEW) & (words[:, 1] >= CERTAIN * words[:, 0])).tolist()
    return enough


def able(text: str, words: int, known: int, languages: Collection[str], least_known: float) -> bool:
    """Whether a model of `languages` can judge a text with `known` of its `words` in the
    vocabulary. In doubt it can when the share of known words is `least_known` or more."""
    if known == 0:
        return False
    share = known / words
    if share >= CERTAIN and words >= FEW:
        return True
    found = detect(text)
    if found:
        return found in languages
    return share >= least_known


def detect(text: str) -> str:
    """ISO 639-1 code of the text's language; "" when CLD2 is not sure."""
    try:
        reliable, _, details = pycld2.detect(_readable(text[:ENOUGH]), isPlainText=True)
    except pycld2.error:
        return ""
    return str(details[0][1]) if reliable else ""


def _readable(text: str) -> bytes:
    """CLD2 refuses control characters and what is not a character."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text.encode(errors="replace")
