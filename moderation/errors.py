"""What can go wrong, named once. The web layer turns these into answers."""

from dataclasses import dataclass


class StartupError(Exception):
    """The service cannot start; the message is one line for the person who started it."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field of what was sent."""

    field: str
    detail: str


class InvalidInput(Exception):  # noqa: N818 - names the situation, as the HTTP status does
    """The sender's fields are wrong; nothing was stored."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.errors = errors


class NotFound(Exception):  # noqa: N818
    """There is no such thing, or not for this caller."""


class Unauthorized(Exception):  # noqa: N818
    """No key, or not one that we know."""


class Conflict(Exception):  # noqa: N818
    """The thing changed after the caller last saw it."""


class Closed(Exception):  # noqa: N818
    """The discussion takes no more comments."""


class Overloaded(Exception):  # noqa: N818
    """More arrives than can be stored; the caller should try again after so many `seconds`."""

    seconds = 5


class TooManyTries(Exception):  # noqa: N818
    """Somebody guesses, or seems to; the caller may try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many failed tries: wait {in_words(seconds)}")
        self.seconds = seconds


def in_words(seconds: int) -> str:
    """A time to wait, for a person: "40 seconds", "3 minutes"; rounded up."""
    number, unit = (seconds, "second") if seconds < 90 else (-(-seconds // 60), "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"
