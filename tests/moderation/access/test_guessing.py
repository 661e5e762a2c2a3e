from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from moderation.access import guessing
from moderation.access.guessing import FREE_OF_ADDRESS, FREE_OF_NAME, LONGEST_WAIT, Try
from moderation.clock import HOUR, SECOND, now_ms
from moderation.db import Database
from moderation.errors import TooManyTries, in_words
from moderation.models import SignInFailures

MONA = Try("mona", "192.0.2.1")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = now_ms()

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(guessing, "now_ms", clock)
    return clock


def wait_of(database: Database, attempt: Try = MONA) -> int:
    """Makes a try that fails; the seconds to wait that it is told, 0 if it was let through."""
    try:
        with database.write() as connection:
            guessing.count(connection, attempt)
    except TooManyTries as error:
        return error.seconds
    return 0


def succeed(database: Database, attempt: Try = MONA) -> None:
    with database.write() as connection:
        guessing.count(connection, attempt)
    with database.write() as connection:
        guessing.forgive(connection, attempt)


def test_a_few_failures_are_free_and_then_each_doubles_the_wait(
    database: Database, clock: Clock
) -> None:
    assert [wait_of(database) for _ in range(FREE_OF_NAME)] == [0] * FREE_OF_NAME
    waits = []
    for _ in range(9):
        waits.append(wait_of(database))
        clock.now += waits[-1] * SECOND
        assert wait_of(database) == 0
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_refused_try_does_not_make_the_wait_longer(database: Database, clock: Clock) -> None:
    for _ in range(FREE_OF_NAME):
        wait_of(database)
    assert {wait_of(database) for _ in range(50)} == {5}
    clock.now += 3 * SECOND
    assert wait_of(database) == 2
    clock.now += 2 * SECOND
    assert wait_of(database) == 0


def test_the_right_password_after_the_wait_clears_the_name(
    database: Database, clock: Clock
) -> None:
    for _ in range(FREE_OF_NAME):
        wait_of(database)
    clock.now += 5 * SECOND
    succeed(database)
    assert [wait_of(database) for _ in range(FREE_OF_NAME)] == [0] * FREE_OF_NAME


def test_nobody_is_kept_out_for_good(database: Database, clock: Clock) -> None:
    for _ in range(100):
        clock.now += wait_of(database) * SECOND
    clock.now += LONGEST_WAIT
    succeed(database)


def test_failures_are_forgotten(database: Database, clock: Clock) -> None:
    for _ in range(FREE_OF_NAME):
        wait_of(database)
    clock.now += HOUR + 1
    assert wait_of(database) == 0
    with database.read() as connection:
        counts = connection.scalars(select(SignInFailures.count)).all()
    assert counts == [1, 1]


def test_an_address_that_tries_many_names_has_to_wait(database: Database, clock: Clock) -> None:
    for number in range(FREE_OF_ADDRESS):
        assert wait_of(database, Try(f"name{number}", "2001:db8::1")) == 0
    assert wait_of(database, Try("another", "2001:db8::ffff")) == 5
    assert wait_of(database, Try("another", "2001:db8:1::1")) == 0
    assert wait_of(database, Try("another", None)) == 0


def test_a_success_does_not_wipe_out_what_its_address_failed(
    database: Database, clock: Clock
) -> None:
    for number in range(FREE_OF_ADDRESS - 1):
        wait_of(database, Try(f"name{number}", MONA.address))
    succeed(database)
    assert wait_of(database, Try("one more", MONA.address)) == 0
    assert wait_of(database, Try("and another", MONA.address)) == 5


def test_strangers_do_not_slow_down_a_browser_that_is_known(
    database: Database, clock: Clock
) -> None:
    for number in range(FREE_OF_NAME):
        wait_of(database, Try("mona", f"198.51.100.{number}"))
    assert wait_of(database, Try("mona", "203.0.113.1")) == 5
    known = Try("mona", "192.0.2.1", device="d1")
    assert [wait_of(database, known) for _ in range(FREE_OF_NAME + 1)] == [0] * FREE_OF_NAME + [5]


def test_guesses_at_the_same_moment_are_all_counted(database: Database, clock: Clock) -> None:
    attempts = [Try("mona", f"198.51.100.{number}") for number in range(30)]
    with ThreadPoolExecutor(10) as pool:
        waits = list(pool.map(lambda attempt: wait_of(database, attempt), attempts))
    assert waits.count(0) == FREE_OF_NAME


def test_neither_name_nor_address_is_stored(database: Database, clock: Clock) -> None:
    wait_of(database)
    with database.read() as connection:
        keys = connection.scalars(select(SignInFailures.key)).all()
        assert connection.scalar(select(func.count()).select_from(SignInFailures)) == 2
    assert all(len(key) == 64 and "mona" not in key and "192" not in key for key in keys)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (40, "40 seconds"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (121, "3 minutes"),
    ],
)
def test_a_wait_is_told_in_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
