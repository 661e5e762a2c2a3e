"""What the desk says, in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moderation import policy
from moderation.classifier.prediction import REJECT, Reason
from moderation.desk.cards import Card
from moderation.desk.queue import UNKNOWN, Order, Tab
from moderation.domain import ModeratorReason, Status
from moderation.review import Decided

HEADS = {
    REJECT: "rejection",
    Reason.TOXIC: "toxic",
    Reason.SEVERE_TOXIC: "severely toxic",
    Reason.OBSCENE: "obscene",
    Reason.THREAT: "threat",
    Reason.INSULT: "insult",
    Reason.IDENTITY_ATTACK: "attack on a group",
    Reason.SPAM: "spam",
}

RULES = {
    "blocked_author": "blocked author",
    "banned_word": "banned word",
    "suspect_word": "suspect word",
    "trapped": "caught by a trap for programs",
    "too_long": "too long",
    "flood": "flood",
    "duplicate": "repeats another",
    "too_many_links": "too many links",
    "first_comment": "first comment",
}

FAILURES = {
    policy.SCORER_UNAVAILABLE: "no classifier was available",
    policy.SCORER_FAILED: "the classifier failed on it",
    policy.NOT_ABLE_TO_JUDGE: "the classifier is not able to judge it",
    policy.UNDECIDED: "it could not be decided after several tries",
}

OTHER_REASONS = {
    policy.BELOW_THRESHOLDS: "every probability is below its threshold",
    policy.TRUSTED_AUTHOR: "the author is trusted",
    policy.TOO_FEW_LABELS: "too few decisions of people yet to approve anything at the site’s goal",
}

TABS = {
    Tab.HELD: "Waiting",
    Tab.APPROVED: "Approved",
    Tab.REJECTED: "Rejected",
    Tab.ALL: "All",
}

ORDERS = {
    Order.UNCERTAINTY: "least certain first",
    Order.HARM: "most harmful first",
    Order.OLDEST: "oldest first",
    Order.NEWEST: "newest first",
}

LANGUAGES = {
    "en": "English",
    "ar": "Arabic",
    "zh": "Chinese",
    "nl": "Dutch",
    "fr": "French",
    "de": "German",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "es": "Spanish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    UNKNOWN: "not known",
}
"""What the filter offers; any other ISO 639-1 code works in the address."""

# What a moderator most likely means by a comment that a head or a rule held.
_SUGGESTED = {
    Reason.TOXIC: ModeratorReason.ABUSE,
    Reason.SEVERE_TOXIC: ModeratorReason.ABUSE,
    Reason.OBSCENE: ModeratorReason.OBSCENE,
    Reason.THREAT: ModeratorReason.THREAT,
    Reason.INSULT: ModeratorReason.ABUSE,
    Reason.IDENTITY_ATTACK: ModeratorReason.HATE,
    Reason.SPAM: ModeratorReason.SPAM,
    "trapped": ModeratorReason.SPAM,
    "too_many_links": ModeratorReason.SPAM,
    "flood": ModeratorReason.SPAM,
    "duplicate": ModeratorReason.DUPLICATE,
    "banned_word": ModeratorReason.ABUSE,
    "suspect_word": ModeratorReason.ABUSE,
}


_SLIGHT = 0.3
"""Share of the heaviest piece's weight below which a piece is only underlined."""

_HEAVY, _NEGLIGIBLE = 0.5, 0.15
"""Log-odds: below the one a piece is only underlined, below the other it is not marked at all.
0.15 moves a probability by less than 0.04; else each word of a harmless comment has colours."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a comment's text; `weight` is positive where it spoke against the comment, and
    `is_slight` where it weighed little, by itself or beside another piece."""

    text: str
    weight: float = 0.0
    is_slight: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A probability beside its threshold."""

    name: str
    score: float
    limit: float

    @property
    def is_above(self) -> bool:
        """Whether it speaks for holding the comment."""
        return self.score >= self.limit


def spoken(reason: str) -> str:
    """A moderator's reason in words."""
    return reason.replace("_", " ")


def suggested(card: Card) -> ModeratorReason:
    """The reason that is offered first when the comment is rejected."""
    scores, limits = card.evidence.get("scores", {}), card.evidence.get("thresholds", {})
    above = [head for head in scores if scores[head] >= limits[head]]
    above.sort(key=scores.__getitem__, reverse=True)
    found = () if card.row.is_blind else (card.row.head, *above, card.row.rule)
    return next((_SUGGESTED[one] for one in found if one in _SUGGESTED), ModeratorReason.OTHER)


def choices(sites: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: value and words of each choice."""
    reasons = {**{str(head): words for head, words in HEADS.items()}, **FAILURES}
    moderators = {str(reason): spoken(reason) for reason in ModeratorReason}
    return {
        "site": [(name, name) for name in sites],
        "reason": list((moderators | reasons).items()),
        "rule": list(RULES.items()),
        "language": list(LANGUAGES.items()),
    }


def why(card: Card) -> str:
    """Why a comment stands where it does, what decided first."""
    if card.decided_by:
        return f"by {card.decided_by}{_because(card)}"
    return "; ".join(_reasons(card)) or OTHER_REASONS.get(card.row.reason, card.row.reason)


def bars(evidence: Mapping[str, Any]) -> list[Bar]:
    """Every probability, what went farthest above its threshold first."""
    scores, limits = evidence.get("scores", {}), evidence.get("thresholds", {})
    found = [Bar(HEADS.get(head, head), scores[head], limits[head]) for head in scores]
    return sorted(found, key=lambda bar: (not bar.is_above, -bar.score))


def segments(text: str, explanation: Mapping[str, Any] | None) -> Iterator[Segment]:
    """The text cut at the spans that weighed, in order and complete."""
    spans = (explanation or {}).get("spans", [])
    heaviest = max((abs(weight) for _, _, weight in spans), default=0.0)
    strong = max(heaviest * _SLIGHT, _HEAVY)
    place = 0
    for start, end, weight in spans:
        if abs(weight) < _NEGLIGIBLE:
            continue
        if start > place:
            yield Segment(text[place:start])
        yield Segment(text[start:end], weight, abs(weight) < strong)
        place = end
    if place < len(text):
        yield Segment(text[place:])


def decided(to: Status, reason: str, number: int) -> str:
    """What was done, for the line that tells it."""
    what = "comment" if number == 1 else "comments"
    because = f" as {spoken(reason)}" if reason else ""
    return f"{number:,} {what} {to}{because}."


def conflict(other: Decided) -> str:
    """Who decided what, for whom came second."""
    return f"Nothing was changed: {other}."


def _because(card: Card) -> str:
    return f" ({spoken(card.row.reason)})" if card.row.reason else ""


def _reasons(card: Card) -> Iterator[str]:
    evidence = card.evidence
    for rule in evidence.get("rules", []):
        yield rule["detail"]
    if card.row.reason in FAILURES:
        yield FAILURES[card.row.reason]
    scores, limits = evidence.get("scores", {}), evidence.get("thresholds", {})
    above = [head for head in scores if scores[head] >= limits[head]]
    # The head that decided comes first, the others by probability.
    above.sort(key=lambda head: (head != card.row.head, -scores[head]))
    for head in above:
        yield f"{HEADS.get(head, head)} {scores[head]:.2f}, above {limits[head]:.2f}"
