import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_port
from tests.support.service import ROOT
from tests.support.waiting import eventually

# A server whose application takes long to be made, and says who makes it.
SLOW = """
import os, sys, time
from pathlib import Path

def make():
    with Path(sys.argv[1]).open("a") as log:
        log.write(f"{os.getpid()}\\n")
    time.sleep(600)
"""

SERVE = """
import sys
from moderation.config import Settings
from moderation.running.server import serve
serve(Settings(bind=sys.argv[2], web_processes=1), "slow:make")
"""


def test_a_web_process_that_is_not_ready_yet_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    log = tmp_path / "log"
    log.touch()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, log, f"127.0.0.1:{free_port()}"],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
    )
    try:
        eventually(lambda: len(log.read_text().splitlines()) == 1)
        os.kill(int(log.read_text()), signal.SIGTERM)
        # Another one takes its place.
        eventually(lambda: len(log.read_text().splitlines()) == 2)
    finally:
        server.terminate()
        server.wait(60)
