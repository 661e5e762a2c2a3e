"""What one site's moderators taught the service, on top of a general model.

An adapted `reject` has the log-odds

    bias + sum over heads of factor * the general log-odds
         + sum over kinds of features of factor * what they add to the general `reject`
         + sum of the site's weights

where a kind is a block of features and how rare they are (`scoring.KINDS`), and the site's weights
are of features like the general model's, of the site's own choice. All of it is a sum over the
words of a comment, so that it is explained word by word, exactly. The reasons stay the general
model's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from moderation.classifier import language, scoring
from moderation.classifier.artifact import FORMAT, ArtifactError, digest_of
from moderation.classifier.explain import Layer, explain_sum
from moderation.classifier.features import BUCKET_BITS, BUCKETS
from moderation.classifier.hashing import bitmap, ranked
from moderation.classifier.parameters import HEADS, packed
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import (
    REJECT,
    Document,
    Explanation,
    Prediction,
    Reason,
)
from moderation.classifier.scoring import KINDS
from moderation.classifier.spelling import VOCABULARY_BITS

_ENTRY = "moderation-site"
_SPAM, _REJECT = HEADS.index(Reason.SPAM), HEADS.index(REJECT)


@dataclass(frozen=True)
class SiteWeights:
    """What training found at a site.

    `buckets`: features with a weight, ascending (uint32). `weights`: of each, already multiplied by
    its `idf` (int8, uint8); `scale`: what one unit of a weight is worth in log-odds. `factors`: of
    the general log-odds, in the order of `HEADS`, that of `reject` after `with_spam`; `kinds`: of
    what each kind of feature adds to those of `reject` before; `bias`: what is added to every
    comment's (float64). `words`: places in the vocabulary of the words that the site's labels
    cover, ascending (uint32).
    """

    buckets: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.int8]
    idf: npt.NDArray[np.uint8]
    scale: float
    factors: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.float64]
    bias: float
    words: npt.NDArray[np.uint32]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "buckets": self.buckets,
            "weights": self.weights,
            "idf": self.idf,
            "scale": np.array([self.scale]),
            "factors": self.factors,
            "kinds": self.kinds,
            "bias": np.array([self.bias]),
            "words": self.words,
        }

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "SiteWeights":
        """KeyError when one is missing, ValueError when they do not fit one another."""
        found = cls(
            buckets=tensors["buckets"],
            weights=tensors["weights"],
            idf=tensors["idf"],
            scale=float(tensors["scale"][0]),
            factors=tensors["factors"],
            # Site models that were trained before have none.
            kinds=tensors.get("kinds", np.zeros(KINDS)),
            bias=float(tensors["bias"][0]),
            words=tensors["words"],
        )
        if not len(found.buckets) == len(found.weights) == len(found.idf):
            raise ValueError("weights and features differ in number")
        for numbers, limit in ((found.buckets, BUCKETS), (found.words, 1 << VOCABULARY_BITS)):
            if len(numbers) and (numbers[-1] >= limit or (numbers[1:] <= numbers[:-1]).any()):
                raise ValueError("features or words are not in ascending order")
        if found.factors.shape != (len(HEADS),):
            raise ValueError(f"there are {len(found.factors)} factors for {len(HEADS)} heads")
        if found.kinds.shape != (KINDS,):
            raise ValueError(f"there are {len(found.kinds)} factors for {KINDS} kinds of features")
        return found

    @cached_property
    def index(self) -> npt.NDArray[np.uint64]:
        """The features, `ranked`."""
        return ranked(bitmap(self.buckets, BUCKET_BITS))

    @cached_property
    def rows(self) -> npt.NDArray[np.uint64]:
        """As `Parameters.rows`; the weight is that of `reject`."""
        wide = np.zeros((len(self.weights), len(HEADS)), np.int8)
        wide[:, _REJECT] = self.weights
        return packed(wide, self.idf)

    @cached_property
    def vocabulary(self) -> npt.NDArray[np.uint64]:
        """Bitmap of `words`."""
        return bitmap(self.words, VOCABULARY_BITS)


@dataclass(frozen=True)
class Adaptation:
    """A site's own weights on top of one general model; immutable.

    `base`: version of the general model that it was trained on. `metadata` must be JSON, with
    `name`, `date` and `languages` (those that the labels taught).
    """

    base: str
    weights: SiteWeights
    metadata: Mapping[str, Any]

    @cached_property
    def version(self) -> str:
        """Name, date and digest, "news-2026-11-24-1a2b3c4d"."""
        return f"{self.metadata['name']}-{self.metadata['date']}-{self._digest[:8]}"

    @cached_property
    def _digest(self) -> str:
        return digest_of(self.weights.tensors(), [self.base, self.metadata])

    def tempered(self, share: float) -> "Adaptation":
        """The same, but for how far it goes: only this share of the way (0 to 1) from the general
        log-odds of `reject` to its own."""
        if share == 1.0:
            return self
        own = self.weights
        stay = np.where(np.arange(len(HEADS)) == _REJECT, 1 - share, 0.0)
        weights = replace(
            own,
            scale=share * own.scale,
            factors=stay + share * own.factors,
            kinds=share * own.kinds,
            bias=share * own.bias,
        )
        return Adaptation(self.base, weights, {**self.metadata, "share": share})

    def to_bytes(self) -> bytes:
        """One safetensors file; the same adaptation gives the same bytes."""
        header = {
            "format": FORMAT,
            "heads": HEADS,
            "base": self.base,
            "digest": self._digest,
            "metadata": self.metadata,
        }
        return save(self.weights.tensors(), {_ENTRY: json.dumps(header, sort_keys=True)})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Adaptation":
        """ArtifactError when the bytes are truncated, tampered with or incompatible."""
        try:
            tensors = load(data)
            header = _header(data)
        except SafetensorError as error:
            raise ArtifactError(f"site model: truncated or not a model: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("site model: not one of this project: no usable header") from error
        if header.get("format") != FORMAT:
            raise ArtifactError(
                f"site model: incompatible: format {header.get('format')}, "
                f"this version reads {FORMAT}"
            )
        if header.get("heads") != list(HEADS):
            raise ArtifactError(f"site model: incompatible: its heads are {header.get('heads')}")
        base, metadata = header.get("base", ""), header.get("metadata", {})
        if header.get("digest") != digest_of(tensors, [base, metadata]):
            raise ArtifactError(
                "site model: tampered with or damaged: the content does not match its digest"
            )
        try:
            return cls(base, SiteWeights.of_tensors(tensors), metadata)
        except (KeyError, ValueError) as error:
            raise ArtifactError(f"site model: incompatible: {error}") from error


def adapted(base: Classifier, adaptation: Adaptation) -> "AdaptedClassifier":
    """The general model as the site's moderators changed it.

    Raises:
        ArtifactError: the adaptation was trained on another general model.
    """
    if adaptation.base != base.version:
        raise ArtifactError(
            f"site model {adaptation.version}: it was trained on {adaptation.base}, "
            f"the general model is {base.version}"
        )
    return AdaptedClassifier(base, adaptation)


class AdaptedClassifier(Classifier):
    """A `Classifier` whose `reject` is a site's own. Immutable as well."""

    def __init__(self, base: Classifier, adaptation: Adaptation) -> None:
        super().__init__(base.parameters, f"{base.version}+{adaptation.version}", base.metadata)
        self.site = adaptation.weights
        self._general = base.languages
        self._taught = tuple(adaptation.metadata["languages"])
        self.languages = (*self._general, *self._taught)

    def predict(self, documents: Sequence[Document]) -> list[Prediction]:
        """One prediction per document, in their order."""
        return list(self.read(documents).predictions)

    def log_odds(
        self, documents: Sequence[Document]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """As `Classifier.log_odds`, with the site's `reject`."""
        general, words, scan = self._score(documents, keep=True)
        margins, _ = scoring.add_up(scan, self.site.index, self.site.rows)
        return self._adapted(general, scan, margins), words

    def read(self, documents: Sequence[Document]) -> "AdaptedReading":
        """Predictions that can be explained without reading the documents again."""
        general, words, scan = self._score(documents, keep=True)
        margins, worth = scoring.add_up(scan, self.site.index, self.site.rows)
        predictions = self._predictions(documents, self._adapted(general, scan, margins), words)
        known = scoring.words_known(scan, self.site.vocabulary).tolist()
        return AdaptedReading(
            [
                prediction._replace(able=prediction.able or self._is_taught(document, *tally))
                for prediction, document, tally in zip(predictions, documents, known, strict=True)
            ],
            self.parameters,
            scan,
            self.site,
            worth,
            general[:, _SPAM] == general[:, _REJECT],
        )

    def _adapted(
        self,
        general: npt.NDArray[np.float64],
        scan: scoring.Scan,
        margins: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        settled, site = general.copy(), self.site
        own = site.scale * margins[:, _REJECT]
        kinds = scan.kinds @ (self.parameters.scales[_REJECT] * site.kinds)
        settled[:, _REJECT] = site.bias + general @ site.factors + kinds + own
        return settled

    def _able(self, document: Document, words: int, known: int) -> bool:
        return language.able(
            document.text, words, known, self._general, self.parameters.least_known
        )

    def _is_taught(self, document: Document, words: int, known: int) -> bool:
        """Whether the site's labels cover the document: its words, and its language if CLD2 is sure
        of it."""
        if known < self.parameters.least_known * words or known == 0:
            return False
        return language.able(document.text, words, known, self._taught, language.CERTAIN)


@dataclass(frozen=True, slots=True)
class AdaptedReading(Reading):
    """A `Reading` in which `reject` is explained by the general model's sums and the site's."""

    site: SiteWeights
    worth: npt.NDArray[np.float64]
    is_spam: npt.NDArray[np.bool_]
    """Where the general `reject` is that of spam."""

    def explain(self, heads: Sequence[str], *, most: int | None = None) -> list[Explanation]:
        """As `Reading.explain`."""
        for unknown in set(heads).difference(HEADS):
            raise ValueError(f"no head is called {unknown!r}")
        columns = np.array([HEADS.index(head) for head in heads], np.int64)
        rejects = columns == _REJECT
        factors = np.where(rejects[:, None], self.site.factors, np.eye(len(HEADS))[columns])
        spam = rejects & self.is_spam
        factors[spam, _SPAM] += factors[spam, _REJECT]
        factors[spam, _REJECT] = 0
        own = np.zeros_like(factors)
        own[rejects, _REJECT] = self.site.scale
        given, site = self.parameters, self.site
        kinds = np.where(rejects[:, None], given.scales[_REJECT] * site.kinds, 0.0)
        layers = (
            Layer(given.index, given.rows, self.scan.worth, factors * given.scales, kinds),
            Layer(site.index, site.rows, self.worth, own, np.zeros_like(kinds)),
        )
        bias = factors @ given.bias + np.where(rejects, site.bias, 0.0)
        return explain_sum(layers, self.scan, heads, bias, most)


def _header(data: bytes) -> dict[str, Any]:
    """The JSON of the file's own metadata, which `safetensors.numpy.load` does not give."""
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])["__metadata__"][_ENTRY]
    found: dict[str, Any] = json.loads(entry)
    return found
