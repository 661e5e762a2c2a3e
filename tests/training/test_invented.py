import random
import re

import pytest

from moderation.classifier.features import GROUP, PERSON
from moderation.classifier.prediction import REJECT, Document, Reason
from training import invented
from training.inflection import inflect
from training.records import Record
from training.words import groups, marked

PARTS = 3
TEMPLATES = list(invented.templates(per_text=1, seed=1, parts=PARTS))
CONTENT = invented.Content.read(*invented.FILES)
HELD_OUT = invented.Content.read("held_out.toml")
HATEFUL = [p for p in CONTENT.patterns if p["labels"].get(Reason.IDENTITY_ATTACK, 0) >= 0.5]
ABOUT_PEOPLE = invented.Content.read(invented.ABOUT_PEOPLE).patterns


def words_of(*slots: str) -> set[str]:
    return {word for slot in slots for word in CONTENT.words[slot]}


def test_every_slot_is_filled() -> None:
    for record in TEMPLATES:
        for part in (record.document.text, record.document.name, record.document.website):
            assert not re.search(r"[{}|]", part), part


def test_the_same_seed_invents_the_same() -> None:
    assert list(invented.templates(per_text=1, seed=1, parts=PARTS)) == TEMPLATES
    assert list(invented.templates(per_text=1, seed=2, parts=PARTS)) != TEMPLATES


def test_there_are_many_kinds_with_thirty_sentences_and_more() -> None:
    assert len({pattern["kind"] for pattern in ABOUT_PEOPLE}) == len(ABOUT_PEOPLE) >= 29
    for pattern in ABOUT_PEOPLE:
        assert len(set(pattern["texts"])) >= 30, pattern["kind"]


def test_no_sentence_is_in_two_kinds() -> None:
    texts = [text for pattern in CONTENT.patterns for text in pattern["texts"]]
    assert len(set(texts)) == len(texts)


def test_there_are_hundreds_of_words_that_disparage_and_that_praise() -> None:
    bad = words_of("bad_trait", "bad_kind", "bad_mass", "loathe", "harm", "insult_verb")
    good = words_of("good_trait", "plain_trait", "role", "kind_verb", "plain_verb")
    assert len(bad) > 400
    assert len(good) > 400
    both = words_of("bad_trait", "bad_kind") & words_of("good_trait", "plain_trait", "role")
    assert not both


def test_the_parts_share_neither_sentences_nor_words() -> None:
    parts = [CONTENT.part(number, PARTS) for number in range(PARTS)]
    for slot in ("bad_trait", "good_trait", "harm", "kind_verb", "identity"):
        dealt = [word for part in parts for word in part.words[slot]]
        assert sorted(dealt) == sorted(CONTENT.words[slot])
    dealt = [text for part in parts for pattern in part.patterns for text in pattern["texts"]]
    assert sorted(dealt) == sorted(text for p in CONTENT.patterns for text in p["texts"])


def test_a_part_is_a_group_and_has_every_kind() -> None:
    for number in range(PARTS):
        kinds = {record.key for record in TEMPLATES if record.group == str(number)}
        assert kinds == {pattern["kind"] for pattern in CONTENT.patterns}


def test_words_held_out_are_trained_on_nowhere() -> None:
    trained = {inflect(word, "", {}) for words in CONTENT.words.values() for word in words}
    held = {word for slot, words in HELD_OUT.words.items() for word in words}
    assert not trained & held
    texts = {text for pattern in CONTENT.patterns for text in pattern["texts"]}
    assert texts.isdisjoint(text for pattern in HELD_OUT.patterns for text in pattern["texts"])
    assert not marked().keys() & held


@pytest.mark.parametrize("known_words", [True, False])
def test_every_group_is_put_in_the_same_place(known_words: bool) -> None:
    crossed = invented.crossed(1, seed=1, known_words=known_words)
    assert len(crossed.texts) == len(crossed.hateful) == 48
    assert sum(crossed.hateful) == 24
    assert all(len(set(row)) > 100 for row in crossed.texts)
    assert not any(re.search(r"[{}|]", text) for row in crossed.texts for text in row)
    first = crossed.texts[0]
    assert {text.replace(name[:-1], "") for text, name in zip(first, crossed.groups, strict=True)}


@pytest.mark.parametrize("head", [REJECT, Reason.SPAM, Reason.IDENTITY_ATTACK, Reason.TOXIC])
def test_both_classes_are_invented(head: str) -> None:
    labels = {round(record.labels[head]) for record in TEMPLATES if head in record.labels}
    assert labels == {0, 1}


def test_a_vowel_takes_an() -> None:
    filled = invented.Content({}, [], {}).fill
    generator = random.Random(1)
    assert filled("a old man", generator) == "An old man"
    assert filled("a useless, a honest and a European one", generator) == (
        "A useless, an honest and a European one"
    )


def test_group_terms_come_with_their_plurals() -> None:
    assert {"martian", "nun"}.isdisjoint(groups())
    assert {"muslim", "muslims", "women", "deaf"} <= set(groups())
    assert {"middle eastern", "native americans", "people with autism"} <= set(groups())
    assert "womens" not in groups()


def test_all_terms_of_the_sentences_are_read_as_groups() -> None:
    belong = [word for word, part in marked().items() if part in {GROUP, PERSON}]
    listed = re.compile(f"(?:(?:{'|'.join(belong)})(?: |$))+")
    for slot, ending in [("identity", ""), ("group_noun", ""), ("group_noun", "s")]:
        for term in CONTENT.words[slot]:
            form = inflect(term, ending, CONTENT.irregular.get(ending, {})).lower()
            assert listed.fullmatch(form.replace("-", " ")), form


def test_slurs_and_insults_are_judged_as_words() -> None:
    parts = marked()
    for word in words_of("slur", "bad_kind", "bad_trait"):
        assert parts.get(word) != GROUP, word


def rated(text: str, label: float) -> Record:
    return Record(Document(text), {REJECT: label}, 1.0, text, "set")


def test_words_that_tell_are_found() -> None:
    records = [rated(f"You fool, the weather {n}", 1.0) for n in range(20)]
    records += [rated(f"Thanks, the weather {n}", 0.0) for n in range(200)]
    assert invented.telling_words(records) == {"fool"}


def test_copies_are_disguised_and_keep_labels_and_group() -> None:
    original = rated("You stupid", 1.0)
    copies = list(invented.disguised([original] * 20, {"stupid"}, share=1.0, seed=1))
    assert len(copies) == 20
    for copy in copies:
        assert copy.labels == original.labels
        assert (copy.group, copy.origin) == (original.group, original.source)
        assert copy.document.text.split()[1:] != ["stupid"]
        assert copy.document.text.startswith("You ")


@pytest.mark.parametrize("trick", range(len(invented._TRICKS)))
def test_every_trick_changes_every_word(trick: int) -> None:
    generator = random.Random(5)
    for word in ("stupid", "moron", "idiot"):
        assert invented._TRICKS[trick](word, generator) != word


def test_anchors_and_checks_share_no_sentence_and_every_group_is_in_both() -> None:
    anchors = {document.text.lower() for document in invented.anchors()}
    documents, unwanted = invented.checks(0)
    assert invented.anchors() == invented.anchors()
    assert anchors.isdisjoint(document.text.lower() for document in documents)
    assert 0.3 < sum(unwanted) / len(unwanted) < 0.7
    everything = " ".join(anchors)
    for name in invented.group_names():
        assert name.lower() in everything, name


def test_anchors_have_no_sentence_or_word_of_the_guards() -> None:
    """Only lists too short to be dealt out, and groups, which nobody may be left out of, are
    shared."""
    anchors, checks = (invented._half(number) for number in (0, 1))
    shared = {"identity", "group_noun", "person"}
    for slot, words in anchors.words.items():
        if len(CONTENT.words[slot]) >= invented.FEWEST_WORDS and slot not in shared:
            assert set(words).isdisjoint(checks.words[slot]), slot
    for ours, theirs in zip(anchors.patterns, checks.patterns, strict=True):
        assert set(ours["texts"]).isdisjoint(theirs["texts"])
