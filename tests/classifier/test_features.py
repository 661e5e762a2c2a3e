import re
from functools import cache
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moderation.classifier.features import (
    BUCKET_BITS,
    BUCKETS,
    CHARACTERS,
    CONTEXT,
    GROUP,
    HATE,
    NOT,
    PERSON,
    ROLES,
    WHOLE,
    WORDS,
    YOU,
    Tables,
    _fold,
    _read_plain,
    _spell_at,
    block_of,
    bucket_of,
    encode,
    longest_document,
    make_scratch,
    marked_words,
)
from moderation.classifier.hashing import bitmap, hash_word, ranked
from moderation.classifier.prediction import Document
from moderation.classifier.scoring import score
from moderation.classifier.spelling import VOCABULARY_BITS, vocabulary_bit
from training import folding

COMMON = ["idiot", "idiots", "good", "loser", "the", "pen", "is", "sad", "thank", "ass"]
MARKED = {
    "martian": GROUP,
    "martians": GROUP,
    "venusian": GROUP,
    "venusians": GROUP,
    "outer martian": GROUP,
    "hard of hearing": GROUP,
    "people of mars": GROUP,
    "people": PERSON,
    "hateful": HATE,
    "not": NOT,
    "you": YOU,
}


@cache
def tables() -> Tables:
    words = [np.array([ord(c) for c in word], np.uint32) for word in COMMON]
    places = [int(vocabulary_bit(np.uint64(hash_word(word, len(word))))) for word in words]
    return Tables(
        *folding.build(), bitmap(np.array(places), VOCABULARY_BITS), *marked_words(MARKED)
    )


def scanned(documents: list[Document]) -> list[list[int]]:
    """Features of each document. `scan` itself is not called: it would be compiled anew for that,
    which takes longer than all tests of this file."""
    # No feature has weights.
    index, rows = ranked(bitmap(np.zeros(0, int), BUCKET_BITS)), np.zeros((1, 2), np.uint64)
    *_, found = score(*encode(documents), tables(), index, rows, True)
    return [found.keys[first:last].tolist() for first, last in pairwise(found.ends[:, 0])]


def features(document: Document | str, block: int) -> set[int]:
    if isinstance(document, str):
        document = Document(document)
    [found] = scanned([document])
    assert all(0 <= bucket_of(key) < BUCKETS for key in found)
    return {bucket_of(key) for key in found if block_of(key) == block}


@pytest.mark.parametrize(
    "disguise",
    [
        "IDIOT",
        "1d10t",
        "1di0t",
        "id!ot",
        "|diot",
        "idiooooot",
        "iiddiioott",
        "i d i o t",
        "i.d.i.o.t",
        "i-d-i-o-t",
        "i\u200bd\u00adiot",
        "ｉｄｉｏｔ",
        "ídíöt",
        "𝐢𝐝𝐢𝐨𝐭",
        "ⓘⓓⓘⓞⓣ",
        "іdіоt",
        "ιdιοt",
        "id'iot",
    ],
)
def test_a_disguised_word_is_the_word(disguise: str) -> None:
    assert features(disguise, WORDS) == features("idiot", WORDS)


@pytest.mark.parametrize("disguise", ["id iot", "idi.ot", "id_iot", "idi-ot"])
def test_a_word_cut_in_two_is_found_too(disguise: str) -> None:
    assert features("idiot", WORDS) <= features(disguise, WORDS)


def test_two_words_that_make_a_third_stay_two() -> None:
    assert features("the pen is sad", WORDS).isdisjoint(features("penis", WORDS))


@pytest.mark.parametrize(
    ("written", "meant"),
    [("goood", "good"), ("gooooood", "good"), ("1oser", "loser"), ("a55", "ass")],
)
def test_the_vocabulary_decides_between_readings(written: str, meant: str) -> None:
    assert features(written, WORDS) == features(meant, WORDS)


@pytest.mark.parametrize(("one", "other"), [("idiot", "idiom"), ("1000", "2000"), ("no", "on")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert features(one, WORDS) != features(other, WORDS)


def test_two_single_letters_are_two_words() -> None:
    assert len(features("x y", WORDS)) == 2


def test_an_exclamation_mark_after_a_word_is_not_a_letter() -> None:
    assert features("idiot!", WORDS) == features("idiot", WORDS)


@pytest.mark.parametrize("block", [CHARACTERS, WORDS, CONTEXT])
def test_a_sentence_says_the_same_of_every_group(block: int) -> None:
    assert features("I like a martian", block) == features("I like a venusian", block)
    assert features("All martians sing", block) == features("All venusian martians sing", block)


def test_the_order_of_words_matters() -> None:
    assert features("not you", CONTEXT) != features("you not", CONTEXT)


def test_a_word_denied_is_another_feature() -> None:
    assert not features("not really an idiot", CONTEXT) <= features("really an idiot", CONTEXT)


def test_nothing_reaches_over_the_end_of_a_sentence() -> None:
    near, further = features("not sad", CONTEXT), features("not really sad", CONTEXT)
    denied = (near & further) - features("not", CONTEXT)
    assert denied
    assert denied.isdisjoint(features("certainly not. sad", CONTEXT))


def test_shouting_shows_in_the_whole_text() -> None:
    assert features("GO AWAY NOW", WHOLE) != features("go away now", WHOLE)


def test_a_link_shows_in_the_whole_text() -> None:
    assert features("see http://a.example", WHOLE) != features("see https a.example x", WHOLE)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("lovely song 🔥", "lovely song !"),
        ("lovely song 🔥🔥🔥🔥", "lovely song 🔥👍🔥👍"),
        ("write to ānnā", "write to anna"),
        ("write to @anna", "write to @ anna"),
        ("@anna write to me", "write to me @anna"),
        ("write #anna", "write # anna"),
        ("see a.example", "see. a example"),
        ("write anna_garden", "write anna-garden"),
        ("tea tea tea tea", "tea jam oil egg"),
    ],
)
def test_marks_of_spam_show_in_the_whole_text(written: str, plain: str) -> None:
    assert features(written, WHOLE) != features(plain, WHOLE)


def test_repeated_words_weigh_by_the_length_of_the_text() -> None:
    short, long = "tea tea jam jam", "tea tea jam jam oil oil egg egg fig fig"
    assert features(short, WHOLE) - features(long, WHOLE)


def test_words_of_one_text_are_no_repeats_in_the_next() -> None:
    first, second = scanned([Document("the pen is good")] * 2)
    assert first
    assert first == second


def test_name_and_website_show_in_the_whole_comment_only() -> None:
    plain = Document("Thank you")
    named = Document("Thank you", name="Martha", website="http://a.example")
    assert features(plain, WHOLE) < features(named, WHOLE)
    for block in (CHARACTERS, WORDS, CONTEXT):
        assert features(plain, block) == features(named, block)


def test_a_very_long_word_is_no_problem() -> None:
    assert features("a1" * 20_000, CHARACTERS)
    assert features("i " * 20_000, WORDS)


def test_the_order_of_words_with_a_part_is_a_feature() -> None:
    hated, denied = features("martians hateful", ROLES), features("not martians hateful", ROLES)
    assert len(hated) == 3
    assert hated < denied
    assert features("hateful martians", ROLES) != hated
    assert features("venusians, my dear Sir, I find hateful", ROLES) == hated


def test_words_with_a_part_do_not_reach_far() -> None:
    far = features("martians " + "pen " * 7 + "hateful", ROLES)
    assert far == features("martians", ROLES) | features("hateful", ROLES)


def test_four_words_with_a_part_are_seen_at_once() -> None:
    text = "you not martian hateful"
    assert len(features(text, ROLES)) == 4 + 3 + 2 + 1
    assert len(features(f"{text} you", ROLES)) == 4 + 4 + 3 + 2


def test_the_end_of_a_sentence_and_a_quotation_are_parts() -> None:
    assert features("martians. Hateful", ROLES) != features("martians hateful", ROLES)
    assert features('"martians"', ROLES) == features("“martians”", ROLES) != features("m", ROLES)
    assert features("hateful...", ROLES) == features("hateful.", ROLES)


@pytest.mark.parametrize(
    "named", ["martian people", "venusian martians", "martian-venusian people", "venusian people"]
)
def test_what_belongs_to_a_group_is_read_as_the_group(named: str) -> None:
    for block in (CHARACTERS, WORDS, CONTEXT, ROLES):
        assert features(f"I saw {named} today", block) == features("I saw martians today", block)


@pytest.mark.parametrize(
    "named", ["hard of hearing", "Hard-of-Hearing people", "outer m4rtian", "people of Mars"]
)
def test_a_term_of_several_words_is_read_as_the_group(named: str) -> None:
    for block in (CHARACTERS, WORDS, CONTEXT, ROLES, WHOLE):
        assert features(f"I saw {named} today", block) == features("I saw martians today", block)


@pytest.mark.parametrize("near", ["hard of", "hard, of hearing", "hard of  hearing", "people of"])
def test_part_of_such_a_term_is_words(near: str) -> None:
    assert features(f"I saw {near} today", WORDS) > features("I saw today", WORDS)
    assert features(near, ROLES) == set()


def test_no_group_is_longer_or_louder_than_another() -> None:
    texts = ["A martian is loud.", "An OUTER MARTIAN is loud.", "A Venusian-Martian is loud."]
    for block in (CHARACTERS, WORDS, CONTEXT, ROLES, WHOLE):
        assert len({frozenset(features(text, block)) for text in texts}) == 1


def test_people_who_are_no_group_are_a_word() -> None:
    assert features("people", WORDS)
    assert features("the people", WORDS) != features("the", WORDS)


@numba.njit
def read_twice(codes, tables, scratch):  # type: ignore[no-untyped-def]
    """Of each place in a text: whether its word is plain, and whether both readings agree."""
    length = _fold(codes, tables, scratch.symbols, scratch.kinds, scratch.source)
    found = np.zeros((length, 2), np.bool_)
    for place in range(length):
        end, size, state = _read_plain(place, length, tables, scratch)
        read = end, size, state, hash_word(scratch.word, size)
        if size:
            end, size = _spell_at(place, length, tables, scratch)
            odd = end, size, hash_word(scratch.word, size), read[2]
            found[place, 0], found[place, 1] = True, read == odd
    return found


@given(st.text("aabnoT-*'’@1! .\u200b", max_size=40) | st.text(max_size=20))
@example("Good, the an a coool pass. ass asss!1")
def test_a_word_read_in_one_go_is_read_as_any_other(text: str) -> None:
    codes, offsets = encode([Document(text)])
    scratch = make_scratch(longest_document(offsets))
    is_plain, is_equal = read_twice(codes[: len(text)], tables(), scratch).T
    assert (is_equal == is_plain).all()


def test_plain_words_are_read_in_one_go_and_no_others() -> None:
    text = "Good the an a coool pass ass stu-pid f*** don't"
    codes, offsets = encode([Document(text)])
    scratch = make_scratch(longest_document(offsets))
    is_plain = read_twice(codes, tables(), scratch)[:, 0]
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    plain = {text[start:].split(maxsplit=1)[0] for start in starts if is_plain[start]}
    # Of those with doubled letters the vocabulary has "good" and "ass".
    assert plain == {"Good", "the", "ass", "stu-pid"}
