"""Measures models on labelled comments: figures, curves, slices, errors, and two models paired."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_curve

from moderation.classifier import language
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT
from training import metrics
from training.metrics import Interval
from training.records import Record
from training.softlabels import Floats
from training.words import groups

BATCH = 512
LENGTHS = (50, 150, 400, 1000)
FALSE_POSITIVE_RATES = (0.01, 0.05, 0.1)
BINS = 20
ERRORS = 15
LEAST_OF_A_CLASS = 5
"""A slice with fewer comments of a class gets no figures."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the comments; figures are None where a class is too small."""

    kind: str
    name: str
    comments: int
    positives: int
    auc: Interval | None
    recall: Interval | None
    false_positives: Interval | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A comment judged wrongly, with the probability given."""

    text: str
    source: str
    key: str
    score: float


@dataclass(frozen=True, slots=True)
class Paired:
    """This model less another on the same comments: difference of AUC, and how many comments only
    one of them has right at the threshold one half (exact McNemar test)."""

    other: str
    difference: Interval
    only_this_right: int
    only_other_right: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a report shows of one model and one head."""

    model: str
    head: str
    comments: int
    positives: int
    unable: int
    figures: dict[str, Interval]
    roc: Points
    precision_recall: Points
    calibration: Points
    histogram: tuple[list[int], list[int]]
    slices: list[Slice]
    false_positives: list[Mistake]
    false_negatives: list[Mistake]
    paired: Paired | None


def evaluate(
    classifier: Classifier,
    records: Sequence[Record],
    *,
    head: str = REJECT,
    against: Classifier | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure one head on the records whose label for it is known.

    ValueError when these are not of both classes.
    """
    known = [record for record in records if head in record.labels]
    labels = np.array([float(record.labels[head] >= 0.5) for record in known])
    if len(np.unique(labels)) < 2:
        raise ValueError(f"comments of both classes are needed for {head!r}")
    scores, able = score(classifier, known, head)
    fpr, tpr, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    return Evaluation(
        model=classifier.version,
        head=head,
        comments=len(known),
        positives=int(labels.sum()),
        unable=int((~able).sum()),
        figures=_figures(labels, scores, seed),
        roc=_thin(fpr, tpr),
        precision_recall=_thin(recall, precision),
        calibration=_calibration(labels, scores),
        histogram=_histogram(labels, scores),
        slices=list(_slices(known, labels, scores, seed)),
        false_positives=_mistakes(known, scores, (labels == 0) & (scores >= 0.5), -scores),
        false_negatives=_mistakes(known, scores, (labels == 1) & (scores < 0.5), scores),
        paired=_paired(against, known, labels, scores, head=head, seed=seed) if against else None,
    )


def score(
    classifier: Classifier, records: Sequence[Record], head: str
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(probability of the head, whether the model was able to judge) per record."""
    predictions = [
        prediction
        for start in range(0, len(records), BATCH)
        for prediction in classifier.predict(
            [record.document for record in records[start : start + BATCH]]
        )
    ]
    values = [
        p.reject if head == REJECT else {reason.value: v for reason, v in p.reasons.items()}[head]
        for p in predictions
    ]
    return np.array(values), np.array([p.able for p in predictions])


def _figures(labels: Floats, scores: Floats, seed: int) -> dict[str, Interval]:
    measures: dict[str, metrics.Measure] = {
        "AUC": metrics.auc,
        "average precision": metrics.average_precision,
        **{
            f"recall at {rate:.0%} false positives": metrics.recall_at(rate)
            for rate in FALSE_POSITIVE_RATES
        },
        "F1 at 0.5": metrics.f1,
        "calibration error": metrics.calibration_error,
    }
    return {
        name: metrics.bootstrap(measure, labels, scores, seed) for name, measure in measures.items()
    }


def _thin(x: Floats, y: Floats, points: int = 200) -> Points:
    """At most about `points` of a curve, ends included."""
    step = max(1, len(x) // points)
    chosen = sorted({*range(0, len(x), step), len(x) - 1})
    return [(float(x[place]), float(y[place])) for place in chosen]


def _calibration(labels: Floats, scores: Floats) -> Points:
    """(mean probability, share of positives) per tenth of the probability scale."""
    place = np.minimum((scores * 10).astype(int), 9)
    return [
        (float(scores[place == number].mean()), float(labels[place == number].mean()))
        for number in np.unique(place)
    ]


def _histogram(labels: Floats, scores: Floats) -> tuple[list[int], list[int]]:
    """Comments per bin of the probability scale: label 0, label 1."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    negative, positive = (np.bincount(place[labels == c], minlength=BINS) for c in (0, 1))
    return negative.tolist(), positive.tolist()


def _slices(
    records: Sequence[Record], labels: Floats, scores: Floats, seed: int
) -> Iterator[Slice]:
    for kind, names in (
        ("source", [record.source for record in records]),
        ("length", [_length_name(len(record.document.text)) for record in records]),
        ("language", [language.detect(r.document.text) or "unclear" for r in records]),
        ("groups of people", _group_names(records)),
    ):
        array = np.array(names)
        for name in dict.fromkeys(sorted(names)):
            rows = np.flatnonzero(array == name)
            yield _slice(kind, name, labels[rows], scores[rows], seed)


def _slice(kind: str, name: str, labels: Floats, scores: Floats, seed: int) -> Slice:
    positives = int(labels.sum())
    enough = min(positives, len(labels) - positives) >= LEAST_OF_A_CLASS

    def interval(measure: metrics.Measure) -> Interval | None:
        return metrics.bootstrap(measure, labels, scores, seed) if enough else None

    return Slice(
        kind=kind,
        name=name,
        comments=len(labels),
        positives=positives,
        auc=interval(metrics.auc),
        recall=interval(lambda y, p: float(np.mean(p[y == 1] >= 0.5))),
        false_positives=interval(lambda y, p: float(np.mean(p[y == 0] >= 0.5))),
    )


def _length_name(length: int) -> str:
    for limit in LENGTHS:
        if length <= limit:
            return f"up to {limit:4} characters"
    return f"over {LENGTHS[-1]:5} characters"


def _group_names(records: Sequence[Record]) -> list[str]:
    """The first term for a group of people in each comment, "none" without one."""
    terms = set(groups())

    def first(record: Record) -> str:
        words = ("".join(c if c.isalpha() else " " for c in record.document.text.lower())).split()
        return next((word for word in words if word in terms), "none")

    return [first(record) for record in records]


def _mistakes(
    records: Sequence[Record], scores: Floats, rows: npt.NDArray[np.bool_], order: Floats
) -> list[Mistake]:
    """The comments furthest on the wrong side."""
    chosen = np.flatnonzero(rows)
    worst = chosen[np.argsort(order[chosen], kind="stable")][:ERRORS]
    return [
        Mistake(
            records[row].document.text, records[row].source, records[row].key, float(scores[row])
        )
        for row in worst
    ]


def _paired(
    other: Classifier,
    records: Sequence[Record],
    labels: Floats,
    scores: Floats,
    *,
    head: str,
    seed: int,
) -> Paired:
    theirs, _ = score(other, records, head)
    generator = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == c) for c in (0, 1)]
    differences = []
    for _ in range(metrics.RESAMPLES):
        rows = np.concatenate([generator.choice(c, len(c)) for c in classes])
        differences.append(
            metrics.auc(labels[rows], scores[rows]) - metrics.auc(labels[rows], theirs[rows])
        )
    low, high = np.percentile(differences, [2.5, 97.5])
    right, theirs_right = (scores >= 0.5) == labels, (theirs >= 0.5) == labels
    only_this, only_other = int((right & ~theirs_right).sum()), int((theirs_right & ~right).sum())
    return Paired(
        other=other.version,
        difference=Interval(
            metrics.auc(labels, scores) - metrics.auc(labels, theirs), float(low), float(high)
        ),
        only_this_right=only_this,
        only_other_right=only_other,
        p_value=float(binomtest(only_this, only_this + only_other).pvalue)
        if only_this + only_other
        else 1.0,
    )
