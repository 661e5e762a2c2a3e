import os
import subprocess
import sys

from tests.support.waiting import eventually

ORPHAN = """
import os, signal, sys, time
from moderation.running import supervisor

supervisor._ASKED_AGAIN = 0.1
supervisor.leave_no_orphans()
if child := os.fork():
    print(child)
    sys.exit()
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1) if not asked else os._exit(0))
while True:
    time.sleep(0.05)
"""


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_orphan_that_misses_the_first_signal_is_asked_again() -> None:
    found = subprocess.run(
        [sys.executable, "-c", ORPHAN],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
        env={**os.environ, "MODERATION_SUPERVISOR_PID": "0"},
        timeout=60,
    )
    eventually(lambda: not runs(int(found.stdout)))
