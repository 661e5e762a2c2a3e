"""A clock for tests that wait."""

from moderation.clock import now_ms


class Clock:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead
