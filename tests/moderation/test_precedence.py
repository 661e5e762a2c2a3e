"""Who goes first, and who gives way."""

from threading import Event, Thread

import pytest

from moderation import precedence
from moderation.precedence import Precedence


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets tired of waiting."""
    monkeypatch.setattr(precedence, "PATIENCE", 60.0)


@pytest.mark.usefixtures("patient")
class TestGivingWay:
    def test_where_nobody_goes_first_nobody_waits(self) -> None:
        queue = Precedence()
        queue.give_way()
        with queue.first():
            pass
        queue.give_way()

    def test_the_others_wait_until_the_last_of_the_first_is_done(self) -> None:
        queue, passed = Precedence(), Event()

        def other() -> None:
            queue.give_way()
            passed.set()

        thread = Thread(target=other)
        with queue.first():
            with queue.first():
                thread.start()
            assert not passed.wait(0.05)
        thread.join(10)
        assert passed.is_set()

    def test_who_fails_is_done_too(self) -> None:
        queue = Precedence()
        with pytest.raises(ValueError, match="broken"), queue.first():
            raise ValueError("broken")
        queue.give_way()


def test_nobody_waits_for_ever() -> None:
    queue = Precedence()
    with queue.first():
        queue.give_way()
