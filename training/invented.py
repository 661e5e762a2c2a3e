"""Comments invented from templates, and disguised copies of real ones: training data for what the
sets lack. No figure on real comments includes any of it."""

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

from moderation.classifier.prediction import REJECT, Document, Reason
from training.inflection import inflect
from training.records import Record
from training.words import read

TEMPLATES = "templates"
DISGUISED = "disguised"

TEMPLATE_CALIBRATION, DISGUISED_CALIBRATION = 0.2, 0.3

NAMED, LOWER_CASE = 0.3, 0.3
MISSPELT = 0.1
"""Share of the hateful sentences with a disguised word."""

FEWEST_WORDS = 12
"""Shorter lists are not dealt out to parts."""

# ruff: noqa: S311  (repeatable random numbers are wanted)

_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_AN = re.compile(
    r"\b(a)(?= (?:[aeio](?!uro|ne\b)|u(?!s[eu]|ni[qtfv]|k)|honest|hono))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Content:
    """`words` by slot; `patterns`: sentences of a kind with their labels; `irregular`: forms by
    ending."""

    words: Mapping[str, Sequence[str]]
    patterns: Sequence[Mapping[str, Any]]
    irregular: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, *names: str) -> Self:
        """From files of `training.words`."""
        found = [read(name) for name in names]
        return cls(
            words={slot: words for item in found for slot, words in item.get("words", {}).items()},
            patterns=[pattern for item in found for pattern in item.get("patterns", ())],
            irregular=found[0].get("irregular", {}),
        )

    def part(self, number: int, parts: int) -> "Content":
        """One of several parts that share neither a sentence nor, but for short lists, a word."""
        return Content(
            words={
                slot: words[number::parts] if len(words) >= FEWEST_WORDS else words
                for slot, words in self.words.items()
            },
            patterns=[
                {**pattern, "texts": pattern["texts"][number::parts]} for pattern in self.patterns
            ],
            irregular=self.irregular,
        )

    def fill(self, text: str, generator: random.Random) -> str:
        """The text with words in its slots; {slot:ed} takes a form."""
        while found := _SLOT.search(text):
            slot, ending = found.groups()
            word = generator.choice(self.words[slot])
            if not _SLOT.search(word):
                word = inflect(word, ending or "", self.irregular.get(ending or "", {}))
            text = text[: found.start()] + word + text[found.end() :]
        text = _AN.sub(r"\1n", text)
        return text[0].upper() + text[1:]


ABOUT_PEOPLE = "frames.toml"
FILES = ("vocabulary.toml", ABOUT_PEOPLE, "templates.toml", "spam_templates.toml")


def kinds(name: str) -> set[str]:
    """The kinds of sentences in a file of `training.words`."""
    return {pattern["kind"] for pattern in read(name)["patterns"]}


def templates(per_text: int, seed: int, parts: int) -> Iterator[Record]:
    """`per_text` comments from each sentence. Each belongs to one of `parts` groups, which share
    neither sentences nor words, so that models are measured on what they have seen nothing of."""
    content = Content.read(*FILES)
    generator = random.Random(seed)
    for number in range(parts):
        part = content.part(number, parts)
        for pattern in part.patterns:
            for text in pattern["texts"]:
                for _ in range(per_text):
                    yield Record(
                        document=_document(text, pattern, part, generator),
                        labels={head: float(value) for head, value in pattern["labels"].items()},
                        weight=pattern["weight"],
                        group=str(number),
                        source=TEMPLATES,
                        key=pattern["kind"],
                        calibration=TEMPLATE_CALIBRATION,
                    )


def _document(
    text: str, pattern: Mapping[str, Any], content: Content, generator: random.Random
) -> Document:
    """One comment, in three of ten cases with a name and a website."""
    name = website = ""
    senders = pattern["senders"]
    if generator.random() < NAMED:
        name = content.fill(f"{{{senders}_name}}", generator)
        website = content.fill(f"{{{senders}_site}}", generator)
    filled = content.fill(text, generator)
    if pattern["labels"].get(Reason.IDENTITY_ATTACK, 0) >= 0.5 and generator.random() < MISSPELT:
        words = re.findall(r"[A-Za-z]{4,}", filled)
        if words:
            filled = disguise(filled, [generator.choice(words)], generator)
    return Document(filled.lower() if generator.random() < LOWER_CASE else filled, name, website)


@dataclass(frozen=True, slots=True)
class Crossed:
    """Sentences with each group in the same place.

    `texts`: sentences x groups. `hateful`: of each sentence. `groups`: their names.
    """

    texts: list[list[str]]
    hateful: list[bool]
    groups: list[str]


@cache
def anchors(seed: int = 0) -> tuple[Document, ...]:
    """Sentences of every kind that are there to say the same before and after a site's labels: of
    the first half of the templates `EACH` times, and `CROSSED` of them, about people, with every
    group in the same place. The other half, and its words, are for `checks`."""
    generator = random.Random(seed)
    content = _half(0)
    found = _filled(content, EACH, generator)
    vocabulary = Content.read("vocabulary.toml")
    about = [
        text
        for pattern in content.patterns
        for text in pattern["texts"]
        if REJECT in pattern["labels"] and _names_a_group(text)
    ]
    for text in generator.sample(about, CROSSED):
        drawn = generator.random()
        found += [
            Document(content.fill(_named(text, form), random.Random(drawn)))
            for form in _groups(vocabulary)
        ]
    return tuple(found)


@cache
def group_names() -> tuple[str, ...]:
    """What groups of people are called: one, several, as an adjective."""
    return tuple(name for form in _groups(Content.read("vocabulary.toml")) for name in form)


def checks(seed: int) -> tuple[list[Document], list[bool]]:
    """Sentences of every kind of which `anchors` has none, and whether they are unwanted."""
    content = _half(1)
    unwanted = [
        pattern["labels"][REJECT] >= 0.5
        for pattern in content.patterns
        if REJECT in pattern["labels"]
        for _ in pattern["texts"]
    ]
    return _filled(content, 1, random.Random(seed)), unwanted


EACH, CROSSED = 2, 20


def _half(number: int) -> Content:
    """One of two halves of the templates. Both have all groups: none may be left out."""
    content = Content.read(*FILES)
    half = content.part(number, 2)
    groups = {slot: content.words[slot] for slot in ("identity", "group_noun")}
    return replace(half, words={**half.words, **groups})


def _filled(content: Content, times: int, generator: random.Random) -> list[Document]:
    return [
        _document(text, pattern, content, generator)
        for pattern in content.patterns
        if REJECT in pattern["labels"]
        for text in pattern["texts"]
        for _ in range(times)
    ]


def _names_a_group(text: str) -> bool:
    return any(slot in text for slot in ("{groups}", "{group}", "{identity}"))


def _named(text: str, form: tuple[str, str, str]) -> str:
    singular, plural, adjective = form
    named = text.replace("{groups}", plural).replace("{group}", singular)
    return named.replace("{identity}", adjective)


def crossed(times: int, seed: int, *, known_words: bool) -> Crossed:
    """Each sentence of `held_out.toml` `times` times with words of its own, or with words of the
    vocabulary, which the model was trained on."""
    own, vocabulary = Content.read("held_out.toml"), Content.read("vocabulary.toml")
    words = dict(own.words)
    if known_words:
        words |= {
            slot: vocabulary.words[other] for slot, other in read("held_out.toml")["known"].items()
        }
    content = replace(own, words=words, irregular=vocabulary.irregular)
    forms = list(_groups(vocabulary))
    texts, hateful = [], []
    for pattern in content.patterns:
        for number, text in enumerate(pattern["texts"] * times):
            row = []
            for form in forms:
                named = _named(text, form)
                row.append(content.fill(named, random.Random(f"{seed}/{number}")))
            texts.append(row)
            hateful.append(pattern["kind"] == "hateful")
    return Crossed(texts, hateful, [form[1] for form in forms])


def _groups(content: Content) -> Iterator[tuple[str, str, str]]:
    """(one, several, as an adjective) of each term."""
    for term in content.words["identity"]:
        yield f"{term} person", f"{term} people", term
    for term in content.words["group_noun"]:
        singular = inflect(term, "", {})
        yield singular, inflect(term, "s", content.irregular["s"]), singular


def telling_words(records: Sequence[Record], least: int = 8, ratio: float = 12) -> set[str]:
    """Words at least `ratio` times as frequent in rejected comments as in others."""
    counts: dict[str, list[int]] = {}
    totals = [0, 0]
    for record in records:
        label = record.labels.get(REJECT)
        if label is None or 0.3 < label < 0.7:
            continue
        side = int(label >= 0.5)
        totals[side] += 1
        for word in set(re.findall(r"[a-z]{4,}", record.document.text.lower())):
            counts.setdefault(word, [0, 0])[side] += 1
    return {
        word
        for word, (good, bad) in counts.items()
        if bad >= least and bad / totals[1] >= ratio * (good + 1) / totals[0]
    }


def disguised(
    records: Sequence[Record], words: Collection[str], share: float, seed: int
) -> Iterator[Record]:
    """Copies of a share of the comments that have such words, these words disguised; and as many
    of other comments, a word disguised, so that a disguise alone is no crime."""
    generator = random.Random(seed)
    for record in records:
        rejected = record.labels.get(REJECT, 0) >= 0.5
        if generator.random() >= (share if rejected else share / 4):
            continue
        text = record.document.text
        found = set(re.findall(r"[A-Za-z]{4,}", text))
        chosen = {word for word in found if word.lower() in words}
        if not chosen and not rejected:
            chosen = set(sorted(found)[:1])
        if chosen:
            yield Record(
                document=Document(disguise(text, chosen, generator)),
                labels=record.labels,
                weight=record.weight / 2,
                group=record.group,
                source=DISGUISED,
                copied_from=record.source,
                domain=record.domain,
                calibration=DISGUISED_CALIBRATION,
            )


def disguise(text: str, words: Collection[str], generator: random.Random) -> str:
    """The text with these words in disguise."""
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, sorted(words))) + r")\b")
    return pattern.sub(lambda match: generator.choice(_TRICKS)(match[0], generator), text)


_LEET = {
    "a": "4@",
    "e": "3",
    "i": "1!",
    "o": "0",
    "s": "5$",
    "t": "7",
    "l": "1",
    "b": "8",
    "g": "9",
}
_LOOKALIKES = {
    "a": "а",
    "e": "е",
    "o": "о",
    "c": "с",
    "p": "р",
    "i": "і",
    "s": "ѕ",
    "x": "х",
    "u": "υ",
}


def _swap(table: dict[str, str], word: str, generator: random.Random) -> str:
    places = [place for place, letter in enumerate(word) if letter.lower() in table]
    chosen = set(generator.sample(places, generator.randint(1, len(places)))) if places else set()
    return "".join(
        generator.choice(table[letter.lower()]) if place in chosen else letter
        for place, letter in enumerate(word)
    )


def _insert(word: str, generator: random.Random, signs: str) -> str:
    place = generator.randrange(1, len(word))
    return word[:place] + generator.choice(signs) + word[place:]


def _repeat(word: str, generator: random.Random) -> str:
    place = generator.randrange(len(word))
    return word[:place] + word[place] * generator.randint(2, 6) + word[place + 1 :]


def _star(word: str, generator: random.Random) -> str:
    place = generator.randrange(1, len(word) - 1)
    stars = generator.randint(1, min(2, len(word) - 1 - place))
    return word[:place] + "*" * stars + word[place + stars :]


def _transpose(word: str, generator: random.Random) -> str:
    place = generator.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _drop(word: str, generator: random.Random) -> str:
    place = generator.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1 :]


_TRICKS = (
    lambda word, generator: _swap(_LEET, word, generator),
    lambda word, generator: _swap(_LEET, word, generator),
    lambda word, generator: _swap(_LOOKALIKES, word, generator),
    lambda word, _: " ".join(word),
    lambda word, generator: generator.choice(".-_*").join(word),
    lambda word, generator: _insert(word, generator, " "),
    lambda word, generator: _insert(word, generator, ".-_*'"),
    lambda word, generator: _insert(word, generator, "\u200b\u200c\u00ad\u2060"),
    _repeat,
    _repeat,
    _star,
    _transpose,
    _drop,
)
