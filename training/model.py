"""Fits the heads.

First a linear model per task (a label of one kind from one kind of set) on the features. Then, for
each head, a logistic regression on what the tasks say of comments that they were not trained on,
which both combines and calibrates them. Sums of linear models are linear: each head ends up as one
weight per feature.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from sklearn.linear_model import LogisticRegression

from training.logistic import TellingLogisticRegression
from training.softlabels import Floats, harden

Progress = Callable[[], None]

TOLERANCE, MOST_WALKS = 0.1, 12
"""Further walks change weights by less than rounding them to a byte does."""


@dataclass(frozen=True, slots=True)
class Linear:
    """margin = x @ weights + intercept"""

    weights: Floats
    intercept: float

    def __call__(self, matrix: csr_array[np.float32]) -> Floats:
        return np.asarray(matrix @ self.weights.astype(matrix.dtype), float) + self.intercept


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
    jobs: int = 1,
    progress: Progress = lambda: None,
) -> list[Task]:
    """One task per column of `labels` (NaN where unknown). Same result for any `jobs`."""
    offsets = csr_array(
        (np.ones(len(domains), np.float32), domains, np.arange(len(domains) + 1)),
        (len(domains), int(domains.max()) + 1),
    )
    wide = csr_array(hstack([matrix, offsets], format="csr"))
    features = matrix.shape[1]

    def fit(number: int, held: int | None) -> Linear | None:
        known = ~np.isnan(labels[:, number])
        seen = known & (weights > 0)
        if held is not None:
            seen &= folds != held
        if len(np.unique(labels[seen, number] >= 0.5)) < 2:
            # Nothing to learn from: a recipe need not have a set for every task.
            return None
        setting = settings[number]
        model = fit_linear(
            wide if setting.per_domain else matrix,
            np.where(known, labels[:, number], 0.0),
            np.where(seen, weights, 0.0),
            setting.regularisation,
        )
        return _in_first_domain(model, features)

    # The compiled solver does not hold the interpreter's lock, and threads share the matrix.
    parts = [*np.unique(folds).tolist(), None]
    calls = [(number, held) for number in range(labels.shape[1]) for held in parts]
    fitted = joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        joblib.delayed(fit)(*call) for call in calls
    )
    tasks = []
    for _ in settings:
        models = [next(fitted) for _ in parts]
        progress()
        unseen = np.zeros(len(labels))
        for held, model in zip(parts[:-1], models, strict=False):
            if model is not None:
                unseen[folds == held] = model(matrix)[folds == held]
        tasks.append(Task(models[-1] or Linear(np.zeros(features), 0.0), unseen))
    return tasks


def _in_first_domain(model: Linear, features: int) -> Linear:
    """Only the intercept of the first domain stays: a comment to judge is of none of them."""
    return Linear(model.weights[:features], model.intercept + sum(model.weights[features:][:1]))


def fit_linear(
    matrix: csr_array[np.float32], labels: Floats, weights: Floats, regularisation: float
) -> Linear:
    """Logistic regression on probabilities; ValueError when all labels are the same."""
    model = TellingLogisticRegression(C=regularisation, tol=TOLERANCE, max_iter=MOST_WALKS)
    model.fit(matrix, labels, sample_weight=weights)
    return Linear(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


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
