import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from moderation.classifier.adaptation import Adaptation, AdaptedClassifier, adapted
from moderation.classifier.artifact import FORMAT, ArtifactError, digest_of
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document, Reason
from moderation.classifier.scoring import KINDS
from training.adapt import FEATURES, LEAST_FREQUENCY, Example, fit
from training.vectorizer import CommentVectorizer

NOW = 1_800_000_000_000
GOOD = ["I rode the tram to the lake", "The tram was late, as it is", "A quiet tram, thank you"]
BAD = ["The mayor is a turnip, says the tram", "Turnip of a mayor", "Every mayor a turnip, idiot"]


def labelled(number: int, seed: int = 5) -> list[Example]:
    generator = random.Random(seed)
    examples = []
    for position in range(number):
        bad = position % 2
        words = generator.sample(["old", "new", "north", "south", "slow", "fast", "red"], 3)
        examples.append(
            Example(
                text=" ".join([generator.choice(BAD if bad else GOOD), *words]),
                page=f"page {position % 17}",
                labelled_at=NOW - 1000 * (number - position),
                unwanted=float(bad),
            )
        )
    return examples


@pytest.fixture(scope="module")
def adaptation(classifier: Classifier) -> Adaptation:
    return fit(classifier, labelled(300), name="news", now=NOW)


@pytest.fixture(scope="module")
def site(classifier: Classifier, adaptation: Adaptation) -> AdaptedClassifier:
    return adapted(classifier, adaptation)


comments = st.lists(
    st.one_of(
        st.sampled_from(["idiot", "1d1ot", "turnip", "mayor", "tram", "pills", "http://x"]),
        st.text(),
    ),
    max_size=12,
).map(" ".join)
documents = st.lists(st.builds(Document, comments, comments, comments), max_size=6)


@settings(max_examples=40)
@given(documents=documents, data=st.data())
def test_contributions_sum_to_the_log_odds(
    site: AdaptedClassifier, documents: list[Document], data: st.DataObject
) -> None:
    heads = [data.draw(st.sampled_from([*HEADS, REJECT, REJECT])) for _ in documents]
    most = data.draw(st.none() | st.integers(1, 5))
    log_odds, _ = site.log_odds(documents)
    for row, found in zip(log_odds, site.explain(documents, heads, most=most), strict=True):
        weights = [span.weight for span in found.spans]
        total = math.fsum([found.bias, found.elsewhere, found.others, *weights])
        assert total == pytest.approx(row[HEADS.index(found.head)], abs=1e-9)


@settings(max_examples=40)
@given(documents=documents)
def test_the_reasons_stay_those_of_the_general_model(
    classifier: Classifier, site: AdaptedClassifier, documents: list[Document]
) -> None:
    assert [p.reasons for p in site.predict(documents)] == [
        p.reasons for p in classifier.predict(documents)
    ]
    reject = [prediction.reject for prediction in site.read(documents).predictions]
    log_odds = site.log_odds(documents)[0][:, HEADS.index(REJECT)]
    assert reject == pytest.approx(1 / (1 + np.exp(-log_odds)))


def test_what_the_site_calls_unwanted_is_learnt_and_explained(
    classifier: Classifier, site: AdaptedClassifier
) -> None:
    document = Document("What a turnip he is")
    assert site.predict([document])[0].reject > classifier.predict([document])[0].reject + 0.3
    (explanation,) = site.explain([document])
    heaviest = max(explanation.spans, key=lambda span: span.weight)
    assert document.text[heaviest.start : heaviest.end] == "turnip"


def test_the_version_names_both_models(
    classifier: Classifier, site: AdaptedClassifier, adaptation: Adaptation
) -> None:
    assert adaptation.version.startswith("news-2027-01-15-")
    assert site.version == f"{classifier.version}+{adaptation.version}"
    assert site.thresholds == classifier.thresholds


def test_without_labels_nothing_changes(classifier: Classifier) -> None:
    same = adapted(classifier, fit(classifier, [], name="news", now=NOW))
    given = [Document("You idiot"), Document("Buy cheap pills at http://pills.example")]
    assert same.predict(given) == classifier.predict(given)
    assert same.explain(given) == classifier.explain(given)


def test_what_kinds_of_features_add_makes_up_reject(classifier: Classifier) -> None:
    given = [Document("You idiot, the tram is late"), Document("Thank you"), Document("")]
    log_odds, kinds = classifier.kinds(given)
    bias = classifier.parameters.bias[HEADS.index(REJECT)]
    spam, reject = log_odds[:, HEADS.index(Reason.SPAM)], log_odds[:, HEADS.index(REJECT)]
    assert np.maximum(kinds.sum(axis=1) + bias, spam) == pytest.approx(reject)
    assert (kinds[0] != 0).sum() > 5


def test_kinds_of_features_count_as_the_site_has_them(
    classifier: Classifier, adaptation: Adaptation
) -> None:
    assert adaptation.weights.kinds.any()
    given = [Document("You idiot, the tram is late")]
    none = replace(adaptation.weights, kinds=np.zeros(KINDS))
    one = replace(adaptation.weights, kinds=np.eye(KINDS)[0])
    without, with_one = (
        adapted(classifier, replace(adaptation, weights=weights)).log_odds(given)[0][0, -1]
        for weights in (none, one)
    )
    assert with_one - without == pytest.approx(classifier.kinds(given)[1][0, 0])


def test_a_model_from_before_kinds_is_read_as_one_without(
    classifier: Classifier, adaptation: Adaptation
) -> None:
    tensors = {k: v for k, v in adaptation.weights.tensors().items() if k != "kinds"}
    header = {
        "format": FORMAT,
        "heads": HEADS,
        "base": adaptation.base,
        "digest": digest_of(tensors, [adaptation.base, adaptation.metadata]),
        "metadata": adaptation.metadata,
    }
    old = Adaptation.from_bytes(save(tensors, {"moderation-site": json.dumps(header)}))
    assert not old.weights.kinds.any()
    assert old.weights.factors == pytest.approx(adaptation.weights.factors)


def test_a_model_of_other_kinds_is_refused(adaptation: Adaptation) -> None:
    weights = replace(adaptation.weights, kinds=np.zeros(KINDS + 1))
    with pytest.raises(ArtifactError, match="kinds of features"):
        Adaptation.from_bytes(replace(adaptation, weights=weights).to_bytes())


def test_it_reads_back_the_same(adaptation: Adaptation) -> None:
    data = adaptation.to_bytes()
    again = Adaptation.from_bytes(data)
    assert again.to_bytes() == data
    assert (again.version, again.base) == (adaptation.version, adaptation.base)
    assert again.metadata == adaptation.metadata
    assert len(data) < 2_000_000


def test_the_same_labels_give_the_same_bytes(
    classifier: Classifier, adaptation: Adaptation
) -> None:
    assert fit(classifier, labelled(300), name="news", now=NOW).to_bytes() == adaptation.to_bytes()


@pytest.mark.parametrize("length", [0, 4, 1000, -1])
def test_truncated_bytes_are_refused(adaptation: Adaptation, length: int) -> None:
    with pytest.raises(ArtifactError, match="truncated"):
        Adaptation.from_bytes(adaptation.to_bytes()[:length])


def test_a_changed_weight_is_noticed(adaptation: Adaptation) -> None:
    content = bytearray(adaptation.to_bytes())
    content[-1] ^= 1
    with pytest.raises(ArtifactError, match="does not match its digest"):
        Adaptation.from_bytes(bytes(content))


def rewritten(adaptation: Adaptation, **changes: object) -> bytes:
    data = adaptation.to_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["moderation-site"])
    return save(load(data), {"moderation-site": json.dumps(header | changes)})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base": "another-2026-01-01-00000000"}, "does not match its digest"),
        ({"metadata": {"name": "news"}}, "does not match its digest"),
        ({"format": 0}, "incompatible: format"),
        ({"heads": ["nice"]}, "incompatible: its heads"),
    ],
)
def test_a_changed_header_is_refused(
    adaptation: Adaptation, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        Adaptation.from_bytes(rewritten(adaptation, **changes))


def test_a_file_without_our_header_is_refused(adaptation: Adaptation) -> None:
    with pytest.raises(ArtifactError, match="not one of this project"):
        Adaptation.from_bytes(save(load(adaptation.to_bytes())))


@given(data=st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        Adaptation.from_bytes(data)


def test_features_out_of_order_are_refused(adaptation: Adaptation) -> None:
    weights = replace(adaptation.weights, buckets=adaptation.weights.buckets[::-1].copy())
    with pytest.raises(ArtifactError, match="ascending"):
        Adaptation.from_bytes(replace(adaptation, weights=weights).to_bytes())


def test_it_does_not_fit_on_another_general_model(
    classifier: Classifier, adaptation: Adaptation
) -> None:
    other = Classifier(classifier.parameters, "other-2026-01-31-12345678", classifier.metadata)
    with pytest.raises(ArtifactError, match="trained on small-"):
        adapted(other, adaptation)


def test_spam_that_only_the_general_model_knows_is_explained_as_it_is(
    site: AdaptedClassifier,
) -> None:
    document = Document("Buy cheap pills at http://pills.example")
    (explanation,) = site.explain([document])
    assert explanation.head == REJECT
    assert site.log_odds([document])[0][0, HEADS.index(Reason.SPAM)] > 0


@settings(max_examples=40)
@given(documents=documents)
def test_log_odds_are_those_of_the_features_that_training_sees(
    classifier: Classifier, adaptation: Adaptation, documents: list[Document]
) -> None:
    features = CommentVectorizer(
        features=FEATURES, least_frequency=LEAST_FREQUENCY, tables=classifier.parameters.tables
    ).fit([example.document for example in labelled(300)])
    site = adaptation.weights
    coefficients = site.weights * site.scale / site.idf
    own = features.transform(documents).toarray() @ coefficients
    general, kinds = classifier.kinds(documents)
    expected = site.bias + general @ site.factors + kinds @ site.kinds + own
    found = adapted(classifier, adaptation).log_odds(documents)[0][:, HEADS.index(REJECT)]
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_tempered_one_goes_a_share_of_the_way_and_is_another_version(
    classifier: Classifier, adaptation: Adaptation
) -> None:
    asked = [Document(text) for text in (*GOOD, *BAD)]
    column = HEADS.index(REJECT)
    general, own, half = (
        model.log_odds(asked)[0][:, column]
        for model in (
            classifier,
            adapted(classifier, adaptation),
            adapted(classifier, Adaptation.from_bytes(adaptation.tempered(0.5).to_bytes())),
        )
    )

    assert np.abs(own - general).max() > 1
    assert half == pytest.approx((general + own) / 2, abs=1e-4)
    assert adaptation.tempered(0.5).version != adaptation.version
    assert adaptation.tempered(1.0) is adaptation
