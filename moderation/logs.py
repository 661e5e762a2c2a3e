"""How every process of the service writes its log: to standard error, one line an event.

Nothing that a reader sent goes into it.
"""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

# These tell of each step at INFO, where we tell of what matters.
_TALKATIVE = ("alembic", "rq")


def configure(level: str) -> None:
    """Set up logging for this process; `level` is a name such as INFO."""
    logging.basicConfig(level=level, format=_FORMAT)
    if level != "DEBUG":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
