from hypothesis import given
from hypothesis import strategies as st

from moderation.rules import NEARLY_THE_SAME
from moderation.similarity import (
    SHARED_BANDS,
    SIZE,
    agreement,
    bands,
    fingerprint,
    fingerprints,
    normalize,
)

COMMENT = (
    "I have crossed on this ferry since I was a child, and in winter the ferryman lent us his "
    "gloves. A bridge does not do that. Whoever says that nobody will miss her has never been "
    "late for school with an excuse that the whole town believed."
)
OTHER = (
    "The council has known about the cost of the bridge for ten years. What surprises me is that "
    "the newspaper only asks now who is going to pay for the lamps, the paint and the traffic."
)


def agreed(one: str, other: str) -> int:
    return int(agreement([fingerprint(one)], [fingerprint(other)])[0, 0])


def test_a_repeat_agrees_entirely() -> None:
    assert agreed(COMMENT, COMMENT) == SIZE


def test_case_punctuation_and_compatibility_forms_make_no_difference() -> None:
    assert agreed(COMMENT, COMMENT.upper().replace(",", " --").replace(".", "!!")) == SIZE
    assert agreed("The first ﬁne ferry", "the FIRST fine ferry...") == SIZE
    assert normalize("  The_ferry –  “Gesina”! ") == "the ferry gesina"


def test_small_edits_are_noticed() -> None:
    for edited in (
        COMMENT.replace("gloves", "mittens"),
        COMMENT + " Really!",
        COMMENT.replace("child", "kid").replace("winter", "spring"),
    ):
        assert agreed(COMMENT, edited) >= NEARLY_THE_SAME


def test_another_comment_is_no_repeat() -> None:
    assert agreed(COMMENT, OTHER) < NEARLY_THE_SAME // 2


@given(texts=st.lists(st.text(max_size=30), max_size=6))
def test_many_at_once_get_the_fingerprints_that_each_gets_alone(texts: list[str]) -> None:
    normalized = [normalize(text) for text in texts]
    assert fingerprints(normalized) == [fingerprint(text) for text in texts]


@given(text=st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_normalized_as_any_other(text: str) -> None:
    # A letter that is not ASCII takes the text the other way; so the same has to come of both.
    assert normalize(f"é {text} é") == normalize(f"é {normalize(text)} é")


def test_each_is_compared_with_each() -> None:
    prints = [fingerprint(text) for text in (COMMENT, OTHER, COMMENT)]
    table = agreement(prints, prints[:2])
    assert table.shape == (3, 2)
    assert (table[:, 0] == SIZE).tolist() == [True, False, True]
    assert (table[:, 1] == SIZE).tolist() == [False, True, False]


def test_nothing_can_be_compared_with_nothing() -> None:
    assert agreement([], []).shape == (0, 0)
    assert agreement([fingerprint("x")], []).shape == (1, 0)


def test_a_fingerprint_does_not_depend_on_the_process() -> None:
    # Stored fingerprints are compared with new ones: changing the function orphans them.
    assert fingerprint("The old bridge").hex() == "6b77cfffbb8663d667816f9f37e7d8ab"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_has_a_fingerprint_that_agrees_with_itself(text: str) -> None:
    assert len(fingerprint(text)) == SIZE
    assert agreed(text, text) == SIZE
    assert agreed(text, f" {text}\n") == SIZE


prints = st.binary(min_size=SIZE, max_size=SIZE)


@given(prints, prints, st.permutations(range(SIZE)), st.integers(0, SIZE))
def test_what_is_nearly_the_same_shares_bands(
    one: bytes, other: bytes, order: list[int], changed: int
) -> None:
    mixed = bytearray(one)
    for place in order[:changed]:
        mixed[place] = other[place]
    agreed = int(agreement([one], [bytes(mixed)])[0, 0])
    shared = set(bands(3, one)) & set(bands(3, bytes(mixed)))
    if agreed >= NEARLY_THE_SAME:
        assert len(shared) >= SHARED_BANDS


@given(prints, st.integers(1, 2**20), st.integers(1, 2**20))
def test_sites_share_no_band(one: bytes, site: int, other: int) -> None:
    assert len(set(bands(site, one))) == SIZE // 2
    if site != other:
        assert not set(bands(site, one)) & set(bands(other, one))
    assert all(0 <= band < 2**63 for band in bands(site, one))
