"""Figures with their uncertainty."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from training.softlabels import Floats

RESAMPLES = 200
BINS = 10


class Measure(Protocol):
    """A figure of labels (0 or 1), scores and how often each row counts (None: once)."""

    def __call__(
        self, labels: Floats, scores: Floats, counts: Floats | None = None, /
    ) -> float: ...


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Ranking(NamedTuple):
    """How many of either class score at least as high as each different score, highest first."""

    scores: Floats
    positives: Floats
    negatives: Floats


def ranking(labels: Floats, scores: Floats, counts: Floats | None = None) -> Ranking:
    """Sorts; what is sorted in ascending order already costs little."""
    counts = np.ones(len(labels)) if counts is None else counts
    order = np.argsort(scores, kind="stable")[::-1]
    ordered = scores[order]
    last_of_tie = np.append(ordered[1:] < ordered[:-1], True)
    positives = np.cumsum((labels * counts)[order])[last_of_tie]
    negatives = np.cumsum(((1 - labels) * counts)[order])[last_of_tie]
    return Ranking(ordered[last_of_tie], positives, negatives)


@dataclass(frozen=True, slots=True)
class OfRanking:
    """A measure that only asks how the classes are ranked, so that several can share a ranking."""

    of: Callable[[Ranking], float]

    def __call__(self, labels: Floats, scores: Floats, counts: Floats | None = None, /) -> float:
        return self.of(ranking(labels, scores, counts))


@OfRanking
def auc(ranked: Ranking) -> float:
    """Area under the ROC curve."""
    _, positives, negatives = ranked
    steps = np.diff(negatives, prepend=0)
    before = np.concatenate([[0], positives[:-1]])
    return float(steps @ (positives + before) / 2 / (positives[-1] * negatives[-1]))


@OfRanking
def average_precision(ranked: Ranking) -> float:
    """Mean precision, each step of recall weighted by its size."""
    _, positives, negatives = ranked
    found = positives + negatives
    precision = np.divide(positives, found, out=np.zeros_like(found), where=found > 0)
    return float(np.diff(positives, prepend=0) @ precision / positives[-1])


def f1(labels: Floats, scores: Floats, counts: Floats | None = None, /) -> float:
    """F1 of the class 1 at a probability of one half."""
    counts = np.ones(len(labels)) if counts is None else counts
    flagged = (scores >= 0.5) * counts
    return float(2 * (flagged @ labels) / max(flagged.sum() + counts @ labels, 1e-12))


@OfRanking
def best_f1(ranked: Ranking) -> float:
    """F1 of the class 1 at the threshold that is best for it."""
    _, positives, negatives = ranked
    return float((2 * positives / (positives + negatives + positives[-1])).max())


def recall(labels: Floats, scores: Floats, counts: Floats | None = None, /) -> float:
    """Share of the class 1 with a probability of one half and more."""
    weights = labels if counts is None else labels * counts
    return float(np.average(scores >= 0.5, weights=weights))


def false_positive_rate(labels: Floats, scores: Floats, counts: Floats | None = None, /) -> float:
    """Share of the class 0 with a probability of one half and more."""
    return recall(1 - labels, scores, counts)


def recall_at(rate: float) -> Measure:
    """Recall at the lowest threshold whose false-positive rate does not exceed `rate`."""

    @OfRanking
    def measure(ranked: Ranking) -> float:
        _, positives, negatives = ranked
        allowed = np.searchsorted(negatives, rate * negatives[-1] * (1 + 1e-12), side="right")
        return float(positives[allowed - 1] / positives[-1]) if allowed else 0.0

    return measure


def calibration_error(labels: Floats, scores: Floats, counts: Floats | None = None, /) -> float:
    """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    counts = np.ones(len(labels)) if counts is None else counts
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, (labels - scores) * counts, BINS)
    return float(np.abs(gaps).sum() / counts.sum())


def bootstrap(
    measure: Measure,
    labels: Floats,
    scores: Floats,
    seed: int,
    groups: npt.NDArray[Any] | None = None,
) -> Interval:
    """One figure of `bootstraps`."""
    return bootstraps({"": measure}, labels, scores, seed, groups)[""]


def bootstraps(
    measures: Mapping[str, Measure],
    labels: Floats,
    scores: Floats,
    seed: int,
    groups: npt.NDArray[Any] | None = None,
) -> dict[str, Interval]:
    """Percentile bootstrap of several figures, on the same `resamples`."""
    # Sorted once, not once per resample.
    order = np.argsort(scores, kind="stable")
    labels, scores = labels[order], scores[order]
    groups = groups if groups is None else groups[order]
    draw = islice(resamples(labels, groups, np.random.default_rng(seed)), RESAMPLES)
    values = np.array([_values(measures, labels, scores, counts) for counts in draw])
    ends = np.percentile(values, [2.5, 97.5], axis=0).T
    return {
        name: Interval(measure(labels, scores), float(low), float(high))
        for (name, measure), (low, high) in zip(measures.items(), ends, strict=True)
    }


def _values(
    measures: Mapping[str, Measure], labels: Floats, scores: Floats, counts: Floats
) -> list[float]:
    ranked = ranking(labels, scores, counts)
    return [
        measure.of(ranked) if isinstance(measure, OfRanking) else measure(labels, scores, counts)
        for measure in measures.values()
    ]


def resamples(
    labels: Floats, groups: npt.NDArray[Any] | None, generator: np.random.Generator
) -> Iterator[Floats]:
    """Resamples without end, each as the number of times that a row is in it.

    Where every row is a group of its own (or `groups` is None) each class is resampled by itself,
    so that none can be empty; otherwise whole groups are, as comments of a group are alike.
    """
    if groups is not None:
        names, members = np.unique(groups, return_inverse=True)
        if len(names) < len(labels):
            return _by_group(labels, members, len(names), generator)
    return _by_class(labels, generator)


def _by_class(labels: Floats, generator: np.random.Generator) -> Iterator[Floats]:
    classes = [np.flatnonzero(labels == value) for value in (0, 1)]
    while True:
        counts = np.zeros(len(labels))
        for rows in classes:
            drawn = generator.integers(len(rows), size=len(rows))
            counts[rows] = np.bincount(drawn, minlength=len(rows))
        yield counts


def _by_group(
    labels: Floats, members: npt.NDArray[np.int64], number: int, generator: np.random.Generator
) -> Iterator[Floats]:
    while True:
        times = np.bincount(generator.integers(number, size=number), minlength=number)
        counts = times[members].astype(float)
        if 0 < counts @ labels < counts.sum():
            yield counts
