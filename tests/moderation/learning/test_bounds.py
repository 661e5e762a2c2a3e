import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from moderation.learning.bounds import Rate, Stratum, clopper_pearson, rate


@given(st.integers(1, 500), st.data(), st.sampled_from([0.9, 0.95, 0.98]))
def test_the_interval_of_one_share_is_the_exact_one(
    judged: int, data: st.DataObject, confidence: float
) -> None:
    wrong = data.draw(st.integers(0, judged))
    ends = binomtest(wrong, judged).proportion_ci(confidence, method="exact")
    assert clopper_pearson(wrong, judged, confidence=confidence) == pytest.approx(tuple(ends))
    assert rate([Stratum(0.01, wrong, judged)], confidence=confidence)[3:] == pytest.approx(
        tuple(ends)
    )


def test_of_nothing_nothing_is_known() -> None:
    assert rate([]) == rate([Stratum(0.5, 0, 0)]) == Rate(0, 0, None, 0.0, 1.0)


def test_what_was_drawn_rarely_counts_for_more() -> None:
    found = rate([Stratum(0.01, 5, 10), Stratum(0.1, 0, 100)])
    assert (found.wrong, found.judged) == (5, 110)
    # 1,000 comments, half of them wrong, and 1,000 of which none is.
    assert found.value == pytest.approx(0.25)
    assert found.low < 0.25 < found.high


def test_the_interval_covers_what_it_should_whatever_the_propensities() -> None:
    chance = np.random.default_rng(5)
    sizes, errors, propensities = (40_000, 15_000), (0.004, 0.05), (0.01, 0.03)
    truth = np.average(errors, weights=sizes)
    missed = 0
    for _ in range(400):
        strata = []
        for size, error, propensity in zip(sizes, errors, propensities, strict=True):
            drawn = int(chance.binomial(size, propensity))
            strata.append(Stratum(propensity, int(chance.binomial(drawn, error)), drawn))
        found = rate(strata)
        missed += not found.low <= truth <= found.high
    assert missed <= 0.05 * 400
