import math

import pytest
from hypothesis import given, settings
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


@settings(deadline=None)
@given(text=comments, head=st.sampled_from(HEADS))
def test_contributions_sum_to_the_log_odds(classifier: Classifier, text: str, head: str) -> None:
    document = Document(text)
    (explanation,) = classifier.explain([document], head)
    log_odds, _ = classifier.log_odds([document])
    total = math.fsum(
        [explanation.bias, explanation.elsewhere, *(span.weight for span in explanation.spans)]
    )
    assert total == pytest.approx(log_odds[0, HEADS.index(head)], abs=1e-9)


@settings(deadline=None)
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


def test_an_unknown_head_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="grumpy"):
        classifier.explain([Document("Hello")], "grumpy")
