import random
import re

import pytest

from moderation.classifier.prediction import REJECT, Document, Reason
from training import invented
from training.records import Record
from training.words import groups

TEMPLATES = list(invented.templates(per_text=2, seed=1))


def test_every_slot_is_filled() -> None:
    for record in TEMPLATES:
        for part in (record.document.text, record.document.name, record.document.website):
            assert not re.search(r"\{\w+\}", part), part


def test_the_same_seed_invents_the_same() -> None:
    assert list(invented.templates(per_text=2, seed=1)) == TEMPLATES
    assert list(invented.templates(per_text=2, seed=2)) != TEMPLATES


def test_the_comments_of_a_template_are_one_group() -> None:
    assert len(TEMPLATES) == 2 * len({record.group for record in TEMPLATES})


@pytest.mark.parametrize("head", [REJECT, Reason.SPAM, Reason.IDENTITY_ATTACK, Reason.TOXIC])
def test_both_classes_are_invented(head: str) -> None:
    labels = {round(record.labels[head]) for record in TEMPLATES if head in record.labels}
    assert labels == {0, 1}


def test_group_terms_come_with_their_plurals() -> None:
    assert {"martian", "nun"}.isdisjoint(groups())
    assert {"muslim", "muslims", "women", "deaf"} <= set(groups())
    assert "womens" not in groups()


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
