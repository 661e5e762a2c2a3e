"""Load from wrk, which costs little of the processors that it shares with what it measures."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

CONNECTIONS = 64

COMMENTS = Path(__file__).with_name("comments.lua")
CHECKS = Path(__file__).with_name("checks.lua")
WORDS = Path(__file__).with_name("words.txt")

# wrk needs it to end, when answers are slow.
_GRACE = 30.0

_runs = count(1)


class BenchmarkError(Exception):
    """The measurement cannot be made; the message is one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where comments are posted. In `path`, "PAGE" stands for the page's number; `may_fail` is the
    share of requests that may be answered badly, which are not counted."""

    url: str
    path: str
    key: str = "none"
    may_fail: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw of one run."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """Make sure that wrk is there.

    Raises:
        BenchmarkError: it is not; says how to get it.
    """
    if shutil.which("wrk") is None:
        raise BenchmarkError(
            "the load generator wrk is not installed: `apt-get install wrk` (Debian, Ubuntu), "
            "`dnf install wrk` (Fedora) or `brew install wrk` (macOS)"
        )


def post_at_full_speed(
    target: Target, *, seconds: float, script: Path = COMMENTS, connections: int = CONNECTIONS
) -> Load:
    """Post comments over so many connections, each as soon as the one before is answered.

    Raises:
        BenchmarkError: more requests failed than may, so the figures would mean nothing.
    """
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:.0f}s",
        f"--timeout={_GRACE:.0f}s",
        "-s",
        str(script),
    ]
    arguments = [target.path, target.key, str(WORDS), str(next(_runs))]
    ended = subprocess.run(
        [*command, target.url, "--", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE,
        check=False,
    )
    try:
        seen = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchmarkError(f"wrk failed: {ended.stderr or ended.stdout}") from None
    failed = seen.pop("failed")
    if failed > target.may_fail * seen["requests"] or not seen["requests"]:
        raise BenchmarkError(f"{target.url} did not answer every request well:\n{ended.stdout}")
    seen["requests"] -= failed
    return Load(**seen)
