"""The figures that travel with a model, set by set."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from moderation.classifier.parameters import HEADS
from training import metrics
from training.softlabels import Floats
from training.thresholds import wilson

if TYPE_CHECKING:
    from training.train import Table

ROWS_OF_A_CLASS = 10
"""Fewer of a class than this say nothing: no figure is given."""

MEASURES: Mapping[str, metrics.Measure] = {
    "auc": metrics.auc,
    "average_precision": metrics.average_precision,
    "recall_at_5_percent_false_positives": metrics.recall_at(0.05),
    "f1": metrics.f1,
    "calibration_error": metrics.calibration_error,
}


def by_source(
    table: "Table",
    scores: Floats,
    thresholds: Mapping[str, float],
    seed: int,
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Figures per source of real comments and head, where there are enough of both classes.

    `scores`: probabilities, records x `HEADS`, from models that did not see the record.
    """
    measured: dict[str, dict[str, Any]] = {}
    sources = dict.fromkeys(table.sources[table.real].tolist())
    for source in progress.track(sources, description="Measuring"):
        for number, head in enumerate(HEADS):
            rows = table.known(number)
            rows = rows[table.sources[rows] == source]
            labels = np.round(table.labels[rows, number])
            if min(labels.sum(), len(labels) - labels.sum()) >= ROWS_OF_A_CLASS:
                measured.setdefault(source, {})[head] = figures(
                    labels, scores[rows, number], seed, thresholds[head], table.groups[rows]
                )
    return measured


def false_alarms(table: "Table", scores: Floats, head: str) -> dict[str, Any]:
    """Share of probabilities above one half, per source of real comments without the head's
    positive class (Wilson interval)."""
    number = HEADS.index(head)
    known = table.known(number)
    known = known[table.real[known]]
    found = {}
    for source in dict.fromkeys(table.sources[known].tolist()):
        rows = known[table.sources[known] == source]
        if not table.labels[rows, number].any():
            found[source] = _share(scores[rows, number] >= 0.5)
    return found


def recall_disguised(table: "Table", scores: Floats, head: str) -> dict[str, Any]:
    """Recall at one half of the positive comments that were copied in disguise, and of the copies
    (Wilson intervals)."""
    number = HEADS.index(head)
    copied = set(table.groups[table.disguised].tolist())
    positive = table.labels[:, number] >= 0.5
    originals = np.array([group in copied for group in table.groups.tolist()]) & table.real
    return {
        "as written": _share(scores[originals & positive, number] >= 0.5),
        "disguised": _share(scores[table.disguised & positive, number] >= 0.5),
    }


def _share(flags: npt.NDArray[np.bool_]) -> dict[str, Any]:
    count, total = int(flags.sum()), len(flags)
    low, high = wilson(count, total)
    value = count / total if total else None
    return {"comments": total, "value": value, "low": low, "high": high}


def figures(
    labels: Floats, scores: Floats, seed: int, threshold: float, groups: npt.NDArray[np.object_]
) -> dict[str, Any]:
    """All measures with their intervals (bootstrap of `groups`), and what would be approved below
    the threshold."""
    intervals = metrics.bootstraps(MEASURES, labels, scores, seed, groups)
    found: dict[str, Any] = {name: asdict(interval) for name, interval in intervals.items()}
    approved = scores < threshold
    right, total = int((1 - labels[approved]).sum()), int(approved.sum())
    low, high = wilson(right, total)
    found["approved"] = {
        "share": total / len(scores),
        "right": {"value": right / total if total else None, "low": low, "high": high},
    }
    return found | {"comments": len(labels), "positives": int(labels.sum())}
