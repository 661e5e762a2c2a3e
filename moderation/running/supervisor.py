"""Runs all of the service on one machine: Redis, the web server, the workers and the trainer.

Starts them in the order in which they need one another, starts again what dies, and stops them in
the opposite order.
"""

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import IO

from redis.exceptions import RedisError

from moderation.access.bootstrap import FirstSecrets, bootstrap
from moderation.config import Settings
from moderation.db import Database
from moderation.errors import StartupError
from moderation.queues import connect, workers
from moderation.running.processes import Child
from moderation.running.redis_server import RedisServer

log = logging.getLogger(__name__)

# Tells a child process whose child it is.
_PARENT_VARIABLE = "MODERATION_SUPERVISOR_PID"

_POLL = 0.2
_ASKED_AGAIN = 10.0
# The first start compiles the classifier's kernel, which takes a slow machine a minute or more.
_START_TIMEOUT = 240.0

# Longer than a request or a job takes to finish.
_STOP_TIMEOUT = 70.0

# A part that lived for less than this is not started again at once.
_TOO_SHORT = 5.0
_PAUSE = 2.0


class Part:
    """One of our own commands as a child process, started again when it dies."""

    def __init__(self, command: str, environment: dict[str, str]) -> None:
        self.command = command
        self._child = Child([sys.executable, "-m", "moderation", command], environment)
        self._started_at = float("-inf")

    def start(self) -> None:
        """Start the process."""
        self._started_at = time.monotonic()
        self._child.start()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._child.is_running

    def keep_running(self) -> None:
        """Start it again if it died."""
        if self.is_running:
            return
        if time.monotonic() - self._started_at < _TOO_SHORT + _PAUSE:
            time.sleep(_PAUSE)
        log.warning("%s died and is started again", self.command)
        self.start()

    def stop(self) -> None:
        """Ask it to finish what it has in hand, and wait."""
        self._child.stop(_STOP_TIMEOUT)


class Supervisor:
    """All parts of the service, from `run` until a signal."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._redis: RedisServer | None = None
        self._parts: list[Part] = []
        self._lock: IO[str] | None = None

    def run(self, announce: Callable[[FirstSecrets], None]) -> None:
        """Start everything, call `announce`, and stay until SIGINT or SIGTERM.

        Raises:
            StartupError: something is missing; what was started is stopped again.
        """
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._on_signal)
        try:
            first = self._start()
            if not self._stop.is_set():
                announce(first)
            while not self._stop.wait(_POLL):
                self._keep_running()
        finally:
            self._shut_down()

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _start(self) -> FirstSecrets:
        self._take_folder()
        _check_port(self._settings)
        _check_model(self._settings)
        database = Database(self._settings.database, pool_size=1)
        database.migrate()
        redis_url = self._start_redis()
        environment = os.environ | {
            "MODERATION_REDIS_URL": redis_url,
            _PARENT_VARIABLE: str(os.getpid()),
        }
        log.info("starting; the first time, preparing the classifier takes up to half a minute")
        for command in ("worker", "trainer", "web"):
            part = Part(command, environment)
            self._parts.append(part)
            part.start()
        self._wait_for("the web server does not answer", self._web_answers)
        self._wait_for("no worker has started", lambda: workers(connect(redis_url)) > 0)
        # Last, because what is made up here is shown once, and must not be lost to a failed start.
        first = bootstrap(database, self._settings)
        database.close()
        return first

    def _take_folder(self) -> None:
        home = self._settings.home
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (home / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartupError(
                f"the data folder {home} is in use by another `moderation up`"
            ) from None
        except OSError as error:
            raise StartupError(
                f"the data folder {home} cannot be written: {error.strerror}"
            ) from None

    def _start_redis(self) -> str:
        if self._settings.redis_url:
            check_redis(self._settings.redis_url)
            return self._settings.redis_url
        self._redis = RedisServer(self._settings.home / "redis")
        self._redis.start()
        return self._redis.url

    def _wait_for(self, failure: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while not ready() and not self._stop.wait(_POLL):
            dead = [part.command for part in self._parts if not part.is_running]
            if dead:
                raise StartupError(f"`moderation {dead[0]}` ended at once: its message is above")
            if time.monotonic() > deadline:
                raise StartupError(failure)

    def _web_answers(self) -> bool:
        address = f"http://{self._settings.local_address}/health"
        try:
            with urllib.request.urlopen(address, timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _keep_running(self) -> None:
        if self._redis and not self._redis.is_running:
            log.warning("Redis died and is started again")
            self._redis.start()
        for part in self._parts:
            part.keep_running()

    def _shut_down(self) -> None:
        # The web first, so that nothing more comes in; Redis last, because the others need it.
        for part in reversed(self._parts):
            part.stop()
        if self._redis:
            self._redis.stop()
        if self._lock:
            self._lock.close()


def leave_no_orphans() -> None:
    """Have this process end when the supervisor that started it is gone, killed for example; and
    each process that it forks from now on, when its own parent is."""
    os.register_at_fork(after_in_child=lambda: _end_with(os.getppid()))
    supervisor = int(os.environ.get(_PARENT_VARIABLE, "0"))
    if supervisor:
        _end_with(supervisor)


def _end_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL)
        # Again, for a process that is about to serve may miss the first.
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_ASKED_AGAIN)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def check_redis(url: str) -> None:
    """Make sure that Redis answers.

    Raises:
        StartupError: it does not.
    """
    try:
        connect(url, timeout=5.0).ping()
    except (RedisError, OSError, ValueError) as error:
        raise StartupError(f"Redis at MODERATION_REDIS_URL cannot be used: {error}") from None


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise StartupError(
                f"MODERATION_BIND={settings.bind} cannot be used: {error.strerror}"
            ) from None


def _check_model(settings: Settings) -> None:
    # Here, because the trainer uses this module and is not to have all of that in memory.
    from moderation.classifier.artifact import ArtifactError, load  # noqa: PLC0415

    try:
        load(settings.model)
    except ArtifactError as error:
        raise StartupError(f"MODERATION_MODEL cannot be used: {error}") from None
