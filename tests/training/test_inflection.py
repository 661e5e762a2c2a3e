import pytest

from training.inflection import inflect
from training.words import read

IRREGULAR = read("vocabulary.toml")["irregular"]


@pytest.mark.parametrize(
    ("term", "ending", "formed"),
    [
        ("nurse", "s", "nurses"),
        ("witch", "s", "witches"),
        ("nobody", "s", "nobodies"),
        ("boy", "s", "boys"),
        ("blind man", "s", "blind men"),
        ("person|of colour", "s", "people of colour"),
        ("hate", "ing", "hating"),
        ("stab", "ed", "stabbed"),
        ("marry", "ed", "married"),
        ("see", "ing", "seeing"),
        ("beat|up", "ed", "beaten up"),
        ("wipe|out", "ing", "wiping out"),
        ("wipe|out", "", "wipe out"),
    ],
)
def test_words_take_endings(term: str, ending: str, formed: str) -> None:
    assert inflect(term, ending, IRREGULAR.get(ending, {})) == formed
