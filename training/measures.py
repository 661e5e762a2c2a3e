"""The figures that travel with a model, set by set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document, Reason
from training import invented, metrics
from training.softlabels import Floats
from training.thresholds import wilson

if TYPE_CHECKING:
    from training.train import Table

ROWS_OF_A_CLASS = 10
"""Fewer of a class than this say nothing: no figure is given."""

CROSSED = 3
"""How many times each sentence held out is filled with words."""

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


def by_kind(table: "Table", scores: Floats, head: str) -> dict[str, Any]:
    """Share of invented sentences judged as labelled at one half, per kind of sentence about
    people (Wilson intervals), by models fitted on neither the sentences nor their words, of
    which only the part was known; and the means over kinds to hold and kinds to publish."""
    number = HEADS.index(head)
    rows = np.flatnonzero(table.sources == invented.TEMPLATES)
    about_people = invented.kinds(invented.ABOUT_PEOPLE)
    known = rows[[kind in about_people for kind in table.keys[rows].tolist()]]
    kinds: dict[str, Any] = {}
    for kind in dict.fromkeys(table.keys[known].tolist()):
        rows = known[table.keys[known] == kind]
        unwanted = bool(table.labels[rows, number].mean() >= 0.5)
        right = _share((scores[rows, number] >= 0.5) == unwanted)
        kinds[kind] = {"unwanted": unwanted, "right": right}
    means = {
        name: float(
            np.mean([kind["right"]["value"] for kind in kinds.values() if kind["unwanted"] == side])
        )
        for name, side in (("unwanted", True), ("harmless", False))
    }
    return {"kinds": kinds, "means": means}


def identities(log_odds: Callable[[Sequence[Document]], Floats], seed: int) -> dict[str, Any]:
    """On sentences that no model is trained on, with every group in the same place: AUC, and the
    widest gap between two groups in the share of harmless sentences at or above one half. With
    bootstrap intervals over sentences; "words" are new to the model too, or known.

    `log_odds`: documents x `HEADS`.
    """
    found: dict[str, Any] = {}
    for words in ("new", "known"):
        crossed = invented.crossed(CROSSED, seed, known_words=words == "known")
        documents = [Document(text) for row in crossed.texts for text in row]
        margins = log_odds(documents).reshape(len(crossed.texts), len(crossed.groups), len(HEADS))
        hateful = np.array(crossed.hateful)
        for head in (REJECT, Reason.TOXIC, Reason.IDENTITY_ATTACK):
            scores = margins[:, :, HEADS.index(head)]
            found.setdefault(words, {})[head] = {
                "auc": _over_sentences(hateful, scores, _pooled_auc, seed),
                "gap": _over_sentences(hateful, scores, _gap, seed),
            }
    return found


def _pooled_auc(hateful: npt.NDArray[np.bool_], margins: Floats) -> float:
    """Of every eighth group: they hardly differ, and the bootstrap takes its time."""
    some = margins[:, ::8]
    return metrics.auc(np.repeat(hateful, some.shape[1]), some.ravel())


def _gap(hateful: npt.NDArray[np.bool_], margins: Floats) -> float:
    rates = (margins[~hateful] >= 0).mean(axis=0)
    return float(rates.max() - rates.min())


def _over_sentences(
    hateful: npt.NDArray[np.bool_],
    margins: Floats,
    measure: Callable[[npt.NDArray[np.bool_], Floats], float],
    seed: int,
) -> dict[str, float]:
    """A figure with the ends of its 95 % bootstrap interval, whole sentences resampled."""
    generator = np.random.default_rng(seed)
    classes = [np.flatnonzero(hateful == side) for side in (False, True)]
    values = []
    for _ in range(metrics.RESAMPLES):
        rows = np.concatenate([generator.choice(side, len(side)) for side in classes])
        values.append(measure(hateful[rows], margins[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return {"value": measure(hateful, margins), "low": float(low), "high": float(high)}


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
