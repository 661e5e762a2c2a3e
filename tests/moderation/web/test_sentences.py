from dataclasses import replace

import pytest

from moderation.clock import DAY, HOUR, MINUTE, SECOND
from moderation.desk.history import EventRecord
from moderation.domain import ActorKind, EventKind, Status
from moderation.policy import BELOW_THRESHOLDS, SCORER_UNAVAILABLE
from moderation.web.sentences import actor_words, deed, duration, grounds, reason_words

HELD = EventRecord(
    id=1,
    at=0,
    site="news",
    page="/bridge",
    title="",
    comment_id="0" * 32,
    name="Zoë",
    text="The old bridge.",
    email=None,
    kind=EventKind.DECISION,
    actor_kind=ActorKind.WORKER,
    actor="worker",
    from_status=Status.PENDING,
    to_status=Status.HELD,
    reason="insult",
    model="model-1",
    evidence={
        "rules": [],
        "scores": {"reject": 0.9, "insult": 0.8, "spam": 0.1},
        "thresholds": {"reject": 0.5, "insult": 0.6, "spam": 0.5},
    },
)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "–"),
        (0, "under 1 s"),
        (999, "under 1 s"),
        (SECOND, "1 s"),
        (61 * SECOND, "1 min 1 s"),
        (HOUR + SECOND, "1 h"),
        (3 * HOUR + 20 * MINUTE + 5 * SECOND, "3 h 20 min"),
        (40 * DAY + 23 * HOUR, "40 d 23 h"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(ms: int | None, words: str) -> None:
    assert duration(ms) == words


def test_what_decided_comes_first_and_then_what_is_most_probable() -> None:
    assert grounds(HELD) == ["insult 0.80, above 0.60", "rejection 0.90, above 0.50"]
    assert (actor_words(HELD), deed(HELD)) == ("The service", "held it")


def test_a_reason_that_is_no_head_is_told_before_the_probabilities() -> None:
    failed = replace(HELD, reason=SCORER_UNAVAILABLE, evidence={"rules": []})
    assert grounds(failed) == ["no classifier was available"]
    passed = replace(HELD, to_status=Status.APPROVED, reason=BELOW_THRESHOLDS, evidence={})
    assert grounds(passed) == ["every probability is below its threshold"]


def test_a_rule_speaks_in_its_own_words_and_once() -> None:
    rule = {"rule": "flood", "verdict": "hold", "detail": "more than 5 comments"}
    assert grounds(replace(HELD, reason="flood", evidence={"rules": [rule]})) == [
        "more than 5 comments"
    ]


def test_an_unknown_reason_is_told_as_it_is() -> None:
    assert reason_words("some_new_reason") == "some new reason"


def test_people_of_the_site_are_told_from_the_desks() -> None:
    said = replace(HELD, actor_kind=ActorKind.CLIENT, actor="zora")
    assert actor_words(said) == "zora, at the site,"
    assert actor_words(replace(said, actor_kind=ActorKind.MODERATOR)) == "zora"
