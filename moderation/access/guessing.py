"""Slows down whoever guesses passwords, by the name that is tried and by the address it comes from.

The counts are in the database, so that all web processes see the same ones. A try is counted
before the password is looked at: guesses sent at the same moment are counted too. A try that is
refused is not, and the longest wait is short: nobody can be kept out for good.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, text, update

from moderation.clock import HOUR, MINUTE, SECOND, now_ms
from moderation.errors import TooManyTries
from moderation.models import SignInFailures

FREE_OF_NAME = 5
"""Failures with one name until the next try has to wait."""
FREE_OF_ADDRESS = 20
"""The same for one address, behind which there may be many people."""
FIRST_WAIT = 5 * SECOND
"""It doubles with each further failure."""
LONGEST_WAIT = 5 * MINUTE
FORGOTTEN_AFTER = 1 * HOUR
"""Without a further failure."""

# Of a provider's customer, the part of an IPv6 address that does not change at will.
_IPV6_PREFIX = 64

_ENTER = text(
    "INSERT INTO sign_in_failures (key, count, last_at) VALUES (:key, 0, :now) "
    "ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Try:
    """Somebody tries to sign in.

    Args:
        name: as it was typed.
        address: the sender's IP address, if it is known.
        device: a browser that this account has signed in with before. It has a count of its own,
            so that strangers who guess do not slow down the account's owner.
    """

    name: str
    address: str | None
    device: str = ""

    @property
    def person(self) -> str:
        """The key of the count by name."""
        return _digest("name", self.name, self.device)

    @property
    def sender(self) -> str:
        """The key of the count by address."""
        return _digest("address", _network(self.address))


def count(connection: Connection, attempt: Try) -> None:
    """Count a try as a failure, until `forgive` says otherwise.

    Raises:
        TooManyTries: it comes too soon, and was not counted.
    """
    now = now_ms()
    connection.execute(delete(SignInFailures).where(SignInFailures.last_at < now - FORGOTTEN_AFTER))
    free = {attempt.person: FREE_OF_NAME, attempt.sender: FREE_OF_ADDRESS}
    # Always in the same order, or two tries could wait for one another.
    for key in sorted(free):
        connection.execute(_ENTER, {"key": key, "now": now})
    ready_at = max(
        row.last_at + _wait(row.failures - free[row.key]) for row in _locked(connection, free)
    )
    if ready_at > now:
        raise TooManyTries(-(-(ready_at - now) // SECOND))
    connection.execute(
        update(SignInFailures)
        .where(SignInFailures.key.in_(free))
        .values(count=SignInFailures.count + 1, last_at=now)
    )


def forgive(connection: Connection, attempt: Try) -> None:
    """Take a counted try back, because the password was right, and what the name failed before."""
    _locked(connection, [attempt.person, attempt.sender])
    connection.execute(delete(SignInFailures).where(SignInFailures.key == attempt.person))
    connection.execute(
        update(SignInFailures)
        .where(SignInFailures.key == attempt.sender, SignInFailures.count > 0)
        .values(count=SignInFailures.count - 1)
    )


def _locked(connection: Connection, keys: Iterable[str]) -> Sequence[Any]:
    """The counts, which nobody else changes until the transaction ends."""
    columns = (SignInFailures.key, SignInFailures.count.label("failures"), SignInFailures.last_at)
    query = select(*columns).where(SignInFailures.key.in_(keys)).order_by(SignInFailures.key)
    return connection.execute(query.with_for_update()).all()


def _wait(beyond: int) -> int:
    """The wait after so many failures more than are free, in milliseconds."""
    if beyond < 0:
        return 0
    # The shift is bounded because the count is not.
    return min(FIRST_WAIT << min(beyond, 16), LONGEST_WAIT)


def _network(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    prefix = _IPV6_PREFIX if parsed.version == 6 else 32
    return str(ipaddress.ip_network(f"{str(parsed).partition('%')[0]}/{prefix}", strict=False))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
