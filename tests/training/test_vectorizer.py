import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from training.vectorizer import CommentVectorizer

TEXTS = ["you fool", "thank you", "you fool, you", "thank you all"]
LABELS = np.array([[1.0], [0.0], [1.0], [np.nan]])


# The checks that need no numeric input; scikit-learn skips the others for estimators of text.
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
)
def test_it_keeps_scikit_learns_contract(check) -> None:
    check("CommentVectorizer", CommentVectorizer(features=100, least_frequency=1))


def test_only_frequent_features_are_kept() -> None:
    few = CommentVectorizer(least_frequency=3).fit(TEXTS)
    many = CommentVectorizer(least_frequency=1).fit(TEXTS)
    assert 0 < len(few.buckets_) < len(many.buckets_)


def test_the_features_that_tell_apart_are_kept() -> None:
    texts = ["you fool there", "you there"] * 2
    vectorizer = CommentVectorizer(features=6, least_frequency=1).fit(texts, [1, 0, 1, 0])
    fool, there = vectorizer.transform(["fool", "there"]).toarray()
    assert fool.any()
    assert not there.any()


def test_fitting_and_transforming_at_once_is_the_same() -> None:
    vectorizer = CommentVectorizer(features=50, least_frequency=1)
    at_once = vectorizer.fit_transform(TEXTS, LABELS)
    np.testing.assert_array_equal(at_once.toarray(), vectorizer.transform(TEXTS).toarray())


def test_one_text_is_not_a_sequence_of_texts() -> None:
    with pytest.raises(ValueError, match="sequence of documents"):
        CommentVectorizer().fit("one text")


def test_it_must_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        CommentVectorizer().transform(TEXTS)
