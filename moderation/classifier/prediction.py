"""The values that cross the classifier's boundary."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a comment may be unwanted; one head of the model each."""

    TOXIC = "toxic"
    SEVERE_TOXIC = "severe_toxic"
    OBSCENE = "obscene"
    THREAT = "threat"
    INSULT = "insult"
    IDENTITY_ATTACK = "identity_attack"
    SPAM = "spam"


REJECT = "reject"
"""Name of the head that answers "would a moderator reject this?"."""


@dataclass(frozen=True, slots=True)
class Document:
    """What the classifier may look at: never an e-mail address, never an IP address."""

    text: str
    name: str = ""
    website: str = ""


class Prediction(NamedTuple):
    """Calibrated probabilities for one document.

    `reject` is the probability that a moderator would not publish it; `reasons` holds one
    probability for each head. `able` is False when the document is out of the model's depth (a
    language it was not trained on, hardly any known feature): the figures then mean nothing and
    the caller has to hold the comment. `unknown` is the share of its words that the model does not
    know; 0 of no words.
    """

    reject: float
    reasons: Mapping[Reason, float]
    able: bool
    unknown: float = 0.0

    def summed(self, head: str) -> str:
        """The head whose sum of weights is the log-odds of `head`: that of `reject` is the greater
        of its own and spam's."""
        is_spam = head == REJECT and self.reject == self.reasons.get(Reason.SPAM)
        return Reason.SPAM if is_spam else head


class Span(NamedTuple):
    """Characters `start` to `end` (code points, end exclusive) of the original text that pushed a
    head's log-odds by `weight`; positive pushes towards the reason."""

    start: int
    end: int
    weight: float


class Explanation(NamedTuple):
    """Why one head gave its probability.

    `bias + elsewhere + others + sum(span.weight for span in spans)` equals the head's log-odds
    (natural logarithm). `elsewhere` is what came from outside the text (name, website, whole-text
    features); `others` is what came from spans that are not shown. Spans are ordered by position
    and do not overlap.
    """

    head: str
    bias: float
    elsewhere: float
    spans: tuple[Span, ...]
    others: float = 0.0
