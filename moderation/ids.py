"""Ids of comments: unguessable, and in order of arrival."""

import secrets

from moderation.clock import now_ms

_RANDOM_BITS = 74


def new_id(at: int | None = None) -> str:
    """A version 7 UUID (RFC 9562, section 5.7) in 32 hexadecimal digits.

    Args:
        at: the time it carries, in milliseconds since 1970; now, if not given.
    """
    ms = now_ms() if at is None else at
    random = secrets.randbits(_RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return f"{ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"


def floor_id(at: int) -> str:
    """A lower bound for all ids made at `at` (milliseconds since 1970) or later."""
    return f"{at << 80:032x}"


def time_of(comment_id: str) -> int:
    """When an id was made, in milliseconds since 1970."""
    return int(comment_id, 16) >> 80
