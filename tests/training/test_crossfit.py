"""Scores by models that have not seen the comment."""

from collections.abc import Sequence

from moderation.classifier.prediction import Document, Prediction
from moderation.learning.labels import Labelled
from tests.support.labels import labelled
from training.crossfit import out_of_fold


class Remembering:
    """A model that gives 1 to what it was trained on; of a text that says so it is not able."""

    version = "remembering"

    def __init__(self, seen: Sequence[Labelled]) -> None:
        self.texts = {one.text for one in seen}

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        return [Prediction(float(d.text in self.texts), {}, d.text != "unable") for d in documents]


def test_no_comment_is_scored_by_a_model_that_has_seen_it_or_its_page() -> None:
    labels = [labelled(n, page=str(n % 10)) for n in range(60)]
    fitted: list[set[str]] = []

    def fit(part: Sequence[Labelled]) -> Remembering:
        fitted.append({one.page for one in part})
        return Remembering(part)

    assert out_of_fold(labels, fit) == [0.0] * 60
    assert len(fitted) == 3
    assert all(set.intersection(*fitted[:n], *fitted[n + 1 :]) - fitted[n] for n in range(3))


def test_what_a_model_is_not_able_to_judge_has_no_score() -> None:
    labels = [labelled(n) for n in range(9)] + [labelled(9, text="unable")]

    assert [score is None for score in out_of_fold(labels, Remembering)] == [False] * 9 + [True]


def test_one_page_is_scored_all_the_same() -> None:
    labels = [labelled(n, page="the only page") for n in range(30)]

    assert out_of_fold(labels, Remembering) == [0.0] * 30
