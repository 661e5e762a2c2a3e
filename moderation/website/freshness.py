"""What makes it cheap to ask again and again whether anything is new.

Whatever changes what a site publishes is an event. So an answer that was true at a site's last
event is true until its next one, and whoever has it need not be sent it again, nor need it be made.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from moderation.models import Event

# For so many seconds an ETag is believed: the bound for what events do not tell of, such as a
# discussion that closes because it is old, or one that PostgreSQL shows after a later one.
_BELIEVED_FOR = 5.0

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Moment:
    """A site's last event: its id, and when it was, in milliseconds since 1970; 0 before any."""

    event_id: int = 0
    at: int = 0


def last_moment(connection: Connection, site_id: int) -> Moment:
    """The moment at which something last happened on a site."""
    query = (
        select(Event.id, Event.at)
        .where(Event.site_id == site_id)
        .order_by(Event.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Moment(row.id, row.at) if row else Moment()


@dataclass
class Freshness:
    """The ETags of answers to questions that were asked lately, in one process."""

    _known: OrderedDict[Hashable, tuple[Moment, float, str]] = field(default_factory=OrderedDict)

    def etag(self, question: Hashable, moment: Moment) -> str | None:
        """The ETag of the answer, if nothing has happened since it was made."""
        known = self._known.get(question)
        if known is None or known[0] != moment or time.monotonic() - known[1] > _BELIEVED_FOR:
            return None
        return known[2]

    def remember(self, question: Hashable, moment: Moment, etag: str) -> None:
        """Keep the ETag of an answer that was made at `moment` or later."""
        self._known[question] = (moment, time.monotonic(), etag)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
