"""Figures with their uncertainty."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from training.softlabels import Floats

RESAMPLES = 200
BINS = 10

EXACT_ROWS = 100_000
CELLS = 20_000
"""Of more than `EXACT_ROWS` rows, about so many cells are resampled."""


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


class Ordered:
    """Rows sorted by score once, for any number of rankings."""

    def __init__(self, labels: Floats, scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")[::-1]
        self._labels, ordered = labels[self._order], scores[self._order]
        self._last_of_tie = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True))
        self._scores = ordered[self._last_of_tie]

    def ranking(self, counts: Floats | None = None) -> Ranking:
        """The ranking in which each row counts so many times (None: once)."""
        counts = np.ones(len(self._labels)) if counts is None else counts[self._order]
        positives = np.cumsum(self._labels * counts)[self._last_of_tie]
        negatives = np.cumsum((1 - self._labels) * counts)[self._last_of_tie]
        return Ranking(self._scores, positives, negatives)


def ranking(labels: Floats, scores: Floats, counts: Floats | None = None) -> Ranking:
    """The ranking of rows that each count so many times (None: once)."""
    return Ordered(labels, scores).ranking(counts)


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
    gaps = np.bincount(_bin_of(scores), (labels - scores) * counts, BINS)
    return float(np.abs(gaps).sum() / counts.sum())


def _bin_of(scores: Floats) -> npt.NDArray[np.int64]:
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


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
    """Percentile bootstrap of several figures, on the same `resamples`.

    Of more than `EXACT_ROWS` rows, those of nearly the same score are drawn together: see `_cells`.
    """
    # Sorted once, not once per resample.
    order = np.argsort(scores, kind="stable")
    labels, scores = labels[order], scores[order]
    groups = groups if groups is None else groups[order]
    generator = np.random.default_rng(seed)
    if len(labels) > EXACT_ROWS:
        rows, draw = _cells(labels, scores, groups, generator)
    else:
        rows, draw = (labels, scores), resamples(labels, groups, generator)
    ordered = Ordered(*rows)
    drawn = np.array(
        [_values(measures, rows, ordered, counts) for counts in islice(draw, RESAMPLES)]
    )
    ends = np.percentile(drawn, [2.5, 97.5], axis=0).T
    values = _values(measures, (labels, scores), Ordered(labels, scores))
    return {
        name: Interval(value, float(low), float(high))
        for name, value, (low, high) in zip(measures, values, ends, strict=True)
    }


def _values(
    measures: Mapping[str, Measure],
    rows: tuple[Floats, Floats],
    ordered: Ordered,
    counts: Floats | None = None,
) -> list[float]:
    ranked = ordered.ranking(counts)
    return [
        measure.of(ranked) if isinstance(measure, OfRanking) else measure(*rows, counts)
        for measure in measures.values()
    ]


def resamples(
    labels: Floats, groups: npt.NDArray[Any] | None, generator: np.random.Generator
) -> Iterator[Floats]:
    """Resamples without end, each as the number of times that a row is in it.

    Where every row is a group of its own (or `groups` is None) each class is resampled by itself,
    so that none can be empty; otherwise whole groups are, as comments of a group are alike.
    """
    members = _members(groups)
    if members is not None:
        return _by_group(labels, members, generator)
    return _by_class(labels, generator)


def _members(groups: npt.NDArray[Any] | None) -> npt.NDArray[np.int64] | None:
    """The number of each row's group; None where every row is a group of its own."""
    if groups is None:
        return None
    names, members = np.unique(groups, return_inverse=True)
    return members if len(names) < len(groups) else None


def _by_class(labels: Floats, generator: np.random.Generator) -> Iterator[Floats]:
    classes = [np.flatnonzero(labels == value) for value in (0, 1)]
    while True:
        counts = np.zeros(len(labels))
        for rows in classes:
            drawn = generator.integers(len(rows), size=len(rows))
            counts[rows] = np.bincount(drawn, minlength=len(rows))
        yield counts


def _by_group(
    labels: Floats, members: npt.NDArray[np.int64], generator: np.random.Generator
) -> Iterator[Floats]:
    for times in _times(members.max() + 1, generator):
        counts = times[members].astype(float)
        if 0 < counts @ labels < counts.sum():
            yield counts


def _times(number: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """How many times each of so many is drawn, in one drawing after the other."""
    while True:
        yield np.bincount(generator.integers(number, size=number), minlength=number)


def _cells(
    labels: Floats,
    scores: Floats,
    groups: npt.NDArray[Any] | None,
    generator: np.random.Generator,
) -> tuple[tuple[Floats, Floats], Iterator[Floats]]:
    """Rows, by score, put together in cells of one class and nearly one score: label and score of
    each cell, and resamples as the number of rows of each.

    How many of a cell's rows a resample has is drawn as it would come out row by row; only where a
    row stands within its cell is lost. That moves a share of the rows by less than 1 in `CELLS`.
    """
    places = _places(scores)
    number = int(places[-1]) + 1
    means = np.bincount(places, scores) / np.bincount(places)
    rows = np.repeat([0.0, 1.0], number), np.tile(means, 2)
    cells = places + number * labels.astype(np.int64)
    members = _members(groups)
    if members is None:
        return rows, _cells_by_class(np.bincount(cells, minlength=2 * number), generator)
    return rows, _cells_by_group(cells, members, rows[0], generator)


def _places(scores: Floats) -> npt.NDArray[np.int64]:
    """The cell of each of the ascending scores: equal ones are in the same, and none reaches over
    the edge of a bin of `calibration_error`."""
    differs = np.diff(scores, prepend=scores[0]) > 0
    first_of_tie = np.maximum.accumulate(np.where(differs, np.arange(len(scores)), 0))
    parts = np.column_stack([first_of_tie * CELLS // len(scores), _bin_of(scores)])
    return np.cumsum(np.diff(parts, axis=0, prepend=parts[:1]).any(axis=1))


def _cells_by_class(
    sizes: npt.NDArray[np.int64], generator: np.random.Generator
) -> Iterator[Floats]:
    classes = np.split(sizes, 2)
    while True:
        yield np.concatenate(
            [generator.multinomial(side.sum(), side / side.sum()) for side in classes]
        ).astype(float)


def _cells_by_group(
    cells: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    labels: Floats,
    generator: np.random.Generator,
) -> Iterator[Floats]:
    number = int(members.max()) + 1
    # Of each cell how many rows of each group.
    table = csr_array((np.ones(len(cells)), (cells, members)), shape=(len(labels), number))
    for times in _times(number, generator):
        counts = table @ times.astype(float)
        if 0 < counts @ labels < counts.sum():
            yield counts
