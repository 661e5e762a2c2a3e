"""The words of the trade that every layer shares; no Flask, SQL or Redis here."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a comment stands. `pending` means that nobody has decided yet."""

    PENDING = "pending"
    APPROVED = "approved"
    HELD = "held"
    REJECTED = "rejected"


class ActorKind(StrEnum):
    """Who or what changed a status."""

    WORKER = "worker"
    MODERATOR = "moderator"
    CLIENT = "client"
    """A site's own program that passes on what its people decided there: a person's word too."""
    IMPORT = "import"
    """Another system's export, which tells where its comments stood."""


PEOPLE = frozenset({ActorKind.MODERATOR, ActorKind.CLIENT})
"""Whose decisions are final, and labels."""


class LabelSource(StrEnum):
    """Who or what says that a comment may be published or may not; a source speaks louder than
    those after it, however late they speak."""

    MODERATOR = "moderator"
    CLIENT = "client"
    """People at the site, by way of its Akismet or Perspective client or its own program."""
    IMPORT = "import"
    """What was decided before this service was there, or labelled elsewhere."""
    READER = "reader"
    """Readers who reported it."""
    RULE = "rule"


class Selection(StrEnum):
    """How it came that somebody looked at a comment and said what it is."""

    HELD = "held"
    """It was held, as all like it are."""
    AUDIT = "audit"
    """It was published, and drawn at random to be looked at."""
    PUBLISHED = "published"
    """It was published, and somebody took offence."""
    REJECTED = "rejected"
    """It was rejected, and somebody looked again."""
    IMPORTED = "imported"
    """Another system's selection, which we do not know."""


class Audit(StrEnum):
    """What the random audit of what is published by itself has to do with a comment: see
    `audits`."""

    OPEN = "open"
    """It was drawn, and waits for a moderator's word, published as it is."""
    DONE = "done"
    """It was drawn, and a person's word on it counts."""
    DECOY = "decoy"
    """It was held, and is shown to moderators as one that was drawn would be."""


def is_blind(status: Status, audit: str) -> bool:
    """Whether a comment waits for a moderator who is not to know what the service found: so it is
    with what was drawn for the audit, and with some that are held, lest the others tell that they
    were drawn."""
    return audit == Audit.OPEN or (audit == Audit.DECOY and status is Status.HELD)


class Role(StrEnum):
    """What an account may do."""

    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"


ERASED = "erased"
"""The reason with which an erased comment is rejected, by which it is known as one: another's text
may be empty too."""


class EventKind(StrEnum):
    """What an event tells of. Only those of `CHANGING` may change a status."""

    DECISION = "decision"
    UNDO = "undo"
    """A moderator took a decision of his own back; the status before it is restored."""
    RESCORE = "rescore"
    """The service scored a held comment again, with another model; it may approve it then."""
    NOTE = "note"
    """A moderator wrote something about the comment, for other moderators."""
    LOOK = "look"
    """A moderator asked for the e-mail address."""
    AUTHOR = "author"
    """A moderator trusted or blocked the comment's author, or let the usual rules apply again."""
    ERASURE = "erasure"
    """An administrator had its text and all that tells of its author removed, for good."""


CHANGING = frozenset({EventKind.DECISION, EventKind.UNDO, EventKind.RESCORE, EventKind.ERASURE})
"""Events that may have changed a status."""


class ModeratorReason(StrEnum):
    """Why a moderator rejects a comment; in the order of the keys 1 to 9 at the desk."""

    SPAM = "spam"
    ABUSE = "abuse"
    HATE = "hate"
    HARASSMENT = "harassment"
    THREAT = "threat"
    OBSCENE = "obscene"
    OFF_TOPIC = "off_topic"
    MISINFORMATION = "misinformation"
    ILLEGAL = "illegal"
    PERSONAL_DATA = "personal_data"
    ADVERTISING = "advertising"
    DUPLICATE = "duplicate"
    OTHER = "other"


class Trap(StrEnum):
    """What was odd about the way a browser sent a comment (see `challenges`). Each holds a comment
    at most: people fall into traps too."""

    HONEYPOT = "honeypot"
    """A field was filled in that people do not see."""
    TOO_FAST = "too_fast"
    """The form came back sooner than anybody types."""
    BAD_FORM = "bad_form"
    """The form's token is forged, another site's, too old, or was used before."""
    NO_FORM = "no_form"
    """It came without a token: not from a form of ours."""
    NO_PROOF = "no_proof"
    """The browser did no work for it, or not the work that it was given."""


class Standing(StrEnum):
    """What a moderator thinks of an author on one site."""

    TRUSTED = "trusted"
    """The model does not hold their comments; rules that speak still do."""
    BLOCKED = "blocked"
    """Their comments are rejected."""


class ModelRef(NamedTuple):
    """One of a site's own models, as whoever scores knows it."""

    id: int
    version: str
    """Names its content: models of one version score alike."""
