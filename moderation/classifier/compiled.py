"""numba, with a cache that survives restarts and is never stale.

numba looks at the file of a function alone to see whether its compiled code is still good, not at
the files of the functions that it calls. So the cache lies in a folder named after the content of
all our sources. It is made in the first place that can be written: where the environment variable
NUMBA_CACHE_DIR says, beside the sources, or in the user's cache folder; in none of them, each
process compiles for itself.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from numba.extending import intrinsic


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; it runs without the global interpreter lock."""
    return numba.njit(nogil=True, cache=CACHED)(function)


def callee(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call, as part of them.

    It must not make an array: it is compiled without counting references, which took half of its
    time.
    """
    return numba.njit(_nrt=False)(function)  # type: ignore[call-overload]  # an option without a type


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call, without the call."""
    return numba.njit(inline="always")(function)


def instruction(function: Callable[..., Any]) -> Any:
    """An instruction of the processor that numba has no name for (`numba.extending`)."""
    return intrinsic(function)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Of the processes that start together one compiles; the others wait, and find it in the
    cache."""
    if _FOLDER is None:
        yield
        return
    # A process that is killed holds it no longer.
    with (_FOLDER / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Closing the file would not do where the process was forked meanwhile.
            fcntl.flock(file, fcntl.LOCK_UN)


def cache_folder(places: Iterable[Path]) -> Path | None:
    """A folder for these sources in the first place that can be written; None without one."""
    name = f"numba-{_digest(Path(__file__).parent)}"
    for place in places:
        folder = place / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _places() -> Iterable[Path]:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen)
    yield Path(__file__).parent / "__pycache__"
    user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    yield Path(user) / "moderation"


_FOLDER = cache_folder(_places())
CACHED = _FOLDER is not None
if CACHED:
    numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]  # set at import
