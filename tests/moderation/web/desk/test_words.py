from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation import policy
from moderation.desk.authors import Record
from moderation.desk.cards import Card
from moderation.desk.queue import Count, Row
from moderation.domain import ModeratorReason, Status
from moderation.policy import HEADS
from moderation.rules import DECIDERS
from moderation.web.desk import words
from moderation.web.desk.words import segments, suggested, why


def card(
    reason: str = "", evidence: dict[str, Any] | None = None, *, by: str = "", **columns: Any
) -> Card:
    fields: dict[str, Any] = dict.fromkeys(Row.__slots__, "") | {
        "status": Status.HELD,
        "reason": reason,
    }
    record = Record(0, 0, 0, None)
    return Card(Row(**(fields | columns)), None, evidence or {}, by, [], None, record, Count(0))


@pytest.mark.parametrize(
    ("reason", "evidence", "words"),
    [
        (policy.SCORER_UNAVAILABLE, {"rules": []}, "no classifier was available"),
        (policy.UNDECIDED, {}, "it could not be decided after several tries"),
        (
            policy.SCORER_FAILED,
            {"rules": [{"detail": "one"}, {"detail": "two"}]},
            "one; two; the classifier failed on it",
        ),
        (
            "insult",
            {
                "rules": [{"detail": "first comment of this author"}],
                "scores": {"insult": 0.83, "toxic": 0.9, "spam": 0.1},
                "thresholds": {"insult": 0.6, "toxic": 0.8, "spam": 0.5},
            },
            "first comment of this author; insult 0.83, above 0.60; toxic 0.90, above 0.80",
        ),
        (policy.BELOW_THRESHOLDS, {}, "every probability is below its threshold"),
        (policy.TRUSTED_AUTHOR, {}, "the author is trusted"),
    ],
    ids=str,
)
def test_why_a_comment_is_held_is_put_into_words(
    reason: str, evidence: dict[str, Any], words: str
) -> None:
    assert why(card(reason, evidence, head=reason)) == words


def test_what_a_moderator_decided_is_said_with_the_name() -> None:
    assert why(card("off_topic", by="mona")) == "by mona (off topic)"
    assert why(card("", by="mona")) == "by mona"


@pytest.mark.parametrize("head", HEADS)
def test_every_head_and_rule_and_reason_has_words(head: str) -> None:
    offered = words.choices(["news"])
    assert head in dict(offered["reason"])
    assert {decider.__name__ for decider in DECIDERS} == set(dict(offered["rule"]))
    assert set(ModeratorReason) <= set(dict(offered["reason"]))


@pytest.mark.parametrize(
    ("head", "rule", "scores", "offered"),
    [
        ("insult", "", {}, "abuse"),
        ("reject", "", {"threat": 0.9, "spam": 0.6}, "threat"),
        ("", "duplicate", {}, "duplicate"),
        ("", "first_comment", {}, "other"),
        ("", "", {}, "other"),
    ],
)
def test_the_likeliest_reason_is_offered_first(
    head: str, rule: str, scores: dict[str, float], offered: str
) -> None:
    evidence = {"scores": scores, "thresholds": dict.fromkeys(scores, 0.5)}
    assert suggested(card("", evidence, head=head, rule=rule)) == offered


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=12, unique=True))
def test_segments_put_together_are_the_text(text: str, cuts: list[int]) -> None:
    places = sorted(cut for cut in cuts if cut <= len(text))
    spans = [[start, end, 1.0] for start, end in zip(places[::2], places[1::2], strict=False)]
    found = list(segments(text, {"spans": spans}))
    assert "".join(segment.text for segment in found) == text
    assert [segment.text for segment in found if segment.weight] == [text[a:b] for a, b, _ in spans]
    assert all(segment.text for segment in found)


def test_a_text_without_an_explanation_is_one_piece() -> None:
    assert [segment.text for segment in segments("A tram line.", None)] == ["A tram line."]


def test_what_weighed_little_beside_another_piece_is_slight() -> None:
    spans = [[0, 3, 0.2], [4, 9, 1.5], [10, 14, -0.6]]
    found = {
        segment.text: segment.is_slight for segment in segments("You idiot, no.", {"spans": spans})
    }
    assert (found["You"], found["idiot"], found[" no."]) == (True, False, False)


def test_what_weighed_next_to_nothing_is_not_marked_and_what_weighed_little_is_slight() -> None:
    spans = [[0, 4, 0.1], [5, 11, -0.3], [12, 17, 0.14]]
    found = list(segments("Does anyone know?", {"spans": spans}))
    assert [(one.text, one.weight, one.is_slight) for one in found] == [
        ("Does ", 0.0, False),
        ("anyone", -0.3, True),
        (" know?", 0.0, False),
    ]
