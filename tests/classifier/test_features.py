import numpy as np
import pytest

from moderation.classifier import folding
from moderation.classifier.features import (
    BUCKETS,
    CONTEXT,
    KEYS_PER_SYMBOL,
    KEYS_PER_TEXT,
    WHOLE,
    WORDS,
    encode,
    scan,
)
from moderation.classifier.prediction import Document

TABLE = folding.build()


def features(text: str, block: int) -> set[int]:
    codes, _ = encode([Document(text)])
    room = KEYS_PER_SYMBOL * len(codes) + KEYS_PER_TEXT
    keys, blocks = np.zeros(room, np.uint32), np.zeros(room, np.uint8)
    places = np.zeros((2, room), np.int32)
    scratch = np.empty(4 * (len(codes) + 2), np.uint32)
    count, _ = scan(codes, TABLE.index, TABLE.pages, scratch, keys, blocks, *places)
    assert keys[:count].max(initial=0) < BUCKETS
    return set(keys[:count][blocks[:count] == block].tolist())


@pytest.mark.parametrize(
    "disguise",
    [
        "IDIOT",
        "1d10t",
        "id!ot",
        "idiooooot",
        "i d i o t",
        "i.d.i.o.t",
        "i-d-i-o-t",
        "i\u200bd\u00adiot",
        "ｉｄｉｏｔ",
        "ídíöt",
        "𝐢𝐝𝐢𝐨𝐭",
        "ⓘⓓⓘⓞⓣ",
    ],
)
def test_a_disguised_word_is_the_word(disguise: str) -> None:
    assert features(disguise, WORDS) == features("idiot", WORDS)


@pytest.mark.parametrize(("one", "other"), [("idiot", "idiom"), ("1000", "2000"), ("no", "on")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert features(one, WORDS) != features(other, WORDS)


def test_two_single_letters_are_two_words() -> None:
    assert len(features("x y", WORDS)) == 2


def test_an_exclamation_mark_after_a_word_is_not_a_letter() -> None:
    assert features("idiot!", WORDS) == features("idiot", WORDS)


def test_the_order_of_words_matters() -> None:
    assert features("not you", CONTEXT) != features("you not", CONTEXT)


def test_shouting_shows_in_the_whole_text() -> None:
    assert features("GO AWAY NOW", WHOLE) != features("go away now", WHOLE)


def test_a_link_shows_in_the_whole_text() -> None:
    assert features("see http://a.example", WHOLE) != features("see https a.example x", WHOLE)
