"""Starts and stops what is measured, each in a folder of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks import isso
from benchmarks.load import BenchmarkError, Target
from moderation.access.bootstrap import bootstrap
from moderation.config import Settings
from moderation.db import Database
from moderation.running.redis_server import RedisServer

_KEY = "benchmark-site-key"
_PATH = "/v1/comments"

# The first start compiles the kernel of the classifier.
_START_TIMEOUT = 240.0
_STOP_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a web server there is; the same for all that are compared."""

    processes: int
    threads: int


@dataclass(frozen=True, slots=True)
class Service:
    """The whole service, running with one worker."""

    target: Target
    database_url: str
    worker: "subprocess.Popen[bytes]"


@contextmanager
def noop(folder: Path, size: Size) -> Iterator[Target]:
    """The application that stores nothing."""
    with stage(folder, size) as environment:
        command = _python("benchmarks.serve", "benchmarks.apps:noop")
        with _web(command, environment, folder) as target:
            yield target


@contextmanager
def durable(folder: Path, size: Size) -> Iterator[Target]:
    """The service's web server and Redis, without a worker."""
    with (
        stage(folder, size) as environment,
        _web(_python("moderation", "web"), environment, folder) as target,
    ):
        yield target


@contextmanager
def per_request(folder: Path, size: Size) -> Iterator[Target]:
    """The plain design."""
    with stage(folder, size) as environment:
        command = _python("benchmarks.serve", "benchmarks.apps:per_request")
        with _web(command, environment, folder) as target:
            yield target


@contextmanager
def isso_server(folder: Path, size: Size) -> Iterator[Target]:
    """Isso under gunicorn."""
    folder.mkdir()
    port = _free_port()
    # Under this load it answers 500 now and then, when its database is locked.
    target = Target(f"http://127.0.0.1:{port}", isso.PATH, may_fail=0.02)
    command, environment = isso.server(
        folder, port=port, processes=size.processes, threads=size.threads
    )
    with _process(command, os.environ | environment, folder / "log") as process:
        _wait_until_it_answers(target.url, process, folder / "log")
        yield target


@contextmanager
def service(folder: Path, size: Size) -> Iterator[Service]:
    """The service's web server and Redis, and one worker."""
    with (
        stage(folder, size) as environment,
        _process(_python("moderation", "worker"), environment, folder / "worker.log") as worker,
        _web(_python("moderation", "web"), environment, folder) as target,
    ):
        yield Service(target, environment["MODERATION_DATABASE_URL"], worker)


@contextmanager
def everything(folder: Path, **further: str) -> Iterator[tuple[Target, str]]:
    """A `moderation up` of its own; where to post, and the database's address. Further settings by
    name, without the prefix."""
    folder.mkdir()
    settings = _settings(folder) | further
    with _web(_python("moderation", "up"), _environment(settings), folder) as target:
        yield target, settings["database_url"]


@contextmanager
def stage(folder: Path, size: Size) -> Iterator[dict[str, str]]:
    """A Redis and a migrated database; the environment of the processes that use them."""
    folder.mkdir()
    redis = RedisServer(folder / "redis")
    redis.start()
    settings = _settings(folder) | {
        "redis_url": redis.url,
        "web_processes": str(size.processes),
        "web_threads": str(size.threads),
    }
    try:
        database = Database(settings["database_url"], pool_size=1)
        database.migrate()
        bootstrap(database, Settings.model_validate(settings))
        database.close()
        yield _environment(settings)
    finally:
        redis.stop()


def _settings(folder: Path) -> dict[str, str]:
    return {
        "home": str(folder),
        "bind": f"127.0.0.1:{_free_port()}",
        "database_url": f"sqlite:///{folder / 'moderation.sqlite3'}",
        "site_key": _KEY,
        "admin_password": "benchmark-password",
        "log_level": "WARNING",
    }


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MODERATION_")}
    return inherited | {f"MODERATION_{name.upper()}": v for name, v in settings.items()}


@contextmanager
def _web(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Target]:
    target = Target(f"http://{environment['MODERATION_BIND']}", _PATH, _KEY)
    with _process(command, environment, folder / "web.log") as process:
        # Answered well once the first site is there, which `moderation up` makes last.
        listing = f"{target.url}/v1/comments?page=none&site=demo"
        _wait_until_it_answers(listing, process, folder / "web.log")
        yield target


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.UNPROCESSABLE_ENTITY:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise BenchmarkError(f"{url} did not start:\n{log.read_text()}")


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
