"""Thresholds from goals: of what is approved automatically, at least this share should be right.

What people said of comments, how each came to be looked at, and how long ago it was, bounds for
every threshold how many of those below it (or above it, for rejecting) are wrong now. The threshold
that is used goes as far as the bound allows, with a chance of at most `RISK` that it goes too far.
Why these bounds, and why choosing among many thresholds does not spoil them: docs/decisions/0019
and 0027.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import scipy

from moderation.domain import Selection
from moderation.learning.labels import Labelled
from moderation.learning.trend import Trend, strata, trend
from moderation.policy import OperatingPoint

RISK = 0.05
"""Chance that a threshold misses its goal, at most."""

EACH = 0.035
"""Chance of each threshold, by itself, to pass though it misses the goal. The farthest that passes
is used, so many have that chance; but those that miss the goal by much hardly ever take it, and the
others pass and fail together. Together they stay below `RISK`: see docs/decisions/0027."""

THRESHOLDS = np.array([1 / (1 + math.exp(-n / 10)) for n in range(-90, 61)])
"""What may become a threshold: probabilities a tenth of a unit of log-odds apart. Fixed, so that
they do not follow from the labels."""

STRONG = 0.5
"""A label that counts less than this as evidence says nothing about a threshold."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Comments that people judged, one row each, as a picture of all comments."""

    scores: Floats
    """What the model in question gives them; it was not trained on them."""
    unwanted: Floats
    weights: Floats
    """For how many comments each stands."""
    ages: Floats
    """How many decisions ago it was written."""


def sample(
    labelled: Sequence[Labelled], scores: Sequence[float | None], *, imports_complete: bool = False
) -> Sample:
    """Those of the labelled comments that say something about a threshold: see `weighed`.

    Args:
        labelled: one for each comment: `labels.effective`.
        scores: probability of `reject`, for each, of one model that was not trained on the comment;
            None where it is not able to judge.
        imports_complete: whether what was imported is all that another system was sent.
    """
    places, weights = weighed(labelled, imports=imports_complete)
    ages = _ages([labelled[place] for place in places])
    rows = [
        (score, labelled[place].unwanted, weight, age)
        for place, weight, age in zip(places, weights, ages, strict=True)
        if (score := scores[place]) is not None
    ]
    return Sample(*np.array(rows, float).reshape(-1, 4).T)


def _ages(labelled: Sequence[Labelled]) -> Floats:
    """How many comments were written since, as many as the labels stand for."""
    order = np.argsort([one.created_at for one in labelled], kind="stable")
    stand_for = np.array([1 / one.propensity for one in labelled], float)[order]
    ages = np.empty(len(labelled))
    ages[order] = stand_for.sum() - np.cumsum(stand_for)
    # What is left of it by rounding may be less than nothing.
    return np.maximum(ages, 0)


def weighed(labelled: Sequence[Labelled], *, imports: bool) -> tuple[list[int], Floats]:
    """Places of the labels that together are a picture of all comments on which a model decides,
    and for how many each stands.

    What was held is all looked at; what was published counts if it was drawn at random, for as many
    as there are for one drawn. Left out are corrections of what somebody stumbled upon, comments on
    which a rule spoke, weak labels, and what was imported unless `imports`.
    """
    usable = {Selection.HELD, Selection.AUDIT} | ({Selection.IMPORTED} if imports else set())
    places = [
        place
        for place, label in enumerate(labelled)
        if label.selection in usable and not label.rule and label.strength >= STRONG
    ]
    chosen = [labelled[place] for place in places]
    weights = np.array([1 / label.propensity for label in chosen], float)
    decided = np.array([np.nan if one.score is None else one.score for one in chosen], float)
    return places, smoothed(weights, decided)


def smoothed(weights: Floats, decided: Floats) -> Floats:
    """Each weight as the mean of those of comments that the service gave about the same score when
    it decided (`decided`; NaN: another system did). On that it depended who was looked at: whether
    all were once, or one in twenty later, what is alike stands for equally many. The sums stay."""
    members = strata(decided)
    means: Floats = np.bincount(members, weights) / np.maximum(np.bincount(members), 1)
    return means[members]


class Tally(NamedTuple):
    """What the sample has on one side of each threshold, farther from certainty with each row."""

    labels: Floats
    weight: Floats
    """Sum of the weights."""
    squares: Floats
    """Sum of their squares."""
    heaviest: Floats
    """That of an error that was not seen: the largest of them, if all of them were wrong."""
    wrong: Floats
    """Sum of the weights of what would be decided wrongly."""
    wrong_squares: Floats
    """The variance of that sum: the sum of the squares of its weights, and what comes from not
    knowing exactly how the share of what is wrong has moved since the labels."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that labels say about the thresholds of one model, whatever the goal."""

    below: Tally
    """What would be approved below each of `THRESHOLDS`, the lowest first."""
    above: Tally
    """What would be rejected from each of `THRESHOLDS` on, the highest first."""

    @classmethod
    def of(cls, found: Sample) -> Self:
        """From a sample. What people are divided about counts as wrong on either side.

        What is wrong counts as much more (or less) as it has become more frequent since, among
        comments of its score.
        """
        if not len(found.scores):
            nothing = np.zeros(len(THRESHOLDS))
            return cls(*[Tally(*[nothing] * len(Tally._fields))] * 2)
        moved = trend(found.scores, found.unwanted, found.ages)
        below = _Side(found.scores, found.unwanted >= 0.5, moved.shifts)
        above = _Side(-found.scores, found.unwanted <= 0.5, -moved.shifts)
        return cls(
            below=below.tally(found.weights, moved, THRESHOLDS, "left"),
            above=above.tally(found.weights, moved, -THRESHOLDS[::-1], "right"),
        )

    @property
    def labels(self) -> int:
        """How many labelled comments it stands on."""
        return int(max(self.below.labels[-1], self.above.labels[-1]))

    def to_json(self) -> dict[str, list[list[float]]]:
        """As JSON has it."""
        return {
            name: [column.round(4).tolist() for column in getattr(self, name)]
            for name in ("below", "above")
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        below, above = (Tally(*map(np.array, stored[name])) for name in ("below", "above"))
        return cls(below, above)


@dataclass(frozen=True, slots=True)
class _Side:
    """The sample as seen from approving, or from rejecting."""

    scores: Floats
    """Ascending from the surest."""
    wrong: npt.NDArray[np.bool_]
    shifts: Floats
    """What the log-odds of being wrong have gained since."""

    def tally(self, weights: Floats, moved: Trend, limits: Floats, side: str) -> Tally:
        """Sums over what scores below each limit (ascending); "right": or as much."""
        place = np.searchsorted(limits, self.scores, side="right" if side == "left" else "left")
        blocks = int(moved.block.max()) + 1

        def up_to(values: Floats) -> Floats:
            sums: Floats = np.bincount(place, values, len(limits) + 1)[:-1].cumsum()
            return sums

        def of_blocks(values: Floats) -> Floats:
            size = (len(limits) + 1) * blocks
            sums = np.bincount(place * blocks + moved.block, values, size)
            return sums.reshape(-1, blocks)[:-1].cumsum(axis=0)

        largest = np.zeros(len(limits) + 1)
        np.maximum.at(largest, place, weights)
        if_wrong = weights * np.exp(self.shifts)
        bad = if_wrong * self.wrong
        now = np.where(self.wrong, if_wrong, weights)
        # An error that was not seen may be any of them, so it has become as much more frequent as
        # they would have on average.
        more = up_to(if_wrong) / np.maximum(up_to(weights), 1e-12)
        return Tally(
            labels=up_to(np.ones(len(weights))),
            weight=up_to(now),
            squares=up_to(now**2),
            heaviest=np.maximum.accumulate(largest[:-1]) * more,
            wrong=up_to(bad),
            wrong_squares=up_to(bad**2) + moved.spread(of_blocks(bad), of_blocks(bad * moved.away)),
        )


def operating_point(
    evidence: Evidence, *, approve: float | None, reject: float | None
) -> OperatingPoint:
    """The thresholds for goals.

    Args:
        approve: share of what is approved that should be right, at least; None for no goal.
        reject: share of what is rejected.
    """
    below = None if approve is None else 0.0
    if approve is not None and (place := _farthest(evidence.below, 1 - approve)) is not None:
        below = float(THRESHOLDS[place])
    above = None
    if reject is not None and (place := _farthest(evidence.above, 1 - reject)) is not None:
        above = float(THRESHOLDS[::-1][place])
    if below is not None and above is not None and above < below:
        # With goals that low, what could be either is held.
        below, above = above, below
    return OperatingPoint(below, above)


def strictest(evidence: Evidence, threshold: float) -> float | None:
    """The strictest goal, in thousandths, that approving below the threshold is shown to meet; None
    if not even half of it is shown to be right."""
    met = [
        goal
        for goal in _GOALS
        if (place := _farthest(evidence.below, 1 - goal)) is not None
        and THRESHOLDS[place] >= threshold
    ]
    return max(met, default=None)


_GOALS = tuple(n / 1000 for n in (*range(500, 900, 50), *range(900, 980, 5), *range(980, 1000)))


def _farthest(side: Tally, allowed: float) -> int | None:
    """The place of the farthest threshold at which the share of errors is shown to be at most
    `allowed`; None if there is none."""
    passed = np.flatnonzero(_chances(side, allowed) <= EACH)
    if not len(passed):
        return None
    # Where no label was added, nothing is known of what the threshold would let pass.
    return int(np.searchsorted(side.labels, side.labels[passed[-1]]))


def _chances(side: Tally, allowed: float) -> Floats:
    """For each threshold the chance of so few errors (or fewer) if their share were `allowed`: the
    gamma bound for weighted sums of counts (Fay and Feuer 1997), which with equal weights is the
    exact one for a Poisson count."""
    shape, scale = _gamma(side, side.heaviest, np.full_like(side.weight, allowed))
    chances: Floats = scipy.special.gammaincc(shape, allowed * side.weight / scale)
    return np.where(side.labels > 0, chances, 1.0)


def _gamma(side: Tally, unseen: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of the gamma distribution of a share's bound, before division by the weight.

    `unseen`: weight of the error that was not seen, but may be the next. `share`: of errors, by
    which the weights of what is right are uncertain too.
    """
    spread = side.squares - side.weight**2 / np.maximum(side.labels, 1)
    mean = np.maximum(side.wrong + unseen, 1e-12)
    variance = np.maximum(side.wrong_squares + unseen**2 + share**2 * np.maximum(spread, 0), 1e-12)
    return mean**2 / variance, variance / mean


class Trade(NamedTuple):
    """What a threshold would bring, on one side."""

    threshold: float
    share: float
    """Of all comments, what would be decided automatically."""
    errors: float
    """Share of it that would be decided wrongly."""
    low: float
    high: float
    """The ends of its 95 % interval, for this threshold alone."""


def trades(evidence: Evidence) -> tuple[list[Trade], list[Trade]]:
    """The trade of approving below, and of rejecting from, each threshold that differs."""
    return (
        _trades(evidence.below, THRESHOLDS),
        _trades(evidence.above, THRESHOLDS[::-1]),
    )


def _trades(side: Tally, thresholds: Iterable[float]) -> list[Trade]:
    weight = np.maximum(side.weight, 1e-12)
    errors = side.wrong / weight
    low_shape, low_scale = _gamma(side, np.zeros_like(weight), errors)
    high_shape, high_scale = _gamma(side, side.heaviest, errors)
    inverse = scipy.special.gammaincinv
    low = np.where(side.wrong > 0, inverse(low_shape, 0.025) * low_scale / weight, 0.0)
    high = np.minimum(inverse(high_shape, 0.975) * high_scale / weight, 1.0)
    shares = side.weight / max(float(side.weight[-1]), 1e-12)
    rows = zip(thresholds, shares, errors, low, high, side.labels, strict=True)
    found: list[Trade] = []
    before = 0.0
    for threshold, *figures, labels in rows:
        if labels > before:
            found.append(Trade(*map(float, (threshold, *figures))))
            before = labels
    return found
