import numpy as np
import pytest
from scipy.sparse import csr_array

from training.logistic import telling
from training.model import Setting, combine, fit_linear, fit_tasks, fold_in

GENERATOR = np.random.default_rng(4)
DENSE = (GENERATOR.random((300, 6)) < 0.4).astype(np.float32)
MATRIX = csr_array(DENSE)
LABELS = (DENSE[:, 0] > DENSE[:, 1]).astype(float)
FOLDS = np.arange(300) % 3


def fit(labels: np.ndarray, domains: np.ndarray, *, per_domain: bool = True, jobs: int = 1):
    return fit_tasks(
        MATRIX,
        labels=labels,
        weights=np.ones(300),
        folds=FOLDS,
        domains=domains,
        settings=[Setting(1.0, per_domain)] * labels.shape[1],
        jobs=jobs,
    )


def test_a_linear_model_learns_the_sign_of_a_feature() -> None:
    model = fit_linear(MATRIX, LABELS, np.ones(300), 1.0)
    assert model.weights[0] > 0 > model.weights[1]


def test_half_a_label_is_half_way() -> None:
    model = fit_linear(
        csr_array(np.ones((2, 1), np.float32)), np.array([0.5, 0.5]), np.ones(2), 1.0
    )
    assert model(csr_array(np.ones((1, 1), np.float32)))[0] == pytest.approx(0, abs=1e-3)


def test_features_that_tell_are_larger() -> None:
    sizes = telling(MATRIX, LABELS, np.ones(300))
    assert min(sizes[0], sizes[1]) > sizes[2:].max()


def test_a_comment_does_not_influence_its_own_unseen_margin() -> None:
    domains = np.zeros(300, int)
    before = fit(LABELS[:, None], domains)[0].unseen
    changed = LABELS.copy()
    changed[FOLDS == 0] = 1 - changed[FOLDS == 0]
    after = fit(changed[:, None], domains)[0].unseen
    np.testing.assert_allclose(before[FOLDS == 0], after[FOLDS == 0])
    assert not np.allclose(before[FOLDS == 1], after[FOLDS == 1])


def test_a_domain_of_bad_comments_does_not_spoil_its_words() -> None:
    domains = DENSE[:, 2].astype(int)
    labels = np.maximum(LABELS, DENSE[:, 2])
    plain = fit(labels[:, None], domains, per_domain=False)[0].model
    per_domain = fit(labels[:, None], domains, per_domain=True)[0].model
    assert 0 < per_domain.weights[2] < plain.weights[2]


def test_the_number_of_jobs_does_not_matter() -> None:
    labels = np.column_stack([LABELS, 1 - LABELS])
    domains = np.zeros(300, int)
    for one, two in zip(fit(labels, domains), fit(labels, domains, jobs=2), strict=True):
        np.testing.assert_array_equal(one.model.weights, two.model.weights)
        np.testing.assert_array_equal(one.unseen, two.unseen)


def test_a_head_is_one_linear_model_of_the_features() -> None:
    tasks = fit(np.column_stack([LABELS, DENSE[:, 3]]), np.zeros(300, int))
    margins = np.column_stack([task.model(MATRIX) for task in tasks])
    combination = combine(margins, LABELS, np.ones(300), [0, 1])
    np.testing.assert_allclose(fold_in(tasks, combination)(MATRIX), combination(margins), atol=1e-5)
