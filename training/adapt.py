"""Fits a site's own weights on top of a general model.

The general model is where the fit starts from and what it is drawn back to: without labels nothing
changes. How far labels may move it is chosen by what they say of one another across pages and
times; the least that is within `CAUTION` standard errors of the best is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from scipy.special import expit

from moderation.classifier.adaptation import Adaptation, SiteWeights
from moderation.classifier.language import detect
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document
from moderation.labels import Labelled
from training.logistic import ascend, telling
from training.softlabels import Floats
from training.train import quantise
from training.vectorizer import CommentVectorizer, word_frequencies

Progress = Callable[[float], None]

HALF_LIFE = 365 * 24 * 3600 * 1000
"""Of what a decision counts, in milliseconds."""

LEAST_RECENT = 0.25
"""What a decision counts at least, however old."""

MOST_PROPENSITY = 20.0
"""A comment drawn for the audit stands for at most so many: one row must not outweigh all."""
FEATURES = 60_000
"""At most so many of the site's own, the most frequent; a few bytes each."""

LEAST_FREQUENCY, LEAST_WORD = 2, 3
"""Comments that have a feature, or a word, for it to be the site's."""

LEAST_OF_LANGUAGE = 100
"""Labelled comments in a language before a comment in it can be judged."""

FOLDS = 5
LARGEST_GROUP = 1 / 10
"""Share of the labels above which a page is cut into pieces of time."""

HEAD_SIZES = (0.0, 0.1, 0.3)
FEATURE_SIZES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Standard deviations, before labels, of what the site may change: factors of general log-odds,
and weights of its own features."""

CAUTION = 2.0
"""Standard errors by which the best change must beat a lesser one."""

INTERCEPT_SIZE = 2.0
_TOLERANCE, _MOST_WALKS = 0.02, 30
_NEWTON_STEPS = 30
_NOTHING = np.zeros((0, 1), np.int8), np.ones(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A labelled comment: `unwanted` is the probability that a moderator would not publish it,
    times are in milliseconds since 1970, `weight` is how much it counts (above 0)."""

    text: str
    name: str = ""
    website: str = ""
    page: str = ""
    written_at: int = 0
    labelled_at: int = 0
    unwanted: float
    weight: float = 1.0

    @property
    def document(self) -> Document:
        return Document(self.text, self.name, self.website)


def examples_of(labelled: Iterable[Labelled], now: int) -> list[Example]:
    """Labels as examples. Strong and recent ones count more, and what was drawn for the audit
    counts for all those that were not."""
    return [
        Example(
            text=row.text,
            name=row.name,
            website=row.website,
            page=row.page,
            written_at=row.created_at,
            labelled_at=row.at,
            unwanted=row.unwanted,
            weight=row.strength * _recency(now - row.at) * min(1 / row.propensity, MOST_PROPENSITY),
        )
        for row in labelled
        if row.strength > 0
    ]


def _recency(age: int) -> float:
    return max(LEAST_RECENT, float(0.5 ** (max(age, 0) / HALF_LIFE)))


def fit(
    base: Classifier,
    examples: Sequence[Example],
    *,
    name: str,
    now: int,
    progress: Progress = lambda _: None,
) -> Adaptation:
    """Adapt `base` to the examples, in any number. The same examples give the same adaptation.

    `name`: of the site, for the version; `now`: milliseconds since 1970. `progress` is called with
    the share that is done.
    """
    table = _Table(base, examples)
    found = _chosen(table, progress)
    weights, scales = quantise(found.weights[None], table.idf) if table.width else _NOTHING
    kept = np.flatnonzero(weights[:, 0])
    factors = np.where(np.arange(len(HEADS)) == HEADS.index(REJECT), 1.0, 0.0) + found.factors
    progress(1.0)
    return Adaptation(
        base.version,
        SiteWeights(
            buckets=table.buckets[kept].astype(np.uint32),
            weights=np.ascontiguousarray(weights[kept, 0]),
            idf=table.idf[kept],
            scale=float(scales[0]),
            factors=factors,
            bias=found.bias,
            words=table.words,
        ),
        {
            "name": name,
            "date": datetime.fromtimestamp(now / 1000, UTC).date().isoformat(),
            "languages": _taught(base, examples),
            "labels": len(examples),
            "unwanted": float(table.shares @ table.weights / max(table.weights.sum(), 1e-9)),
            "sizes": {"heads": found.move.heads, "features": found.move.features},
        },
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """How far labels may move the general model; see `HEAD_SIZES`."""

    heads: float
    features: float


@dataclass(frozen=True, slots=True)
class _Change:
    """What is added to the general `reject`."""

    move: _Move
    weights: Floats
    factors: Floats
    bias: float


class _Table:
    """Examples as arrays."""

    def __init__(self, base: Classifier, examples: Sequence[Example]) -> None:
        documents = [example.document for example in examples]
        self.general = base.log_odds(documents)[0] if documents else np.zeros((0, len(HEADS)))
        self.offsets = self.general[:, HEADS.index(REJECT)]
        self.shares = np.array([example.unwanted for example in examples], float)
        self.weights = _effective(np.array([example.weight for example in examples], float))
        self.folds = _folds(examples)
        features = CommentVectorizer(
            features=FEATURES, least_frequency=LEAST_FREQUENCY, tables=base.parameters.tables
        )
        self.buckets, self.idf = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        matrix = csr_array(np.zeros((len(examples), 0), np.float32))
        if documents:
            matrix = csr_array(features.fit_transform(documents))
            self.buckets, self.idf = features.buckets_, features.idf_
        self.width = len(self.buckets)
        heads = csr_array(self.general.astype(np.float32))
        self.matrix = csr_array(hstack([matrix, heads], format="csr"))
        self.words = _words(base, documents)


def _effective(weights: Floats) -> Floats:
    """Weights that sum to as many rows as they are worth (Kish 1965)."""
    total = weights.sum()
    return weights * total / (weights @ weights) if total else weights


def _chosen(table: _Table, progress: Progress) -> _Change:
    """The change that the labels speak for."""
    moves = [_Move(*sizes) for sizes in product(HEAD_SIZES, FEATURE_SIZES)]
    if not _both(table.shares, table.weights):
        return _change(table, table.weights, _Move(0.0, 0.0))
    losses = []
    for done, move in enumerate(moves):
        losses.append(_unseen_losses(table, move))
        progress((done + 1) / (len(moves) + 1))
    return _change(table, table.weights, moves[_least_within_error(losses, table.weights)])


def _both(shares: Floats, weights: Floats) -> bool:
    known = shares[weights > 0]
    return bool(known.size and known.min() < 0.5 <= known.max())


def _unseen_losses(table: _Table, move: _Move) -> Floats:
    """Per row its log-loss by a fit without its fold."""
    losses = np.zeros(len(table.shares))
    for fold in range(FOLDS):
        held = table.folds == fold
        seen = np.where(held, 0.0, table.weights)
        change = _change(table, seen, move)
        losses[held] = _losses(table.shares[held], _margins(table, change)[held])
    return losses


def _losses(shares: Floats, margins: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, margins) - shares * margins)


def _margins(table: _Table, change: _Change) -> Floats:
    weights = np.concatenate([change.weights, change.factors]).astype(np.float32)
    return np.asarray(table.offsets + change.bias + table.matrix @ weights, float)


def _least_within_error(losses: Sequence[Floats], weights: Floats) -> int:
    means = [float(np.average(loss, weights=weights)) for loss in losses]
    best = int(np.argmin(means))
    for number, loss in enumerate(losses):
        gaps = loss - losses[best]
        mean = np.average(gaps, weights=weights)
        error = np.sqrt(weights**2 @ (gaps - mean) ** 2) / weights.sum()
        if mean <= CAUTION * error:
            return number
    return best


def _change(table: _Table, weights: Floats, move: _Move) -> _Change:
    bias = _shift(table.offsets, table.shares, weights)
    width, heads = table.width, len(HEADS)
    if not _both(table.shares, weights) or move == _Move(0.0, 0.0):
        return _Change(move, np.zeros(width), np.zeros(heads), bias)
    sizes = np.concatenate(
        [
            move.features * telling(table.matrix, table.shares, weights)[:width],
            np.full(heads, move.heads),
        ]
    )
    found = ascend(
        table.matrix,
        table.shares,
        weights,
        sizes,
        centre=bias,
        offsets=table.offsets,
        tol=_TOLERANCE,
        max_iter=_MOST_WALKS,
    )
    coefficients = found.weights.astype(float)
    return _Change(move, coefficients[:width], coefficients[width:], found.intercept)


def _shift(offsets: Floats, shares: Floats, weights: Floats) -> float:
    """What to add to all log-odds so that they fit the share of unwanted comments; drawn back to 0
    as by a normal distribution of `INTERCEPT_SIZE`."""
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        probabilities = expit(offsets + shift)
        slope = weights @ (shares - probabilities) - shift / INTERCEPT_SIZE**2
        curve = weights @ (probabilities * (1 - probabilities)) + 1 / INTERCEPT_SIZE**2
        shift += float(np.clip(slope / curve, -1, 1))
    return shift


def _folds(examples: Sequence[Example]) -> npt.NDArray[np.int64]:
    """The fold of each example. Comments of a page stay together, or of a page at a time where one
    has many; and those with the same text."""
    order = sorted(range(len(examples)), key=lambda row: (examples[row].labelled_at, row))
    most = max(1, int(len(examples) * LARGEST_GROUP))
    sizes: dict[str, int] = {}
    groups: dict[str, int] = {}
    texts: dict[str, int] = {}
    folds = np.zeros(len(examples), np.int64)
    for row in order:
        example = examples[row]
        size = sizes[example.page] = sizes.get(example.page, -1) + 1
        group = groups.setdefault(f"{size // most} {example.page}", len(groups) % FOLDS)
        folds[row] = texts.setdefault(" ".join(example.text.casefold().split()), group)
    return folds


def _words(base: Classifier, documents: Sequence[Document]) -> npt.NDArray[np.uint32]:
    """Places in the vocabulary of the words that enough documents have."""
    if not documents:
        return np.zeros(0, np.uint32)
    return np.flatnonzero(word_frequencies(documents, base.parameters.tables) >= LEAST_WORD).astype(
        np.uint32
    )


def _taught(base: Classifier, examples: Sequence[Example]) -> list[str]:
    """Languages, new to the general model, of which there are enough labels."""
    counts: dict[str, int] = {}
    for example in examples:
        found = detect(example.text)
        counts[found] = counts.get(found, 0) + 1
    known = {"", *base.languages}
    return sorted(
        code for code, count in counts.items() if count >= LEAST_OF_LANGUAGE and code not in known
    )
