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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
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
class Checks:
    """All that was measured; `posted` is what was stored over the native interface meanwhile."""

    few: Load
    many: Load
    alone: Steady
    beside: Steady
    posted: Load
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
        post_at_full_speed(target, seconds=10, script=CHECKS, connections=8)
        few = post_at_full_speed(target, seconds=seconds, script=CHECKS, connections=8)
        many = post_at_full_speed(target, seconds=seconds, script=CHECKS)
        alone = steady(target, seconds=seconds)
        loads: list[Load] = []

        def post() -> None:
            loads.append(post_at_full_speed(running.target, seconds=seconds + 2))

        posting = Thread(target=post)
        posting.start()
        time.sleep(1)
        beside = steady(target, seconds=seconds)
        posting.join()
    if not loads:
        raise BenchmarkError("nothing was posted beside the checks")
    return Checks(few, many, alone, beside, loads[0], load_average)


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


def _body(target: Target, chance: random.Random) -> str:
    number = chance.getrandbits(40)
    words = WORDS.read_text().split()
    fields = {
        "api_key": target.key,
        "blog": "https://news.example/",
        "user_ip": f"2001:db8:1::{number & 0xFFFF:x}",
        "comment_author": f"Reader {number}",
        "comment_author_email": f"steady-{number}@example.org",
        "permalink": f"https://news.example/{number % 50}",
        "comment_content": " ".join(chance.choices(words, k=chance.randint(10, 90))) + ".",
    }
    return urlencode(fields)


def report(found: Checks, *, seconds: float) -> str:
    """The document."""
    busy = f"while {found.posted.rate:,.0f} comments a second are posted over `POST /v1/comments`"
    rows: list[tuple[str, float, Load | Steady]] = [
        ("as fast as they go, over 8 connections", found.few.rate, found.few),
        (f"as fast as they go, over {CONNECTIONS} connections", found.many.rate, found.many),
        ("at random moments, alone", found.alone.checks / seconds, found.alone),
        (f"the same {busy}", found.beside.checks / seconds, found.beside),
    ]
    table = "\n".join(
        f"| {what} | {rate:,.0f} | {seen.p50_ms:.0f} ms | {seen.p99_ms:.0f} ms |"
        for what, rate, seen in rows
    )
    return f"""# Benchmarks of synchronous checks

Written by `python -m benchmarks.checks` on {time.strftime("%d %B %Y")}: {os.cpu_count()} processors
are shared by two web processes, one worker and the load generators; {seconds:.0f} seconds each.
SQLite, each comment durable before its answer. The machine's load before it began, in which other
work takes its part: {found.load_average:.1f}.

A check comes over Akismet's protocol, is stored, decided, and answered with the decision.

| | Checks a second | Median | 99 % are faster than |
|---|---|---|---|
{table}

The slowest check took {found.alone.slowest_ms:.0f} ms alone, and {found.beside.slowest_ms:.0f} ms
beside the posts. Of the last two lines, the time counts from the moment a check was due.
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
