import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest

from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document, Explanation
from moderation.policy import SPANS_KEPT
from moderation.scorer import Scorer, explain_each, predict_each

GOOD = Document("The old bridge had a tram line.")
OTHER = Document("You can see the landing from the new café.")
BAD = Document("A text that the model fails on.")


class Failing(Classifier):
    """The real classifier with bugs: it fails on one text, and cannot explain one head."""

    def __init__(self, real: Classifier) -> None:
        super().__init__(real.parameters, real.version, real.metadata)

    def read(self, documents: Sequence[Document]) -> Reading:
        if BAD in documents:
            raise ValueError("a bug")
        reading = super().read(documents)
        return FailingReading(reading.predictions, reading.parameters, reading.scan)


class FailingReading(Reading):
    def explain(self, heads: Sequence[str], *, most: int | None = None) -> list[Explanation]:
        if "spam" in heads:
            raise ValueError("a bug")
        return super().explain(heads, most=most)


def test_the_model_is_loaded_once(scorer: Scorer) -> None:
    classifier = scorer.classifier()
    assert classifier is not None
    assert scorer.classifier() is classifier


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\0" * 100], ids=repr)
def test_without_a_usable_file_there_is_no_model_and_it_is_said(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert Scorer(path).classifier() is None
    assert "so everything is held" in caplog.text


def test_a_model_that_comes_later_is_found_but_not_looked_for_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model.safetensors"
    scorer = Scorer(path)
    assert scorer.classifier() is None
    path.write_bytes(DEFAULT_ARTIFACT.read_bytes())
    assert scorer.classifier() is None
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1
    monkeypatch.setattr("moderation.scorer._RETRY_AFTER", 0.0)
    scorer = Scorer(tmp_path / "later.safetensors")
    assert scorer.classifier() is None
    path.rename(tmp_path / "later.safetensors")
    assert scorer.classifier() is not None


def test_threads_that_come_at_once_get_the_same_classifier() -> None:
    scorer = Scorer(DEFAULT_ARTIFACT)
    found: list[Classifier | None] = []
    threads = [Thread(target=lambda: found.append(scorer.classifier())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is not None
    assert all(one is found[0] for one in found)


def test_a_model_that_loads_and_does_not_work_is_no_model(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Classifier) -> None:
        raise MemoryError

    monkeypatch.setattr(Classifier, "warm_up", broken)
    assert Scorer(DEFAULT_ARTIFACT).classifier() is None
    assert "cannot be used" in caplog.text


def test_one_text_does_not_hold_up_the_rest(shipped: Classifier) -> None:
    (first, failed, last), reading = predict_each(Failing(shipped), [GOOD, BAD, OTHER])
    assert failed is None
    assert [first, last] == shipped.predict([GOOD, OTHER])
    assert reading is None


def test_a_failure_does_not_repeat_the_text(
    shipped: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    predict_each(Failing(shipped), [GOOD, BAD])
    assert "the model failed on a comment" in caplog.text
    assert BAD.text not in caplog.text


@pytest.mark.parametrize("is_read", [True, False])
def test_each_decision_is_explained_by_its_own_head(shipped: Classifier, is_read: bool) -> None:
    documents = [GOOD, OTHER, BAD]
    heads = ["reject", "insult", "reject"]
    reading = shipped.read(documents) if is_read else None
    assert explain_each(shipped, documents, heads, reading) == [
        shipped.explain([document], [head], most=SPANS_KEPT)[0]
        for document, head in zip(documents, heads, strict=True)
    ]


@pytest.mark.parametrize("is_read", [True, False])
def test_an_explanation_that_fails_is_left_out(shipped: Classifier, is_read: bool) -> None:
    failing, documents = Failing(shipped), [GOOD, OTHER]
    reading = failing.read(documents) if is_read else None
    found = explain_each(failing, documents, ["spam", "reject"], reading)
    assert found == [None, *shipped.explain([OTHER], ["reject"], most=SPANS_KEPT)]
