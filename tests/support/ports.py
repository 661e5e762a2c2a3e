"""Ports that nobody else takes while what is to listen on them starts."""

import itertools
import os
import random
import socket

# Below those that the kernel gives to whoever asks for any, or connects to something.
_FIRST, _END = 16_000, 32_000
_SHARES = 16


def _ports() -> list[int]:
    """In an order of this process's own; those that run beside it have other ones."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    ports = list(range(_FIRST + share, _END, _SHARES))
    random.Random(os.getpid()).shuffle(ports)
    return ports


_order = itertools.cycle(_ports())


def free_port() -> int:
    """A TCP port on the loopback interface that nothing listens on, another one at each call."""
    for port in _order:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("itertools.cycle does not end")
