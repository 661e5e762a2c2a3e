from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import pytest

from moderation.learning.drift import LARGE, RECENT_DAYS, REFERENCE_DAYS, psi, shift

EVEN = (100, 100, 100, 100)
TILTED = (10, 20, 120, 250)


def days(*runs: tuple[int, Sequence[int]], first: int = 100) -> dict[int, Sequence[int]]:
    """So many days of each histogram, one run after the other."""
    histograms = [counts for number, counts in runs for _ in range(number)]
    return dict(enumerate(histograms, first))


def test_the_index_is_the_sum_over_bins() -> None:
    value, _ = psi((500, 500), (250, 750))
    # Half a comment is added to each bin.
    p, q = (0.5, 0.5), (250.5 / 1001, 750.5 / 1001)
    expected = sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True))
    assert value == pytest.approx(expected)
    assert psi(EVEN, EVEN)[0] == 0


def test_small_bins_are_put_together() -> None:
    assert psi((1000, 3, 2, 5), (1000, 30, 0, 0)) == psi((1010,), (1030,))
    assert psi((30, 2, 30, 1), (50, 1, 50, 1)) == psi((30, 33), (50, 52))


def test_what_is_new_is_not_hidden_in_a_bin_that_was_empty() -> None:
    assert psi((500, 500, 0, 0), (500, 0, 0, 500))[0] > LARGE


def test_nothing_is_said_until_the_reference_and_a_week_are_over() -> None:
    there = days((REFERENCE_DAYS, EVEN), (RECENT_DAYS, EVEN))
    last = max(there)
    assert shift(there, last=last - 1) is None
    assert shift({}, last=last) is None
    found = shift(there, last=last)
    assert found is not None
    assert found.reference == (100, 113)
    assert found.recent == (114, 120)
    assert (found.psi, found.is_small, found.is_large) == (0, True, False)


def test_a_change_is_seen_and_its_end() -> None:
    there = days((REFERENCE_DAYS, EVEN), (20, TILTED), (20, EVEN))
    seen = {last: shift(there, last=last) for last in range(121, 154)}
    large = [last for last, found in seen.items() if found and found.is_large]
    assert large[0] <= 121
    assert large[-1] == large[0] + len(large) - 1 < 140
    latest = seen[153]
    assert latest is not None
    assert latest.is_small


@pytest.mark.parametrize(
    "there",
    [
        days((REFERENCE_DAYS, (10, 10)), (RECENT_DAYS, EVEN[:2])),
        days((REFERENCE_DAYS, EVEN), (RECENT_DAYS, (3, 2, 3, 2))),
    ],
    ids=["reference", "now"],
)
def test_of_few_comments_nothing_is_said(there: Mapping[int, Sequence[int]]) -> None:
    found = shift(there, last=max(there))
    assert found is not None
    assert found.psi is None
    assert not found.is_large
    assert not found.is_small


def test_chance_alone_raises_no_alarm() -> None:
    chance = np.random.default_rng(7)
    shares = np.array([0.35, 0.2, 0.12, 0.08, 0.06, 0.05, 0.04, 0.04, 0.03, 0.03])
    values, alarms = [], 0
    for _ in range(2_000):
        value, by_chance = psi(
            chance.multinomial(1_000, shares).tolist(), chance.multinomial(200, shares).tolist()
        )
        values.append(value > by_chance)
        alarms += value >= max(LARGE, by_chance)
    assert alarms == 0
    # The level at which chance alone is excluded is one in a thousand.
    assert np.mean(values) < 0.005
