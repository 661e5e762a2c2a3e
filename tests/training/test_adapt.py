import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.classifier.adaptation import adapted
from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document
from moderation.domain import LabelSource, Selection
from moderation.learning.labels import Labelled
from training import guard, invented, metrics
from training.adapt import Example, examples_of, fit

NOW = 1_800_000_000_000
DAY = 24 * 3600 * 1000

NOUNS = ["tram", "lake", "bridge", "market", "library", "garden", "school", "station", "river"]
VERBS = ["opens", "closes", "waits", "moves", "rests", "shines", "grows", "leaves", "returns"]
RUSSIAN = [
    "трамвай", "сегодня", "опять", "стоит", "возле", "моста", "потому", "что", "ремонт", "дороги",
    "идёт", "очень", "медленно", "новый", "парк", "откроют", "весной", "люди", "ждут", "автобус",
]  # fmt: skip


@pytest.fixture(scope="module")
def general() -> Classifier:
    return load(DEFAULT_ARTIFACT)


def sentence(generator: random.Random, *more: str) -> str:
    words = [generator.choice(NOUNS), generator.choice(VERBS), generator.choice(NOUNS), *more]
    return "The " + " ".join(words)


def decided(number: int, unwanted: str, *, seed: int = 1) -> list[Example]:
    """Every other comment holds the word that is unwanted at the site."""
    generator = random.Random(seed)
    return [
        Example(
            text=sentence(generator, *([unwanted] if position % 2 else [])),
            page=f"page {generator.randrange(20)}",
            labelled_at=NOW - (number - position) * DAY // 10,
            unwanted=float(position % 2),
        )
        for position in range(number)
    ]


def log_odds(classifier: Classifier, texts: list[str]) -> np.ndarray:
    return classifier.log_odds(list(map(Document, texts)))[0][:, HEADS.index(REJECT)]


def test_a_hundred_labels_teach_what_only_this_site_minds(general: Classifier) -> None:
    site = adapted(general, fit(general, decided(100, "zeppelin"), name="news", now=NOW))
    generator = random.Random(2)
    kept = [sentence(generator) for _ in range(20)]
    minded = [f"{text} zeppelin" for text in kept]
    assert (log_odds(site, minded) - log_odds(site, kept)).min() > 1
    assert np.abs(log_odds(general, minded) - log_odds(general, kept)).max() < 1


def test_what_is_said_of_hatred_and_of_groups_stays_whatever_a_site_rejects(
    general: Classifier,
) -> None:
    """Praise and hatred of women alike are off topic at this site, and its people write nicely."""
    generator = random.Random(7)
    said = ["All women are awful and stupid", "Women are kind and clever", "I hate this lake"]
    examples = [
        replace(
            example,
            text=f"{sentence(generator)}. {said[position % 3]}.",
            unwanted=float(position % 3 == 1),
        )
        for position, example in enumerate(decided(240, "zeppelin"))
    ]
    site = adapted(general, fit(general, examples, name="news", now=NOW))
    documents, unwanted = invented.checks(0)
    before, after = (
        metrics.auc(np.array(unwanted, float), log_odds(model, [d.text for d in documents]))
        for model in (general, site)
    )
    assert after > before - guard.AUC_LOST


@pytest.mark.parametrize("number", [1, 2, 5, 10, 20, 40])
def test_a_few_labels_do_not_change_the_order_of_comments(general: Classifier, number: int) -> None:
    """Labels that chance has given: there is nothing to be learnt from them."""
    generator = random.Random(3)
    examples = [
        replace(example, unwanted=float(generator.random() < 0.3))
        for example in decided(number, "zeppelin")
    ]
    site = adapted(general, fit(general, examples, name="news", now=NOW))
    texts = [sentence(generator, word) for word in [*NOUNS, "idiot", "stupid", "thanks"]]
    before, after = log_odds(general, texts), log_odds(site, texts)
    assert np.corrcoef(before, after)[0, 1] > 0.999


@pytest.mark.parametrize("unwanted", [0.0, 1.0])
def test_labels_of_one_class_move_all_comments_alike(general: Classifier, unwanted: float) -> None:
    examples = [replace(example, unwanted=unwanted) for example in decided(60, "zeppelin")]
    site = adapted(general, fit(general, examples, name="news", now=NOW))
    before, after = (log_odds(model, ["A tram", "You idiot"]) for model in (general, site))
    assert (after[1] > after[0]) == (before[1] > before[0])
    assert ((after - before > 0) == bool(unwanted)).all()


def test_the_share_of_unwanted_comments_is_the_sites(general: Classifier) -> None:
    generator = random.Random(4)
    examples = [
        replace(example, unwanted=float(generator.random() < 0.4))
        for example in decided(200, "zeppelin")
    ]
    site = adapted(general, fit(general, examples, name="news", now=NOW))
    later = [Document(sentence(generator)) for _ in range(50)]
    assert np.mean([found.reject for found in site.predict(later)]) == pytest.approx(0.4, abs=0.1)


def russian(number: int) -> list[Example]:
    generator = random.Random(5)
    return [
        Example(
            text=" ".join(generator.sample(RUSSIAN, 9)),
            labelled_at=NOW - position * DAY,
            unwanted=float(position % 4 == 0),
        )
        for position in range(number)
    ]


def test_a_language_can_be_judged_once_labels_cover_it(general: Classifier) -> None:
    few = adapted(general, fit(general, russian(2), name="news", now=NOW))
    many = adapted(general, fit(general, russian(150), name="news", now=NOW))
    covered = Document("сегодня автобус опять стоит возле моста потому что идёт ремонт дороги")
    others = [
        Document("Este autobús no ha llegado todavía porque están arreglando la carretera."),
        Document("учёные предположили существование неизвестной планеты за орбитой нептуна"),
    ]
    assert not general.predict([covered])[0].able
    assert not few.predict([covered])[0].able
    assert many.predict([covered])[0].able
    assert not any(found.able for found in many.predict(others))
    assert "ru" in many.languages
    assert many.predict([Document("The tram was late again this morning.")])[0].able


def row(**changes: object) -> Labelled:
    values: dict[str, object] = {
        "key": "1", "text": "A tram", "name": "Ada", "website": "", "page": "7",
        "created_at": NOW - 2 * DAY, "label_id": 1, "first_label_id": 1,
        "source": LabelSource.MODERATOR, "actor": "1",
        "at": NOW, "unwanted": 1.0, "strength": 1.0, "reason": "", "selection": Selection.HELD,
        "propensity": 1.0, "score": 0.4,
    }  # fmt: skip
    return Labelled(**(values | changes))  # type: ignore[arg-type]


def weight(**changes: object) -> float:
    (example,) = examples_of([row(**changes)], NOW)
    return example.weight


def test_a_label_becomes_an_example() -> None:
    assert examples_of([row()], NOW) == [
        Example(
            text="A tram",
            name="Ada",
            page="7",
            written_at=NOW - 2 * DAY,
            labelled_at=NOW,
            unwanted=1.0,
            weight=1.0,
        )
    ]


def test_recent_strong_and_rarely_drawn_labels_count_more() -> None:
    assert weight(at=NOW - 365 * DAY) == pytest.approx(0.5)
    assert weight(at=NOW - 3650 * DAY) == 0.25
    assert weight(at=NOW + DAY) == 1
    assert weight(strength=0.5) == 0.5
    assert weight(selection=Selection.AUDIT, propensity=0.1) == pytest.approx(10)
    assert weight(selection=Selection.AUDIT, propensity=0.0001) == 20
    assert examples_of([row(strength=0.0)], NOW) == []


def test_what_was_drawn_for_the_audit_stands_for_what_was_not(general: Classifier) -> None:
    """Held comments are mostly unwanted; the few of the audit say that most are not."""
    generator = random.Random(6)
    held = [replace(example, unwanted=0.8) for example in decided(100, "zeppelin")]
    audit = [
        Example(text=sentence(generator), labelled_at=NOW, unwanted=0.0, weight=20.0)
        for _ in range(20)
    ]
    later = [Document(sentence(generator)) for _ in range(20)]
    shares = [
        np.mean(
            [
                found.reject
                for found in adapted(general, fit(general, examples, name="a", now=NOW)).predict(
                    later
                )
            ]
        )
        for examples in (held, [*held, *(replace(e, weight=1.0) for e in audit)], [*held, *audit])
    ]
    assert shares[0] > shares[1] > shares[2]


def test_progress_rises_to_one(general: Classifier) -> None:
    seen: list[float] = []
    fit(general, decided(20, "zeppelin"), name="news", now=NOW, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


anything = st.builds(
    Example,
    text=st.text(max_size=40),
    name=st.text(max_size=5),
    page=st.sampled_from(["", "a", "b"]),
    labelled_at=st.integers(0, NOW),
    unwanted=st.sampled_from([0.0, 0.3, 1.0]),
    weight=st.sampled_from([0.01, 1.0, 20.0]),
)


@settings(max_examples=20)
@given(examples=st.lists(anything, max_size=12))
def test_any_labels_give_a_model(general: Classifier, examples: list[Example]) -> None:
    adaptation = fit(general, examples, name="news", now=NOW)
    site = adapted(general, adaptation)
    assert all(0 <= found.reject <= 1 for found in site.predict([Document("You idiot")]))
