import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Reason

TEXTS = [
    "You are an idiot!",
    "Thank you for the photo.",
    "Buy cheap pills at http://pills.example",
    "i d i o t",
    "",
    "...!?",
    "IDIOT idiot 1d1ot " * 300,
    "Ελληνικά, naïve café, 漢字, \U0001f600\u200b\ud800",
]


def test_the_compiled_path_equals_scikit_learn(trained, classifier: Classifier) -> None:
    documents = [Document(text) for text in TEXTS] + [
        Document("Thank you", name="Cheap Pills", website="http://pills.example"),
        Document("", name="idiot"),
    ]
    log_odds, _ = classifier.log_odds(documents)
    np.testing.assert_allclose(log_odds, trained.reference(documents), rtol=0, atol=1e-6)


def test_a_batch_gives_what_each_comment_gives_alone(classifier: Classifier) -> None:
    documents = [Document(text) for text in TEXTS]
    alone = [classifier.predict([document])[0] for document in documents]
    assert classifier.predict(documents) == alone


def test_an_empty_batch_gives_nothing(classifier: Classifier) -> None:
    assert classifier.predict([]) == []


def test_insult_spam_and_thanks_are_told_apart(classifier: Classifier) -> None:
    insult, thanks, spam = classifier.predict([Document(text) for text in TEXTS[:3]])
    assert insult.reject > 0.5
    assert insult.reasons[Reason.INSULT] > 0.5 > insult.reasons[Reason.SPAM]
    assert thanks.reject < 0.5
    assert spam.reasons[Reason.SPAM] > 0.5 > spam.reasons[Reason.INSULT]


def test_what_is_spam_is_to_be_rejected(classifier: Classifier) -> None:
    for prediction in classifier.predict([Document(text) for text in TEXTS]):
        assert prediction.reject >= prediction.reasons[Reason.SPAM]


def test_every_reason_has_a_probability(classifier: Classifier) -> None:
    (prediction,) = classifier.predict([Document("Hello there")])
    assert set(prediction.reasons) == set(Reason) == set(classifier.reasons)
    assert all(0 <= value <= 1 for value in prediction.reasons.values())


@pytest.mark.parametrize(
    "text", ["", "   ", "!!!", "Das ist eine ganz andere Sprache", "съешь же ещё этих булок"]
)
def test_what_it_does_not_know_it_does_not_judge(classifier: Classifier, text: str) -> None:
    (prediction,) = classifier.predict([Document(text)])
    assert not prediction.able


def test_what_it_knows_it_judges(classifier: Classifier) -> None:
    (prediction,) = classifier.predict([Document("Thank you, I liked the museum.")])
    assert prediction.able


def test_threads_share_one_model(classifier: Classifier) -> None:
    documents = [Document(text) for text in TEXTS] * 20
    expected = classifier.predict(documents)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: classifier.predict(documents), range(8)))
    assert all(result == expected for result in results)


def test_scoring_does_not_import_scikit_learn() -> None:
    code = (
        "import sys; from moderation.classifier.artifact import DEFAULT_ARTIFACT, load;"
        "load(DEFAULT_ARTIFACT).warm_up(); sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
