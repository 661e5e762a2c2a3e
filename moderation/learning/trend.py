"""How the chance that a comment of a given score is unwanted has moved, from labels of all times.

The log-odds are those of the score's stratum, plus a level and a slope over the score that wander
with the decisions: random walks, at one of several speeds, which count as far as the labels speak
for them (Laplace's approximation of the posterior, and of the speeds' likelihood). So what is held,
of which all is looked at, tells of what is published, of which little is. See
docs/decisions/0027.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

SPEEDS = (0.02, 0.06, 0.18)
"""Standard deviations by which the level may wander within `UNIT` decisions."""

SLOPE = 0.3
"""How fast the slope wanders, for each unit of log-odds, as a share of the level's speed."""

UNIT = 1_000

STRATUM_LABELS = 50
"""A stratum has so many labels, at least."""

# Half a unit of log-odds.
_STRATUM = 0.5

# Decisions that are taken together: so many of the latest, and the farther back the more.
_FIRST, _GROWTH = 500.0, 1.2

# The slope goes on for so many units of log-odds on either side.
_FAR = 3.0

# Of the strata's own log-odds nothing is assumed that 16 labels would not outweigh.
_VAGUE = 1 / 16

_STEPS, _LONGEST_STEP, _SMALL = 30, 2.0, 1e-6

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Trend:
    """The movement up to now, as it concerns each of the labels that it was found from."""

    shifts: Floats
    """What the log-odds of a comment like it have gained since."""
    block: Places
    """The block of decisions of each, 0 the latest."""
    away: Floats
    """Log-odds of the score, from the middle in which most is known of the movement."""
    covariance: Floats
    """Of the blocks' levels, then of their slopes."""

    def spread(self, sums: Floats, moments: Floats) -> Floats:
        """The variance of sums of weights of labels, each weight in proportion to `exp(shift)`,
        that comes from not knowing the movement exactly.

        Args:
            sums: for each sum a row, with the part of each block.
            moments: the same of the weights times `away`.
        """
        gradient = np.hstack([sums, moments])
        found: Floats = np.einsum("ij,jk,ik->i", gradient, self.covariance, gradient)
        return np.maximum(found, 0)


def strata(scores: Floats, least: int = STRATUM_LABELS) -> Places:
    """A number for each score: the same within half a unit of log-odds, or more where so much has
    fewer labels than `least`; NaN is a stratum of its own."""
    places = np.floor(_log_odds(scores) / _STRATUM)
    found = np.zeros(len(scores), np.intp)
    known = ~np.isnan(places)
    _, members, counts = np.unique(places[known], return_inverse=True, return_counts=True)
    number, gathered = 1, 0
    numbers = np.zeros(len(counts), np.intp)
    for place, count in enumerate(counts):
        numbers[place] = number
        gathered += count
        if gathered >= least:
            number, gathered = number + 1, 0
    # What is left at the upper end belongs to the stratum before it.
    numbers[(numbers == number) & (number > 1)] = number - 1 if gathered else number
    found[known] = numbers[members]
    return found


def trend(scores: Floats, unwanted: Floats, ages: Floats) -> Trend:
    """The movement that labels show.

    Args:
        scores: probabilities that the model gives the labelled comments; at least one.
        unwanted: what people said of them, from 0 to 1.
        ages: how many decisions ago each was written.
    """
    block, steps = _blocks(ages)
    log_odds = _log_odds(scores)
    _, stratum = np.unique(strata(scores), return_inverse=True)
    table = _Table.of(stratum, block, unwanted, log_odds, steps)
    levels, slopes, covariance = _mixed([table.fit(speed) for speed in SPEEDS])
    away = np.clip(log_odds - table.middle, -_FAR, _FAR)
    return Trend(-(levels[block] + slopes[block] * away), block, away, covariance)


def _log_odds(scores: Floats) -> Floats:
    found: Floats = scipy.special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    return found


def _blocks(ages: Floats) -> tuple[Places, Floats]:
    """The block of each, and how many decisions lie between the middles of the blocks, from now to
    the first one on."""
    edges, length = [0.0], _FIRST
    while edges[-1] <= ages.max():
        edges.append(edges[-1] + length)
        length *= _GROWTH
    middles = (np.array(edges[1:]) + np.array(edges[:-1])) / 2
    return np.searchsorted(edges, ages, side="right") - 1, np.diff(middles, prepend=0)


class _Fit(NamedTuple):
    """What one speed makes of a table."""

    walks: Floats
    """The blocks' levels, then their slopes."""
    covariance: Floats
    likelihood: float
    """The logarithm of the speed's, but for what all speeds share."""


def _mixed(fits: Sequence[_Fit]) -> tuple[Floats, Floats, Floats]:
    """Levels, slopes, and the covariance of both, each speed with its part."""
    parts = scipy.special.softmax([fit.likelihood for fit in fits])
    mean = sum(part * fit.walks for part, fit in zip(parts, fits, strict=True))
    covariance = sum(
        part * (fit.covariance + np.outer(fit.walks - mean, fit.walks - mean))
        for part, fit in zip(parts, fits, strict=True)
    )
    levels, slopes = np.split(np.asarray(mean), 2)
    return levels, slopes, np.asarray(covariance)


@dataclass(frozen=True, slots=True)
class _Table:
    """Labels by stratum (rows) and block (columns)."""

    labels: Floats
    unwanted: Floats
    away: Floats
    """Mean log-odds of each stratum, from `middle`."""
    middle: float
    precision: Floats
    """Of a random walk from now, when it is 0, back through the blocks, at a speed of 1 in
    `UNIT`."""

    @classmethod
    def of(
        cls, stratum: Places, block: Places, unwanted: Floats, log_odds: Floats, steps: Floats
    ) -> "_Table":
        shape = int(stratum.max()) + 1, len(steps)
        labels, bad = np.zeros(shape), np.zeros(shape)
        np.add.at(labels, (stratum, block), 1)
        np.add.at(bad, (stratum, block), unwanted)
        number = labels.sum(axis=1)
        share = (bad.sum(axis=1) + 0.5) / (number + 1)
        mean = np.bincount(stratum, log_odds) / number
        # Where most is known, so that level and slope are known apart.
        middle = float(np.average(mean, weights=number * share * (1 - share)))
        inverse = UNIT / steps
        later = np.append(inverse[1:], 0)
        precision = np.diag(inverse + later) - np.diag(later[:-1], 1) - np.diag(later[:-1], -1)
        away = np.clip(mean - middle, -_FAR, _FAR)
        return cls(labels, bad, away, middle, precision)

    def fit(self, speed: float) -> _Fit:
        """The walks at a speed."""
        strata_ = len(self.labels)
        design = self._design()
        prior = scipy.linalg.block_diag(
            _VAGUE * np.eye(strata_),
            self.precision / speed**2,
            self.precision / (SLOPE * speed) ** 2,
        )
        labels, unwanted = self.labels.ravel(), self.unwanted.ravel()
        start = np.zeros(len(prior))
        start[:strata_] = scipy.special.logit((unwanted.sum() + 0.5) / (labels.sum() + 1))
        found = start.copy()
        for _ in range(_STEPS):
            chance = scipy.special.expit(design @ found)
            curvature = design.T * (labels * chance * (1 - chance)) @ design + prior
            gradient = design.T @ (unwanted - labels * chance) - prior @ (found - start)
            step = np.linalg.solve(curvature, gradient)
            longest = float(np.abs(step).max())
            if longest < _SMALL:
                break
            found = found + step * min(1.0, _LONGEST_STEP / longest)
        sums = design @ found
        likelihood = (
            unwanted @ sums
            - labels @ np.logaddexp(0, sums)
            - (found - start) @ prior @ (found - start) / 2
            + (np.linalg.slogdet(prior)[1] - np.linalg.slogdet(curvature)[1]) / 2
        )
        covariance = np.asarray(np.linalg.inv(curvature), np.float64)
        return _Fit(found[strata_:], covariance[strata_:, strata_:], float(likelihood))

    def _design(self) -> Floats:
        """What the log-odds of each cell of the table are the sum of, one row for each."""
        strata_, blocks = self.labels.shape
        of_stratum = np.repeat(np.eye(strata_), blocks, axis=0)
        of_block = np.tile(np.eye(blocks), (strata_, 1))
        return np.hstack([of_stratum, of_block, of_block * np.repeat(self.away, blocks)[:, None]])
