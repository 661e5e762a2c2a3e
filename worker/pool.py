"""RQ's worker pool, set up for this service."""

import logging
from typing import Any

from redis import Redis
from rq import SimpleWorker
from rq.worker_pool import WorkerPool

from moderation.config import Settings
from moderation.queues import SERIALIZER, JobPath, QueueName, ensure_is_scheduled
from worker.delivering import delivering

# Seconds between two maintenance passes, in which a dead worker's job is noticed, at most.
MAINTENANCE_INTERVAL = 10

# Seconds between two looks whether a site's moderators are to be told of old comments.
NOTIFY_SECONDS = 60

# RQ waits for a job for so many seconds less than a worker's time to live.
_TTL_MARGIN = 15


class ModerationWorker(SimpleWorker):
    """Runs jobs in its own process: no fork for each, and the model is loaded once.

    Its maintenance pass also keeps the sweep and the notices scheduled, because a Redis that lost
    its data has lost the schedule too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sweep_seconds = Settings.from_environment().sweep_seconds
        interval = min(MAINTENANCE_INTERVAL, self.sweep_seconds)
        super().__init__(  # type: ignore[misc]  # the pool passes on what RQ's own worker takes
            *args, worker_ttl=_TTL_MARGIN + interval, maintenance_interval=interval, **kwargs
        )
        self.log_job_description = False

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Take jobs until a signal; what sites are to be told is sent beside them."""
        settings = Settings.from_environment()
        allowed = settings.webhooks_to_private_addresses
        with delivering(settings.database, private_addresses=allowed):
            return super().work(*args, **kwargs)

    def run_maintenance_tasks(self) -> None:
        """RQ's own maintenance, and the next run of what runs again and again."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        ensure_is_scheduled(self.connection, JobPath.SWEEP, interval=self.sweep_seconds)
        ensure_is_scheduled(self.connection, JobPath.NOTIFY, interval=NOTIFY_SECONDS)


def run_pool(connection: Redis, *, workers: int) -> None:
    """Run so many worker processes until SIGINT or SIGTERM; each finishes its job first."""
    pool = WorkerPool(
        [str(name) for name in QueueName],
        connection=connection,
        num_workers=workers,
        worker_class=ModerationWorker,
        serializer=SERIALIZER,
    )
    # Without a level of its own RQ would talk of each job.
    pool.start(logging_level=logging.getLevelName(logging.getLogger("rq").getEffectiveLevel()))
