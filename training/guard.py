"""The guard set: invented sentences on which no candidate may be worse than the current model.

No row of a data set is in it, so that it can stay the same for every site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moderation.classifier.prediction import REJECT, Document, Prediction
from training import invented, metrics
from training.softlabels import Floats

AUC_LOST = 0.01
"""What a candidate may lose on a kind of sentences."""

GAP_GAINED = 0.05
"""By so much the groups of people may be treated more differently."""


class Model(Protocol):
    """What is judged: a `Classifier`, or what stands for one."""

    @property
    def version(self) -> str:
        """What it is called."""

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """One prediction for each document."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Invented sentences on which no candidate may be worse: of every kind (`documents`), and
    about each group of people in turn (`about`: sentences x groups)."""

    documents: Sequence[Document] = ()
    unwanted: Sequence[bool] = ()
    about: Sequence[Sequence[Document]] = ()
    hateful: Sequence[bool] = ()


def standard(seed: int = 0) -> Guard:
    """The fixed guard set: the sentences of the templates, each filled once, and those that no
    model is trained on, with every group in the same place."""
    records = [r for r in invented.templates(1, seed, 1) if REJECT in r.labels]
    crossed = [invented.crossed(1, seed, known_words=known) for known in (False, True)]
    return Guard(
        documents=[record.document for record in records],
        unwanted=[record.labels[REJECT] >= 0.5 for record in records],
        about=[[Document(text) for text in row] for part in crossed for row in part.texts],
        hateful=[side for part in crossed for side in part.hateful],
    )


def probabilities(
    model: Model, documents: Sequence[Document]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """What the model gives each for `reject`, and whether it is able to judge it."""
    predictions = model.predict(documents) if documents else []
    return (
        np.array([p.reject for p in predictions], float),
        np.array([p.able for p in predictions], bool),
    )


def watch(current: Model, candidate: Model, guard: Guard) -> tuple[dict[str, Any], list[str]]:
    """Figures of both on the guard set, and what the candidate is worse at."""
    found: dict[str, Any] = {}
    failed = []
    for name, figure, words, allowed, measure in _GUARDED:
        ours, theirs = (measure(model, guard) for model in (current, candidate))
        if ours is None or theirs is None:
            continue
        found[name] = {"words": figure, "current": ours, "candidate": theirs, "allowed": allowed}
        if (theirs - ours) * (1 if allowed > 0 else -1) > abs(allowed):
            failed.append(words)
    if len(found) < len(_GUARDED):
        failed.append("the guard set, which is empty")
    return found, failed


def _of_sentences(model: Model, guard: Guard) -> float | None:
    labels = np.array(guard.unwanted, float)
    if len(np.unique(labels)) < 2:
        return None
    return metrics.auc(labels, probabilities(model, guard.documents)[0])


def _about_groups(model: Model, guard: Guard) -> float | None:
    labels = np.array(guard.hateful, float)
    if len(np.unique(labels)) < 2:
        return None
    scores = _crossed(model, guard)
    return metrics.auc(np.repeat(labels, scores.shape[1]), scores.ravel())


def _gap(model: Model, guard: Guard) -> float | None:
    """The widest gap between two groups in the share of harmless sentences that would be held, if
    half of the hateful ones are: free of where a model's probabilities lie."""
    hateful = np.array(guard.hateful, bool)
    if hateful.all() or not hateful.any():
        return None
    scores = _crossed(model, guard)
    rates = (scores[~hateful] >= np.median(scores[hateful])).mean(axis=0)
    return float(rates.max() - rates.min())


def _crossed(model: Model, guard: Guard) -> Floats:
    documents = [document for row in guard.about for document in row]
    return probabilities(model, documents)[0].reshape(len(guard.about), -1)


_GUARDED: tuple[tuple[str, str, str, float, Callable[[Model, Guard], float | None]], ...] = (
    (
        "sentences",
        "AUC on invented sentences",
        "invented sentences of every kind",
        -AUC_LOST,
        _of_sentences,
    ),
    (
        "groups",
        "AUC on sentences about groups of people",
        "sentences about groups of people",
        -AUC_LOST,
        _about_groups,
    ),
    (
        "gap",
        "widest gap between groups in harmless sentences held",
        "treating groups of people alike",
        GAP_GAINED,
        _gap,
    ),
)
