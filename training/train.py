"""Training from a recipe: read, split, fit, calibrate, choose thresholds, measure, write."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from moderation.classifier import artifact
from moderation.classifier.parameters import HEADS, Parameters
from training import metrics
from training.calibration import Calibration, calibrate
from training.datasets.loading import LoadedSet, load_set
from training.recipe import Recipe
from training.records import Record
from training.softlabels import Floats, harden
from training.splits import Part, split
from training.thresholds import hold_from, wilson
from training.vectorizer import CommentVectorizer, bitmap

LEAST_KNOWN = 0.3
"""Below this share of known words a text is out of depth. English comments of the development
sets lie above it; text in other languages shares too few words."""

ROWS_OF_A_CLASS = 10
"""Fewer positives than this say nothing: no figure is given."""


@dataclass(frozen=True, slots=True)
class Head:
    """A trained head before calibration: margin = x @ (weights * scale)."""

    weights: npt.NDArray[np.int8]
    scale: float
    calibration: Calibration


class Table:
    """Records as arrays."""

    def __init__(self, records: Sequence[Record], parts: Sequence[Part]) -> None:
        self.texts = [record.document.text for record in records]
        self.weights = np.array([record.weight for record in records])
        self.sources = np.array([record.source for record in records])
        self.parts = np.array([part.value for part in parts])
        self.labels = np.array(
            [[record.labels.get(head, np.nan) for head in HEADS] for record in records]
        )

    def rows(self, part: Part, head: int) -> npt.NDArray[np.int64]:
        """Rows of a part whose label for the head is known."""
        known = ~np.isnan(self.labels[:, head])
        return np.flatnonzero((self.parts == part) & known)


def train(recipe: Recipe, data: Path, output: Path, console: Console) -> str:
    """Train, write the artifact to `output`, return its version.

    OSError when a set cannot be read.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        loaded = [
            load_set(data, item) for item in progress.track(recipe.sets, description="Reading sets")
        ]
        _report_skipped(loaded, console)
        table = _table(recipe, loaded)
        task = progress.add_task("Features", total=2)
        training = np.flatnonzero(table.parts == Part.TRAIN)
        vectorizer = CommentVectorizer(
            features=recipe.features, least_frequency=recipe.least_frequency
        )
        vectorizer.fit([table.texts[row] for row in training], table.labels[training])
        progress.advance(task)
        matrix = vectorizer.transform(table.texts)
        progress.advance(task)
        heads = [
            _fit(recipe, matrix, table, number)
            for number in progress.track(range(len(HEADS)), description="Heads")
        ]
    scores = np.column_stack([_probabilities(matrix, head) for head in heads])
    parameters = Parameters(
        folding=vectorizer.folding_,
        kept=bitmap(vectorizer.buckets_),
        weights=np.column_stack([head.weights for head in heads]),
        scales=np.array([head.scale * head.calibration.slope for head in heads]),
        bias=np.array([head.calibration.intercept for head in heads]),
        least_known=LEAST_KNOWN,
    )
    metadata = _metadata(recipe, loaded, table, scores)
    return artifact.dump(output, parameters, metadata)


def _report_skipped(loaded: Iterable[LoadedSet], console: Console) -> None:
    for item in loaded:
        for sentence in item.skipped.describe():
            console.print(f"{item.recipe.name}: {sentence}")


def _table(recipe: Recipe, loaded: Iterable[LoadedSet]) -> Table:
    records = [record for item in loaded for record in item.records]
    parts = split(records, calibration=recipe.calibration, test=recipe.test, seed=recipe.seed)
    return Table(records, parts)


def _fit(recipe: Recipe, matrix: csr_array[np.float32], table: Table, number: int) -> Head:
    train_rows = table.rows(Part.TRAIN, number)
    rows, classes, shares = harden(table.labels[train_rows, number], table.weights[train_rows])
    model = LogisticRegression(C=recipe.regularisation, max_iter=200, tol=1e-3)
    model.fit(matrix[train_rows[rows]], classes, sample_weight=shares.astype(np.float32))
    weights, scale = quantise(model.coef_[0])
    held = table.rows(Part.CALIBRATION, number)
    margins = matrix[held] @ (weights * scale)
    calibration = calibrate(margins, table.labels[held, number], table.weights[held])
    return Head(weights, scale, calibration)


def quantise(weights: npt.NDArray[np.floating[Any]]) -> tuple[npt.NDArray[np.int8], float]:
    """(whole numbers from -127 to 127, what one of them is worth)"""
    scale = float(np.abs(weights).max()) / 127 or 1.0
    return np.round(weights / scale).astype(np.int8), scale


def _probabilities(matrix: csr_array[np.float32], head: Head) -> Floats:
    margins = matrix @ (head.weights * head.scale)
    odds = head.calibration.slope * margins + head.calibration.intercept
    return np.asarray(1 / (1 + np.exp(-odds)))


def _metadata(
    recipe: Recipe, loaded: Sequence[LoadedSet], table: Table, scores: Floats
) -> dict[str, Any]:
    thresholds = {}
    for number, head in enumerate(HEADS):
        held = table.rows(Part.CALIBRATION, number)
        thresholds[head] = hold_from(
            np.round(table.labels[held, number]), scores[held, number], recipe.goal
        )
    return {
        "name": recipe.name,
        "date": recipe.date,
        "languages": recipe.languages,
        "thresholds": thresholds,
        "goal": recipe.goal,
        "data": [
            {
                "name": item.recipe.name,
                "sha256": item.digest,
                "rows": len(item.records),
                "skipped": len(item.skipped),
                "licence": item.recipe.licence,
                "attribution": item.recipe.attribution,
            }
            for item in loaded
        ],
        "recipe": recipe.model_dump(mode="json", exclude={"sets"}),
        "libraries": {
            "python": platform.python_version(),
            **{name: version_of(name) for name in ("numpy", "scipy", "scikit-learn", "numba")},
        },
        "metrics": _measure(recipe, table, scores, thresholds),
    }


def _measure(
    recipe: Recipe, table: Table, scores: Floats, thresholds: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """Figures of the test part, per source and head, where both classes are there."""
    measured: dict[str, dict[str, Any]] = {}
    for source in dict.fromkeys(table.sources.tolist()):
        for number, head in enumerate(HEADS):
            rows = table.rows(Part.TEST, number)
            rows = rows[table.sources[rows] == source]
            labels = np.round(table.labels[rows, number])
            if min(labels.sum(), len(labels) - labels.sum()) < ROWS_OF_A_CLASS:
                continue
            measured.setdefault(source, {})[head] = _figures(
                labels, scores[rows, number], recipe.seed, thresholds[head]
            )
    return measured


def _figures(labels: Floats, scores: Floats, seed: int, threshold: float) -> dict[str, Any]:
    measures = {
        "auc": metrics.auc,
        "average_precision": metrics.average_precision,
        "recall_at_5_percent_false_positives": metrics.recall_at(0.05),
        "calibration_error": metrics.calibration_error,
    }
    figures: dict[str, Any] = {
        name: asdict(metrics.bootstrap(measure, labels, scores, seed))
        for name, measure in measures.items()
    }
    approved = scores < threshold
    right, total = int((1 - labels[approved]).sum()), int(approved.sum())
    low, high = wilson(right, total)
    figures["approved"] = {
        "share": total / len(scores),
        "right": {"value": right / total if total else None, "low": low, "high": high},
    }
    return figures | {"comments": len(labels), "positives": int(labels.sum())}
