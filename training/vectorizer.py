"""The classifier's features as a scikit-learn transformer."""
# ruff: noqa: N803  (scikit-learn calls them X and y)

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_selection import chi2
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from moderation.classifier.compiled import kernel
from moderation.classifier.features import (
    BLOCKS,
    BUCKET_BITS,
    BUCKETS,
    NO_PART,
    SEGMENTS,
    WHOLE,
    WORDS,
    Tables,
    encode,
    keep_distinct,
    longest_document,
    make_met,
    make_scratch,
    marked_words,
    scan,
)
from moderation.classifier.hashing import bitmap, ranked
from moderation.classifier.prediction import Document
from moderation.classifier.scoring import LARGEST_IDF, WHOLE_VALUE
from moderation.classifier.spelling import VOCABULARY_BITS
from training import folding, words

CHUNK = 2048


class CommentVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Documents (or texts) to a sparse matrix, one column per kept bucket, ascending.

    Fitting keeps the `features` buckets that tell the classes of any column of `y` apart best
    (chi-squared) among those in at least `least_frequency` documents; without `y`, the most
    frequent. A word is in the vocabulary when `common` documents have it. For ablation: `leave_out`
    are blocks to do without, `parts` the kinds of marked words (see `features.Tables`) to mark.
    """

    def __init__(
        self,
        *,
        features: int = 2**18,
        least_frequency: int = 2,
        common: int = 5,
        leave_out: Sequence[int] = (),
        parts: Sequence[int] = tuple(range(NO_PART)),
    ) -> None:
        self.features = features
        self.least_frequency = least_frequency
        self.common = common
        self.leave_out = leave_out
        self.parts = parts

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags

    def fit(self, X: Sequence[Document | str], y: npt.ArrayLike | None = None) -> Self:
        """`X`: documents. `y`: None, or labels, documents x heads, NaN where unknown."""
        self.fit_transform(X, y)
        return self

    def fit_transform(
        self, X: Sequence[Document | str], y: npt.ArrayLike | None = None
    ) -> csr_array[np.float32]:
        """Fit, and the float32 matrix of the same documents."""
        documents = _documents(X)
        self.tables_ = _tables(documents, self.common, self.parts)
        raw = self._without(_extract(documents, self.tables_, np.arange(BUCKETS)))
        frequency = np.bincount(raw.indices, minlength=BUCKETS)
        self.buckets_ = self._choose(raw, frequency, y)
        self.idf_ = _idf(raw, frequency, self.buckets_)
        return _weigh(columns(raw, self.buckets_), self.idf_)

    def transform(self, X: Sequence[Document | str]) -> csr_array[np.float32]:
        """The float32 matrix of `X`, documents x kept buckets."""
        check_is_fitted(self)
        raw = self._without(_extract(_documents(X), self.tables_, self.buckets_))
        return _weigh(raw, self.idf_)

    def _without(self, raw: csr_array[np.uint8]) -> csr_array[np.uint8]:
        if not self.leave_out:
            return raw
        stays = ~np.isin(raw.data, [block + 1 for block in self.leave_out])
        return _entries(raw, stays, raw.indices, raw.shape[1])

    def _choose(
        self,
        raw: csr_array[np.uint8],
        frequency: npt.NDArray[np.int64],
        y: npt.ArrayLike | None,
    ) -> npt.NDArray[np.int64]:
        common = np.flatnonzero(frequency >= self.least_frequency)
        if y is None:
            worth = frequency[common].astype(float)
        else:
            worth = _best_chi2(columns(raw, common), y)
        order = np.argsort(-worth, kind="stable")[: self.features]
        return np.sort(common[order])


def _documents(X: Any) -> list[Document]:
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError("a sequence of documents or texts is needed, not one text")
    return [item if isinstance(item, Document) else Document(str(item)) for item in X]


def _tables(documents: Sequence[Document], common: int, parts: Sequence[int]) -> Tables:
    """The folding table, and the vocabulary of the documents."""
    marked = {word: part for word, part in words.marked().items() if part in parts}
    nothing = bitmap(np.zeros(0, int), VOCABULARY_BITS)
    bare = Tables(*folding.build(), nothing, *marked_words(marked))
    raw = _extract(documents, bare, np.arange(BUCKETS))
    # A bucket and a place in the vocabulary are leading bits of the same hash.
    places = raw.indices[raw.data == WORDS + 1] >> (BUCKET_BITS - VOCABULARY_BITS)
    frequency = np.bincount(places, minlength=1 << VOCABULARY_BITS)
    return bare._replace(vocabulary=bitmap(np.flatnonzero(frequency >= common), VOCABULARY_BITS))


def _best_chi2(matrix: csr_array[np.uint8], y: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Per column the largest chi-squared over the heads, each over the rows it is known for."""
    present = csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), matrix.shape)
    best = np.zeros(matrix.shape[1])
    labels = np.asarray(y, float)
    for head in labels.reshape(len(labels), -1).T:
        known = np.flatnonzero(~np.isnan(head))
        values, _ = chi2(present[known], head[known] >= 0.5)
        best = np.maximum(best, np.nan_to_num(values))
    return best


def _idf(
    raw: csr_array[np.uint8], frequency: npt.NDArray[np.int64], buckets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """log(documents / frequency) as whole numbers up to 255. Properties of the whole comment are
    not weighed by how rare they are."""
    idf = np.log((1 + raw.shape[0]) / frequency[buckets])
    levels = np.round(idf / idf.max() * LARGEST_IDF)
    bytes_: npt.NDArray[np.uint8] = np.clip(levels, 1, LARGEST_IDF).astype(np.uint8)
    whole = np.unique(raw.indices[raw.data == WHOLE + 1])
    bytes_[np.isin(buckets, whole)] = LARGEST_IDF
    return bytes_


def columns(matrix: csr_array[np.uint8], buckets: npt.NDArray[np.int64]) -> csr_array[np.uint8]:
    """The columns named by `buckets`; scipy's own slicing needs several times the memory."""
    place = np.full(BUCKETS, -1, np.int32)
    place[buckets] = np.arange(len(buckets), dtype=np.int32)
    found = place[matrix.indices]
    return _entries(matrix, found >= 0, found, len(buckets))


def _entries(
    matrix: csr_array[np.uint8],
    stays: npt.NDArray[np.bool_],
    indices: npt.NDArray[np.int32],
    width: int,
) -> csr_array[np.uint8]:
    before = np.concatenate([[0], np.cumsum(stays)])
    return csr_array(
        (matrix.data[stays], indices[stays], before[matrix.indptr].astype(np.int64)),
        (matrix.shape[0], width),
    )


def _weigh(matrix: csr_array[np.uint8], idf: npt.NDArray[np.uint8]) -> csr_array[np.float32]:
    """Blocks (1 + block as data) to values."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    blocks = matrix.data.astype(np.int64) - 1
    sizes = idf[matrix.indices].astype(np.float64)
    squares = np.bincount(rows * BLOCKS + blocks, sizes**2, matrix.shape[0] * BLOCKS)
    worth = 1 / np.sqrt(np.maximum(squares.reshape(-1, BLOCKS), 1.0))
    worth[:, WHOLE] = WHOLE_VALUE / LARGEST_IDF
    values = (sizes * worth[rows, blocks]).astype(np.float32)
    weighed: csr_array[np.float32] = csr_array(
        (values, matrix.indices.copy(), matrix.indptr), matrix.shape
    )
    weighed.sort_indices()
    return weighed


def _extract(
    documents: Sequence[Document], tables: Tables, buckets: npt.NDArray[np.int64]
) -> csr_array[np.uint8]:
    """Documents x `buckets`; the data is 1 + the feature's block."""
    index, width = ranked(bitmap(buckets, BUCKET_BITS)), len(buckets)
    keys: list[npt.NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    sizes: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
    for start in range(0, len(documents), CHUNK):
        codes, offsets = encode(documents[start : start + CHUNK])
        found, lengths = _extract_chunk(codes, offsets, tables, index, width)
        keys.append(found)
        sizes.append(lengths)
    all_keys = np.concatenate(keys)
    return csr_array(
        (
            (all_keys >> np.uint32(BUCKET_BITS)).astype(np.uint8) + np.uint8(1),
            (all_keys & np.uint32(BUCKETS - 1)).astype(np.int32),
            np.cumsum(np.concatenate(sizes)),
        ),
        (len(documents), width),
    )


@kernel
def _extract_chunk(codes, offsets, tables, index, width):  # type: ignore[no-untyped-def]
    scratch = make_scratch(longest_document(offsets))
    met = make_met(width)
    documents = (len(offsets) - 1) // SEGMENTS
    sizes = np.empty(documents, np.int64)
    keys = np.empty(16 * len(codes) + 64 * documents, np.uint32)
    total = 0
    for document in range(documents):
        scan(codes, offsets, document, tables, scratch)
        tally = scratch.tally
        count = keep_distinct(scratch.keys, tally[0], index, met, index)
        keys[total : total + count] = scratch.keys[:count]
        sizes[document] = count
        total += count
    return keys[:total].copy(), sizes
