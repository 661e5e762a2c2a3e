"""The classifier's features as a scikit-learn transformer."""
# ruff: noqa: N803  (scikit-learn calls them X and y)

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_selection import chi2
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from moderation.classifier.features import (
    BLOCKS,
    BUCKETS,
    KEYS_PER_SYMBOL,
    KEYS_PER_TEXT,
    encode,
    known_features,
    scan,
)
from moderation.classifier.folding import FoldingTable, build
from moderation.classifier.parameters import unit
from moderation.classifier.prediction import Document

CHUNK = 2048

Progress = Callable[[int], None]


class CommentVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to a sparse matrix with one column per kept bucket, in ascending order of bucket.

    Fitting keeps the `features` buckets that tell the classes of any column of `y` apart best
    (chi-squared) among those in at least `least_frequency` texts; without `y`, the most frequent.
    """

    def __init__(self, *, features: int = 2**18, least_frequency: int = 2) -> None:
        self.features = features
        self.least_frequency = least_frequency

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags

    def fit(self, X: Sequence[str], y: npt.ArrayLike | None = None) -> Self:
        """`X`: texts. `y`: None, or labels, texts x heads, NaN where unknown."""
        self.fit_transform(X, y)
        return self

    def fit_transform(
        self, X: Sequence[str], y: npt.ArrayLike | None = None
    ) -> csr_array[np.float32]:
        """Fit, and the float32 matrix of the same texts."""
        _check_texts(X)
        self.folding_ = build()
        everything = np.full(BUCKETS // 64, np.iinfo(np.uint64).max)
        raw = _extract(X, self.folding_, everything)
        self.buckets_ = self._choose(raw, y)
        return _weigh(_columns(raw, self.buckets_))

    def transform(self, X: Sequence[str]) -> csr_array[np.float32]:
        """The float32 matrix of `X`, texts x kept buckets."""
        check_is_fitted(self)
        _check_texts(X)
        return _weigh(_columns(_extract(X, self.folding_, bitmap(self.buckets_)), self.buckets_))

    def _choose(self, raw: csr_array[np.uint8], y: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
        frequency = np.bincount(raw.indices, minlength=BUCKETS)
        common = np.flatnonzero(frequency >= self.least_frequency)
        worth = (
            frequency[common].astype(float) if y is None else _best_chi2(_columns(raw, common), y)
        )
        order = np.argsort(-worth, kind="stable")[: self.features]
        return np.sort(common[order])


def bitmap(buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """One bit per bucket, set for those given."""
    bits = np.zeros(BUCKETS, np.uint8)
    bits[buckets] = 1
    return np.packbits(bits, bitorder="little").view(np.uint64)


def _check_texts(X: Any) -> None:
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError("a sequence of texts is needed, not one text")


def _best_chi2(matrix: csr_array[np.uint8], y: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Per column the largest chi-squared over the heads, each over the texts it is known for."""
    present = csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), matrix.shape)
    best = np.zeros(matrix.shape[1])
    labels = np.asarray(y, float)
    for head in labels.reshape(len(labels), -1).T:
        known = np.flatnonzero(~np.isnan(head))
        values, _ = chi2(present[known], head[known] >= 0.5)
        best = np.maximum(best, np.nan_to_num(values))
    return best


def _columns(matrix: csr_array[np.uint8], buckets: npt.NDArray[np.int64]) -> csr_array[np.uint8]:
    """The columns named by `buckets`; scipy's own slicing needs several times the memory."""
    place = np.full(BUCKETS, -1, np.int32)
    place[buckets] = np.arange(len(buckets), dtype=np.int32)
    columns = place[matrix.indices]
    keep = columns >= 0
    before = np.concatenate([[0], np.cumsum(keep)])
    return csr_array(
        (matrix.data[keep], columns[keep], before[matrix.indptr].astype(np.int64)),
        (matrix.shape[0], len(buckets)),
    )


def _weigh(matrix: csr_array[np.uint8]) -> csr_array[np.float32]:
    """Blocks (1 + block as data) to values: each text's block has length 1."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    blocks = matrix.data.astype(np.int64) - 1
    counts = np.bincount(rows * BLOCKS + blocks, minlength=matrix.shape[0] * BLOCKS)
    values = unit(counts.reshape(-1, BLOCKS).astype(np.int32))
    weighed: csr_array[np.float32] = csr_array(
        (values[rows, blocks].astype(np.float32), matrix.indices, matrix.indptr), matrix.shape
    )
    weighed.sort_indices()
    return weighed


def _extract(
    texts: Sequence[str], folding: FoldingTable, kept: npt.NDArray[np.uint64]
) -> csr_array[np.uint8]:
    """Texts x `BUCKETS`; the data is 1 + the feature's block."""
    columns: list[npt.NDArray[np.uint32]] = []
    blocks: list[npt.NDArray[np.uint8]] = []
    sizes: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
    for start in range(0, len(texts), CHUNK):
        codes, offsets = encode([Document(str(text)) for text in texts[start : start + CHUNK]])
        found = _extract_chunk(codes, offsets, folding.index, folding.pages, kept)
        columns.append(found[0])
        blocks.append(found[1])
        sizes.append(found[2])
    return csr_array(
        (
            np.concatenate([np.zeros(0, np.uint8), *blocks]) + np.uint8(1),
            np.concatenate([np.zeros(0, np.uint32), *columns]).astype(np.int32),
            np.cumsum(np.concatenate(sizes)),
        ),
        (len(texts), BUCKETS),
    )


@njit(nogil=True, cache=True)
def _extract_chunk(codes, offsets, index, pages, kept):  # type: ignore[no-untyped-def]
    texts = len(offsets) - 1
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    room = KEYS_PER_SYMBOL * longest + KEYS_PER_TEXT
    scratch = np.empty(4 * (longest + 2), np.uint32)
    keys, blocks = np.empty(room, np.uint32), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    capacity = KEYS_PER_SYMBOL * len(codes) + KEYS_PER_TEXT * texts
    all_keys, all_blocks = np.empty(capacity, np.uint32), np.empty(capacity, np.uint8)
    sizes = np.empty(texts, np.int64)
    total = 0
    for text in range(texts):
        part = codes[offsets[text] : offsets[text + 1]]
        count, _ = scan(part, index, pages, scratch, keys, blocks, starts, ends)
        count, _ = known_features(keys, blocks, count, kept)
        all_keys[total : total + count] = keys[:count]
        all_blocks[total : total + count] = blocks[:count]
        sizes[text] = count
        total += count
    return all_keys[:total].copy(), all_blocks[:total].copy(), sizes
