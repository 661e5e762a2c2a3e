"""The heads as one scikit-learn estimator of many outputs."""
# ruff: noqa: N803, N806  (scikit-learn calls them X and y)

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, Tags, check_array
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from training.model import Combination, Linear, Setting, Task, combine, fit_tasks, fold_in
from training.softlabels import Floats

FOLDS = 3
"""When the caller names none, the rows of each class are dealt out in turn."""


class CommentHeads(BaseEstimator):  # type: ignore[misc]
    """Linear heads, each a combination of linear tasks (see `training.model`).

    `y` has a column per task: the probability that it applies, or one of two classes (the greater
    one: it applies); NaN where that is unknown. The first
    `heads` of them are what is predicted (None: all), the others help. `regularisation` and
    `per_domain`: of each task, or one for all (see `Setting`). `uses`: the tasks that each head may
    draw on; None for all. `n_jobs` does not change the result.
    """

    def __init__(
        self,
        *,
        heads: int | None = None,
        regularisation: float | Sequence[float] = 2.0,
        per_domain: bool | Sequence[bool] = False,
        uses: Sequence[Sequence[int]] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.heads = heads
        self.regularisation = regularisation
        self.per_domain = per_domain
        self.uses = uses
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        folds: npt.ArrayLike | None = None,
        domains: npt.ArrayLike | None = None,
        calibration: npt.ArrayLike | None = None,
        progress: Callable[[], None] = lambda: None,
    ) -> Self:
        """`folds`: whole numbers; rows of one fold are judged by models that saw none of them, for
        combining and for `unseen_`. `domains`: whole numbers from 0, of which new rows are of
        domain 0. `calibration`: rows x heads, how much a row counts in combining tasks into the
        head. `progress` is called once per task.

        ValueError when the rows that a head is combined on are all of one class.
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float32, np.float64])
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        labels = _probabilities(y)
        check_consistent_length(X, labels)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        count = labels.shape[1] if self.heads is None else self.heads
        folds = _dealt(labels[:, 0]) if folds is None else np.asarray(folds)
        if calibration is None:
            calibration = np.tile(weights[:, None], count)
        tasks = fit_tasks(
            csr_array(X),
            labels=labels,
            weights=weights,
            folds=folds,
            domains=np.zeros(len(labels), int) if domains is None else np.asarray(domains),
            settings=self.settings(labels.shape[1]),
            jobs=self.n_jobs or 1,
            progress=progress,
        )
        self._combine(tasks, labels, np.asarray(calibration), folds)
        return self

    def settings(self, tasks: int) -> list[Setting]:
        """Of each of so many tasks."""
        strengths = np.broadcast_to(self.regularisation, tasks)
        domains = np.broadcast_to(self.per_domain, tasks)
        return [Setting(float(c), bool(d)) for c, d in zip(strengths, domains, strict=True)]

    def _combine(
        self,
        tasks: Sequence[Task],
        labels: Floats,
        calibration: Floats,
        folds: npt.NDArray[np.int64],
    ) -> None:
        """Each head from all rows; for `unseen_` without the row's fold."""
        margins = np.column_stack([task.unseen for task in tasks])
        linear: list[Linear] = []
        self.unseen_ = np.zeros(calibration.shape)
        for number in range(calibration.shape[1]):
            known = ~np.isnan(labels[:, number]) & (calibration[:, number] > 0)
            if len(np.unique(labels[known, number] >= 0.5)) < 2:
                raise ValueError(f"column {number} of y has comments of one class only")
            uses = range(len(tasks)) if self.uses is None else self.uses[number]
            columns = labels[:, number], calibration[:, number]
            linear.append(fold_in(tasks, _combined(margins, *columns, known, uses)))
            for fold in np.unique(folds):
                held = folds == fold
                combination = _combined(margins, *columns, known & ~held, uses)
                self.unseen_[held, number] = combination(margins[held])
        self.coef_ = np.stack([head.weights for head in linear])
        self.intercept_ = np.array([head.intercept for head in linear])

    def decision_function(self, X: Any) -> Floats:
        """Log-odds, rows x heads."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=False)
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def predict_proba(self, X: Any) -> Floats:
        """Probability that a head applies, rows x heads."""
        return np.asarray(expit(self.decision_function(X)))

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """1 where a head applies more probably than not, rows x heads."""
        return (self.decision_function(X) > 0).astype(np.int64)


def _probabilities(y: npt.ArrayLike) -> Floats:
    """`y` as a matrix of probabilities; ValueError when a column is not one."""
    labels = check_array(
        y, ensure_2d=False, ensure_all_finite="allow-nan", dtype=np.float64, input_name="y"
    )
    labels = labels.reshape(len(labels), -1).copy()
    for column in labels.T:
        known = ~np.isnan(column)
        values = np.unique(column[known])
        if not len(values) or 0 <= values[0] <= values[-1] <= 1:
            continue
        if len(values) == 2:
            column[known] = column[known] == values[1]
        else:
            raise ValueError("y must hold probabilities from 0 to 1, or two classes")
    return np.asarray(labels)


def _combined(
    margins: Floats,
    labels: Floats,
    weights: Floats,
    rows: npt.NDArray[np.bool_],
    uses: Sequence[int],
) -> Combination:
    return combine(margins[rows], labels[rows], weights[rows], uses)


def _dealt(labels: Floats) -> npt.NDArray[np.int64]:
    return np.argsort(np.argsort(labels, kind="stable"), kind="stable") % FOLDS
