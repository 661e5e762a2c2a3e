"""Logistic regression for many rare features, by coordinate ascent in the dual.

scikit-learn's own solvers walk a hundred times through all rows before rare classes have settled.
The dual settles in about twenty walks, needs no copy of the matrix for a fold, and runs without the
global interpreter lock.
"""
# ruff: noqa: N803, N806  (scikit-learn calls them X and y)
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

import math
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from moderation.classifier.compiled import kernel

Floats = npt.NDArray[np.float64]

SMOOTHING = 5.0
LEAST_RATIO = 0.01
"""Keeps every feature usable."""

_STEPS, _STEP_TOLERANCE = 50, 1e-10


class TellingLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression of two classes that penalises telling features less (see `telling`).

    Minimises |v|²/2 plus `C` times the sum of the weighted losses, where a coefficient is v times
    the feature's size; the intercept is penalised as far as it is from the log-odds of the share of
    the second class. `y`: two classes, or probabilities of class 1 ("soft labels").

    Stops when no row's probability differs by more than `tol` from that of its dual variable, or
    after `max_iter` walks through the rows, in orders drawn from `random_state`. Dual coordinate
    ascent after Yu, Huang, Lin 2011 (Machine Learning 85), a row's step found by Newton's method.
    """

    def __init__(
        self, *, C: float = 1.0, tol: float = 0.01, max_iter: int = 100, random_state: int = 0
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Rows of weight 0 do not count. ValueError when the others are all of one class."""
        X, target = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], y_numeric=False
        )
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        rows = np.flatnonzero(weights > 0)
        matrix = csr_array(X)
        shares = self._shares(np.asarray(target), rows)
        sizes = telling(matrix, shares, weights)
        self._ascend(matrix, rows, shares, self.C * weights, sizes)
        return self

    def _shares(self, y: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Floats:
        """Sets `classes_`, and the probability of the second of them per row."""
        if type_of_target(y) == "continuous" and y.min() >= 0 and y.max() <= 1:
            self.classes_ = np.array([0, 1])
            return np.asarray(y, np.float64)
        check_classification_targets(y)
        self.classes_ = np.unique(y[rows])
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."
            )
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        return np.asarray(y == self.classes_[1], np.float64)

    def _ascend(
        self,
        matrix: csr_array[np.floating],
        rows: npt.NDArray[np.int64],
        shares: Floats,
        costs: Floats,
        sizes: Floats,
    ) -> None:
        share = np.average(shares, weights=costs)
        centre = float(np.log(share / (1 - share)))
        found = ascend(
            matrix, shares, costs, sizes, centre=centre, rows=rows,
            tol=self.tol, max_iter=self.max_iter, random_state=self.random_state,
        )  # fmt: skip
        self.coef_, self.n_iter_ = found.weights[None], found.walks
        self.intercept_ = np.array([found.intercept], found.weights.dtype)

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of the second class."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        return np.asarray(X @ self.coef_[0].astype(X.dtype) + self.intercept_[0])

    def predict_proba(self, X: Any) -> Floats:
        """Probability of each class, rows x 2."""
        positive = expit(self.decision_function(X))
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The more probable class."""
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])


class Ascent(NamedTuple):
    """margin = offset + x @ weights + intercept, and how many walks it took to find."""

    weights: npt.NDArray[Any]
    intercept: float
    walks: int


def ascend(
    matrix: csr_array[np.floating],
    shares: Floats,
    costs: Floats,
    sizes: Floats,
    *,
    centre: float = 0.0,
    offsets: Floats | None = None,
    rows: npt.NDArray[np.int64] | None = None,
    tol: float = 0.01,
    max_iter: int = 100,
    random_state: int = 0,
) -> Ascent:
    """Minimise |v|²/2 plus the sum of `costs` times losses, a weight being v times its size.

    `shares`: probabilities of class 1. The intercept, of size 1, is penalised as far as it is from
    `centre`. `offsets` are added to the margins of rows; only `rows` count. See
    `TellingLogisticRegression` for `tol`, `max_iter` and `random_state`.
    """
    parts = matrix.indptr, matrix.indices, matrix.data
    rows = np.flatnonzero(costs > 0) if rows is None else rows
    offsets = np.zeros(len(shares)) if offsets is None else offsets
    # Side by side in memory, for each is needed where the other is: coefficient, size squared.
    state = np.zeros((len(sizes) + 1, 2), matrix.dtype)
    state[:-1, 1] = sizes**2
    state[-1] = centre, 1.0
    norms = _norms(*parts, rows, state)
    duals = shares.astype(np.float64)
    generator = np.random.default_rng(random_state)
    gap, walks = math.inf, 0
    while gap > tol and walks < max_iter:
        order = generator.permutation(rows)
        gap = _walk(*parts, order, costs, norms, offsets, duals, state)
        walks += 1
    return Ascent(state[:-1, 0].copy(), float(state[-1, 0]), walks)


def telling(matrix: csr_array[np.floating], shares: Floats, weights: Floats) -> Floats:
    """Per feature the square root of its absolute log-count ratio, of mean square 1.

    The ratio is that of Wang and Manning 2012 (NB-SVM), who multiply by it; the root did better
    on our sets, above all for rare classes, and so did `SMOOTHING` counts where they add 1.
    """
    positive, negative = shares * weights, (1 - shares) * weights
    counts = _weighted_counts(
        matrix.indptr, matrix.indices, matrix.data, positive, negative, matrix.shape[1]
    )
    share = positive.sum() / weights.sum()
    ratio = np.log((counts[:, 0] + SMOOTHING * share) / (positive.sum() + SMOOTHING)) - np.log(
        (counts[:, 1] + SMOOTHING * (1 - share)) / (negative.sum() + SMOOTHING)
    )
    sizes: Floats = np.sqrt(np.abs(ratio) + LEAST_RATIO)
    return np.asarray(sizes / np.sqrt(np.mean(sizes**2)))


@kernel
def _weighted_counts(indptr, indices, data, positive, negative, width):  # type: ignore[no-untyped-def]
    """How much weight of either class has each feature, features x 2."""
    counts = np.zeros((width, 2))
    for row in range(len(indptr) - 1):
        more, less = positive[row], negative[row]
        if more + less > 0:
            for place in range(indptr[row], indptr[row + 1]):
                if data[place] != 0:
                    counts[indices[place], 0] += more
                    counts[indices[place], 1] += less
    return counts


@kernel
def _norms(indptr, indices, data, rows, state):  # type: ignore[no-untyped-def]
    """Squared length of each of the rows, in features of their size."""
    norms = np.zeros(len(indptr) - 1)
    for row in rows:
        total = 1.0  # the intercept's
        for place in range(indptr[row], indptr[row + 1]):
            total += data[place] ** 2 * state[indices[place], 1]
        norms[row] = total
    return norms


@kernel
def _walk(indptr, indices, data, order, costs, norms, offsets, duals, state):  # type: ignore[no-untyped-def]
    """One step per row; `duals` (the probability that a row's dual variable stands for) and `state`
    change in place. Returns how far the two probabilities of a row were apart at most."""
    last = len(state) - 1
    widest = 0.0
    for row in order:
        margin = offsets[row] + np.float64(state[last, 0])
        for place in range(indptr[row], indptr[row + 1]):
            margin += np.float64(data[place] * state[indices[place], 0])
        dual = duals[row]
        widest = max(widest, abs(1 / (1 + math.exp(-margin)) - dual))
        # The margin m after the step solves m + K p(m) = goal, and lies between goal - K and goal.
        # The left side rises with m: Newton's method, halving where it leaves the bracket.
        reach = costs[row] * norms[row]
        goal = margin + reach * dual
        low, high = goal - reach, goal
        probability = dual
        for _ in range(_STEPS):
            probability = 1 / (1 + math.exp(-margin))
            excess = margin + reach * probability - goal
            if excess > 0:
                high = margin
            else:
                low = margin
            change = -excess / (1 + reach * probability * (1 - probability))
            if abs(change) <= _STEP_TOLERANCE:
                break
            margin += change
            if not low <= margin <= high:
                margin = (low + high) / 2
        duals[row] = probability
        step = state.dtype.type(costs[row] * (dual - probability))
        for place in range(indptr[row], indptr[row + 1]):
            state[indices[place], 0] += step * data[place] * state[indices[place], 1]
        state[last, 0] += step
    return widest
