import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.web.desk.legible import pieces

MARK = "\u0301"


def seen(text: str) -> list[str]:
    """What is shown, labels in brackets."""
    return [f"[{piece.text}]" if piece.meaning else piece.text for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The old bridge.\n\tIt had trams.", ["The old bridge.\n\tIt had trams."]),
        ("fr\u200bee", ["fr", "[ZWSP]", "ee"]),
        ("a\u200b\u200b\u200bb", ["a", "[ZWSP ×3]", "b"]),
        ("\u202egnp\u202c", ["[RLO]", "gnp", "[PDF]"]),
        ("a\u2066b\u2069", ["a", "[LRI]", "b", "[PDI]"]),
        ("a\x00\x1bb", ["a", "[U+0000]", "[U+001B]", "b"]),
        ("a\u2028b", ["a", "[U+2028]", "b"]),
        ("\u3164\u3164", ["[U+3164 ×2]"]),
        # Joiners do their work between letters without case and in emoji.
        ("می‌خواهم", ["می‌خواهم"]),
        ("👩‍👩‍👧", ["👩‍👩‍👧"]),
        ("free‍dom", ["free", "[ZWJ]", "dom"]),
        ("‍", ["[ZWJ]"]),
        # As many marks as a script may need stay; the rest of a stack is told.
        (f"a{MARK * 4}b", [f"a{MARK * 4}b"]),
        (f"a{MARK * 10_000}b", [f"a{MARK * 4}", "[+9,996 marks]", "b"]),
    ],
)
def test_what_is_invisible_has_a_label(text: str, shown: list[str]) -> None:
    assert seen(text) == shown


@given(st.text())
def test_whatever_is_shown_stands_in_the_text_in_this_order(text: str) -> None:
    found = list(pieces(text))
    place = 0
    for piece in found:
        if not piece.meaning:
            place = text.index(piece.text, place) + len(piece.text)
    assert all(piece.text for piece in found)


@given(
    st.text(
        st.characters(categories=["L", "N", "P"], exclude_characters="\u115f\u1160\u3164\uffa0")
    )
)
def test_letters_figures_and_punctuation_are_shown_as_they_are(text: str) -> None:
    assert "".join(seen(text)) == text
