"""How the chance that a comment of a given score is unwanted has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from moderation.learning.trend import STRATUM_LABELS, Trend, strata, trend


def labels_of(
    number: int, gained: float, *, seed: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Comments whose odds of being unwanted have gained, evenly, from the first to the last."""
    generator = np.random.default_rng(seed)
    log_odds = generator.normal(-1, 1.5, number)
    done = np.arange(number) / number
    unwanted = generator.random(number) < expit(log_odds + gained * done)
    return expit(log_odds), unwanted.astype(float), np.arange(number)[::-1].astype(float)


def gained_since_the_first(found: Trend) -> float:
    return float(found.shifts[:500].mean())


class TestStrata:
    @given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=400))
    def test_each_has_enough_labels_or_is_the_only_one(self, scores: list[float]) -> None:
        given_scores = np.array(scores, float)
        found = strata(given_scores)

        known = found[~np.isnan(given_scores)]
        _, counts = np.unique(known, return_counts=True)
        assert len(counts) <= 1 or counts.min() >= STRATUM_LABELS
        assert not set(known) & set(found[np.isnan(given_scores)])

    def test_they_follow_the_score(self) -> None:
        scores = np.random.default_rng(1).random(2_000)
        assert (np.diff(strata(scores)[np.argsort(scores)]) >= 0).all()


class TestTrend:
    def test_where_nothing_changes_little_is_found(self) -> None:
        assert gained_since_the_first(trend(*labels_of(8_000, 0.0))) == pytest.approx(0, abs=0.2)

    @pytest.mark.parametrize("gained", [0.8, -0.8])
    def test_most_of_what_the_odds_have_gained_is_found_where_they_have(
        self, gained: float
    ) -> None:
        scores, unwanted, ages = labels_of(8_000, gained)
        found = gained_since_the_first(trend(scores, unwanted, ages))
        of_nothing = gained_since_the_first(trend(*labels_of(8_000, 0.0)))
        assert 0.6 < (found - of_nothing) / gained < 1.2

    def test_of_the_latest_nothing_is_to_be_made_up_for(self) -> None:
        found = trend(*labels_of(8_000, 0.8)).shifts
        assert abs(found[-200:].mean()) < 0.1 < found[:200].mean()

    def test_the_more_labels_the_surer_it_is(self) -> None:
        def variance(every: int) -> float:
            scores, unwanted, ages = (column[::every] for column in labels_of(8_000, 0.0))
            found = trend(scores, unwanted, ages)
            blocks = found.block.max() + 1
            oldest = np.eye(blocks)[[-1]]
            return float(found.spread(oldest, 0 * oldest)[0])

        assert 0 < variance(1) < variance(8)

    @given(
        st.lists(
            st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1_000_000)),
            min_size=1,
            max_size=60,
        )
    )
    def test_whatever_the_labels_are_the_movement_is_bounded(
        self, rows: list[tuple[float, float, float]]
    ) -> None:
        found = trend(*np.array(rows, float).T)

        assert np.isfinite(found.shifts).all()
        assert np.abs(found.shifts).max() < logit(1 - 1e-6)
        assert (found.covariance.diagonal() > 0).all()
