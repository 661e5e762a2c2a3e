"""Thresholds from goals: of what is approved automatically, at least this share should be right.

What people said of comments, and how each came to be looked at, bounds for every threshold how many
of those below it (or above it, for rejecting) are wrong. The threshold that is used goes as far as
the bound allows, with a chance of at most `RISK` that it goes too far. Why these bounds, and why
choosing among many thresholds does not spoil them: docs/decisions/0019.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, gammaincc, gammaincinv, logit

from moderation.domain import Selection
from moderation.learning.labels import Labelled
from moderation.policy import OperatingPoint

RISK = 0.05
"""Chance that a threshold misses its goal, at most."""

THRESHOLDS = expit(np.arange(-90, 61) / 10)
"""What may become a threshold: probabilities a tenth of a unit of log-odds apart. Fixed, so that
they do not follow from the labels."""

STRONG = 0.5
"""A label that counts less than this as evidence says nothing about a threshold."""

# Widths of log-odds within which comments were looked at with about the same probability.
_STRATUM = 0.5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Comments that people judged, one row each, as a picture of all comments."""

    scores: Floats
    """What the model in question gives them; it was not trained on them."""
    unwanted: Floats
    weights: Floats
    """For how many comments each stands."""


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
    rows = [
        (score, labelled[place].unwanted, weight)
        for place, weight in zip(places, weights, strict=True)
        if (score := scores[place]) is not None
    ]
    return Sample(*np.array(rows, float).reshape(-1, 3).T)


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
    strata = np.floor(logit(np.clip(decided, 1e-6, 1 - 1e-6)) / _STRATUM)
    _, members = np.unique(np.nan_to_num(strata, nan=-np.inf, neginf=-np.inf), return_inverse=True)
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
    """The largest of them."""
    wrong: Floats
    """Sum of the weights of what would be decided wrongly."""
    wrong_squares: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that labels say about the thresholds of one model, whatever the goal."""

    below: Tally
    """What would be approved below each of `THRESHOLDS`, the lowest first."""
    above: Tally
    """What would be rejected from each of `THRESHOLDS` on, the highest first."""

    @classmethod
    def of(cls, found: Sample) -> Self:
        """From a sample. What people are divided about counts as wrong on either side."""
        return cls(
            below=_tally(found.scores, found.unwanted >= 0.5, found.weights, THRESHOLDS, "left"),
            above=_tally(
                -found.scores, found.unwanted <= 0.5, found.weights, -THRESHOLDS[::-1], "right"
            ),
        )

    def __add__(self, other: "Evidence") -> "Evidence":
        """What both say together, of comments that are not the same."""
        return Evidence(_sum(self.below, other.below), _sum(self.above, other.above))

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


def _sum(one: Tally, other: Tally) -> Tally:
    added = Tally(*(a + b for a, b in zip(one, other, strict=True)))
    return added._replace(heaviest=np.maximum(one.heaviest, other.heaviest))


def _tally(
    scores: Floats, wrong: npt.NDArray[np.bool_], weights: Floats, limits: Floats, side: Any
) -> Tally:
    """Sums over what scores below each limit (ascending); "right": or as much."""
    order = np.argsort(scores, kind="stable")
    count = np.searchsorted(scores[order], limits, side=side)
    ordered, bad = weights[order], (weights * wrong)[order]

    def up_to(values: Floats) -> Floats:
        sums: Floats = np.concatenate([[0.0], values])[count]
        return sums

    return Tally(
        labels=count.astype(float),
        weight=up_to(np.cumsum(ordered)),
        squares=up_to(np.cumsum(ordered**2)),
        heaviest=up_to(np.maximum.accumulate(ordered)) if len(ordered) else count.astype(float),
        wrong=up_to(np.cumsum(bad)),
        wrong_squares=up_to(np.cumsum(bad**2)),
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
    `allowed`; None if there is none.

    The fallback procedure (Wiens 2003): `RISK` is divided among the starts; a threshold that passes
    hands on what it was tested at to the next one, one that fails loses it.
    """
    starts = _starts(side, allowed)
    chances = _chances(side, allowed)
    level, found = 0.0, None
    for place, (chance, labels) in enumerate(zip(chances, side.labels, strict=True)):
        level += RISK / len(starts) * starts.count(place) if starts else 0
        if chance > level:
            level = 0.0
        # Where no label was added, nothing is known of what the threshold would let pass.
        elif found is None or labels > side.labels[found]:
            found = place
    return found


def _starts(side: Tally, allowed: float) -> list[int]:
    """Places with twice as many labels each as the one before, from where a mistake is first
    allowed for. They follow from the scores alone."""
    counts = side.weight / np.maximum(side.heaviest, 1e-12)
    least = 2 * math.log(1 / RISK) / allowed
    wanted = least * 2.0 ** np.arange(30)
    reached = [int(place) for place in np.searchsorted(np.maximum.accumulate(counts), wanted)]
    starts = [place for place in reached if place < len(counts)]
    # Too few labels for that: all of them at once.
    return starts or [int(np.argmax(counts))]


def _chances(side: Tally, allowed: float) -> Floats:
    """For each threshold the chance of so few errors (or fewer) if their share were `allowed`: the
    gamma bound for weighted sums of counts (Fay and Feuer 1997), which with equal weights is the
    exact one for a Poisson count."""
    shape, scale = _gamma(side, side.heaviest, np.full_like(side.weight, allowed))
    chances: Floats = gammaincc(shape, allowed * side.weight / scale)
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
    low = np.where(side.wrong > 0, gammaincinv(low_shape, 0.025) * low_scale / weight, 0.0)
    high = np.minimum(gammaincinv(high_shape, 0.975) * high_scale / weight, 1.0)
    shares = side.weight / max(float(side.weight[-1]), 1e-12)
    rows = zip(thresholds, shares, errors, low, high, side.labels, strict=True)
    found: list[Trade] = []
    before = 0.0
    for threshold, *figures, labels in rows:
        if labels > before:
            found.append(Trade(*map(float, (threshold, *figures))))
            before = labels
    return found
