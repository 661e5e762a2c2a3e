"""Fits a site's own weights on top of a general model.

The general model is where the fit starts from and what it is drawn back to: without labels nothing
changes. The factors of its heads always follow the labels a little; how far they, those of what
each kind of feature adds to `reject`, and weights of the site's own, may move is found from what
labels say of one another across pages and times: several moves are averaged, each with the share
that it earns where it did not see the labels, and the least of them has a head start. Anchors,
invented sentences that should be judged as before, are fitted beside the labels (learning without
forgetting, Li and Hoiem 2016).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack, vstack
from scipy.special import expit, softmax, stdtrit

from moderation.classifier.adaptation import Adaptation, SiteWeights
from moderation.classifier.language import detect
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document
from moderation.classifier.scoring import KINDS
from moderation.learning.labels import Labelled
from training import invented
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
LARGEST_PAGE, PIECES = 0.5, 10
"""A page with more than this share of the labels is cut into pieces of time, this many for all."""

CONFIDENCE, HEAD_START = 0.9, 3.0
"""How sure it must be that a move is better than `START`, and how much better it must seem, in
log-likelihood."""

FACTOR_SIZE, SHIFT_SIZE = 0.5, 2.0
LEAST_FACTOR = 0.05
"""The general log-odds are scaled, and shifted, as the labels have it: how far before labels, and
how little may be left of them."""

MOST_ANCHORS = 20
"""A feature that so many anchors have is the general model's alone, and so is one that the name of
a group of people has: a site's own weights are of what only the site says."""

LEAST_ANCHORED, ANCHORED = 3000.0, 3.0
"""How many labels all anchors together count for: at least, and for each of the labels, so that
many of these do not outweigh them."""

_TOLERANCE, _MOST_WALKS = 0.05, 15
_NEWTON_STEPS, _FIXED = 30, 1e-6
_NOTHING = np.zeros((0, 1), np.int8), np.ones(1)
_REJECT = HEADS.index(REJECT)


@dataclass(frozen=True, slots=True)
class Move:
    """How far labels may move the general model: standard deviations, before labels, of what is
    added to the factors of its heads and of its kinds of features, and of the site's weights.

    `scaled`: the general log-odds are scaled and shifted first, as the labels have it, and the
    factors move in units of the factor that this left to `reject`.
    """

    heads: float
    kinds: float
    features: float
    scaled: bool = False


START = Move(0.2, 0.0, 0.0, scaled=True)
MOVES = (
    Move(0.8, 0.8, 0.0, scaled=True),
    Move(0.8, 0.8, 0.5, scaled=True),
    Move(0.8, 0.0, 0.0),
    Move(0.8, 0.0, 0.2),
    Move(0.8, 0.0, 0.5),
    Move(0.8, 0.8, 0.0),
    Move(0.8, 0.8, 0.2),
    Move(0.8, 0.8, 0.5),
    Move(0.8, 0.8, 1.2),
    Move(0.8, 0.8, 3.0),
    Move(0.8, 0.8, 6.0),
)

_LEAST_SHARE = 0.001
"""A move of a smaller share of the average is left out."""


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
    shares, found = _chosen(table, progress)
    weights, scales = quantise(found.weights[None], table.idf) if len(table.idf) else _NOTHING
    # A feature without a weight still counts for the length of its block.
    kept = slice(None) if weights.any() else slice(0)
    progress(1.0)
    return Adaptation(
        base.version,
        SiteWeights(
            buckets=table.buckets[kept].astype(np.uint32),
            weights=np.ascontiguousarray(weights[kept, 0]),
            idf=table.idf[kept],
            scale=float(scales[0]),
            factors=found.factors[: len(HEADS)],
            kinds=found.factors[len(HEADS) :],
            bias=found.bias,
            words=table.words,
        ),
        {
            "name": name,
            "date": datetime.fromtimestamp(now / 1000, UTC).date().isoformat(),
            "languages": _taught(base, examples),
            "labels": len(examples),
            "moves": [asdict(move) | {"share": share} for move, share in shares.items()],
        },
    )


@dataclass(frozen=True, slots=True)
class _Sum:
    """log-odds = general sums @ factors + features @ weights + bias"""

    factors: Floats
    weights: Floats
    bias: float

    def __call__(self, table: "_Table") -> Floats:
        own = table.matrix @ self.weights.astype(np.float32)
        return np.asarray(table.general @ self.factors + own + self.bias, float)

    def rescaled(self, line: "_Line") -> "_Sum":
        """The same, calibrated anew."""
        return _Sum(
            line.factor * self.factors,
            line.factor * self.weights,
            line.factor * self.bias + line.shift,
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """log-odds to log-odds: factor * x + shift"""

    factor: float
    shift: float

    def __call__(self, log_odds: Floats) -> Floats:
        return self.factor * log_odds + self.shift


class _Table:
    """Examples as arrays, and the anchors below them.

    `general`: log-odds of the heads, and what each kind of feature adds to those of `reject`.
    """

    def __init__(self, base: Classifier, examples: Sequence[Example]) -> None:
        documents = [example.document for example in examples]
        self.general = np.zeros((0, len(HEADS) + KINDS))
        if documents:
            self.general = np.hstack(base.kinds(documents))
        self.shares = np.array([example.unwanted for example in examples], float)
        self.weights = _effective(np.array([example.weight for example in examples], float))
        self.groups = _groups(examples)
        self.folds = self.groups % FOLDS
        self.words = _words(base, documents)
        self.buckets, self.idf = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        self.matrix = csr_array(np.zeros((len(examples), 0), np.float32))
        # Centred, for else what is learnt of a factor is the share of unwanted comments.
        self.centre = self.weights @ self.general / max(self.weights.sum(), 1.0)
        if not documents:
            return
        features = CommentVectorizer(
            features=FEATURES, least_frequency=LEAST_FREQUENCY, tables=base.parameters.tables
        )
        self.matrix = csr_array(features.fit_transform(documents))
        self.buckets, self.idf = features.buckets_, features.idf_
        anchors = invented.anchors()
        said = np.hstack(base.kinds(anchors))
        their = csr_array(features.transform(anchors))
        names = csr_array(features.transform([Document(name) for name in invented.group_names()]))
        self.is_fixed = (_counts(their) >= MOST_ANCHORS) | (_counts(names) > 0)
        self.offsets = np.append(self.general[:, _REJECT], said[:, _REJECT])
        # The share of unwanted comments is the site's, so anchors have an intercept of their own.
        is_anchor = np.arange(len(self.offsets)) >= len(documents)
        self.narrow = csr_array(
            np.column_stack([np.vstack([self.general, said]) - self.centre, is_anchor]).astype(
                np.float32
            )
        )
        own = vstack([self.matrix, their], format="csr")
        self.wide = csr_array(hstack([own, self.narrow], format="csr"))


def _counts(matrix: csr_array[np.float32]) -> npt.NDArray[np.int64]:
    """In how many rows each feature is."""
    return np.bincount(matrix.indices[matrix.data != 0], minlength=matrix.shape[1])


def _effective(weights: Floats) -> Floats:
    """Weights that sum to as many rows as they are worth (Kish 1965)."""
    total = weights.sum()
    return weights * total / (weights @ weights) if total else weights


def _chosen(table: _Table, progress: Progress) -> tuple[dict[Move, float], _Sum]:
    """The average of all moves, each with the share that the labels speak for; calibrated on what
    the fits did not see, as each of them is."""
    if not _both(table.shares, table.weights):
        return {START: 1.0}, _fitted(table, table.weights, [START])[0]
    moves = (START, *MOVES)
    unseen = np.zeros((len(moves), len(table.shares)))
    for fold in range(FOLDS):
        held = table.folds == fold
        sums = _fitted(table, np.where(held, 0.0, table.weights), moves)
        unseen[:, held] = [found(table)[held] for found in sums]
        progress((fold + 1) / (FOLDS + 1))
    lines = [_calibration(said, table.shares, table.weights) for said in unseen]
    unseen = np.array([line(said) for line, said in zip(lines, unseen, strict=True)])
    shares = _shares(table, unseen)
    kept = np.flatnonzero(shares >= _LEAST_SHARE)
    shares = shares[kept] / shares[kept].sum()
    line = _calibration(shares @ unseen[kept], table.shares, table.weights)
    chosen = [moves[number] for number in kept]
    sums = [
        found.rescaled(lines[number])
        for number, found in zip(kept, _fitted(table, table.weights, chosen), strict=True)
    ]
    return dict(zip(chosen, shares.tolist(), strict=True)), _average(sums, shares).rescaled(line)


def _average(sums: Sequence[_Sum], shares: Floats) -> _Sum:
    return _Sum(
        shares @ np.array([each.factors for each in sums]),
        shares @ np.array([each.weights for each in sums]),
        float(shares @ np.array([each.bias for each in sums])),
    )


def _both(shares: Floats, weights: Floats) -> bool:
    known = shares[weights > 0]
    return bool(known.size and known.min() < 0.5 <= known.max())


def _shares(table: _Table, unseen: Floats) -> Floats:
    """What share each move has of the average: as if its gain in log-likelihood over the first, on
    what it did not see, were its evidence ("pseudo-BMA", Yao et al. 2018), less what that gain may
    owe to chance.

    Chance is counted in groups: comments of a page are alike, and so is what is said of them.
    `unseen`: log-odds, moves x rows.
    """
    losses = np.logaddexp(0, unseen) - table.shares * unseen
    evidence = [0.0]
    for loss in losses[1:]:
        gains = table.weights * (losses[0] - loss)
        error = _likely_error(gains, table.weights, table.groups)
        evidence.append(float(gains.sum()) - error - HEAD_START)
    shares: Floats = softmax(evidence)
    return shares


def _likely_error(gains: Floats, weights: Floats, groups: npt.NDArray[np.int64]) -> float:
    """How far the sum of gains may be off (Student's t, at `CONFIDENCE`) if groups were drawn at
    random."""
    sums = np.bincount(groups, gains - weights * gains.sum() / weights.sum())
    count = len(np.unique(groups))
    if count < 2:
        return math.inf
    error = math.sqrt((sums**2).sum() * count / (count - 1))
    return float(error * stdtrit(count - 1, CONFIDENCE))


def _fitted(table: _Table, weights: Floats, moves: Sequence[Move]) -> list[_Sum]:
    """The general model, moved as the labels have it, once for each move; labels of one class only
    shift it."""
    line = _calibration(table.general[:, _REJECT], table.shares, weights)
    if not _both(table.shares, weights):
        shifted = _Sum(line.factor * _UNMOVED, np.zeros(len(table.idf)), line.shift)
        return [shifted] * len(moves)
    sizes = telling(table.matrix, table.shares, weights)
    sizes[table.is_fixed] = 0.0
    return [_moved(table, weights, move, sizes, line if move.scaled else _AS_IS) for move in moves]


def _moved(table: _Table, weights: Floats, move: Move, sizes: Floats, line: _Line) -> _Sum:
    """The general log-odds on a line, moved as the labels have it. `sizes`: of the site's
    weights."""
    own = move.features * sizes if move.features else np.zeros(0)
    return _anchored(table, weights, line, np.append(own, line.factor * _factor_sizes(move)))


def _factor_sizes(move: Move) -> Floats:
    return np.repeat([move.heads, move.kinds], [len(HEADS), KINDS])


def _anchored(table: _Table, weights: Floats, line: _Line, sizes: Floats) -> _Sum:
    """The general log-odds on a line, moved as the labels have it where the anchors do not hold
    them. `sizes`: of weights of the site's features, or of none, and of the factors."""
    anchors = len(table.offsets) - len(weights)
    worth = max(LEAST_ANCHORED, ANCHORED * weights.sum())
    has_features = len(sizes) > _FACTORS
    offsets = line(table.offsets)
    found = ascend(
        table.wide if has_features else table.narrow,
        np.append(table.shares, expit(offsets[len(weights) :])),
        np.append(weights, np.full(anchors, worth / anchors)),
        np.append(sizes, SHIFT_SIZE),
        offsets=offsets,
        tol=_TOLERANCE,
        max_iter=_MOST_WALKS,
    )
    moved = found.weights[:-1].astype(float)
    added = moved[-_FACTORS:]
    return _Sum(
        line.factor * _UNMOVED + added,
        moved[:-_FACTORS] if has_features else np.zeros(len(table.idf)),
        line.shift + found.intercept - table.centre @ added,
    )


_FACTORS = len(HEADS) + KINDS
_UNMOVED = np.eye(_FACTORS)[_REJECT]
_AS_IS = _Line(1.0, 0.0)


def _calibration(log_odds: Floats, shares: Floats, weights: Floats) -> _Line:
    """Fits log-odds to the share of unwanted comments (Platt 2000), drawn back to what they were
    as by normal distributions of `FACTOR_SIZE` and `SHIFT_SIZE`; labels of one class shift them
    only."""
    strength = np.array([FACTOR_SIZE if _both(shares, weights) else _FIXED, SHIFT_SIZE]) ** -2.0
    known = np.column_stack([log_odds, np.ones(len(log_odds))])
    start = line = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        probabilities = expit(known @ line)
        slope = known.T @ (weights * (shares - probabilities)) - strength * (line - start)
        curves = weights * probabilities * (1 - probabilities)
        step = np.linalg.solve(known.T @ (known * curves[:, None]) + np.diag(strength), slope)
        line = line + step / max(1.0, float(np.abs(step).max()))
        line[0] = max(line[0], LEAST_FACTOR)
    return _Line(float(line[0]), float(line[1]))


def _groups(examples: Sequence[Example]) -> npt.NDArray[np.int64]:
    """The group of each example: its page, or the page at a time where it has most comments, and
    the same for those with the same text."""
    order = sorted(range(len(examples)), key=lambda row: (examples[row].labelled_at, row))
    totals = Counter(example.page for example in examples)
    piece_size = max(1, len(examples) // PIECES)
    sizes: Counter[str] = Counter()
    numbers: dict[tuple[str, int], int] = {}
    texts: dict[str, int] = {}
    groups = np.zeros(len(examples), np.int64)
    for row in order:
        example = examples[row]
        is_cut = totals[example.page] > LARGEST_PAGE * len(examples)
        piece = example.page, sizes[example.page] // piece_size if is_cut else 0
        sizes[example.page] += 1
        number = numbers.setdefault(piece, len(numbers))
        groups[row] = texts.setdefault(" ".join(example.text.casefold().split()), number)
    return groups


def _words(base: Classifier, documents: Sequence[Document]) -> npt.NDArray[np.uint32]:
    """Places in the vocabulary of the words that enough documents have."""
    if not documents:
        return np.zeros(0, np.uint32)
    return np.flatnonzero(word_frequencies(documents, base.parameters.tables) >= LEAST_WORD).astype(
        np.uint32
    )


def _taught(base: Classifier, examples: Sequence[Example]) -> list[str]:
    """Languages, new to the general model, of which there are enough labels."""
    counts = Counter(detect(example.text) for example in examples)
    known = {"", *base.languages}
    return sorted(
        code for code, count in counts.items() if count >= LEAST_OF_LANGUAGE and code not in known
    )
