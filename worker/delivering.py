"""Sends what waits in the outbox, in threads of its own: while a receiver takes its time, comments
are decided. Free of RQ and Redis.

Each receiver has a lane. One that does not answer is left alone for a while; what waits for it
waits in the database.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Event, Lock, Thread

from sqlalchemy.exc import SQLAlchemyError

from moderation.clock import SECOND, now_ms
from moderation.db import Database
from moderation.outbox import deliveries
from moderation.outbox.deliveries import Lane, Outcome, Taken
from moderation.outbox.webhooks import signature_headers
from worker.webhook import WebhookError, post

log = logging.getLogger(__name__)

BATCH = 10
"""Messages that are taken at once: so many may be sent twice when the process is killed."""

# Seconds between two looks into the outbox.
_POLL = 1.0

# Threads that send, and how many of them one receiver gets.
_THREADS = 16
_THREADS_OF_LANE = 4

_CONNECTIONS = 2

# Seconds for which a receiver is left alone that does not answer, or asks for patience; longer if
# that is what it asks for.
_REST = 30.0

_OVERLOADED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@contextmanager
def delivering(url: str, *, private_addresses: bool) -> Iterator[None]:
    """Sends messages as long as the block lasts; what is being sent at its end comes to its end.

    Args:
        url: of the database.
        private_addresses: whether sites may be called at addresses that are not public.
    """
    # For these threads alone; none keeps a connection while it waits for a receiver.
    database = Database(url, pool_size=_CONNECTIONS)
    courier = Courier(database, private_addresses=private_addresses)
    thread = Thread(target=courier.run, name="deliveries", daemon=True)
    thread.start()
    try:
        yield
    finally:
        courier.stop()
        thread.join()
        database.close()


@dataclass
class Courier:
    """Looks for what is due, and has it sent."""

    database: Database
    private_addresses: bool
    _stopped: Event = field(default_factory=Event)
    _busy: Counter[Lane] = field(default_factory=Counter)
    _resting: dict[Lane, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def run(self) -> None:
        """Send until `stop`."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="delivery") as pool:
            while not self._stopped.wait(_POLL):
                try:
                    self._start_due(pool)
                except SQLAlchemyError as error:
                    log.warning("the outbox cannot be read: %s", type(error).__name__)

    def stop(self) -> None:
        """Take nothing more."""
        self._stopped.set()

    def _start_due(self, pool: ThreadPoolExecutor) -> None:
        with self.database.read() as connection:
            lanes = deliveries.due_lanes(connection)
        for lane in lanes:
            if self._enter(lane):
                pool.submit(self._empty, lane).add_done_callback(_report)

    def _empty(self, lane: Lane) -> None:
        """Send what is due in a lane until nothing is, or its receiver needs a rest."""
        try:
            while self.deliver(lane) == BATCH and not self._stopped.is_set():
                pass
        finally:
            with self._lock:
                self._busy[lane] -= 1

    def deliver(self, lane: Lane) -> int:
        """Send the next messages of a lane, one after another, and keep what became of each; how
        many. The first that finds its receiver away or overloaded is the last."""
        with self.database.write() as connection:
            batch = deliveries.take(connection, lane, limit=BATCH)
        outcomes: list[Outcome] = []
        for message in batch:
            outcomes.append(_send(message, private_addresses=self.private_addresses))
            if self._needs_rest(lane, outcomes[-1]) or self._stopped.is_set():
                break
        with self.database.write() as connection:
            deliveries.record(connection, outcomes)
            deliveries.give_back(connection, batch[len(outcomes) :])
        return len(outcomes)

    def _needs_rest(self, lane: Lane, outcome: Outcome) -> bool:
        with self._lock:
            if outcome.answer is not None and outcome.answer not in _OVERLOADED:
                self._resting.pop(lane, None)
                return False
            rest = max(_REST, min(outcome.retry_after, deliveries.LONGEST_ASKED / SECOND))
            self._resting[lane] = time.monotonic() + rest
            return True

    def _enter(self, lane: Lane) -> bool:
        """Whether one more thread may send in this lane."""
        with self._lock:
            resting = time.monotonic() < self._resting.get(lane, 0.0)
            # Whether a receiver has come back is found out with one message, not with four.
            allowed = 1 if lane in self._resting else _THREADS_OF_LANE
            if resting or self._busy[lane] >= allowed:
                return False
            self._busy[lane] += 1
            return True


def _send(message: Taken, *, private_addresses: bool) -> Outcome:
    at = now_ms()
    headers = {"Content-Type": message.content_type}
    if message.secrets:
        headers |= signature_headers(message, at)
    began = time.monotonic()
    answer, problem = None, ""
    try:
        answer = post(
            message.url, message.body.encode(), headers, private_addresses=private_addresses
        )
    except WebhookError as error:
        problem = str(error)
    return Outcome(
        message,
        at,
        took=round(1000 * (time.monotonic() - began)),
        answer=answer.status if answer else None,
        retry_after=answer.retry_after if answer else 0.0,
        problem=problem,
    )


def _report(future: Future[None]) -> None:
    error = future.exception()
    if error is not None:
        log.error("messages could not be sent: %s", type(error).__name__)
