import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from moderation.classifier.prediction import REJECT, Explanation, Prediction, Reason, Span
from moderation.domain import Standing, Status
from moderation.policy import (
    BELOW_THRESHOLDS,
    HEADS,
    NOT_ABLE_TO_JUDGE,
    SCORER_FAILED,
    SCORER_UNAVAILABLE,
    TOO_FEW_LABELS,
    TRUSTED_AUTHOR,
    Decision,
    OperatingPoint,
    SiteSettings,
    decide,
    explained,
)
from moderation.rules import Facts

NAN = float("nan")
THRESHOLDS = dict.fromkeys(HEADS, 0.5)

PLAIN = Facts("A tram line.", "Zoë", "", True, 0, 0)
BANNED = Facts("A turnip. http://a.example", "Zoë", "", True, 0, 0)
RULES = {"rules": {"banned_words": ["turnip"], "suspect_words": ["tram"], "max_links": 0}}


def prediction(reject: float = 0.15, *, able: bool = True, **reasons: float) -> Prediction:
    return Prediction(
        reject=reject,
        reasons={reason: reasons.get(reason, 0.1) for reason in Reason},
        able=able,
    )


def decided(
    made: Prediction | None, facts: Facts = PLAIN, settings: dict[str, Any] | None = None
) -> Decision:
    return decide(
        made,
        facts,
        SiteSettings.model_validate(settings or {}),
        model="model-1",
        thresholds=THRESHOLDS,
    )


@pytest.mark.parametrize(
    ("made", "facts", "settings", "status", "reason"),
    [
        # Nothing speaks against it.
        (prediction(), PLAIN, {}, "approved", BELOW_THRESHOLDS),
        # A probability at its threshold holds; just below it does not.
        (prediction(0.5), PLAIN, {}, "held", "reject"),
        (prediction(0.4999), PLAIN, {}, "approved", BELOW_THRESHOLDS),
        (prediction(insult=0.5), PLAIN, {}, "held", "insult"),
        # What goes furthest beyond its threshold gives the reason.
        (prediction(0.6, spam=0.9), PLAIN, {}, "held", "spam"),
        (
            prediction(0.8, spam=0.9),
            PLAIN,
            {"thresholds": {"spam": 0.85}},
            "held",
            "reject",
        ),
        # The site's thresholds take the place of the model's, both ways.
        (prediction(0.3), PLAIN, {"thresholds": {"reject": 0.3}}, "held", "reject"),
        (prediction(0.8), PLAIN, {"thresholds": {"reject": 0.9}}, "approved", BELOW_THRESHOLDS),
        (prediction(1.0), PLAIN, {"thresholds": {"reject": 1.0}}, "held", "reject"),
        (prediction(), PLAIN, {"thresholds": {"toxic": 0.0}}, "held", "toxic"),
        # What the model cannot judge is held, whatever it says.
        (prediction(0.0, able=False), PLAIN, {}, "held", NOT_ABLE_TO_JUDGE),
        (prediction(0.9, able=False), PLAIN, {"reject_above": 0.8}, "held", NOT_ABLE_TO_JUDGE),
        # Without a prediction it is held, whatever the rules say.
        (None, PLAIN, {}, "held", SCORER_UNAVAILABLE),
        (None, BANNED, RULES, "held", SCORER_UNAVAILABLE),
        # A probability that is no number is a failure of the model.
        (prediction(NAN), PLAIN, {}, "held", SCORER_FAILED),
        (prediction(threat=NAN), PLAIN, {}, "held", SCORER_FAILED),
        (prediction(NAN), PLAIN, {"reject_above": 0.5}, "held", SCORER_FAILED),
        # Only where the site wants it are probabilities enough to reject.
        (prediction(0.99), PLAIN, {}, "held", "reject"),
        (prediction(0.95), PLAIN, {"reject_above": 0.95}, "rejected", "reject"),
        (prediction(0.94), PLAIN, {"reject_above": 0.95}, "held", "reject"),
        (prediction(0.95, threat=0.99), PLAIN, {"reject_above": 0.95}, "rejected", "threat"),
        (prediction(0.1, threat=0.99), PLAIN, {"reject_above": 0.95}, "held", "threat"),
        # A rule that spoke decides, before the model.
        (prediction(), PLAIN, RULES, "held", "suspect_word"),
        (prediction(0.99), PLAIN, RULES | {"reject_above": 0.5}, "held", "suspect_word"),
        (prediction(able=False), PLAIN, RULES, "held", "suspect_word"),
        # A rule that rejects beats everything that would hold.
        (prediction(), BANNED, RULES, "rejected", "banned_word"),
        (prediction(0.6, able=False), BANNED, RULES, "rejected", "banned_word"),
    ],
    ids=str,
)
def test_the_decision(
    made: Prediction | None, facts: Facts, settings: dict[str, Any], status: str, reason: str
) -> None:
    decision = decided(made, facts, settings)
    assert (decision.status, decision.reason) == (status, reason)


def test_a_threshold_of_the_model_that_is_no_number_is_never_passed() -> None:
    decision = decide(
        prediction(0.0),
        PLAIN,
        SiteSettings(),
        model="model-1",
        thresholds=THRESHOLDS | {"insult": NAN},
    )
    assert (decision.status, decision.reason) == (Status.HELD, "insult")


def test_who_asks_says_why_there_is_no_prediction() -> None:
    decision = decide(
        None, PLAIN, SiteSettings(), model=None, thresholds={}, unavailable=SCORER_FAILED
    )
    assert (decision.status, decision.reason) == (Status.HELD, SCORER_FAILED)
    assert (decision.model, decision.score) == (None, None)


def test_everything_that_the_decision_stands_on_is_recorded() -> None:
    decision = decided(prediction(0.12345, spam=0.9), BANNED, RULES | {"thresholds": {"spam": 0.7}})
    assert decision.model == "model-1"
    assert decision.score == 0.12345
    assert decision.evidence == {
        "rules": [
            {
                "rule": "banned_word",
                "verdict": "reject",
                "detail": "has the banned word “turnip”",
            },
            {"rule": "too_many_links", "verdict": "hold", "detail": "1 links, at most 0"},
        ],
        "facts": {
            "author_approved": True,
            "earlier_from_sender": 0,
            "agreement": 0,
            "standing": None,
            "trap": "",
        },
        "able": True,
        "unknown": 0.0,
        "scores": dict.fromkeys(HEADS, 0.1) | {"reject": 0.1235, "spam": 0.9},
        "thresholds": THRESHOLDS | {"spam": 0.7},
    }


def test_a_number_that_json_does_not_have_is_not_recorded() -> None:
    decision = decided(prediction(NAN))
    assert decision.score is None
    assert json.loads(json.dumps(decision.evidence, allow_nan=False)) == decision.evidence
    assert decision.evidence.keys() == {"rules", "facts"}


def test_rules_are_recorded_when_the_model_is_missing_too() -> None:
    assert [rule["rule"] for rule in decided(None, BANNED, RULES).evidence["rules"]] == [
        "banned_word",
        "too_many_links",
    ]


@pytest.mark.parametrize(
    ("made", "facts", "head"),
    [
        (prediction(), PLAIN, REJECT),
        (prediction(insult=0.9), PLAIN, "insult"),
        (prediction(insult=0.9), BANNED, "insult"),
        (prediction(), BANNED, REJECT),
    ],
    ids=str,
)
def test_the_head_that_spoke_loudest_is_explained(
    made: Prediction, facts: Facts, head: str
) -> None:
    assert decided(made, facts, RULES | {"rules": {"banned_words": ["turnip"]}}).head == head


probability = st.floats(0, 1)


@given(
    st.builds(
        Prediction,
        reject=probability | st.just(NAN),
        reasons=st.fixed_dictionaries(dict.fromkeys(Reason, probability | st.just(NAN))),
        able=st.booleans(),
    ),
    st.dictionaries(st.sampled_from(HEADS), probability),
    st.none() | probability,
)
def test_only_what_is_below_every_threshold_is_approved(
    made: Prediction, thresholds: dict[str, float], reject_above: float | None
) -> None:
    settings = {"thresholds": thresholds, "reject_above": reject_above}
    limits = THRESHOLDS | thresholds
    scores = {REJECT: made.reject, **made.reasons}
    decision = decided(made, PLAIN, settings)
    clean = made.able and all(scores[head] < limits[head] for head in HEADS)
    clean = clean and (reject_above is None or made.reject < reject_above)
    assert (decision.status is Status.APPROVED) == clean


def test_what_a_site_leaves_out_has_defaults_and_what_is_unknown_is_refused() -> None:
    assert SiteSettings.model_validate({}) == SiteSettings()
    assert SiteSettings.model_validate({"rules": {"max_links": 7}}).rules.max_links == 7
    for wrong in (
        {"rule": {}},
        {"rules": {"max_link": 1}},
        {"rules": {"max_links": -1}},
        {"thresholds": {"insults": 0.5}},
        {"thresholds": {"insult": 1.1}},
        {"thresholds": {"insult": NAN}},
        {"reject_above": -0.1},
    ):
        with pytest.raises(ValidationError):
            SiteSettings.model_validate(wrong)


def test_an_explanation_is_kept_with_four_decimals() -> None:
    spans = (Span(10, 15, 1.23456), Span(20, 25, -0.98765))
    decision = decided(prediction(0.9))
    evidence = explained(decision, Explanation("reject", -1.0, 0.25, spans, -0.00006)).evidence
    assert evidence["explanation"] == {
        "head": "reject",
        "bias": -1.0,
        "elsewhere": 0.25,
        "spans": [[10, 15, 1.2346], [20, 25, -0.9876]],
        "others": -0.0001,
    }
    assert json.loads(json.dumps(evidence)) == evidence
    assert {**evidence, "explanation": None} == {**decision.evidence, "explanation": None}


class TestTrustedAuthors:
    trusted = PLAIN._replace(standing=Standing.TRUSTED)

    def test_no_probability_holds_their_comments(self) -> None:
        loud = prediction(0.99, insult=0.99)
        for settings in ({}, {"reject_above": 0.9}):
            decision = decide(
                loud,
                self.trusted,
                SiteSettings.model_validate(settings),
                model="m",
                thresholds=THRESHOLDS,
            )
            assert (decision.status, decision.reason) == (Status.APPROVED, TRUSTED_AUTHOR)

    def test_rules_and_failures_do(self) -> None:
        for found, settings, reason in (
            (prediction(0.1), {"rules": {"suspect_words": ["tram"]}}, "suspect_word"),
            (prediction(0.1, able=False), {}, NOT_ABLE_TO_JUDGE),
            (None, {}, SCORER_UNAVAILABLE),
            (prediction(NAN), {}, SCORER_FAILED),
        ):
            decision = decide(
                found,
                self.trusted,
                SiteSettings.model_validate(settings),
                model="m",
                thresholds=THRESHOLDS,
            )
            assert (decision.status, decision.reason) == (Status.HELD, reason)


GOAL = {"approve_precision": 0.99}
BOTH = GOAL | {"reject_precision": 0.995, "reject_above": 0.6}


def reached(made: Prediction, settings: dict[str, Any], point: OperatingPoint | None) -> Decision:
    return decide(
        made,
        PLAIN,
        SiteSettings.model_validate(settings),
        model="model-1",
        thresholds=THRESHOLDS,
        point=point,
    )


@pytest.mark.parametrize(
    ("made", "settings", "point", "status", "reason"),
    [
        # Without a goal, what follows from one is not looked at.
        (prediction(0.3), {}, OperatingPoint(0.2, 0.25), "approved", BELOW_THRESHOLDS),
        # With one, it takes the place of the model's own threshold, in either direction.
        (prediction(0.6), GOAL, OperatingPoint(0.7, None), "approved", BELOW_THRESHOLDS),
        (prediction(0.3), GOAL, OperatingPoint(0.2, None), "held", "reject"),
        (prediction(0.2), GOAL, OperatingPoint(0.2, None), "held", "reject"),
        # The other heads of the model are not proved on the site's comments.
        (prediction(0.1, insult=0.99), GOAL, OperatingPoint(0.2, None), "approved",
         BELOW_THRESHOLDS),
        # What the site itself set still holds.
        (prediction(0.1, insult=0.8), GOAL | {"thresholds": {"insult": 0.7}},
         OperatingPoint(0.2, None), "held", "insult"),
        (prediction(0.15), GOAL | {"thresholds": {"reject": 0.1}}, OperatingPoint(0.2, None),
         "held", "reject"),
        # Nothing was shown, or nothing is known of this model: everything is held.
        (prediction(0.0), GOAL, OperatingPoint(0.0, None), "held", TOO_FEW_LABELS),
        (prediction(0.0), GOAL, None, "held", TOO_FEW_LABELS),
        # Rejecting has a goal of its own, in the place of the number.
        (prediction(0.7), BOTH, OperatingPoint(0.2, 0.9), "held", "reject"),
        (prediction(0.9), BOTH, OperatingPoint(0.2, 0.9), "rejected", "reject"),
        (prediction(0.9), BOTH, OperatingPoint(0.2, None), "held", "reject"),
        (prediction(0.9), BOTH, None, "held", TOO_FEW_LABELS),
        # A goal for rejecting alone leaves approving as it was.
        (prediction(0.3), {"reject_precision": 0.9}, None, "approved", BELOW_THRESHOLDS),
    ],
)  # fmt: skip
def test_a_goal_decides_by_the_thresholds_that_follow_from_it(
    made: Prediction,
    settings: dict[str, Any],
    point: OperatingPoint | None,
    status: str,
    reason: str,
) -> None:
    decision = reached(made, settings, point)

    assert (decision.status, decision.reason) == (status, reason)


def test_the_evidence_names_the_goal_and_the_threshold_that_followed() -> None:
    evidence = reached(prediction(0.3), BOTH, OperatingPoint(0.2, None)).evidence

    assert evidence["goals"] == {
        "approve_precision": 0.99,
        "approve_below": 0.2,
        "reject_precision": 0.995,
        "reject_from": None,
    }
    assert evidence["thresholds"]["reject"] == 0.2
    assert "goals" not in reached(prediction(0.3), {}, None).evidence


@pytest.mark.parametrize("goal", [0.3, 1.0, 2, "often"])
def test_a_goal_is_a_share_from_a_half_to_less_than_all(goal: object) -> None:
    with pytest.raises(ValidationError, match="approve_precision"):
        SiteSettings.model_validate({"approve_precision": goal})
