"""Whether what comes in still looks to the model as it did. Pure.

The measure is the population stability index (PSI): the sum over bins of (q - p) ln(q / p), where p
is a bin's share of the reference and q its share of now. See docs/decisions/0022.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple

import scipy

REFERENCE_DAYS = 14
"""The first days of a model on a site that had enough comments: two of each day of the week."""

RECENT_DAYS = 7

LEAST_REFERENCE = 1_000
LEAST_RECENT = 200
"""Comments: of fewer nothing is said."""

LARGE, SMALL = 0.25, 0.10
"""From `LARGE` on a population has shifted, below `SMALL` it has not, by the rule of thumb in
Siddiqi 2006, "Credit Risk Scorecards" (Wiley)."""

# If nothing has changed, PSI / (1/n + 1/m) is about chi-squared with one degree of freedom less
# than there are bins (Yurdakul 2018, "Statistical Properties of Population Stability Index",
# dissertation, Western Michigan University): beyond this, chance would rarely go.
_CHANCE = 0.001

# Bins are put together until each has this share of the reference or, lest something new hides in a
# bin that was empty, of now.
_LEAST_SHARE = 0.05


class Shift(NamedTuple):
    """How far what comes in has shifted. `reference` and `recent` are the days compared, from and
    to, each included; `psi` is None where there are too few comments."""

    reference: tuple[int, int]
    recent: tuple[int, int]
    psi: float | None
    by_chance: float
    """What it may come to by chance alone."""

    @property
    def is_large(self) -> bool:
        """Whether it is time to look."""
        return self.psi is not None and self.psi >= max(LARGE, self.by_chance)

    @property
    def is_small(self) -> bool:
        """Whether all is as it was."""
        return self.psi is not None and self.psi < SMALL


def shift(days: Mapping[int, Sequence[int]], *, last: int) -> Shift | None:
    """The shift of the seven days up to `last` from the reference; None while the reference is not
    over.

    Args:
        days: counts in bins, by day; of one model and site.
    """
    there = sorted(day for day, counts in days.items() if sum(counts))
    recent = (last - RECENT_DAYS + 1, last)
    if not there or there[0] + REFERENCE_DAYS > recent[0]:
        return None
    reference = (there[0], there[0] + REFERENCE_DAYS - 1)
    before, now = (
        _sum(days[day] for day in there if first <= day <= end)
        for first, end in (reference, recent)
    )
    if sum(before) < LEAST_REFERENCE or sum(now) < LEAST_RECENT:
        return Shift(reference, recent, None, 0.0)
    value, chance = psi(before, now)
    return Shift(reference, recent, value, chance)


def psi(reference: Sequence[int], recent: Sequence[int]) -> tuple[float, float]:
    """The index of two histograms with the same bins, and how far it may go by chance."""
    bins = _merged(reference, recent)
    n, m = sum(reference), sum(recent)
    # Half a comment more in each bin, so that none is empty.
    shares = [((a + 0.5) / (n + len(bins) / 2), (b + 0.5) / (m + len(bins) / 2)) for a, b in bins]
    value = sum((q - p) * log(q / p) for p, q in shares)
    degrees = max(len(bins) - 1, 1)
    return value, (1 / n + 1 / m) * float(scipy.special.chdtri(degrees, _CHANCE))


def _merged(reference: Sequence[int], recent: Sequence[int]) -> list[tuple[int, int]]:
    least_before, least_now = _LEAST_SHARE * sum(reference), _LEAST_SHARE * sum(recent)
    bins: list[tuple[int, int]] = []
    a = b = 0
    for before, now in zip(reference, recent, strict=True):
        a, b = a + before, b + now
        if a >= least_before or b >= least_now:
            bins.append((a, b))
            a = b = 0
    if bins and (a or b):
        bins[-1] = (bins[-1][0] + a, bins[-1][1] + b)
    return bins or [(a, b)]


def _sum(histograms: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*histograms, strict=True)]
