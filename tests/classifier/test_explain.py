import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document, Reason

comments = st.lists(
    st.one_of(
        st.sampled_from(["idiot", "1d1ot", "thank", "you", "i d i o t", "http://x"]), st.text()
    ),
    max_size=12,
).map(" ".join)


@given(text=comments, head=st.sampled_from(HEADS))
def test_contributions_sum_to_the_log_odds(classifier: Classifier, text: str, head: str) -> None:
    document = Document(text)
    (explanation,) = classifier.explain([document], head)
    log_odds, _ = classifier.log_odds([document])
    total = math.fsum(
        [explanation.bias, explanation.elsewhere, *(span.weight for span in explanation.spans)]
    )
    assert total == pytest.approx(log_odds[0, HEADS.index(head)], abs=1e-9)


@given(text=comments)
def test_spans_are_in_order_inside_the_text_and_apart(classifier: Classifier, text: str) -> None:
    (explanation,) = classifier.explain([Document(text)])
    end = 0
    for span in explanation.spans:
        assert end <= span.start < span.end <= len(text)
        end = span.end


@pytest.mark.parametrize("spelling", ["idiot", "1d1ot", "IDIOOOOT", "i d i o t", "i\u200bdiot"])
def test_the_word_that_weighs_is_found_where_it_stands(
    classifier: Classifier, spelling: str
) -> None:
    text = f"Thank you, {spelling}, for the photo"
    (explanation,) = classifier.explain([Document(text)])
    heaviest = max(explanation.spans, key=lambda span: span.weight)
    assert text[heaviest.start : heaviest.end] == spelling


def test_a_repeated_word_shares_its_weight(classifier: Classifier) -> None:
    (explanation,) = classifier.explain([Document("idiot idiot")])
    first, second = explanation.spans
    assert first.weight > 0
    assert second.weight > 0


def test_spam_that_is_rejected_is_explained_as_spam(classifier: Classifier) -> None:
    classifier.parameters.bias[HEADS.index(REJECT)] -= 10
    try:
        document = Document("Buy cheap pills at http://pills.example")
        (rejected,), (spam,) = (classifier.explain([document], h) for h in (REJECT, Reason.SPAM))
        log_odds, _ = classifier.log_odds([document])
    finally:
        classifier.parameters.bias[HEADS.index(REJECT)] += 10
    assert rejected == spam
    assert log_odds[0, HEADS.index(REJECT)] == log_odds[0, HEADS.index(Reason.SPAM)]


documents = st.lists(st.builds(Document, comments, comments, comments), max_size=6)


@given(documents=documents, data=st.data())
def test_a_batch_explains_what_each_comment_explains_alone(
    classifier: Classifier, documents: list[Document], data: st.DataObject
) -> None:
    heads = [data.draw(st.sampled_from(HEADS)) for _ in documents]
    most = data.draw(st.none() | st.integers(1, 5))
    alone = [
        classifier.explain([document], [head], most=most)[0]
        for document, head in zip(documents, heads, strict=True)
    ]
    assert classifier.explain(documents, heads, most=most) == alone


@given(text=comments, most=st.integers(1, 5))
def test_the_spans_that_weigh_most_are_shown_and_the_others_added_up(
    classifier: Classifier, text: str, most: int
) -> None:
    (everything,) = classifier.explain([Document(text)])
    (shown,) = classifier.explain([Document(text)], most=most)
    heaviest = sorted(everything.spans, key=lambda span: abs(span.weight), reverse=True)
    assert list(shown.spans) == sorted(heaviest[:most])
    assert everything.others == 0
    others = math.fsum(span.weight for span in heaviest[most:])
    assert shown.others == pytest.approx(others, abs=1e-9)
    assert (shown.bias, shown.elsewhere) == (everything.bias, everything.elsewhere)


def test_an_unknown_head_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="grumpy"):
        classifier.explain([Document("Hello")], "grumpy")


@given(documents=documents)
def test_a_reading_predicts_what_the_classifier_predicts(
    classifier: Classifier, documents: list[Document]
) -> None:
    assert classifier.read(documents).predictions == classifier.predict(documents)
