"""Figures with their uncertainty."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from training.softlabels import Floats

Measure = Callable[[Floats, Floats], float]

RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def auc(labels: Floats, scores: Floats) -> float:
    return float(roc_auc_score(labels, scores))


def average_precision(labels: Floats, scores: Floats) -> float:
    return float(average_precision_score(labels, scores))


def f1(labels: Floats, scores: Floats) -> float:
    """F1 of the class 1 at a probability of one half."""
    return float(f1_score(labels, scores >= 0.5, zero_division=0))


def recall_at(rate: float) -> Measure:
    """Recall at the highest threshold whose false-positive rate does not exceed `rate`."""

    def measure(labels: Floats, scores: Floats) -> float:
        false_positives, recalls, _ = roc_curve(labels, scores)
        return float(recalls[false_positives <= rate].max())

    return measure


def calibration_error(labels: Floats, scores: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Naeini et al. 2015)."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    sizes = np.bincount(place, minlength=bins)
    gaps = np.bincount(place, labels, bins) - np.bincount(place, scores, bins)
    return float(np.abs(gaps).sum() / sizes.sum())


def bootstrap(
    measure: Measure,
    labels: Floats,
    scores: Floats,
    seed: int,
    groups: npt.NDArray[np.object_] | None = None,
) -> Interval:
    """Percentile bootstrap. Without `groups` each class is resampled by itself, so that none can
    be empty; with one name per comment whole groups are, as comments of a group are alike."""
    generator = np.random.default_rng(seed)
    draw = _by_class(labels, generator) if groups is None else _by_group(labels, groups, generator)
    chosen = (next(draw) for _ in range(RESAMPLES))
    low, high = np.percentile([measure(labels[c], scores[c]) for c in chosen], [2.5, 97.5])
    return Interval(measure(labels, scores), float(low), float(high))


def _by_class(labels: Floats, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    classes = [np.flatnonzero(labels == value) for value in (0, 1)]
    while True:
        yield np.concatenate([generator.choice(rows, len(rows)) for rows in classes])


def _by_group(
    labels: Floats, groups: npt.NDArray[np.object_], generator: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    names, members = np.unique(groups, return_inverse=True)
    while True:
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        chosen = np.repeat(np.arange(len(labels)), times[members])
        if len(np.unique(labels[chosen])) == 2:
            yield chosen
