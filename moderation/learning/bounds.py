"""How far a share that was found in a sample may be from that of the whole. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import scipy


class Stratum(NamedTuple):
    """Comments that were drawn with the same probability and judged."""

    propensity: float
    wrong: int
    judged: int


class Rate(NamedTuple):
    """How often something was wrong, and the ends of its interval; `value` is None of nothing."""

    wrong: int
    judged: int
    value: float | None
    low: float
    high: float


def clopper_pearson(wrong: int, judged: int, *, confidence: float) -> tuple[float, float]:
    """The exact interval of a share, with equal tails (Clopper and Pearson 1934, "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26)."""
    tail = (1 - confidence) / 2
    inverse = scipy.special.betaincinv
    low = float(inverse(wrong, judged - wrong + 1, tail)) if wrong else 0.0
    high = float(inverse(wrong + 1, judged - wrong, 1 - tail)) if wrong < judged else 1.0
    return low, high


def rate(strata: Sequence[Stratum], *, confidence: float = 0.95) -> Rate:
    """How often all were wrong from which the strata were drawn.

    Each stratum stands for as many comments as were judged in it, divided by its propensity. The
    interval is the sum of the strata's exact ones, weighted alike, each with its part of the error
    that is allowed (Bonferroni): wider than need be, but never too narrow; of one stratum it is
    exact.
    """
    judged = [one for one in strata if one.judged]
    if not judged:
        return Rate(0, 0, None, 0.0, 1.0)
    each = 1 - (1 - confidence) / len(judged)
    whole = sum(one.judged / one.propensity for one in judged)
    value = low = high = 0.0
    for one in judged:
        weight = one.judged / one.propensity / whole
        ends = clopper_pearson(one.wrong, one.judged, confidence=each)
        value += weight * one.wrong / one.judged
        low, high = low + weight * ends[0], high + weight * ends[1]
    return Rate(sum(s.wrong for s in judged), sum(s.judged for s in judged), value, low, high)
