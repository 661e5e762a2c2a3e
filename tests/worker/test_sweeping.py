import pytest

from moderation.clock import SECOND, now_ms
from moderation.db import Database
from moderation.domain import Status
from tests.support.comments import add_comment, add_site, events_of, row_of
from worker.sweeping import ALONE_AFTER, HELD_AFTER, sweep

GRACE = 20


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def lost(database: Database, oldest_waiting: int | None = None) -> list[list[str]]:
    """What a sweep would have enqueued again, job by job."""
    return list(sweep(database, grace=GRACE, oldest_waiting=oldest_waiting))


@pytest.mark.parametrize(
    ("age", "status", "waits_for", "found"),
    [
        # With an empty queue, lost is what has been pending for longer than a decision takes.
        (GRACE + 5, Status.PENDING, None, True),
        (GRACE - 5, Status.PENDING, None, False),
        # What is decided is not lost, whatever its age.
        (900, Status.APPROVED, None, False),
        (900, Status.HELD, None, False),
        (900, Status.REJECTED, None, False),
        # While jobs wait, only what is older than all of them, by that time, counts as lost.
        (900, Status.PENDING, 600, True),
        (600 + GRACE - 5, Status.PENDING, 600, False),
        (300, Status.PENDING, 600, False),
    ],
    ids=str,
)
def test_what_counts_as_lost(
    database: Database, age: int, status: Status, waits_for: int | None, found: bool
) -> None:
    comment_id = add_comment(database, add_site(database), status=status, age=age * SECOND)
    oldest = None if waits_for is None else now_ms() - waits_for * SECOND
    assert lost(database, oldest) == ([[comment_id]] if found else [])
    assert row_of(database, comment_id).sweeps == int(found)


def test_lost_comments_go_together_in_batches(
    database: Database, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.sweeping._PAGE", 5)
    monkeypatch.setattr("worker.sweeping._BATCH", 2)
    ids = [add_comment(database, site, age=900 * SECOND - n) for n in range(12)]
    batches = lost(database)
    assert [len(batch) for batch in batches] == [2, 2, 1, 2, 2, 1, 2]
    assert [i for batch in batches for i in batch] == ids


@pytest.mark.parametrize(
    ("sweeps", "batches"),
    [
        (ALONE_AFTER - 1, "together"),
        (ALONE_AFTER, "alone"),
        (HELD_AFTER - 1, "alone"),
        (HELD_AFTER, "held"),
    ],
)
def test_a_comment_that_is_found_again_and_again(
    database: Database, site: int, sweeps: int, batches: str
) -> None:
    suspect = add_comment(database, site, age=900 * SECOND, sweeps=sweeps)
    others = [add_comment(database, site, age=800 * SECOND - n) for n in range(2)]
    expected = {
        "together": [[suspect, *others]],
        "alone": [[suspect], others],
        "held": [others],
    }
    assert lost(database) == expected[batches]
    row = row_of(database, suspect)
    assert row.status == ("held" if batches == "held" else "pending")
    assert row.sweeps == sweeps + 1


def test_what_is_held_undecided_says_so(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, age=900 * SECOND, sweeps=HELD_AFTER)
    assert lost(database) == []
    assert row_of(database, comment_id).reason == "undecided"
    (event,) = events_of(database, comment_id)
    assert (event.actor_kind, event.to_status, event.reason) == ("worker", "held", "undecided")
    assert lost(database) == []


def test_a_comment_is_held_after_being_found_as_often_as_allowed(
    database: Database, site: int
) -> None:
    comment_id = add_comment(database, site, age=900 * SECOND)
    rounds = 0
    while lost(database):
        rounds += 1
    assert rounds == HELD_AFTER
    assert row_of(database, comment_id).status == "held"
