"""Fits the heads.

First a linear model per task (a label of one kind from one kind of set) on the features. Then, for
each head, a logistic regression on what the tasks say of comments that they were not trained on,
which both combines and calibrates them. Sums of linear models are linear: each head ends up as one
weight per feature.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from training.softlabels import Floats, harden

Progress = Callable[[], None]

TOLERANCE, MOST_STEPS = 5e-5, 120
SMOOTHING = 5.0
LEAST_RATIO = 0.01
"""Keeps every feature usable."""


@dataclass(frozen=True, slots=True)
class Linear:
    """margin = x @ weights + intercept"""

    weights: Floats
    intercept: float

    def __call__(self, matrix: csr_array[np.float32]) -> Floats:
        return np.asarray(matrix @ self.weights) + self.intercept


@dataclass(frozen=True, slots=True)
class Setting:
    """`regularisation`: scikit-learn's C. `per_domain`: each domain has an intercept of its own,
    so that features need not explain why one set has more unwanted comments than another."""

    regularisation: float
    per_domain: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A task's model, and its margins for comments of folds it did not see."""

    model: Linear
    unseen: Floats


def fit_tasks(
    matrix: csr_array[np.float32],
    *,
    labels: Floats,
    weights: Floats,
    folds: npt.NDArray[np.int64],
    domains: npt.NDArray[np.int64],
    settings: Sequence[Setting],
    jobs: int,
    progress: Progress,
) -> list[Task]:
    """One task per column of `labels` (NaN where unknown). Same result for any `jobs`."""
    offsets = csr_array(
        (np.ones(len(domains), np.float32), domains, np.arange(len(domains) + 1)),
        (len(domains), int(domains.max()) + 1),
    )
    wide = csr_array(hstack([matrix, offsets], format="csr"))
    calls = (
        joblib.delayed(_fit_task)(
            wide if setting.per_domain else matrix,
            features=matrix.shape[1],
            labels=column,
            weights=weights,
            folds=folds,
            regularisation=setting.regularisation,
        )
        for column, setting in zip(labels.T.copy(), settings, strict=True)
    )
    tasks = []
    for task in joblib.Parallel(n_jobs=jobs, return_as="generator")(calls):
        tasks.append(task)
        progress()
    return tasks


def _fit_task(
    matrix: csr_array[np.float32],
    *,
    features: int,
    labels: Floats,
    weights: Floats,
    folds: npt.NDArray[np.int64],
    regularisation: float,
) -> Task:
    known = np.flatnonzero(~np.isnan(labels))
    unseen = np.zeros(len(labels))
    if len(np.unique(labels[known] >= 0.5)) < 2:
        # Nothing to learn from: a recipe need not have a set for every task.
        return Task(Linear(np.zeros(features), 0.0), unseen)
    start: Linear | None = None
    for fold in np.unique(folds):
        rows = known[folds[known] != fold]
        start = fit_linear(matrix[rows], labels[rows], weights[rows], regularisation)
        held = np.flatnonzero(folds == fold)
        unseen[held] = _in_first_domain(start, features)(matrix[held][:, :features])
    full = fit_linear(matrix[known], labels[known], weights[known], regularisation, start)
    return Task(_in_first_domain(full, features), unseen)


def _in_first_domain(model: Linear, features: int) -> Linear:
    """Only the intercept of the first domain stays: a comment to judge is of none of them."""
    return Linear(model.weights[:features], model.intercept + sum(model.weights[features:][:1]))


def fit_linear(
    matrix: csr_array[np.float32],
    labels: Floats,
    weights: Floats,
    regularisation: float,
    start: Linear | None = None,
) -> Linear:
    """Logistic regression on probabilities; ValueError when all labels are the same.

    Features that tell the classes apart by themselves are penalised less.
    """
    sizes = telling(matrix, labels, weights)
    rows, classes, shares = harden(labels, weights)
    # The loss is a mean: a rare class makes its gradient small, so the tolerance is small too.
    share = float(np.average(labels, weights=weights))
    tolerance = TOLERANCE * min(share, 1 - share)
    model = LogisticRegression(
        C=regularisation, tol=tolerance, max_iter=MOST_STEPS, warm_start=True
    )
    if start is not None:
        model.coef_ = (start.weights / sizes)[None, :].astype(np.float32)
        model.intercept_ = np.array([start.intercept], np.float32)
    scaled = matrix[rows]
    scaled.data *= sizes[scaled.indices]
    with warnings.catch_warnings():
        # The last steps change weights that rounding to a byte changes more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled, classes, sample_weight=shares.astype(np.float32))
    return Linear((model.coef_[0] * sizes).astype(np.float64), float(model.intercept_[0]))


def telling(
    matrix: csr_array[np.float32], labels: Floats, weights: Floats
) -> npt.NDArray[np.float32]:
    """Per feature the square root of its absolute log-count ratio, of mean square 1.

    The ratio is that of Wang and Manning 2012 (NB-SVM), who multiply by it; the root did better
    on our sets, above all for rare classes, and so did `SMOOTHING` counts where they add 1.
    """
    present = csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), matrix.shape)
    positive, negative = labels * weights, (1 - labels) * weights
    share = positive.sum() / weights.sum()
    ratio = np.log(
        (present.T @ positive + SMOOTHING * share) / (positive.sum() + SMOOTHING)
    ) - np.log((present.T @ negative + SMOOTHING * (1 - share)) / (negative.sum() + SMOOTHING))
    sizes: Floats = np.sqrt(np.abs(ratio) + LEAST_RATIO)
    return np.asarray(sizes / np.sqrt(np.mean(sizes**2)), np.float32)


@dataclass(frozen=True, slots=True)
class Combination:
    """log-odds = margins @ weights + intercept"""

    weights: Floats
    intercept: float

    def __call__(self, margins: Floats) -> Floats:
        return np.asarray(margins @ self.weights + self.intercept)


def combine(margins: Floats, labels: Floats, weights: Floats, uses: Sequence[int]) -> Combination:
    """The best combination of the columns `uses` of unseen margins; 0 for the others."""
    centre, spread = margins.mean(axis=0), margins.std(axis=0) + 1e-9
    chosen = list(uses)
    scaled = ((margins - centre) / spread)[:, chosen]
    rows, classes, shares = harden(labels, weights)
    model = LogisticRegression(C=1.0, tol=1e-6, max_iter=1000)
    model.fit(scaled[rows], classes, sample_weight=shares)
    full = np.zeros(margins.shape[1])
    full[chosen] = model.coef_[0] / spread[chosen]
    return Combination(full, float(model.intercept_[0] - full @ centre))


def fold_in(tasks: Sequence[Task], combination: Combination) -> Linear:
    """The head as one linear model of the features."""
    weights = np.column_stack([task.model.weights for task in tasks])
    intercepts = np.array([task.model.intercept for task in tasks])
    return Linear(
        weights @ combination.weights,
        float(intercepts @ combination.weights + combination.intercept),
    )
