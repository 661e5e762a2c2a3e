"""The deciders that need no model: each looks at the facts and says something or nothing.

Pure. Their order is their precedence: those that reject come first, so that what a later one says
is never milder. `policy` puts them together with the classifier's probabilities.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from moderation.domain import Standing, Trap

# Of 16 bytes, how many must agree. Measured on 2,636 Wikipedia talk comments of 40 letters or
# more: one word changed is noticed in 97 % of them, two words in 84 %; of unrelated pairs with
# any other of the 2,636, one comment in a thousand reaches it.
NEARLY_THE_SAME = 10

# Below this many letters and digits, two readers write the same by chance ("Thanks a lot!").
LONG_ENOUGH_TO_REPEAT = 40

# A tag counts once, whatever address it holds; so does an address with scheme and "www.".
_LINK = re.compile(r"<a\s[^<>]*>|\[url[^\[\]]*\]|(?:https?://)?www\.|https?://", re.IGNORECASE)


class Verdict(StrEnum):
    """What a rule may say."""

    HOLD = "hold"
    REJECT = "reject"


class Rules(BaseModel):
    """What a site sets about the rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    banned_words: tuple[str, ...] = Field(
        (), description="A comment with one of these is rejected. A final * matches any ending."
    )
    suspect_words: tuple[str, ...] = Field((), description="A comment with one of these is held.")
    max_links: int = Field(2, ge=0, le=1_000_000, description="A comment with more links is held.")
    hold_first_comment: bool = Field(
        False, description="Hold the comments of an author who has none approved yet."
    )
    duplicate_hours: int = Field(
        24,
        ge=0,
        le=100_000,
        description="Hold what repeats a comment of the last so many hours; 0: never.",
    )
    flood_comments: int = Field(
        5, ge=0, le=1_000_000, description="Hold what a sender posts beyond this number; 0: never."
    )
    flood_seconds: int = Field(
        60, ge=1, le=10_000_000, description="The time that `flood_comments` speaks of."
    )
    max_length: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="A comment of more characters is held as too long to judge.",
    )
    only_our_forms: bool = Field(
        False, description="Hold what a browser sends from another form than ours."
    )
    proof_of_work: bool = Field(
        False, description="Hold what a browser sends without some seconds of work at most."
    )


class Facts(NamedTuple):
    """What the rules may know about a comment."""

    text: str
    name: str
    website: str
    author_approved: bool
    """The author has an approved comment on this site."""
    earlier_from_sender: int
    """Comments of the same author or address within `Rules.flood_seconds` before this one."""
    agreement: int
    """Bytes of the fingerprint that agree with the most similar recent comment (`similarity`)."""
    standing: Standing | None = None
    """What a moderator thinks of the author on this site."""
    trap: str = ""
    """The `Trap` that the sender fell into; empty for none, and for what came with a key."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that spoke: which, what it wants, and why in words for the moderator."""

    rule: str
    verdict: Verdict
    detail: str


Decider = Callable[[Facts, Rules], Finding | None]


def blocked_author(facts: Facts, _rules: Rules) -> Finding | None:
    """Rejects the comments of an author whom a moderator has blocked."""
    if facts.standing is not Standing.BLOCKED:
        return None
    return Finding("blocked_author", Verdict.REJECT, "a moderator has blocked this author")


def banned_word(facts: Facts, rules: Rules) -> Finding | None:
    """Rejects a comment whose text, name or website has a banned word."""
    found = _first_word(facts, rules.banned_words)
    return (
        Finding("banned_word", Verdict.REJECT, f"has the banned word “{found}”") if found else None
    )


def suspect_word(facts: Facts, rules: Rules) -> Finding | None:
    """Holds a comment whose text, name or website has a suspect word."""
    found = _first_word(facts, rules.suspect_words)
    return (
        Finding("suspect_word", Verdict.HOLD, f"has the suspect word “{found}”") if found else None
    )


_TRAPPED = {
    Trap.HONEYPOT: "a field is filled in that people do not see",
    Trap.TOO_FAST: "the form came back sooner than anybody types",
    Trap.BAD_FORM: "the form’s token is forged, too old, or was used before",
    Trap.NO_FORM: "it was not sent from a form of ours",
    Trap.NO_PROOF: "the browser did no work for it",
}


def trapped(facts: Facts, rules: Rules) -> Finding | None:
    """Holds what fell into a trap for programs that fill in forms."""
    match facts.trap:
        case "":
            return None
        case Trap.NO_FORM if not (rules.only_our_forms or rules.proof_of_work):
            return None
        case Trap.NO_PROOF if not rules.proof_of_work:
            return None
    return Finding("trapped", Verdict.HOLD, _TRAPPED[Trap(facts.trap)])


def too_long(facts: Facts, rules: Rules) -> Finding | None:
    """Holds a text that is too long to judge."""
    length = len(facts.text)
    if length <= rules.max_length:
        return None
    return Finding(
        "too_long", Verdict.HOLD, f"{length:,} characters, more than {rules.max_length:,}"
    )


def flood(facts: Facts, rules: Rules) -> Finding | None:
    """Holds what one sender posts too fast."""
    if not rules.flood_comments or facts.earlier_from_sender < rules.flood_comments:
        return None
    detail = (
        f"more than {rules.flood_comments} comments of one sender in {rules.flood_seconds} seconds"
    )
    return Finding("flood", Verdict.HOLD, detail)


def duplicate(facts: Facts, rules: Rules) -> Finding | None:
    """Holds a text that repeats a recent one, word for word or nearly."""
    if not rules.duplicate_hours or facts.agreement < NEARLY_THE_SAME:
        return None
    return Finding(
        "duplicate", Verdict.HOLD, f"repeats a comment of the last {rules.duplicate_hours} h"
    )


def too_many_links(facts: Facts, rules: Rules) -> Finding | None:
    """Holds a text with more links than the site allows."""
    links = _links(facts.text)
    if links <= rules.max_links:
        return None
    return Finding("too_many_links", Verdict.HOLD, f"{links} links, at most {rules.max_links}")


def first_comment(facts: Facts, rules: Rules) -> Finding | None:
    """Holds the first comments of an author, where the site wants that and nobody trusts them."""
    trusted = facts.standing is Standing.TRUSTED
    if not rules.hold_first_comment or facts.author_approved or trusted:
        return None
    return Finding("first_comment", Verdict.HOLD, "no approved comment of this author yet")


DECIDERS: tuple[Decider, ...] = (
    blocked_author,
    banned_word,
    suspect_word,
    trapped,
    too_long,
    flood,
    duplicate,
    too_many_links,
    first_comment,
)


def consult(facts: Facts, rules: Rules) -> list[Finding]:
    """All that the rules have to say about a comment, what weighs most first."""
    return [finding for decider in DECIDERS if (finding := decider(facts, rules))]


def _links(text: str) -> int:
    """How many links there are; most texts have none of their signs, and are not searched."""
    lower = text.lower()
    if "://" in lower or "www." in lower or "<a" in lower or "[url" in lower:
        return len(_LINK.findall(text))
    return 0


def _first_word(facts: Facts, words: tuple[str, ...]) -> str | None:
    if not words:
        return None
    match = _pattern(words).search(_plain(f"{facts.text}\n{facts.name}\n{facts.website}"))
    return match.group() if match else None


def _plain(text: str) -> str:
    """The text without case, compatibility forms and invisible characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(_alternatives(words))})(?!\w)")


def _alternatives(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        plain = _plain(word).strip()
        stem = plain.rstrip("*")
        if stem:
            yield re.escape(stem) + (r"\w*" if plain.endswith("*") else "")
