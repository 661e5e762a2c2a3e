"""Within a process, whoever waits for a decision goes before those who only want to be stored.

Threads share one interpreter: among thirty that have something to do, each step of a check that
lets go of it, a query or a lock, waits until it is its turn again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

PATIENCE = 0.05
"""Seconds that the others wait at most each time: many checks slow them down, and stop nobody."""


class Precedence:
    """Counts who goes first."""

    def __init__(self) -> None:
        self._first = 0
        self._changed = Condition()

    @contextmanager
    def first(self) -> Iterator[None]:
        """Go before all who give way."""
        with self._changed:
            self._first += 1
        try:
            yield
        finally:
            with self._changed:
                self._first -= 1
                if not self._first:
                    self._changed.notify_all()

    def give_way(self) -> None:
        """Wait while somebody goes first, for `PATIENCE` at most."""
        # Looked at without the lock, because it is nearly always 0.
        if self._first:
            with self._changed:
                self._changed.wait_for(lambda: not self._first, PATIENCE)
