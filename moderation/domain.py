"""The words of the trade that every layer shares; no Flask, SQL or Redis here."""

from enum import StrEnum


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


class Role(StrEnum):
    """What an account may do."""

    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"
