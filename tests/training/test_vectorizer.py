import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from moderation.classifier.features import CHARACTERS
from training.vectorizer import CommentVectorizer

TEXTS = ["you fool", "thank you", "you fool, you", "thank you all"]


# scikit-learn's generator of checks gives none to estimators of text, as it makes numbers only.
# These need no input; what the others hold estimators to is tested below on texts.
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


def test_fitting_changes_no_parameter_and_twice_is_once() -> None:
    vectorizer = CommentVectorizer(features=50, least_frequency=1)
    before = vectorizer.get_params()
    once = vectorizer.fit(TEXTS).transform(TEXTS).toarray()
    again = vectorizer.fit(TEXTS).transform(TEXTS).toarray()
    assert vectorizer.get_params() == before
    np.testing.assert_array_equal(once, again)


def test_a_clone_and_a_pickle_give_the_same() -> None:
    vectorizer = CommentVectorizer(features=50, least_frequency=1).fit(TEXTS)
    expected = vectorizer.transform(TEXTS).toarray()
    with pytest.raises(NotFittedError):
        clone(vectorizer).transform(TEXTS)
    for other in (clone(vectorizer).fit(TEXTS), pickle.loads(pickle.dumps(vectorizer))):
        np.testing.assert_array_equal(other.transform(TEXTS).toarray(), expected)


def test_a_text_does_not_depend_on_those_beside_it() -> None:
    vectorizer = CommentVectorizer(least_frequency=1).fit(TEXTS)
    together = vectorizer.transform(TEXTS).toarray()
    alone = [vectorizer.transform([text]).toarray()[0] for text in TEXTS]
    np.testing.assert_array_equal(together, alone)


def test_words_that_name_groups_are_not_read_as_other_words() -> None:
    texts = ["I saw refugees", "I saw muslims", "I saw refuges", "I saw refuges"]
    found = CommentVectorizer(least_frequency=1, common=2).fit_transform(texts).toarray()
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_only_frequent_features_are_kept() -> None:
    few = CommentVectorizer(least_frequency=3).fit(TEXTS)
    many = CommentVectorizer(least_frequency=1).fit(TEXTS)
    assert 0 < len(few.buckets_) < len(many.buckets_)


def test_the_most_frequent_features_are_kept() -> None:
    every = CommentVectorizer(least_frequency=1).fit_transform(TEXTS).toarray()
    few = CommentVectorizer(features=6, least_frequency=1).fit_transform(TEXTS).toarray()
    frequencies = sorted((every > 0).sum(axis=0), reverse=True)
    assert sorted((few > 0).sum(axis=0), reverse=True) == frequencies[:6]


def test_a_block_left_out_takes_its_columns_along() -> None:
    everything = CommentVectorizer(least_frequency=1).fit_transform(TEXTS)
    fewer = CommentVectorizer(least_frequency=1, leave_out=[CHARACTERS]).fit_transform(TEXTS)
    assert 0 < fewer.shape[1] < everything.shape[1]


def test_progress_counts_every_document_twice() -> None:
    counts: list[int] = []
    CommentVectorizer(least_frequency=1).fit_transform(TEXTS, progress=counts.append)
    assert sum(counts) == 2 * len(TEXTS)


def test_fitting_and_transforming_at_once_is_the_same() -> None:
    vectorizer = CommentVectorizer(features=50, least_frequency=1)
    at_once = vectorizer.fit_transform(TEXTS)
    np.testing.assert_array_equal(at_once.toarray(), vectorizer.transform(TEXTS).toarray())


def test_one_text_is_not_a_sequence_of_texts() -> None:
    with pytest.raises(ValueError, match="sequence of documents"):
        CommentVectorizer().fit("one text")


def test_it_must_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        CommentVectorizer().transform(TEXTS)
