"""The web server: granian, set up for this service."""

import importlib
import os
import signal

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from moderation.config import Settings

# What a process is nicer than the others, in Unix's scale up to 19.
_NICENESS = 10


def serve(settings: Settings, application: str = "moderation.app:create_warm_app") -> None:
    """Serve what the factory at the path `application` makes, until SIGINT or SIGTERM."""
    # Where the processors are too few, workers come first: else a flood of comments would be stored
    # ever faster, and decided ever later.
    os.nice(_NICENESS)
    # Loaded before the server forks: the processes share its memory, and start at once.
    importlib.import_module(application.partition(":")[0])
    os.register_at_fork(after_in_child=_end_when_asked)
    Server(
        application,
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.web_processes,
        blocking_threads=settings.web_threads,
        backlog=1024,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=30,
        websockets=False,
        log_enabled=False,
    ).serve()


def _end_when_asked() -> None:
    """Not until it serves has a forked process handlers of its own: with those of the server, which
    only note a signal, it would be waited for until `workers_kill_timeout`."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
