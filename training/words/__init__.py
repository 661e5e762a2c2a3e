"""Word lists of our own, for training; the model keeps hashes of them only."""

import tomllib
from importlib.resources import files
from typing import Any

from moderation.classifier import features
from moderation.classifier.features import BAD, GOOD, GROUP, HARM, HATE, THING
from training.inflection import inflect

NOUN, VERB, ADJECTIVE = ("", "s"), ("", "s", "ed", "ing"), ("",)

_LISTS = {
    "good_trait": (GOOD, ADJECTIVE),
    "feeling_good": (GOOD, ADJECTIVE),
    "kind_verb": (GOOD, VERB),
    "bad_trait": (BAD, ADJECTIVE),
    "bad_kind": (BAD, NOUN),
    "bad_mass": (BAD, ADJECTIVE),
    "slur": (BAD, NOUN),
    "insult_verb": (BAD, VERB),
    "object": (THING, NOUN),
    "trade": (THING, NOUN),
    "feeling_bad": (HATE, ADJECTIVE),
    "loathe": (HATE, VERB),
    "harm": (HARM, VERB),
}
"""Slots of `vocabulary.toml` whose words have a part, and the forms in which they have it."""

_PEOPLE = (
    *("person", "people", "man", "men", "woman", "women", "boy", "boys", "girl", "girls"),
    *("kid", "kids", "child", "children", "adult", "adults", "student", "students"),
)
"""Who may be named as one of a group by what comes after (see `groups.txt`)."""


def read(name: str) -> dict[str, Any]:
    """One of the TOML files here."""
    return tomllib.loads(files(__name__).joinpath(name).read_text("utf-8"))


def marked() -> dict[str, int]:
    """Words with a part of their own (see `features.Tables`). What `parts.toml` says of a word
    overrides the vocabulary, and later lists of the vocabulary earlier ones."""
    vocabulary = read("vocabulary.toml")
    found: dict[str, int] = {}
    for slot, (part, endings) in _LISTS.items():
        words = [word for word in vocabulary["words"][slot] if word.isalpha()]
        for ending in endings:
            irregular = vocabulary["irregular"].get(ending, {})
            found |= {inflect(word, ending, irregular): part for word in words}
    for name, listed in read("parts.toml").items():
        found |= dict.fromkeys(listed, getattr(features, name.upper()))
    return found | dict.fromkeys(groups(), GROUP)


def groups() -> list[str]:
    """Terms for groups of people, plurals included, with spaces between the words of a term."""
    lines = files(__name__).joinpath("groups.txt").read_text("utf-8").splitlines()
    terms: list[str] = []
    tails: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            named = tails if line.startswith("+") else terms
            named += line.removeprefix("+").split()
    terms += [f"{term}s" for term in terms if not term.endswith(("s", "men"))]
    terms += [f"{person}_{tail}" for person in _PEOPLE for tail in tails]
    return [term.replace("_", " ") for term in terms]
