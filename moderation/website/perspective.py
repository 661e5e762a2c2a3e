"""What a Perspective client asks for: attributes, text, sentences. Pure."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from moderation.classifier.prediction import REJECT, Reason
from moderation.domain import ModeratorReason

PROTOCOL = "perspective"
CORAL = "coral"

ATTRIBUTES: Mapping[str, str] = {
    "TOXICITY": Reason.TOXIC,
    "SEVERE_TOXICITY": Reason.SEVERE_TOXIC,
    "IDENTITY_ATTACK": Reason.IDENTITY_ATTACK,
    "INSULT": Reason.INSULT,
    # Both were trained on what annotators called obscene, as this head was.
    "PROFANITY": Reason.OBSCENE,
    "OBSCENE": Reason.OBSCENE,
    "THREAT": Reason.THREAT,
    "SPAM": Reason.SPAM,
    "LIKELY_TO_REJECT": REJECT,
}
"""The head that stands behind each attribute; what is not listed, nobody has trained."""

_REASONS = {
    "IDENTITY_ATTACK": ModeratorReason.HATE,
    "PROFANITY": ModeratorReason.OBSCENE,
    "OBSCENE": ModeratorReason.OBSCENE,
    "SEXUALLY_EXPLICIT": ModeratorReason.OBSCENE,
    "THREAT": ModeratorReason.THREAT,
    "SPAM": ModeratorReason.SPAM,
}

LONGEST = 20_480
"""Characters of a comment. One client cuts there by characters, whatever their bytes."""

_TAG = re.compile(r"<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)\s*>|<[^<>]*>", re.DOTALL)
_PIECE = re.compile(rf"(?P<tag>{_TAG.pattern})|&[#\w]+;?", re.DOTALL | re.IGNORECASE)

# Sentences are parted by white space after their marks, or by the end of a line.
_BETWEEN = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’»)\]]))\s+|(?<=[。！？])|\s*\n\s*")


class Wrong(Exception):  # noqa: N818 - names the situation
    """What was asked cannot be answered: `kind` is Google's error type."""

    def __init__(self, message: str, kind: str, **details: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details


@dataclass(frozen=True, slots=True)
class Sentence:
    """Some of the comment as a person reads it, and where it stands in what was sent, counted in
    UTF-16 code units."""

    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that is asked for: the head that knows it, and the least score of interest."""

    head: str
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What `comments:analyze` was asked."""

    comment: Sentence
    sentences: tuple[Sentence, ...]
    attributes: Mapping[str, Attribute]
    languages: list[str]
    client_token: str
    span_annotations: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Analysis":
        """
        Raises:
            Wrong: something is missing, or nobody can answer it.
        """
        text, is_html = _comment(body)
        characters = list(_readable(text) if is_html else _as_it_is(text))
        asked = body.get("requestedAttributes")
        if not isinstance(asked, dict) or not asked:
            raise Wrong("No requested attributes specified.", "NO_REQUESTED_ATTRIBUTES")
        languages = body.get("languages") or []
        if not isinstance(languages, list) or not all(isinstance(one, str) for one in languages):
            raise Wrong("`languages` has to be a list of language codes.", "INVALID_REQUEST")
        places = _utf16_places(text)
        read = "".join(character for character, _, _ in characters)
        if not read.strip():
            raise Wrong("Comment must be non-empty.", "COMMENT_EMPTY")
        return cls(
            comment=Sentence(read, 0, places[-1]),
            sentences=tuple(
                Sentence(
                    read[start:end], places[characters[start][1]], places[characters[end - 1][2]]
                )
                for start, end in _sentences(read)
            ),
            attributes={name: _attribute(name, options) for name, options in asked.items()},
            languages=languages,
            client_token=_token(body),
            span_annotations=body.get("spanAnnotations") is True,
        )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What `comments:suggestscore` was told."""

    text: str
    unwanted: float
    reason: str
    client_token: str

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Suggestion":
        """
        Raises:
            Wrong: something is missing.
        """
        text, is_html = _comment(body)
        if is_html:
            text = "".join(character for character, _, _ in _readable(text))
        scores = body.get("attributeScores")
        if not isinstance(scores, dict) or not scores:
            raise Wrong("No attribute scores specified.", "INVALID_REQUEST")
        values = {name: _suggested(name, score) for name, score in scores.items()}
        name = max(values, key=values.__getitem__)
        reason = _REASONS.get(_plain(name), ModeratorReason.ABUSE) if values[name] >= 0.5 else ""
        if _plain(name) == "LIKELY_TO_REJECT" and reason:
            reason = ModeratorReason.OTHER
        return cls(text, values[name], reason, _token(body))


def _comment(body: Mapping[str, Any]) -> tuple[str, bool]:
    """The text, and whether it is HTML."""
    comment = body.get("comment")
    text = comment.get("text") if isinstance(comment, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise Wrong("Comment must be non-empty.", "COMMENT_EMPTY")
    if len(text) > LONGEST:
        raise Wrong("Comment text too long.", "COMMENT_TOO_LONG")
    kind = comment.get("type") if isinstance(comment, dict) else None
    if kind not in (None, "", "TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"):
        raise Wrong(f"Invalid value for comment.type: {kind}", "INVALID_REQUEST")
    return text, kind == "HTML"


def _token(body: Mapping[str, Any]) -> str:
    token = body.get("clientToken")
    return token if isinstance(token, str) else ""


def _plain(name: str) -> str:
    """An attribute without the version that may be asked for, as in `TOXICITY@6`."""
    return name.partition("@")[0]


def _attribute(name: str, options: Any) -> Attribute:
    head = ATTRIBUTES.get(_plain(name))
    if head is None:
        raise Wrong(f"Unknown requested attribute: {name}", "INVALID_REQUEST")
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise Wrong(f"The options of {name} have to be an object.", "INVALID_REQUEST")
    if options.get("scoreType", "PROBABILITY") not in ("PROBABILITY", "SCORE_TYPE_UNSPECIFIED"):
        raise Wrong(f"The score of {name} is a PROBABILITY only.", "INVALID_REQUEST")
    threshold = options.get("scoreThreshold")
    if threshold is not None and not _is_number(threshold):
        raise Wrong(f"The scoreThreshold of {name} has to be a number.", "INVALID_REQUEST")
    return Attribute(head, threshold)


def _suggested(name: str, score: Any) -> float:
    summary = score.get("summaryScore") if isinstance(score, dict) else None
    # Some writers of JSON leave zeros out.
    value: Any = summary.get("value", 0) if isinstance(summary, dict) else None
    if not _is_number(value) or not 0 <= value <= 1:
        raise Wrong(f"The summaryScore of {name} has to be from 0 to 1.", "INVALID_REQUEST")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins and ends, white space around it aside."""
    gaps = [found.span() for found in _BETWEEN.finditer(text)]
    starts = [0, *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), len(text)]
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        if part.strip():
            first = start + len(part) - len(part.lstrip())
            yield first, first + len(part.strip())


def _as_it_is(text: str) -> Iterator[tuple[str, int, int]]:
    """Each character, and the places in the text where it begins and ends."""
    return ((character, place, place + 1) for place, character in enumerate(text))


def _readable(text: str) -> Iterator[tuple[str, int, int]]:
    """The same of HTML as a person reads it: without tags, which part words, and with characters
    in the place of references."""
    place = 0
    for found in _PIECE.finditer(text):
        yield from ((text[at], at, at + 1) for at in range(place, found.start()))
        written = " " if found["tag"] else html.unescape(found.group())
        yield from ((character, found.start(), found.end()) for character in written)
        place = found.end()
    yield from ((text[at], at, at + 1) for at in range(place, len(text)))


def _utf16_places(text: str) -> list[int]:
    """For each place in the text, from 0 to its end, the code units of UTF-16 before it."""
    return [0, *accumulate(1 + (ord(character) > 0xFFFF) for character in text)]
