"""RQ's worker pool, set up for this service."""

import logging
from typing import Any

from redis import Redis
from rq import SimpleWorker
from rq.worker_pool import WorkerPool

from moderation.queues import SERIALIZER, QueueName, ensure_sweep_is_scheduled

# Seconds. RQ waits for a job for WORKER_TTL - 15 at a time and looks after its registries between
# two waits, so this bounds how late a sweep is scheduled and a dead worker's job is noticed.
WORKER_TTL = 25
MAINTENANCE_INTERVAL = 10


class ModerationWorker(SimpleWorker):
    """Runs jobs in its own process: no fork for each, and the model is loaded once.

    Its maintenance pass also keeps the sweep scheduled, because a Redis that lost its data has
    lost the schedule too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(  # type: ignore[misc]  # the pool passes on what RQ's own worker takes
            *args, worker_ttl=WORKER_TTL, maintenance_interval=MAINTENANCE_INTERVAL, **kwargs
        )
        self.log_job_description = False

    def run_maintenance_tasks(self) -> None:
        """RQ's own maintenance, and the next sweep."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        ensure_sweep_is_scheduled(self.connection)


def run_pool(connection: Redis, *, workers: int, log_level: str) -> None:
    """Run so many worker processes until SIGINT or SIGTERM; each finishes its job first."""
    # RQ reports each job twice at INFO: too much where a job is one comment.
    rq_level = log_level if log_level == "DEBUG" else "WARNING"
    logging.getLogger("rq.worker").setLevel(rq_level)
    pool = WorkerPool(
        [str(name) for name in QueueName],
        connection=connection,
        num_workers=workers,
        worker_class=ModerationWorker,
        serializer=SERIALIZER,
    )
    pool.start(logging_level=rq_level)
