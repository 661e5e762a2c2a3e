"""Scores of labelled comments by models that were not trained on them: what thresholds follow from
(see `moderation.learning.goals`), where the model itself was trained on all of them."""

from collections.abc import Callable, Sequence

import numpy as np

from moderation.classifier.prediction import Document
from moderation.learning.labels import Labelled
from training.gate import together
from training.guard import Model, probabilities

FOLDS = 3

Fit = Callable[[Sequence[Labelled]], Model]


def out_of_fold(
    labelled: Sequence[Labelled], fit: Fit, *, folds: int = FOLDS, seed: int = 0
) -> list[float | None]:
    """The probability of `reject` for each comment by a model fitted without it, without its page
    and without what says nearly the same; None where that model is not able to judge.

    Args:
        fit: makes a model from some of the labels; called `folds` times.
    """
    groups, members = np.unique(together(labelled, pages=True), return_inverse=True)
    if len(groups) < folds:
        # All is of a piece, such as one page: only repeats can be kept apart.
        groups, members = np.unique(together(labelled, pages=False), return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(groups)) % folds
    fold = dealt[members]
    found: list[float | None] = [None] * len(labelled)
    for number in range(folds):
        places = np.flatnonzero(fold == number).tolist()
        model = fit([labelled[place] for place in np.flatnonzero(fold != number).tolist()])
        texts = [labelled[place] for place in places]
        documents = [Document(one.text, one.name, one.website) for one in texts]
        for place, score, able in zip(places, *probabilities(model, documents), strict=True):
            found[place] = float(score) if able else None
    return found
