"""A comment's whole way: how many are decided, how soon, and in how much memory."""

import http.client
import json
import random
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select

from benchmarks.load import WORDS, BenchmarkError, Target, post_at_full_speed
from benchmarks.servers import Service
from moderation.clock import now_ms
from moderation.db import Database
from moderation.models import Comment, Event, is_pending

# Comments that wait for the worker when the load ends are decided within this many seconds.
_DRAIN_TIMEOUT = 120.0

# Seconds between two looks at the database for new decisions.
_GRAIN = 0.002

_POSTERS = 8


@dataclass(frozen=True, slots=True)
class Throughput:
    """Rates a second while comments are posted at full speed."""

    stored: float
    decided: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a worker process, in MB of 10^6 bytes; `proportional` splits what processes share."""

    resident: float
    proportional: float
    decided: int


def throughput(service: Service, database: Database, *, seconds: float) -> Throughput:
    """Post at full speed while the worker decides; returns when nothing is pending."""
    since = now_ms()
    load = post_at_full_speed(service.target, seconds=seconds)
    decided = _count_events(database, since, now_ms())
    wait_until_decided(database)
    return Throughput(load.rate, decided / load.seconds)


def latencies(service: Service, database: Database, *, rate: float, seconds: float) -> list[float]:
    """Milliseconds from sending a comment until its decision can be read, for each comment.

    Comments come at random moments, `rate` a second on average.
    """
    watch = _Watch(database)
    chance = random.Random(1)
    posted: list[Future[tuple[str, float]]] = []
    with ThreadPoolExecutor(_POSTERS) as pool:
        start = due = time.monotonic()
        while due < start + seconds:
            posted.append(pool.submit(_post, service.target, _comment(chance, len(posted))))
            due += chance.expovariate(rate)
            time.sleep(max(0.0, due - time.monotonic()))
    wait_until_decided(database)
    watch.stop()
    sent = dict(future.result() for future in posted)
    return [1_000 * (watch.seen[comment_id] - at) for comment_id, at in sent.items()]


def worker_memory(worker: "subprocess.Popen[bytes]", *, decided: int) -> Memory:
    """Memory of the process that scores and decides: the largest below `worker`."""
    return max((_memory(pid, decided) for pid in _children(worker.pid)), key=lambda m: m.resident)


def wait_until_decided(database: Database) -> None:
    """Wait until no comment is pending.

    Raises:
        BenchmarkError: it takes too long.
    """
    deadline = time.monotonic() + _DRAIN_TIMEOUT
    pending = select(Comment.id).where(is_pending(Comment)).limit(1)
    while True:
        with database.read() as connection:
            if connection.execute(pending).first() is None:
                return
        if time.monotonic() > deadline:
            raise BenchmarkError("the worker does not decide what was posted")
        time.sleep(0.05)


def count_decided(database: Database) -> int:
    """How many comments have been decided."""
    return _count_events(database, 0, now_ms())


class _Watch:
    """Notes when each decision can first be read, from a thread of its own."""

    def __init__(self, database: Database) -> None:
        self.seen: dict[str, float] = {}
        self._database = database
        self._stopped = threading.Event()
        with database.read() as connection:
            self._last = connection.execute(select(func.max(Event.id))).scalar_one() or 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_GRAIN):
            self._look()
        self._look()

    def _look(self) -> None:
        query = select(Event.id, Event.comment_id).where(Event.id > self._last).order_by(Event.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        now = time.monotonic()
        for row in rows:
            self._last = row.id
            self.seen[row.comment_id] = now


def _post(target: Target, comment: dict[str, str]) -> tuple[str, float]:
    """Post a comment over a new connection, as a reader does; its id and when it was sent."""
    sent = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {target.key}"}
    connection.request("POST", target.path, json.dumps(comment), headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 202:
        raise BenchmarkError(f"a comment was answered {response.status}")
    return json.loads(body)["id"], sent


def _comment(chance: random.Random, number: int) -> dict[str, str]:
    words = chance.choices(WORDS.read_text().split(), k=chance.randint(10, 90))
    return {
        "page": f"/article/{number % 50}",
        "name": f"Reader {number}",
        "email": f"reader-0-{number}@example.org",
        "ip": f"2001:db8::{number:x}",
        "text": " ".join(words),
    }


def _count_events(database: Database, since: int, until: int) -> int:
    query = select(func.count()).where(Event.at.between(since, until))
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _memory(pid: int, decided: int) -> Memory:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines}
    return Memory(kilobytes["Rss:"] * 1_024 / 1e6, kilobytes["Pss:"] * 1_024 / 1e6, decided)
