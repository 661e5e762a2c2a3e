from hypothesis import given
from hypothesis import strategies as st

from moderation.policy import HEADS
from moderation.ranking import Rank, rank

probabilities = st.fixed_dictionaries({head: st.floats(0, 1) for head in HEADS})


def ranked(scores: dict[str, float], limit: float = 0.5) -> Rank:
    return rank(
        {
            "rules": [],
            "scores": dict.fromkeys(HEADS, 0.0) | scores,
            "thresholds": dict.fromkeys(HEADS, limit),
        }
    )


def test_what_has_no_probability_is_as_uncertain_as_can_be() -> None:
    assert rank({"rules": [{"rule": "flood"}]}) == Rank("", "flood", 1.0, 0.0)
    assert rank({}) == Rank("", "", 1.0, 0.0)


def test_a_probability_at_its_threshold_is_as_uncertain_as_can_be() -> None:
    assert ranked({"insult": 0.5}).uncertainty == 1.0
    assert ranked({"insult": 0.75}).uncertainty == 0.5
    assert ranked({"insult": 1.0}).uncertainty == 0.0
    assert ranked({"insult": 0.9, "toxic": 0.6}).head == "insult"


def test_where_none_is_above_its_threshold_rejection_decided() -> None:
    found = ranked({"reject": 0.4})
    assert (found.head, found.uncertainty) == ("", 0.8)


def test_a_threat_is_more_harmful_than_an_advertisement_of_the_same_probability() -> None:
    assert ranked({"threat": 0.9}).harm > ranked({"insult": 0.9}).harm > ranked({"spam": 0.9}).harm


@given(probabilities, probabilities)
def test_both_figures_are_between_0_and_1(
    scores: dict[str, float], limits: dict[str, float]
) -> None:
    found = rank({"rules": [], "scores": scores, "thresholds": limits})
    assert 0 <= found.uncertainty <= 1
    assert 0 <= found.harm <= 1
