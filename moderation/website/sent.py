"""How a comment of a protocol without ids is recognized when its client speaks of it again.

The idempotency key of such a comment is made of its text and of where it was sent from, so that the
index of these keys finds it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from moderation.clock import MINUTE, now_ms
from moderation.models import Comment, Thread

REPEATED_WITHIN = 10 * MINUTE
"""The same from the same sender within this time is the same call, sent again."""

# Comments of one text that are looked at, the latest.
_CANDIDATES = 50

_DIGEST = 12


@dataclass(frozen=True, slots=True)
class Sent:
    """A comment as a client of a protocol describes it.

    Args:
        protocol: its name in lower-case letters.
        text: what is the same whenever the client speaks of the comment.
        circumstances: what else is the same when a call is sent again.
    """

    protocol: str
    text: str
    circumstances: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same text, backslashes and white space aside: 24 hexadecimal digits."""
        return _digest((" ".join(self.text.replace("\\", "").split()),))

    def key(self, connection: Connection, site_id: int) -> str:
        """The idempotency key to store it with: that of the same call, if it came just now."""
        prefix = f"{self._prefix}{_digest(self.circumstances)}-"
        row = _first(_latest(connection, site_id, prefix, at_most=1))
        now = now_ms()
        if row is not None and row.created_at > now - REPEATED_WITHIN:
            found: str = row.idempotency_key
            return found
        return f"{prefix}{now // MINUTE}"

    def find(self, connection: Connection, site_id: int, **known: str) -> Any:
        """The latest comment with this text of which nothing else is known to be different; its
        `id` and `status`, or None.

        Args:
            known: values of `name`, `email` and `page`; the empty ones are not compared.
                Those that differ only in the page are taken where none is of the same page.
        """
        rows = _latest(connection, site_id, self._prefix, at_most=_CANDIDATES)
        own = {name: value for name, value in known.items() if value and name != "page"}
        alike = [row for row in rows if all(getattr(row, name) == own[name] for name in own)]
        return next((row for row in alike if row.page == known.get("page")), _first(alike))

    @property
    def _prefix(self) -> str:
        return f"{self.protocol}-{self.digest}-"


def _first(rows: Sequence[Any]) -> Any:
    return rows[0] if rows else None


# Made once: it is asked with every check.
_LATEST = (
    select(
        Comment.id,
        Comment.status,
        Comment.created_at,
        Comment.idempotency_key,
        Comment.name,
        Comment.email,
        Thread.page,
    )
    .join(Thread, Thread.id == Comment.thread_id)
    .where(
        Comment.site_id == bindparam("site"),
        Comment.idempotency_key >= bindparam("first"),
        Comment.idempotency_key < bindparam("end"),
    )
    .order_by(Comment.id.desc())
    .limit(bindparam("at_most"))
)


def _latest(connection: Connection, site_id: int, prefix: str, *, at_most: int) -> Sequence[Any]:
    """The latest comments whose key has this prefix."""
    # What follows are digits of hexadecimal numbers, before "g" in every order of letters.
    values = {"site": site_id, "first": prefix, "end": f"{prefix}g", "at_most": at_most}
    return connection.execute(_LATEST, values).all()


def _digest(parts: tuple[str, ...]) -> str:
    text = "\0".join(parts)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST).hexdigest()
