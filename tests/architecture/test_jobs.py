import inspect

import pytest
from redis import Redis
from rq.utils import import_attribute
from rq.worker_pool import WorkerPool

from moderation.queues import DECIDING, SERIALIZER, JobPath, QueueName
from worker.pool import ModerationWorker, run_pool
from worker.trainer import Trainer, run_trainer


@pytest.mark.parametrize("path", JobPath)
def test_every_job_is_there(path: JobPath) -> None:
    function = import_attribute(path)
    assert inspect.isfunction(function)
    assert f"{function.__module__}.{function.__name__}" == path


def test_every_queue_is_listened_to_and_no_worker_that_decides_trains(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = []
    monkeypatch.setattr(Trainer, "work", lambda self, **_: trainers.append(self))
    run_trainer(redis)
    (trainer,) = trainers
    assert trainer.queue_names() == [QueueName.TRAIN]
    assert trainer.serializer is SERIALIZER
    assert {*DECIDING, QueueName.TRAIN} == set(QueueName)
    assert QueueName.TRAIN not in DECIDING


def test_the_workers_listen_to_what_decides_what_matters_most_first(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = []
    monkeypatch.setattr(WorkerPool, "start", lambda self, **_: pools.append(self))
    run_pool(redis, workers=3)
    (pool,) = pools
    assert [queue.name for queue in pool.queues] == [str(name) for name in DECIDING]
    assert pool.worker_class is ModerationWorker
    assert pool.num_workers == 3
    assert pool.serializer is SERIALIZER
