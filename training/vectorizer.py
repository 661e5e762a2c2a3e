"""The classifier's features as a scikit-learn transformer."""
# ruff: noqa: N803  (scikit-learn calls them X and y)

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from moderation.classifier.compiled import kernel
from moderation.classifier.features import (
    BLOCKS,
    BUCKET_BITS,
    BUCKETS,
    GROUP,
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
from moderation.classifier.hashing import bitmap, hash_word, ranked
from moderation.classifier.prediction import Document
from moderation.classifier.scoring import LARGEST_IDF, WHOLE_VALUE
from moderation.classifier.spelling import VOCABULARY_BITS, vocabulary_bit
from training import folding, words

CHUNK = 2048

Progress = Callable[[int], None]

_BLOCK_SHIFT = np.uint32(BUCKET_BITS)
_BUCKET_MASK = np.uint32(BUCKETS - 1)
_ALL_BUT_WORDS = tuple(block for block in range(BLOCKS) if block != WORDS)


class CommentVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Documents (or texts) to a sparse matrix, one column per kept bucket, ascending.

    Fitting keeps the `features` most frequent buckets of those in at least `least_frequency`
    documents. A word is in the vocabulary when `common` documents have it. For ablation:
    `leave_out` are blocks to do without, `parts` the kinds of marked words (see `features.Tables`)
    to mark. `tables`: a model's, to read as it does; otherwise they are worked out.
    """

    def __init__(
        self,
        *,
        features: int = 2**18,
        least_frequency: int = 2,
        common: int = 5,
        leave_out: Sequence[int] = (),
        parts: Sequence[int] = tuple(range(NO_PART)),
        tables: Tables | None = None,
    ) -> None:
        self.features = features
        self.least_frequency = least_frequency
        self.common = common
        self.leave_out = leave_out
        self.parts = parts
        self.tables = tables

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = True
        return tags

    def fit(self, X: Sequence[Document | str], y: object = None) -> Self:
        """`X`: documents or texts. `y` is not used."""
        self.fit_transform(X, y)
        return self

    def fit_transform(
        self,
        X: Sequence[Document | str],
        y: object = None,  # noqa: ARG002
        *,
        progress: Progress = lambda _: None,
    ) -> csr_array[np.float32]:
        """Fit, and the float32 matrix of the same documents. `progress` is called with the number
        of documents read; each is read twice."""
        documents = _documents(X)
        self.tables_ = self.tables or _tables(documents, self.common, self.parts, progress)
        found = _extract(documents, self.tables_, self.leave_out, progress)
        frequency = _frequencies(found.keys & _BUCKET_MASK, BUCKETS)
        enough = np.flatnonzero(frequency >= self.least_frequency)
        order = np.argsort(-frequency[enough], kind="stable")[: self.features]
        self.buckets_ = np.sort(enough[order])
        self.idf_ = _idf(found, frequency, self.buckets_)
        return _weigh(found, self.buckets_, self.idf_)

    def transform(self, X: Sequence[Document | str]) -> csr_array[np.float32]:
        """The float32 matrix of `X`, documents x kept buckets."""
        check_is_fitted(self)
        found = _extract(_documents(X), self.tables_, self.leave_out)
        return _weigh(found, self.buckets_, self.idf_)


def _documents(X: Any) -> list[Document]:
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError("a sequence of documents or texts is needed, not one text")
    return [item if isinstance(item, Document) else Document(str(item)) for item in X]


def _tables(
    documents: Sequence[Document], common: int, parts: Sequence[int], progress: Progress
) -> Tables:
    """The folding table, and the vocabulary of the documents. Words that name groups are in it
    although the documents have the group in their place: "queer" is not to be read as "quer"."""
    marked = {word: part for word, part in words.marked().items() if part in parts}
    nothing = bitmap(np.zeros(0, int), VOCABULARY_BITS)
    bare = Tables(*folding.build(), nothing, *marked_words(marked))
    frequency = word_frequencies(documents, bare, progress)
    named = {word for term, part in marked.items() if part == GROUP for word in term.split()}
    places = np.concatenate([np.flatnonzero(frequency >= common), _vocabulary_places(named)])
    return bare._replace(vocabulary=bitmap(places, VOCABULARY_BITS))


def _vocabulary_places(names: Iterable[str]) -> npt.NDArray[np.int64]:
    codes = [np.array([ord(letter) for letter in name], np.uint32) for name in sorted(names)]
    bits = [int(vocabulary_bit(np.uint64(hash_word(word, len(word))))) for word in codes]
    return np.array(bits, np.int64)


def word_frequencies(
    documents: Sequence[Document], tables: Tables, progress: Progress = lambda _: None
) -> npt.NDArray[np.int64]:
    """How many documents have the word, or words, at each place of the vocabulary."""
    found = _extract(documents, tables, _ALL_BUT_WORDS, progress)
    # A bucket and a place in the vocabulary are leading bits of the same hash.
    shift = np.uint32(BUCKET_BITS - VOCABULARY_BITS)
    return _frequencies((found.keys & _BUCKET_MASK) >> shift, 1 << VOCABULARY_BITS)  # type: ignore[no-any-return]


class _Found(NamedTuple):
    """Features of documents: block and bucket in one number, and where each document starts."""

    keys: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]


def _extract(
    documents: Sequence[Document],
    tables: Tables,
    leave_out: Sequence[int],
    progress: Progress = lambda _: None,
) -> _Found:
    # Every bucket is kept for now, so that a bucket's row is its number.
    index = ranked(bitmap(np.arange(BUCKETS), BUCKET_BITS))
    stays = np.array([block not in leave_out for block in range(BLOCKS)])
    keys: list[npt.NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    sizes: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
    for start in range(0, len(documents), CHUNK):
        codes, offsets = encode(documents[start : start + CHUNK])
        found, lengths = _extract_chunk(codes, offsets, tables, index, stays)
        keys.append(found)
        sizes.append(lengths)
        progress(len(lengths))
    return _Found(np.concatenate(keys), np.cumsum(np.concatenate(sizes)))


def _idf(
    found: _Found, frequency: npt.NDArray[np.int64], buckets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """log(documents / frequency) as whole numbers up to 255. Properties of the whole comment are
    not weighed by how rare they are."""
    idf = np.log(len(found.starts) / frequency[buckets])
    # The start of the maximum is for documents without features, or with the same ones.
    levels = np.round(idf / idf.max(initial=1e-9) * LARGEST_IDF)
    bytes_: npt.NDArray[np.uint8] = np.clip(levels, 1, LARGEST_IDF).astype(np.uint8)
    whole = found.keys[found.keys >> np.uint32(BUCKET_BITS) == WHOLE] & _BUCKET_MASK
    bytes_[np.isin(buckets, whole)] = LARGEST_IDF
    return bytes_


def _weigh(
    found: _Found, buckets: npt.NDArray[np.int64], idf: npt.NDArray[np.uint8]
) -> csr_array[np.float32]:
    """The matrix, documents x buckets; a bucket that two blocks of a document share adds up."""
    columns, blocks, starts = _select(found.keys, found.starts, _places(buckets))
    values = _values(columns, blocks, starts, idf)
    # scipy gives columns the type of the starts, so the smaller one saves memory.
    starts = starts.astype(np.int32 if starts[-1] < 2**31 else np.int64)
    matrix: csr_array[np.float32] = csr_array(
        (values, columns, starts), (len(starts) - 1, len(buckets))
    )
    matrix.sum_duplicates()
    return matrix


def _places(buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The column of each bucket, -1 for those without."""
    places = np.full(BUCKETS, -1, np.int32)
    places[buckets] = np.arange(len(buckets), dtype=np.int32)
    return places


# These walk over all features of all documents: numpy would need several times their memory.


@kernel
def _frequencies(numbers, width):  # type: ignore[no-untyped-def]
    """How often each of the numbers below `width` occurs."""
    counts = np.zeros(width, np.int64)
    for number in numbers:
        counts[number] += 1
    return counts


@kernel
def _select(keys, starts, places):  # type: ignore[no-untyped-def]
    """(column, block) of each feature whose bucket has a column, and where documents start."""
    total = 0
    for key in keys:
        total += places[key & _BUCKET_MASK] >= 0
    columns, blocks = np.empty(total, np.int32), np.empty(total, np.uint8)
    selected = np.zeros(len(starts), np.int64)
    total = 0
    for document in range(len(starts) - 1):
        for place in range(starts[document], starts[document + 1]):
            column = places[keys[place] & _BUCKET_MASK]
            if column >= 0:
                columns[total] = column
                blocks[total] = keys[place] >> _BLOCK_SHIFT
                total += 1
        selected[document + 1] = total
    return columns, blocks, selected


@kernel
def _values(columns, blocks, starts, idf):  # type: ignore[no-untyped-def]
    """Inverse document frequencies, each block of a document of length 1."""
    values = np.empty(len(columns), np.float32)
    squares = np.empty(BLOCKS)
    for document in range(len(starts) - 1):
        squares[:] = 0
        for place in range(starts[document], starts[document + 1]):
            squares[blocks[place]] += np.float64(idf[columns[place]]) ** 2
        for place in range(starts[document], starts[document + 1]):
            block = blocks[place]
            if block == WHOLE:
                worth = WHOLE_VALUE / LARGEST_IDF
            else:
                worth = 1 / np.sqrt(max(squares[block], 1.0))
            values[place] = idf[columns[place]] * worth
    return values


@kernel
def _extract_chunk(codes, offsets, tables, index, stays):  # type: ignore[no-untyped-def]
    scratch = make_scratch(longest_document(offsets))
    met = make_met(BUCKETS)
    documents = (len(offsets) - 1) // SEGMENTS
    sizes = np.empty(documents, np.int64)
    keys = np.empty(16 * len(codes) + 64 * documents, np.uint32)
    total = 0
    for document in range(documents):
        scan(codes, offsets, document, tables, scratch)
        tally = scratch.tally
        count = keep_distinct(scratch.keys, tally[0], index, met, index)
        before = total
        for key in scratch.keys[:count]:
            if stays[key >> _BLOCK_SHIFT]:
                keys[total] = key
                total += 1
        sizes[document] = total - before
    return keys[:total].copy(), sizes
