"""Training from a recipe: read, invent, fit, calibrate, choose thresholds, measure, write."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress
from scipy.special import expit
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from moderation.classifier import artifact
from moderation.classifier.features import BUCKET_BITS
from moderation.classifier.hashing import bitmap
from moderation.classifier.parameters import HEADS, Parameters, with_spam
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Reason
from training import invented, measures
from training.datasets.formats import AUXILIARY_TASKS
from training.datasets.loading import LoadedSet, load_set
from training.heads import CommentHeads
from training.progress import progress_bars
from training.recipe import Recipe
from training.records import Record
from training.softlabels import Floats
from training.splits import folds
from training.thresholds import hold_from
from training.vectorizer import CommentVectorizer

TASKS: tuple[str, ...] = (*HEADS, *AUXILIARY_TASKS)

LEAST_KNOWN = 0.4
"""Below this share of common words a comment whose language is unclear is out of depth."""

ONE_SIDED = 0.03
"""Weight, in calibration, of sources that have one class only."""


class Table:
    """Records as arrays. `labels`: records x `TASKS`, NaN where unknown."""

    def __init__(self, records: Sequence[Record], recipe: Recipe) -> None:
        self.documents = [record.document for record in records]
        self.weights = np.array([record.weight for record in records])
        self.calibration = np.array([record.calibration for record in records])
        self.sources = np.array([record.source for record in records])
        self.keys = np.array([record.key for record in records], object)
        self.folds = folds(records, recipe.folds, recipe.seed)
        self.origins = np.array([record.origin for record in records])
        self.groups = np.array([f"{record.origin}/{record.group}" for record in records], object)
        self.disguised = self.sources == invented.DISGUISED
        self.real = ~self.disguised & (self.sources != invented.TEMPLATES) & (self.calibration > 0)
        names = [record.domain for record in records]
        self.domains = np.unique(names, return_inverse=True)[1]
        self.labels = np.array(
            [[record.labels.get(task, np.nan) for task in TASKS] for record in records]
        )

    def known(self, head: int) -> npt.NDArray[np.int64]:
        """Rows whose label for the head is known."""
        return np.flatnonzero(~np.isnan(self.labels[:, head]))


def train(recipe: Recipe, data: Path, output: Path, console: Console, jobs: int) -> str:
    """Train, write the artifact to `output`, return its version.

    OSError when a set cannot be read.
    """
    # A sum depends in its last digits on how many threads share it.
    with progress_bars(console) as progress, threadpool_limits(1, user_api="blas"):
        loaded = [
            load_set(data, item) for item in progress.track(recipe.sets, description="Reading sets")
        ]
        for item in loaded:
            for sentence in item.skipped.describe():
                console.print(f"{item.recipe.name}: {sentence}")
        table = Table(collect(recipe, loaded), recipe)
        model = fit(recipe, table, jobs, progress)
        fitted = parameters(model)
        unseen = with_spam(model["heads"].unseen_)
        metadata = _metadata(recipe, loaded, table, unseen, progress)
        classifier = Classifier(fitted, recipe.name, metadata)
        metadata["identities"] = measures.identities(
            lambda documents: classifier.log_odds(documents)[0], recipe.seed
        )
    return artifact.dump(output, fitted, metadata)


def estimator(recipe: Recipe, jobs: int) -> Pipeline:
    """What a recipe trains: documents to log-odds of `HEADS`."""
    return Pipeline(
        [
            (
                "features",
                CommentVectorizer(
                    features=recipe.features,
                    least_frequency=recipe.least_frequency,
                    common=recipe.common,
                ),
            ),
            (
                "heads",
                CommentHeads(heads=len(HEADS), n_jobs=jobs, **tasks_of(recipe, TASKS, HEADS)),
            ),
        ]
    )


def tasks_of(recipe: Recipe, tasks: Sequence[str], heads: Sequence[str]) -> dict[str, Any]:
    """Parameters of `CommentHeads` for these tasks and heads."""
    default = recipe.regularisation["default"]
    return {
        "regularisation": [recipe.regularisation.get(task, default) for task in tasks],
        # A set's kind of comment is what spam is made of: with intercepts of its own per domain,
        # thresholds came out wrong.
        "per_domain": [task != Reason.SPAM for task in tasks],
        "uses": [[tasks.index(task) for task in _uses(head)] for head in heads],
    }


def fit(recipe: Recipe, table: Table, jobs: int, progress: Progress) -> Pipeline:
    """The recipe's estimator, fitted on the table; ValueError when a head has one class only."""
    reading = progress.add_task("Features", total=2 * len(table.documents))
    fitting = progress.add_task("Fitting", total=len(TASKS))
    return estimator(recipe, jobs).fit(
        table.documents,
        without_spam(table.labels),
        features__progress=lambda count: progress.advance(reading, count),
        heads__sample_weight=table.weights,
        heads__folds=table.folds,
        heads__domains=table.domains,
        heads__calibration=calibration_weights(table, recipe.emphasis),
        heads__progress=lambda: progress.advance(fitting),
    )


def parameters(model: Pipeline) -> Parameters:
    """The fitted estimator as the service scores with it."""
    features, heads = model["features"], model["heads"]
    weights, scales = quantise(heads.coef_, features.idf_)
    return Parameters(
        tables=features.tables_,
        kept=bitmap(features.buckets_, BUCKET_BITS),
        weights=weights,
        idf=features.idf_,
        scales=scales,
        bias=heads.intercept_,
        least_known=LEAST_KNOWN,
    )


def collect(recipe: Recipe, loaded: Iterable[LoadedSet]) -> list[Record]:
    """The records of all sets, and what is invented on top of them."""
    real = [record for item in loaded for record in item.records]
    words = invented.telling_words(real)
    return [
        *real,
        *invented.disguised(real, words, recipe.disguised, recipe.seed),
        *invented.templates(recipe.per_template, recipe.seed, recipe.folds),
    ]


def without_spam(labels: Floats) -> Floats:
    """The labels (records x `TASKS`) with the verdict on spam unknown: the head of spam speaks for
    it (see `with_spam`), and the verdict's own sum is free for everything else."""
    kept = labels.copy()
    kept[labels[:, HEADS.index(Reason.SPAM)] >= 0.5, HEADS.index(REJECT)] = np.nan
    return kept


def calibration_weights(
    table: Table, emphasis: Mapping[str, float], heads: Sequence[str] = HEADS
) -> Floats:
    """Records x `heads`: how much a record counts in combining tasks into the head."""
    found = np.zeros((len(table.documents), len(heads)))
    for number, head in enumerate(heads):
        rows = _calibrating(table, HEADS.index(head))
        labels = table.labels[rows, TASKS.index(head)]
        if len(np.unique(labels >= 0.5)) < 2:
            raise ValueError(f"no set of the recipe has both classes of {head!r}")
        weights = table.calibration[rows] * _balance(labels, table.sources[rows])
        found[rows, number] = weights * (1 + (emphasis.get(head, 1.0) - 1) * labels)
    return found


def _calibrating(table: Table, head: int) -> npt.NDArray[np.int64]:
    """Rows that a head is combined and calibrated on. The reasons are defined by real comments
    rated for them; only the verdict takes a share of the invented ones."""
    rows = np.flatnonzero(~np.isnan(without_spam(table.labels)[:, head]))
    rows = rows[table.calibration[rows] > 0]
    if HEADS[head] == REJECT:
        return rows
    return rows[~np.isin(table.sources[rows], [invented.TEMPLATES, invented.DISGUISED])]


def _balance(labels: Floats, sources: npt.NDArray[np.str_]) -> Floats:
    """Less weight for sources that show one class only: they say little about how to tell the
    classes apart, and their size would set the base rate."""
    factors = np.ones(len(labels))
    for source in np.unique(sources):
        rows = sources == source
        if len(np.unique(labels[rows] >= 0.5)) == 1:
            factors[rows] = ONE_SIDED
    return factors


def _uses(head: str) -> list[str]:
    """The tasks that a head may draw on. Spam is a matter of its own."""
    return [task for task in TASKS if (task == Reason.SPAM) == (head == Reason.SPAM)]


def quantise(
    coefficients: Floats, idf: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int8], Floats]:
    """Coefficients, heads x features, as whole numbers from -127 to 127, features x heads, and what
    one of them is worth per head."""
    weights = np.ascontiguousarray(coefficients.T) * idf[:, None]
    scales = np.abs(weights).max(axis=0) / 127
    scales[scales == 0] = 1.0
    return np.round(weights / scales).astype(np.int8), scales


def _metadata(
    recipe: Recipe,
    loaded: Sequence[LoadedSet],
    table: Table,
    unseen: Floats,
    progress: Progress,
) -> dict[str, Any]:
    scores = expit(unseen)
    thresholds = {}
    for number, head in enumerate(HEADS):
        rows = table.known(number)
        rows = rows[table.real[rows]]
        labels = np.round(table.labels[rows, number])
        goal = hold_from(labels, scores[rows, number], recipe.goal)
        # A rare reason reaches the goal without holding anything; still nothing is approved that
        # more probably has it than not.
        thresholds[head] = min(goal, 0.5)
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
        "invented": {
            source: int((table.sources == source).sum())
            for source in (invented.TEMPLATES, invented.DISGUISED)
        },
        "recipe": recipe.model_dump(mode="json", exclude={"sets"}),
        "libraries": {
            "python": platform.python_version(),
            **{name: version_of(name) for name in ("numpy", "scipy", "scikit-learn", "numba")},
        },
        "false_alarms": measures.false_alarms(table, scores, Reason.SPAM),
        "kinds": measures.by_kind(table, scores, REJECT),
        "recall_disguised": measures.recall_disguised(table, scores, REJECT),
        "metrics": measures.by_source(table, scores, thresholds, recipe.seed, progress),
    }
