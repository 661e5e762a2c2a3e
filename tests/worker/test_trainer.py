"""The trainer as a process of its own, on a real Redis: what it does, and what killing it does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Worker
from sqlalchemy import update

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.clock import now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.learning import labels, operating_points, site_models, training_runs
from moderation.learning.labels import NewLabel
from moderation.learning.training_runs import State
from moderation.models import TrainingRun
from moderation.queues import QueueName, enqueue_train, queue, workers
from moderation.sites import SiteDirectory
from tests.support.comments import add_comment, add_site
from tests.support.service import ROOT, descendants
from tests.support.site_models import LENIENT, decides
from tests.support.waiting import eventually
from worker import jobs

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: Database) -> None:
    """What the trainer's process reads, and the sweep in this one."""
    monkeypatch.setenv("MODERATION_HOME", str(settings.home))
    monkeypatch.setenv("MODERATION_DATABASE_URL", settings.database)
    monkeypatch.setenv("MODERATION_REDIS_URL", settings.redis)
    for function in (jobs._settings, jobs._database, jobs.scorer):
        function.cache_clear()


@pytest.fixture
def trainer(environment: None, redis: Redis) -> Iterator["subprocess.Popen[bytes]"]:
    """`moderation trainer`, when it listens."""
    process = subprocess.Popen([sys.executable, "-m", "moderation", "trainer"], cwd=ROOT)
    try:
        eventually(lambda: bool(Worker.all(queue=queue(redis, QueueName.TRAIN))), 90)
        yield process
    finally:
        process.kill()
        process.wait()


def taught_site(database: Database, number: int) -> int:
    """A site with so many labelled comments."""
    site = add_site(database)
    now = now_ms()
    for place in range(number):
        bad = place % 2
        text = "Buy this at the zorbly shop" if bad else "The old bridge is open again"
        comment_id = add_comment(
            database, site, text=f"{text}, says reader {place * 7919}.", page=f"/{place}"
        )
        label = NewLabel(
            site_id=site,
            comment_id=comment_id,
            source=LabelSource.MODERATOR,
            actor="mona",
            unwanted=float(bad),
            selection=Selection.HELD,
            at=now - (number - place) * 1_000,
        )
        with database.write() as connection:
            labels.record(connection, [label])
    return site


def state(database: Database, run_id: int) -> State:
    with database.read() as connection:
        return training_runs.run(connection, run_id).state


def ask(database: Database, site: int) -> int:
    with database.write() as connection:
        return training_runs.ask(connection, site, by="mona")


def test_the_trainer_trains_and_a_killed_training_leaves_what_decides_alone(
    trainer: "subprocess.Popen[bytes]", database: Database, redis: Redis, shipped: Classifier
) -> None:
    site = taught_site(database, 60)
    model = decides(database, site, shipped, LENIENT)
    # It takes from its own queue alone, and counts as nobody who decides.
    assert [q.name for q in Worker.all(connection=redis)[0].queues] == ["train"]
    assert workers(redis) == 0
    # It waits without what training takes, and lets others go first.
    assert resident(trainer.pid) < 130
    assert os.getpriority(os.PRIO_PROCESS, trainer.pid) >= 10

    killed = ask(database, site)
    enqueue_train(redis, killed)
    eventually(lambda: state(database, killed) is State.RUNNING, 90)
    (horse,) = descendants(trainer.pid)
    os.kill(horse, signal.SIGKILL)
    eventually(lambda: not descendants(trainer.pid))

    assert state(database, killed) is State.RUNNING
    with database.write() as connection:
        connection.execute(update(TrainingRun).values(beat_at=0, asked_at=0))
    jobs.sweep()
    assert state(database, killed) is State.INTERRUPTED
    with database.read() as connection:
        assert sites.get(connection, site).current == model
        assert [m.version for m in site_models.models(connection, site)] == [model.version]

    # What was lost on its way to the trainer is sent again by the sweep.
    again = ask(database, site)
    jobs.sweep()
    eventually(lambda: state(database, again) is State.DONE, 120)
    with database.read() as connection:
        run = training_runs.run(connection, again)
        assert run.version in [m.version for m in site_models.models(connection, site)]
        assert sites.get(connection, site).current == model

    # Asked to end, it ends, whatever it has in hand.
    last = ask(database, site)
    enqueue_train(redis, last)
    eventually(lambda: state(database, last) is State.RUNNING, 90)
    trainer.terminate()
    assert trainer.wait(90) == 0
    assert state(database, last) is State.RUNNING


def resident(pid: int) -> float:
    """Memory of a process, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1_000


def test_a_promotion_is_seen_by_the_web_process_within_three_seconds(
    environment: None,
    database: Database,
    shipped: Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = add_site(database)
    directory = SiteDirectory(database)
    assert directory.by_name("news").current is None
    clock = [0.0]
    monkeypatch.setattr("moderation.sites.time.monotonic", lambda: clock[0])
    directory = SiteDirectory(database)
    directory.by_name("news")
    model = decides(database, site, shipped, LENIENT)
    clock[0] = 2.9
    assert directory.by_name("news").current is None
    clock[0] = 3.0
    assert directory.by_name("news").current == model


def test_what_is_due_is_asked_for_once(environment: None, database: Database, redis: Redis) -> None:
    site = add_site(database, retrain_after_labels=10)
    comment_id = add_comment(database, site)
    label = NewLabel(
        site_id=site,
        comment_id=comment_id,
        source=LabelSource.MODERATOR,
        actor="mona",
        unwanted=1.0,
        selection=Selection.HELD,
    )
    with database.write() as connection:
        labels.record(connection, [label] * 10)
    for _ in range(2):
        jobs.sweep()
    (job,) = queue(redis, QueueName.TRAIN).jobs
    with database.read() as connection:
        (run,) = training_runs.runs(connection, site, limit=5)
    assert (job.func_name, job.args) == ("worker.jobs.train", [run.id])
    assert run.asked_by == training_runs.NEW_LABELS


def test_what_is_to_be_scored_again_is_enqueued_batch_after_batch(
    environment: None,
    database: Database,
    redis: Redis,
    shipped: Classifier,
) -> None:
    site = add_site(database)
    decides(database, site, shipped, LENIENT)
    for _ in range(2):
        jobs.sweep()
    (job,) = queue(redis, QueueName.MAINTENANCE).jobs
    assert (job.func_name, job.args) == ("worker.jobs.rescore", [site])
    jobs.rescore(site)
    with database.read() as connection:
        assert list(site_models.to_rescore(connection)) == []
    jobs.rescore(site)


def test_labels_are_weighed_for_the_model_that_decides(
    environment: None, database: Database, shipped: Classifier
) -> None:
    site = taught_site(database, 4)
    model = decides(database, site, shipped, LENIENT)
    jobs.weigh(site)
    with database.read() as connection:
        found = operating_points.evidence(
            connection, site_id=site, model=f"{shipped.version}+{model.version}"
        )
    assert found is not None
    assert found[0].labels == 4
