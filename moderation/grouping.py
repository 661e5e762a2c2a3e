"""Work that costs little more for many than for one, done in groups by one thread.

Whoever asks waits for the thread, which takes all that wait at once.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

GROUP = 256
"""What is done together at most; more wait for the next group."""

# Seconds in which another one has to come for the group to stay open.
_PAUSE = 0.001

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Waiting(Generic[Asked, Answer]):
    """What somebody asked for, and the lock that he waits for: much cheaper than a Future, of which
    this is what we need."""

    __slots__ = ("_answer", "_claimed", "_settled", "asked")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._answer: Answer | Exception = TimeoutError()
        self._claimed = threading.Lock()
        self._settled = threading.Lock()
        self._settled.acquire()

    def claim(self) -> bool:
        """Whether it is the caller who does what was asked for: it is for the first who claims it,
        the thread or who got tired of waiting for it."""
        return self._claimed.acquire(blocking=False)

    def settle(self, answer: Answer | Exception) -> None:
        """Let whoever waits have the answer."""
        self._answer = answer
        self._settled.release()

    def answer(self, patience: float) -> Answer | Exception:
        """The answer; a TimeoutError if there is none after `patience` seconds."""
        if not self._settled.acquire(timeout=patience):
            return TimeoutError()
        return self._answer


class Groups(Generic[Asked, Answer]):
    """The one thread, which starts with the first that is asked for.

    `work` settles each of its group, and raises nothing.
    """

    def __init__(self, name: str, work: Callable[[Sequence[Waiting[Asked, Answer]]], None]) -> None:
        self._name = name
        self._work = work
        # As long as there are requests at the same time, which the web server bounds.
        self._waiting: queue.SimpleQueue[Waiting[Asked, Answer]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, asked: Asked) -> Waiting[Asked, Answer]:
        """Have it done with the next group."""
        waiting: Waiting[Asked, Answer] = Waiting(asked)
        self._waiting.put(waiting)
        if self._thread is None or not self._thread.is_alive():
            self._start()
        return waiting

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._work(self._next_group())

    def _next_group(self) -> list[Waiting[Asked, Answer]]:
        """Waits for one, and then for as long as others keep coming at once.

        What comes alone is not kept waiting. Under load the pause lets the requests that are in the
        middle of their work join, where they would else contend with the thread.
        """
        group = [self._waiting.get()]
        arrived = 0
        while arrived < (waiting := self._waiting.qsize()) < GROUP:
            arrived = waiting
            time.sleep(_PAUSE)
        with suppress(queue.Empty):
            while len(group) < GROUP:
                group.append(self._waiting.get_nowait())
        return group
