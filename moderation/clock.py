"""Time as the service stores it: whole milliseconds since 1970 in UTC.

An integer means the same in SQLite and PostgreSQL, and a window ("the last minute") is a
subtraction.
"""

import time
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def now_ms() -> int:
    """The current time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def to_datetime(ms: int) -> datetime:
    """The aware UTC datetime of `ms` milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1_000, tz=UTC)
