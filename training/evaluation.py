"""Measures models on labelled comments: figures, curves, slices, errors, and two models paired.

Comments are read, scored and let go of in batches; what stays is a few numbers of each, and the
worst mistakes.
"""

import heapq
import re
from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from moderation.classifier import language
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Prediction, Reason
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
"""A slice with fewer comments of a class gets no figures of its own."""

MOST_SLICES = 25
"""Of a kind; the largest ones are shown."""

MEASURES: dict[str, metrics.Measure] = {
    "AUC": metrics.auc,
    "average precision": metrics.average_precision,
    **{
        f"recall at {rate:.0%} false positives": metrics.recall_at(rate)
        for rate in FALSE_POSITIVE_RATES
    },
    "recall at 0.5": metrics.recall,
    "false positives at 0.5": metrics.false_positive_rate,
    "F1 at 0.5": metrics.f1,
    "calibration error": metrics.calibration_error,
}
SLICE_MEASURES: dict[str, metrics.Measure] = {
    "auc": metrics.auc,
    "recall": metrics.recall,
    "false_positives": metrics.false_positive_rate,
}

Points = list[tuple[float, float]]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the comments; without figures where it is made of many small parts."""

    kind: str
    name: str
    comments: int
    positives: int
    auc: Interval | None = None
    recall: Interval | None = None
    false_positives: Interval | None = None


class Mistake(NamedTuple):
    """A comment judged wrongly, with the probability given; `wrong` is how far it is from the
    label."""

    wrong: float
    order: int
    score: float
    text: str
    source: str
    key: str


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


@dataclass(slots=True)
class _Names:
    """Strings as numbers."""

    numbers: dict[str, int] = field(default_factory=dict)
    column: "array[int]" = field(default_factory=lambda: array("i"))

    def add(self, name: str) -> None:
        self.column.append(self.numbers.setdefault(name, len(self.numbers)))


_KINDS = ("source", "length", "language", "groups of people")


class _Columns(NamedTuple):
    """Labels, probabilities and groups of all comments."""

    labels: Floats
    scores: Floats
    groups: npt.NDArray[np.int64]


class _OfHead:
    """What is kept of the comments whose label for a head is known: which they are, labels and
    probabilities."""

    def __init__(self) -> None:
        self.rows, self.labels = array("i"), array("b")
        self.scores, self.others = array("d"), array("d")
        self.mistakes: dict[bool, list[Mistake]] = {False: [], True: []}

    def add(self, row: int, record: Record, label: float, score: float) -> None:
        self.rows.append(row)
        self.labels.append(label >= 0.5)
        self.scores.append(score)
        if (score >= 0.5) != (label >= 0.5):
            self._remember(abs(score - label), row, record, score, missed=label >= 0.5)

    def _remember(
        self, wrong: float, row: int, record: Record, score: float, *, missed: bool
    ) -> None:
        worst = self.mistakes[missed]
        if len(worst) == ERRORS and (wrong, -row) < worst[0][:2]:
            return
        text, source, key = record.document.text, record.source, record.key
        heapq.heappush(worst, Mistake(wrong, -row, score, text, source, key))
        if len(worst) > ERRORS:
            heapq.heappop(worst)


class _Gathered:
    """What is kept of all comments, a few numbers of each; of the labels, those of some `heads`."""

    def __init__(self, heads: Container[str]) -> None:
        self._wanted = heads
        self.able = array("b")
        self.kinds = {kind: _Names() for kind in _KINDS}
        self.groups = array("q")
        self.heads: dict[str, _OfHead] = {}

    def add(
        self,
        record: Record,
        names: Sequence[str],
        prediction: Prediction,
        other: Prediction | None,
    ) -> None:
        row = len(self.able)
        self.able.append(prediction.able)
        self.groups.append(_group_number(record.group) if record.group else ~row)
        for kind, name in zip(_KINDS, names, strict=True):
            self.kinds[kind].add(name)
        for head, label in record.labels.items():
            if head not in self._wanted:
                continue
            of_head = self.heads.get(head)
            if of_head is None:
                of_head = self.heads[head] = _OfHead()
            of_head.add(row, record, label, _probability(prediction, head))
            if other is not None:
                of_head.others.append(_probability(other, head))


def _group_number(name: str) -> int:
    """A number for a group: of a million names no two have the same, but once in ten million
    times. The names themselves would fill the memory where there are many."""
    return int.from_bytes(blake2b(name.encode(errors="replace"), digest_size=8).digest()) >> 1


def evaluate(
    classifier: Classifier,
    records: Iterable[Record],
    *,
    heads: Sequence[str] = (),
    against: Classifier | None = None,
    seed: int = 0,
    scored: Progress = lambda _: None,
    measured: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Evaluation]:
    """Measure heads on the records whose label for them is known; without `heads`, all of which
    any record has a label. `scored` is called with numbers of records, `measured` with how many
    heads are measured, of how many.

    ValueError when a head's labels are not of both classes, or when there are none at all.
    """
    gathered = _gather(classifier, records, heads or HEADS, against, scored)
    chosen = tuple(heads) or tuple(head for head in HEADS if head in gathered.heads)
    if not chosen:
        raise ValueError("there are no usable labels")
    evaluations = []
    for done, head in enumerate(chosen):
        measured(done, len(chosen))
        evaluations.append(_evaluation(classifier, gathered, head, against, seed))
    measured(len(chosen), len(chosen))
    return evaluations


def _gather(
    classifier: Classifier,
    records: Iterable[Record],
    heads: Container[str],
    against: Classifier | None,
    scored: Progress,
) -> _Gathered:
    gathered = _Gathered(heads)
    terms = frozenset(groups())
    stream = iter(records)
    while batch := list(islice(stream, BATCH)):
        documents = [record.document for record in batch]
        ours = classifier.predict(documents)
        theirs = against.predict(documents) if against else [None] * len(batch)
        for record, our, their in zip(batch, ours, theirs, strict=True):
            names = (
                record.source,
                _length_name(len(record.document.text)),
                language.detect(record.document.text) or "unclear",
                _first_term(record.document.text, terms),
            )
            gathered.add(record, names, our, their)
        scored(len(batch))
    return gathered


# A lookup: to make a `Reason` of a name takes longer.
_REASONS = {str(reason): reason for reason in Reason}


def _probability(prediction: Prediction, head: str) -> float:
    return prediction.reject if head == REJECT else prediction.reasons[_REASONS[head]]


def _evaluation(
    classifier: Classifier,
    gathered: _Gathered,
    head: str,
    against: Classifier | None,
    seed: int,
) -> Evaluation:
    found = gathered.heads.get(head, _OfHead())
    rows, labels = np.array(found.rows), np.array(found.labels, float)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"comments of both classes are needed for {head!r}")
    scores = np.array(found.scores)
    columns = _Columns(labels, scores, np.array(gathered.groups)[rows])
    _, positives, negatives = metrics.ranking(labels, scores)
    rates, recalls = negatives / negatives[-1], positives / positives[-1]
    return Evaluation(
        model=classifier.version,
        head=head,
        comments=len(labels),
        positives=int(labels.sum()),
        unable=int((np.array(gathered.able)[rows] == 0).sum()),
        figures=metrics.bootstraps(MEASURES, labels, scores, seed, columns.groups),
        roc=_thin(np.append(0, rates), np.append(0, recalls)),
        precision_recall=_thin(recalls, positives / (positives + negatives)),
        calibration=_calibration(labels, scores),
        histogram=_histogram(labels, scores),
        slices=[
            part
            for kind, names in gathered.kinds.items()
            for part in _slices(kind, names, rows, columns, seed)
        ],
        false_positives=sorted(found.mistakes[False], reverse=True),
        false_negatives=sorted(found.mistakes[True], reverse=True),
        paired=_paired(against.version, np.array(found.others), columns, seed) if against else None,
    )


def _thin(x: Floats, y: Floats, points: int = 200) -> Points:
    """At most about `points` of a curve, evenly spread over its length, ends included."""
    length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    chosen = np.searchsorted(length, np.linspace(0, length[-1], points))
    chosen = np.unique(np.append(np.minimum(chosen, len(x) - 1), [0, len(x) - 1]))
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
    kind: str, names: _Names, comments: npt.NDArray[np.int64], judged: _Columns, seed: int
) -> Iterator[Slice]:
    """The largest slices with figures, in the order of their names; the others as one. `comments`:
    which of all the `names` those are that were judged."""
    column = np.array(names.column)[comments]
    sizes = np.bincount(column, minlength=len(names.numbers))
    positives = np.bincount(column, judged.labels, len(sizes)).astype(int)
    enough = np.minimum(positives, sizes - positives) >= LEAST_OF_A_CLASS
    shown = set(np.argsort(-sizes * enough, kind="stable")[: min(enough.sum(), MOST_SLICES)])
    for name in sorted(names.numbers, key=_in_order):
        number = names.numbers[name]
        if number in shown:
            rows = column == number
            figures = metrics.bootstraps(
                SLICE_MEASURES, judged.labels[rows], judged.scores[rows], seed, judged.groups[rows]
            )
            yield Slice(kind, name, int(sizes[number]), int(positives[number]), **figures)
    others = ~np.isin(column, list(shown))
    if others.any():
        count = np.count_nonzero(sizes) - len(shown)
        yield Slice(kind, f"{count} more", int(others.sum()), int(judged.labels[others].sum()))


def _in_order(name: str) -> tuple[int, str]:
    """Numbers that names begin with by size, all else by letter."""
    number = name.split("–", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    return (int(number) if number.isdecimal() else 0, name)


def _length_name(length: int) -> str:
    edges = (0, *LENGTHS)
    for low, high in pairwise(edges):
        if length <= high:
            return f"{low + 1}–{high} characters"
    return f"{LENGTHS[-1] + 1} characters and more"


_LETTERS = re.compile(r"[^\W\d_]+")


def _first_term(text: str, terms: frozenset[str]) -> str:
    """The first term for a group of people, "none" without one."""
    words = _LETTERS.findall(text.lower())
    return "none" if terms.isdisjoint(words) else next(word for word in words if word in terms)


def _paired(other: str, theirs: Floats, judged: _Columns, seed: int) -> Paired:
    labels, scores, resampled = judged
    our_order, their_order = metrics.Ordered(labels, scores), metrics.Ordered(labels, theirs)
    draw = metrics.resamples(labels, resampled, np.random.default_rng(seed))
    differences = [
        metrics.auc.of(our_order.ranking(counts)) - metrics.auc.of(their_order.ranking(counts))
        for counts in islice(draw, metrics.RESAMPLES)
    ]
    low, high = np.percentile(differences, [2.5, 97.5])
    value = metrics.auc(labels, scores) - metrics.auc(labels, theirs)
    right, theirs_right = (scores >= 0.5) == labels, (theirs >= 0.5) == labels
    only_this, only_other = int((right & ~theirs_right).sum()), int((theirs_right & ~right).sum())
    differing = only_this + only_other
    return Paired(
        other=other,
        difference=Interval(value, float(low), float(high)),
        only_this_right=only_this,
        only_other_right=only_other,
        p_value=float(binomtest(only_this, differing).pvalue) if differing else 1.0,
    )
