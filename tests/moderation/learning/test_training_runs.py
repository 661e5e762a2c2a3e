from typing import Any

import pytest
from sqlalchemy import update

from moderation.clock import DAY, HOUR, now_ms
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.errors import Conflict, NotFound
from moderation.learning import labels, training_runs
from moderation.learning.labels import NewLabel
from moderation.learning.training_runs import NEW_LABELS, SCHEDULE, State
from moderation.models import TrainingRun
from tests.support.comments import add_comment, add_site
from tests.support.site_models import add_model


def ask(database: Database, site: int) -> int:
    with database.write() as connection:
        return training_runs.ask(connection, site, by="mona")


def begin(database: Database, run_id: int) -> bool:
    with database.write() as connection:
        return training_runs.begin(connection, run_id) is not None


def finish(database: Database, run_id: int, state: State, **columns: Any) -> bool:
    with database.write() as connection:
        return training_runs.finish(connection, run_id, state, outcome="over", **columns)


def run(database: Database, run_id: int) -> training_runs.Run:
    with database.read() as connection:
        return training_runs.run(connection, run_id)


def change(database: Database, run_id: int, **columns: Any) -> None:
    with database.write() as connection:
        connection.execute(update(TrainingRun).where(TrainingRun.id == run_id).values(**columns))


def add_labels(database: Database, site: int, number: int) -> None:
    comment_id = add_comment(database, site)
    with database.write() as connection:
        labels.record(
            connection,
            [
                NewLabel(
                    site_id=site,
                    comment_id=comment_id,
                    source=LabelSource.MODERATOR,
                    actor="mona",
                    unwanted=1.0,
                    selection=Selection.HELD,
                )
            ]
            * number,
        )


def due(database: Database) -> list[tuple[int, str]]:
    with database.read() as connection:
        return training_runs.due(connection)


def test_a_site_has_one_run_at_a_time(database: Database) -> None:
    site, other = add_site(database), add_site(database, "courier")
    first = ask(database, site)
    for _ in range(2):
        with pytest.raises(Conflict, match="being trained already"):
            ask(database, site)
        begin(database, first)
    ask(database, other)
    finish(database, first, State.FAILED)
    assert ask(database, site) != first


def test_a_run_goes_from_queued_to_done(database: Database) -> None:
    site = add_site(database)
    number, model = ask(database, site), add_model(database, site, "news-1")
    assert run(database, number).state is State.QUEUED
    assert begin(database, number)
    with database.write() as connection:
        assert training_runs.queued(connection) == []
        assert training_runs.beat(connection, number, step="reading", done=0.25)
    found = run(database, number)
    assert (found.state, found.step, found.done) == (State.RUNNING, "reading", 0.25)
    assert finish(database, number, State.DONE, model_id=model)
    found = run(database, number)
    assert (found.state, found.done, found.version) == (State.DONE, 1.0, "news-1")
    with database.read() as connection:
        assert training_runs.runs(connection, site, limit=5) == [found]


def test_a_run_begins_once_and_ends_once(database: Database) -> None:
    number = ask(database, add_site(database))
    assert not finish(database, number, State.DONE)
    assert begin(database, number)
    assert not begin(database, number)
    assert finish(database, number, State.DONE)
    assert not finish(database, number, State.FAILED)
    assert not begin(database, number)
    assert run(database, number).state is State.DONE


def test_a_run_that_gives_no_sign_of_life_was_killed_and_stores_nothing_more(
    database: Database,
) -> None:
    dead, alive = ask(database, add_site(database)), ask(database, add_site(database, "courier"))
    for number in (dead, alive):
        begin(database, number)
    change(database, dead, beat_at=now_ms() - training_runs.DEAD_AFTER - 1)
    with database.write() as connection:
        assert training_runs.mark_interrupted(connection) == 1
        assert not training_runs.beat(connection, dead, step="", done=0.5)
    assert run(database, dead).state is State.INTERRUPTED
    assert run(database, alive).state is State.RUNNING
    assert not finish(database, dead, State.DONE)
    assert run(database, dead).state is State.INTERRUPTED


def test_there_is_no_run_of_that_number(database: Database) -> None:
    with database.read() as connection, pytest.raises(NotFound):
        training_runs.run(connection, 7)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestDue:
    def test_a_run_is_due_after_so_many_new_labels(self, database: Database) -> None:
        site = add_site(database, retrain_after_labels=10)
        add_labels(database, site, 9)
        assert due(database) == []
        add_labels(database, site, 1)
        assert due(database) == [(site, NEW_LABELS)]
        number = ask(database, site)
        assert due(database) == []
        begin(database, number)
        assert due(database) == []
        finish(database, number, State.DONE)
        change(database, number, asked_at=now_ms() - 2 * HOUR)
        assert due(database) == []
        add_labels(database, site, 10)
        assert due(database) == [(site, NEW_LABELS)]

    @pytest.mark.parametrize("state", [State.FAILED, State.INTERRUPTED])
    def test_what_failed_is_tried_again_but_not_at_once(
        self, database: Database, state: State
    ) -> None:
        site = add_site(database, retrain_after_labels=10)
        add_labels(database, site, 10)
        number = ask(database, site)
        begin(database, number)
        change(database, number, state=state)
        assert due(database) == []
        change(database, number, asked_at=now_ms() - 2 * HOUR)
        assert due(database) == [(site, NEW_LABELS)]

    def test_a_run_is_due_after_so_many_days_if_there_is_anything_new(
        self, database: Database
    ) -> None:
        site = add_site(database, retrain_after_labels=None, retrain_every_days=3)
        assert due(database) == []
        add_labels(database, site, 1)
        assert due(database) == [(site, SCHEDULE)]
        number = ask(database, site)
        begin(database, number)
        finish(database, number, State.DONE)
        change(database, number, asked_at=now_ms() - 3 * DAY)
        assert due(database) == []
        add_labels(database, site, 1)
        assert due(database) == [(site, SCHEDULE)]
        change(database, number, asked_at=now_ms() - 2 * DAY)
        assert due(database) == []

    def test_a_site_may_want_none(self, database: Database) -> None:
        site = add_site(database, retrain_after_labels=None)
        add_labels(database, site, 500)
        assert due(database) == []
