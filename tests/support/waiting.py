"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from pathlib import Path


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until `condition` holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def waiting_for(path: Path) -> int:
    """How many wait for a lock of this file, by the kernel's list, where they begin with "->"."""
    end = f":{path.stat().st_ino}"
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and line.split()[6].endswith(end) for line in lines)
