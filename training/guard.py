"""The guard set: invented sentences on which no candidate may be worse than the current model.

No row of a data set is in it, so that it can stay the same for every site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from moderation.classifier.prediction import Document, Prediction
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
    """The fixed guard set: the half of the templates that no site's model is trained on, each
    filled once, and the sentences that no model is trained on, with every group in the same
    place."""
    documents, unwanted = invented.checks(seed)
    crossed = [invented.crossed(1, seed, known_words=known) for known in (False, True)]
    return Guard(
        documents=documents,
        unwanted=unwanted,
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


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model gives the sentences of a guard set."""

    sentences: Floats
    about: Floats
    """Sentences x groups."""

    def towards(self, other: "Answers", share: float) -> "Answers":
        """What a model gives whose log-odds go this share of the way to another's."""

        def between(ours: Floats, theirs: Floats) -> Floats:
            ours, theirs = (logit(np.clip(p, _CERTAIN, 1 - _CERTAIN)) for p in (ours, theirs))
            found: Floats = expit((1 - share) * ours + share * theirs)
            return found

        return Answers(between(self.sentences, other.sentences), between(self.about, other.about))


_CERTAIN = 1e-12


def ask(model: Model, guard: Guard) -> Answers:
    """The model's answers."""
    documents = [document for row in guard.about for document in row]
    about = probabilities(model, documents)[0]
    return Answers(
        probabilities(model, guard.documents)[0],
        about.reshape(len(guard.about), -1) if documents else about,
    )


def watch(current: Model, candidate: Model, guard: Guard) -> tuple[dict[str, Any], list[str]]:
    """Figures of both on the guard set, and what the candidate is worse at."""
    return _compared(ask(current, guard), ask(candidate, guard), guard)


def farthest(general: Model, own: Model, guard: Guard, *, present: Model | None = None) -> float:
    """How far, of `SHARES`, a site's own model may go from the general one to be no worse on the
    guard set than that, and than the present one; 1 where none of them is near enough: the gate
    will say so."""
    ours, theirs = ask(general, guard), ask(own, guard)
    standards = [ours] if present is None else [ours, ask(present, guard)]
    for share in SHARES:
        answers = ours.towards(theirs, share)
        if not any(_compared(standard, answers, guard)[1] for standard in standards):
            return share
    return 1.0


SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)


def _compared(
    current: Answers, candidate: Answers, guard: Guard
) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    failed = []
    for name, figure, words, allowed, measure in _GUARDED:
        ours, theirs = (measure(answers, guard) for answers in (current, candidate))
        if ours is None or theirs is None:
            continue
        found[name] = {"words": figure, "current": ours, "candidate": theirs, "allowed": allowed}
        if (theirs - ours) * (1 if allowed > 0 else -1) > abs(allowed):
            failed.append(words)
    if len(found) < len(_GUARDED):
        failed.append("the guard set, which is empty")
    return found, failed


def _of_sentences(answers: Answers, guard: Guard) -> float | None:
    labels = np.array(guard.unwanted, float)
    if len(np.unique(labels)) < 2:
        return None
    return metrics.auc(labels, answers.sentences)


def _about_groups(answers: Answers, guard: Guard) -> float | None:
    labels = np.array(guard.hateful, float)
    if len(np.unique(labels)) < 2:
        return None
    return metrics.auc(np.repeat(labels, answers.about.shape[1]), answers.about.ravel())


def _gap(answers: Answers, guard: Guard) -> float | None:
    """The widest gap between two groups in the share of harmless sentences that would be held, if
    half of the hateful ones are: free of where a model's probabilities lie."""
    hateful = np.array(guard.hateful, bool)
    if hateful.all() or not hateful.any():
        return None
    scores = answers.about
    rates = (scores[~hateful] >= np.median(scores[hateful])).mean(axis=0)
    return float(rates.max() - rates.min())


_GUARDED: tuple[tuple[str, str, str, float, Callable[[Answers, Guard], float | None]], ...] = (
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
