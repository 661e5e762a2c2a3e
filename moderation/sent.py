"""How a comment of a protocol without ids is recognized when its client speaks of it again.

The idempotency key of such a comment is made of what it says and of where it was sent from, so that
the index of these keys finds it.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from moderation.clock import MINUTE, now_ms
from moderation.models import Comment

REPEATED_WITHIN = 10 * MINUTE
"""The same from the same sender within this time is the same call, sent again."""

_DIGEST = 12


@dataclass(frozen=True, slots=True)
class Sent:
    """A comment as a client of a protocol describes it.

    Args:
        protocol: its name in lower-case letters.
        content: what tells it from other comments, and is the same whenever it is spoken of.
        circumstances: what else is the same only when a call is sent again.
    """

    protocol: str
    content: tuple[str, ...]
    circumstances: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same content: 24 hexadecimal digits."""
        return _digest(self.content)

    def key(self, connection: Connection, site_id: int) -> str:
        """The idempotency key to store it with: that of the same call, if it came just now."""
        prefix = f"{self._prefix}{_digest(self.circumstances)}-"
        row = _latest(connection, site_id, prefix)
        now = now_ms()
        if row is not None and row.created_at > now - REPEATED_WITHIN:
            found: str = row.idempotency_key
            return found
        return f"{prefix}{now // MINUTE}"

    def find(self, connection: Connection, site_id: int) -> Any:
        """The latest comment with this content; `id`, `status`, `created_at` and
        `idempotency_key`, or None."""
        return _latest(connection, site_id, self._prefix)

    @property
    def _prefix(self) -> str:
        return f"{self.protocol}-{self.digest}-"


def _latest(connection: Connection, site_id: int, prefix: str) -> Any:
    query = (
        select(Comment.id, Comment.status, Comment.created_at, Comment.idempotency_key)
        .where(
            Comment.site_id == site_id,
            Comment.idempotency_key >= prefix,
            # What follows are digits of hexadecimal numbers, in every order of letters before "g".
            Comment.idempotency_key < f"{prefix}g",
        )
        .order_by(Comment.created_at.desc())
        .limit(1)
    )
    return connection.execute(query).one_or_none()


def _digest(parts: tuple[str, ...]) -> str:
    text = "\0".join(parts)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST).hexdigest()
