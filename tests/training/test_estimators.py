"""Our estimators keep scikit-learn's contract, and do what they are for."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from training.heads import CommentHeads
from training.logistic import TellingLogisticRegression, telling

GENERATOR = np.random.default_rng(6)
DENSE = np.round(GENERATOR.random((400, 8)) * (GENERATOR.random((400, 8)) < 0.5), 3)
LEADS = DENSE[:, 0] + 0.3 * GENERATOR.random(400) - DENSE[:, 1]
LABELS = (np.median(LEADS) < LEADS).astype(int)

SPLIT = "rows are dealt out to folds by their place: a row without weight moves the others"
ONE_COLUMN = "the check takes several independent outputs for the classes of one"
FAILING = {
    "check_sample_weight_equivalence_on_dense_data": SPLIT,
    "check_sample_weight_equivalence_on_sparse_data": SPLIT,
    "check_estimator_sparse_array": ONE_COLUMN,
    "check_estimator_sparse_matrix": ONE_COLUMN,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [TellingLogisticRegression(tol=1e-9, max_iter=2000), CommentHeads()],
    expected_failed_checks=lambda e: FAILING if isinstance(e, CommentHeads) else {},
)
def test_it_keeps_scikit_learns_contract(estimator, check) -> None:
    check(estimator)


def test_the_dual_finds_what_scikit_learns_own_solver_finds() -> None:
    sizes = np.append(telling(csr_array(DENSE), LABELS.astype(float), np.ones(400)), 1.0)
    # Classes of one size have log-odds 0: there our intercept is penalised like any feature.
    wide = np.column_stack([DENSE, np.ones(400)]) * sizes
    expected = LogisticRegression(C=3.0, tol=1e-10, max_iter=10_000, fit_intercept=False)
    found = TellingLogisticRegression(C=3.0, tol=1e-10, max_iter=10_000).fit(DENSE, LABELS)
    coefficients = expected.fit(wide, LABELS).coef_[0] * sizes
    np.testing.assert_allclose(found.coef_[0], coefficients[:-1], atol=1e-5)
    assert found.intercept_[0] == pytest.approx(coefficients[-1], abs=1e-5)


def test_a_soft_label_counts_like_a_row_of_either_class() -> None:
    shares = np.where(LABELS == 1, 0.75, 0.25)
    soft = TellingLogisticRegression(tol=1e-10, max_iter=5000).fit(DENSE, shares)
    hard = TellingLogisticRegression(tol=1e-10, max_iter=5000).fit(
        np.vstack([DENSE, DENSE]), np.repeat([1, 0], 400), np.concatenate([shares, 1 - shares])
    )
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-6)


def test_walks_end_when_they_change_little() -> None:
    rough = TellingLogisticRegression(tol=0.5).fit(DENSE, LABELS)
    fine = TellingLogisticRegression(tol=1e-6, max_iter=1000).fit(DENSE, LABELS)
    assert 0 < rough.n_iter_ < fine.n_iter_ < 1000


def test_a_row_without_weight_does_not_count() -> None:
    weights = (np.arange(400) < 200).astype(float)
    model = TellingLogisticRegression(tol=1e-10, max_iter=5000)
    some = model.fit(DENSE, LABELS, weights).coef_
    np.testing.assert_allclose(some, model.fit(DENSE[:200], LABELS[:200]).coef_, atol=1e-7)


def two_tasks() -> np.ndarray:
    """A known head, and one known for half of the rows, as probabilities."""
    second = np.where(DENSE[:, 2] > 0.3, 0.9, 0.1)
    second[::2] = np.nan
    return np.column_stack([LABELS, second])


def test_heads_learn_from_gaps_and_probabilities_sparse_or_not() -> None:
    heads = CommentHeads().fit(DENSE, two_tasks())
    sparse = CommentHeads().fit(csr_array(DENSE), two_tasks())
    scores = heads.predict_proba(DENSE)
    assert scores.shape == (400, 2)
    assert scores[DENSE[:, 2] > 0.3, 1].mean() > 0.5 > scores[DENSE[:, 2] == 0, 1].mean()
    np.testing.assert_allclose(sparse.predict_proba(csr_array(DENSE)), scores)


def test_helping_tasks_are_not_predicted() -> None:
    heads = CommentHeads(heads=1).fit(DENSE, two_tasks())
    assert heads.predict(DENSE).shape == (400, 1)
    assert heads.unseen_.shape == (400, 1)


def test_unseen_log_odds_cannot_know_labels_drawn_by_lot() -> None:
    generator = np.random.default_rng(9)
    drawn = generator.integers(2, size=400)
    wide = generator.normal(size=(400, 100))
    heads = CommentHeads().fit(wide, drawn)
    assert roc_auc_score(drawn, heads.unseen_[:, 0]) == pytest.approx(0.5, abs=0.1)


def test_a_label_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="probabilities from 0 to 1"):
        CommentHeads().fit(DENSE, LABELS + 0.1 * np.arange(400))
