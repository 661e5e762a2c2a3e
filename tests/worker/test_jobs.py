import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Job
from rq.registry import FailedJobRegistry, ScheduledJobRegistry
from sqlalchemy import select

from moderation.clock import DAY, MINUTE, now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import Status
from moderation.learning import operating_points
from moderation.models import DayFigures
from moderation.queues import (
    DECIDING,
    SERIALIZER,
    JobPath,
    QueueName,
    connect,
    enqueue_decide,
    enqueue_rescore,
    enqueue_weigh,
    ensure_is_scheduled,
    oldest_waiting,
    queue,
)
from tests.support.comments import add_comment, add_site, events_of, row_of
from tests.support.events import add_event
from tests.support.jobs import waiting_ids
from worker import jobs
from worker.pool import ModerationWorker


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, database: Database
) -> Iterator[None]:
    """What a worker's process reads, and forgets again."""
    monkeypatch.setenv("MODERATION_HOME", str(settings.home))
    monkeypatch.setenv("MODERATION_DATABASE_URL", settings.database)
    monkeypatch.setenv("MODERATION_REDIS_URL", settings.redis)
    kept = (jobs._settings, jobs._database, jobs.scorer)
    for function in kept:
        function.cache_clear()
    yield
    jobs._database().close()
    for function in kept:
        function.cache_clear()


def work(redis: Redis, jobs_at_most: int | None = None) -> None:
    """Do the jobs that wait, in this process, as a worker does."""
    queues = [queue(redis, name) for name in DECIDING]
    worker = ModerationWorker(queues, connection=redis, serializer=SERIALIZER)
    worker.work(burst=True, max_jobs=jobs_at_most)


def failed(redis: Redis) -> list[str]:
    return FailedJobRegistry(queue=queue(redis, QueueName.DECIDE)).get_job_ids()


def test_a_worker_decides_what_was_enqueued(database: Database, site: int, redis: Redis) -> None:
    ids = [add_comment(database, site) for _ in range(3)]
    enqueue_decide(redis, ids[:2])
    enqueue_decide(redis, ids[2:])
    work(redis)
    assert all(row_of(database, i).status != "pending" for i in ids)
    assert waiting_ids(redis) == set()
    assert failed(redis) == []


def test_what_comes_in_goes_before_what_is_held_scored_again(
    database: Database, site: int, redis: Redis
) -> None:
    enqueue_rescore(redis, site, "")
    enqueue_weigh(redis, site)
    comment_id = add_comment(database, site)
    enqueue_decide(redis, [comment_id])

    work(redis, jobs_at_most=1)

    assert row_of(database, comment_id).status != "pending"
    waiting = [job.func_name for job in queue(redis, QueueName.MAINTENANCE).jobs]
    assert waiting == [JobPath.RESCORE, JobPath.WEIGH]


def test_a_job_that_runs_again_changes_nothing(database: Database, site: int, redis: Redis) -> None:
    comment_id = add_comment(database, site)
    enqueue_decide(redis, [comment_id, comment_id])
    enqueue_decide(redis, [comment_id])
    work(redis)
    assert len(events_of(database, comment_id)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWhatLiesInRedis:
    def test_a_job_is_json_and_carries_ids_only(
        self, database: Database, site: int, redis: Redis
    ) -> None:
        comment_id = add_comment(database, site)
        enqueue_decide(redis, [comment_id])
        (job_id,) = queue(redis, QueueName.DECIDE).job_ids
        stored = redis.hget(f"rq:job:{job_id}", "data")
        assert json.loads(zlib.decompress(stored)) == [
            str(JobPath.DECIDE),
            None,
            [[comment_id]],
            {},
        ]

    def test_a_job_that_was_done_leaves_nothing(
        self, database: Database, site: int, redis: Redis
    ) -> None:
        enqueue_decide(redis, [add_comment(database, site)])
        (job_id,) = queue(redis, QueueName.DECIDE).job_ids
        work(redis)
        assert not Job.exists(job_id, redis)

    def test_a_job_that_fails_is_tried_again_later(
        self, database: Database, site: int, redis: Redis
    ) -> None:
        enqueue_decide(redis, [add_comment(database, site)])
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE comment RENAME TO away")
        work(redis)
        assert failed(redis) == []
        scheduled = ScheduledJobRegistry(queue=queue(redis, QueueName.DECIDE))
        assert scheduled.count == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSweep:
    def test_lost_comments_are_enqueued_again_and_decided(
        self, database: Database, site: int, redis: Redis
    ) -> None:
        lost = add_comment(database, site, age=MINUTE)
        recent = add_comment(database, site)
        queue(redis, QueueName.MAINTENANCE).enqueue(JobPath.SWEEP)
        work(redis)
        assert row_of(database, lost).status != "pending"
        assert row_of(database, lost).sweeps == 1
        assert row_of(database, recent).status == "pending"

    def test_what_still_waits_in_the_queue_is_not_lost(
        self, database: Database, site: int, redis: Redis
    ) -> None:
        waiting = add_comment(database, site, age=MINUTE)
        enqueue_decide(redis, [waiting])
        job = queue(redis, QueueName.DECIDE).jobs[0]
        job.enqueued_at = datetime.now(UTC) - timedelta(minutes=1)
        job.save()
        jobs.sweep()
        assert queue(redis, QueueName.DECIDE).count == 1
        assert row_of(database, waiting).sweeps == 0

    def test_the_next_sweep_is_scheduled_once(self, redis: Redis) -> None:
        for _ in range(3):
            ensure_is_scheduled(redis, JobPath.SWEEP, interval=3600)
        registry = ScheduledJobRegistry(queue=queue(redis, QueueName.MAINTENANCE))
        (job_id,) = registry.get_job_ids()
        at = registry.get_scheduled_time(job_id)
        assert 0 <= at.timestamp() - now_ms() / 1000 <= 3600
        assert at.timestamp() % 3600 == 0
        job = Job.fetch(job_id, redis, serializer=SERIALIZER)
        assert job.func_name == JobPath.SWEEP
        assert not job.args

    def test_a_worker_keeps_the_sweep_and_the_notices_scheduled(self, redis: Redis) -> None:
        queues = [queue(redis, name) for name in DECIDING]
        worker = ModerationWorker(queues, connection=redis, serializer=SERIALIZER)
        worker.run_maintenance_tasks()
        registry = ScheduledJobRegistry(queue=queue(redis, QueueName.MAINTENANCE))
        names = {
            Job.fetch(i, redis, serializer=SERIALIZER).func_name for i in registry.get_job_ids()
        }
        assert names == {JobPath.SWEEP, JobPath.NOTIFY}

    def test_the_job_that_waits_longest_is_known(self, redis: Redis) -> None:
        assert oldest_waiting(redis) is None
        before = now_ms()
        enqueue_decide(redis, ["a"])
        first = oldest_waiting(redis)
        assert first is not None
        assert before - 1 <= first <= now_ms()
        enqueue_decide(redis, ["b"])
        assert oldest_waiting(redis) == first


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_jobs_find_what_they_need_in_the_environment(settings: Settings, tmp_path: Path) -> None:
    assert jobs._settings().redis == settings.redis
    assert jobs._settings().home == tmp_path
    assert jobs.scorer() is jobs.scorer()
    with connect(jobs._settings().redis) as client:
        assert client.ping()


def test_the_sweep_keeps_the_figures_of_days_that_are_over(
    redis: Redis, database: Database, site: int
) -> None:
    comment_id = add_comment(database, site)
    add_event(database, comment_id, at=now_ms() - 3 * DAY, to=Status.APPROVED)
    jobs.sweep()
    with database.read() as connection:
        rows = connection.execute(select(DayFigures.__table__)).all()
    assert [(row.day, row.site_id) for row in rows] == [((now_ms() - 3 * DAY) // DAY, site)]


def test_the_sweep_has_labels_weighed_where_a_goal_waits_for_it(
    database: Database, redis: Redis
) -> None:
    site = add_site(database, approve_precision=0.99)

    jobs.sweep()
    work(redis)

    with database.read() as connection:
        settings = operating_points.settings_of(connection, site)
        found = operating_points.points(connection, site, settings)
    assert [point.approve_below for point in found.values()] == [0.0]
    assert queue(redis, QueueName.MAINTENANCE).count == 0
    jobs.sweep()
    assert queue(redis, QueueName.MAINTENANCE).count == 0
