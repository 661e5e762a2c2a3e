"""Isso, an existing comment server, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

from benchmarks.load import BenchmarkError

PATH = "/new?uri=%2Farticle%2FPAGE"

_LOCK = Path(__file__).with_name("requirements.lock")
_ENVIRONMENT = _LOCK.parents[1] / ".venv-bench"

# Everybody may post as fast as they can, and what is posted is published.
_SETTINGS = """\
[general]
dbpath = {folder}/isso.sqlite3
host = http://127.0.0.1:{port}/
log-file = {folder}/isso.log
[guard]
enabled = false
[moderation]
enabled = false
"""


def install() -> None:
    """Make the environment, if it is not there for this lock file.

    Raises:
        BenchmarkError: Isso could not be installed.
    """
    installed = _ENVIRONMENT / "installed.lock"
    if installed.exists() and installed.read_bytes() == _LOCK.read_bytes():
        return
    print("Installing what we compare with into an environment of its own ...", file=sys.stderr)
    pip = [program("python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", _ENVIRONMENT], check=True)
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", _LOCK], check=True)
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(
            "what we compare with could not be installed (one of its parts needs a C compiler): "
            f"{error}"
        ) from None
    installed.write_bytes(_LOCK.read_bytes())


def server(
    folder: Path, *, port: int, processes: int, threads: int
) -> tuple[list[str], dict[str, str]]:
    """Command and further environment of an Isso with its data in `folder`."""
    settings = folder / "isso.cfg"
    settings.write_text(_SETTINGS.format(folder=folder, port=port))
    size = [f"--workers={processes}", f"--threads={threads}"]
    command = [program("gunicorn"), "--preload", f"--bind=127.0.0.1:{port}", *size, "isso.run"]
    return command, {"ISSO_SETTINGS": str(settings)}


def program(name: str) -> str:
    """A program of that environment."""
    return str(_ENVIRONMENT / "bin" / name)
