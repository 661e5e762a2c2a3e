"""Comments invented from templates, and disguised copies of real ones: training data for what the
sets lack. None of it is ever measured on."""

import random
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files

from moderation.classifier.prediction import REJECT, Document
from training.records import Record

TEMPLATE_FILES = ("templates.toml", "spam_templates.toml")

TEMPLATES = "templates"
DISGUISED = "disguised"

TEMPLATE_CALIBRATION, DISGUISED_CALIBRATION = 1.0, 0.1

NAMED, LOWER_CASE = 0.3, 0.3

# ruff: noqa: S311  (repeatable random numbers are wanted)

_SLOT = re.compile(r"\{(\w+)\}")


def templates(per_text: int, seed: int) -> Iterator[Record]:
    """`per_text` comments from each template; those of a template are one group."""
    contents = [
        tomllib.loads(files("training.words").joinpath(name).read_text("utf-8"))
        for name in TEMPLATE_FILES
    ]
    words = {slot: found for content in contents for slot, found in content["words"].items()}
    generator = random.Random(seed)
    for pattern in (pattern for content in contents for pattern in content["patterns"]):
        for number, text in enumerate(pattern["texts"]):
            for _ in range(per_text):
                yield Record(
                    document=_document(text, pattern["senders"], words, generator),
                    labels={head: float(value) for head, value in pattern["labels"].items()},
                    weight=pattern["weight"],
                    group=f"{text}{number}",
                    source=TEMPLATES,
                    calibration=TEMPLATE_CALIBRATION,
                )


def _document(
    text: str, senders: str, words: dict[str, list[str]], generator: random.Random
) -> Document:
    """One comment, in three of ten cases with a name and a website."""
    name = website = ""
    if generator.random() < NAMED:
        name = _filled(f"{{{senders}_name}}", words, generator)
        website = _filled(f"{{{senders}_site}}", words, generator)
    filled = _filled(text, words, generator)
    filled = filled[0].upper() + filled[1:]
    return Document(filled.lower() if generator.random() < LOWER_CASE else filled, name, website)


def _filled(text: str, words: dict[str, list[str]], generator: random.Random) -> str:
    while _SLOT.search(text):
        text = _SLOT.sub(lambda match: generator.choice(words[match[1]]), text)
    return text


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
