"""Checks that are answered with the decision: how many a second, and how soon.

    python -m benchmarks.checks [--output docs/benchmarks-checks.md]

Over Akismet's protocol, against the whole service (two web processes, one worker), the load
generator on the same machine. Comments are invented.
"""

import argparse
import http.client
import os
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode, urlsplit

from benchmarks.load import (
    CHECKS,
    CONNECTIONS,
    WORDS,
    BenchmarkError,
    Load,
    Target,
    post_at_full_speed,
    require_wrk,
)
from benchmarks.servers import Size, service

_PATH = "/1.1/comment-check"
_SIZE = Size(processes=2, threads=64)

# Comments a second of a busy site.
RATE = 20.0

_FEW = 8

# Connections over which comments are posted beside the checks, up to the full speed.
_POSTING = (1, 4, 16, CONNECTIONS)

# Threads that check at given moments: more than ever wait at the same time.
_CHECKERS = 32


@dataclass(frozen=True, slots=True)
class Steady:
    """Milliseconds until the answer at `RATE` checks a second."""

    p50_ms: float
    p99_ms: float
    slowest_ms: float
    checks: int


@dataclass(frozen=True, slots=True)
class Beside:
    """Checks while comments are posted over the native interface, over so many connections."""

    connections: int
    posted: Load
    checks: Steady


@dataclass(frozen=True, slots=True)
class Checks:
    """All that was measured."""

    few: Load
    many: Load
    alone: Steady
    beside: Sequence[Beside]
    load_average: float


def measure(folder: Path, *, seconds: float) -> Checks:
    """Measure each for so many seconds.

    Raises:
        BenchmarkError: it cannot be measured.
    """
    require_wrk()
    load_average = os.getloadavg()[0]
    with service(folder, _SIZE) as running:
        target = replace(running.target, path=_PATH)
        # The model is loaded, in each process.
        post_at_full_speed(target, seconds=10, script=CHECKS, connections=_FEW)
        few = post_at_full_speed(target, seconds=seconds, script=CHECKS, connections=_FEW)
        many = post_at_full_speed(target, seconds=seconds, script=CHECKS)
        alone = steady(target, seconds=seconds)
        beside = [_beside(running.target, target, n, seconds=seconds) for n in _POSTING]
    return Checks(few, many, alone, beside, load_average)


def _beside(posts: Target, checks: Target, connections: int, *, seconds: float) -> Beside:
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(
            post_at_full_speed, posts, seconds=seconds + 2, connections=connections
        )
        time.sleep(1)
        found = steady(checks, seconds=seconds)
        return Beside(connections, posting.result(), found)


def steady(target: Target, *, seconds: float) -> Steady:
    """Checks at random moments, `RATE` a second on average."""
    chance = random.Random(time.time_ns())
    with ThreadPoolExecutor(_CHECKERS) as pool:
        start = due = time.monotonic()
        sent = []
        while due < start + seconds:
            sent.append(pool.submit(_check, target, _body(target, chance), due))
            due += chance.expovariate(RATE)
            time.sleep(max(0.0, due - time.monotonic()))
    taken = [future.result() for future in sent]
    return Steady(median(taken), quantiles(taken, n=100)[98], max(taken), len(taken))


def _check(target: Target, body: str, due: float) -> float:
    """Milliseconds from the moment it was due until the answer."""
    connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=30)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", target.path, body, form)
    answer = connection.getresponse().read()
    connection.close()
    if answer not in (b"true", b"false"):
        raise BenchmarkError(f"a check was answered {answer!r}")
    return 1_000 * (time.monotonic() - due)


@cache
def _words() -> list[str]:
    return WORDS.read_text().split()


def _body(target: Target, chance: random.Random) -> str:
    number = chance.getrandbits(40)
    fields = {
        "api_key": target.key,
        "blog": "https://news.example/",
        "user_ip": f"2001:db8:1::{number & 0xFFFF:x}",
        "comment_author": f"Reader {number}",
        "comment_author_email": f"steady-{number}@example.org",
        "permalink": f"https://news.example/{number % 50}",
        "comment_content": " ".join(chance.choices(_words(), k=chance.randint(10, 90))) + ".",
    }
    return urlencode(fields)


def report(found: Checks, *, seconds: float) -> str:
    """The document."""
    rows: list[tuple[str, float, Load | Steady]] = [
        (f"as fast as they go, over {_FEW} connections", found.few.rate, found.few),
        (f"as fast as they go, over {CONNECTIONS} connections", found.many.rate, found.many),
        ("at random moments, alone", found.alone.checks / seconds, found.alone),
    ]
    rows += [
        (
            f"the same while {one.posted.rate:,.0f} comments a second are posted "
            f"(`POST /v1/comments`, {one.connections} connection{'s' * (one.connections > 1)})",
            one.checks.checks / seconds,
            one.checks,
        )
        for one in found.beside
    ]
    table = "\n".join(
        f"| {what} | {rate:,.0f} | {seen.p50_ms:.0f} ms | {seen.p99_ms:.0f} ms |"
        for what, rate, seen in rows
    )
    slowest = max(one.checks.slowest_ms for one in found.beside)
    return f"""# Benchmarks of synchronous checks

Written by `python -m benchmarks.checks` on {time.strftime("%d %B %Y")}: {os.cpu_count()} processors
are shared by two web processes, one worker and the load generators; {seconds:.0f} seconds each.
SQLite, each comment durable before its answer. The machine's load before it began, in which other
work takes its part: {found.load_average:.1f}.

A check comes over Akismet's protocol, is decided, stored with its decision, and answered with it.

| | Checks a second | Median | 99 % are faster than |
|---|---|---|---|
{table}

The slowest check took {found.alone.slowest_ms:.0f} ms alone, and {slowest:.0f} ms beside the posts.
From the third line on, the time counts from the moment a check was due.
"""


def main() -> None:
    """Measure, and print or write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = report(
            measure(Path(folder) / "checks", seconds=given.seconds), seconds=given.seconds
        )
    if given.output:
        given.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
