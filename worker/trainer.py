"""RQ's worker that trains: each training in a process of its own, whose memory ends with it."""

import logging
from types import FrameType

from redis import Redis
from rq import Worker

from moderation.queues import SERIALIZER, QueueName, queue

# Seconds between two maintenance passes, in which a dead trainer's job is noticed, at most.
_MAINTENANCE_INTERVAL = 60


class Trainer(Worker):
    """Trains until it is asked to stop, and does not finish what it has in hand then: a training
    that is interrupted changes nothing, and would keep everything else from ending."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop now."""
        if self.horse_pid:
            self.kill_horse()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def run_trainer(connection: Redis) -> None:
    """Train what is asked for until SIGINT or SIGTERM."""
    worker = Trainer(
        [queue(connection, QueueName.TRAIN)],
        connection=connection,
        serializer=SERIALIZER,
        maintenance_interval=_MAINTENANCE_INTERVAL,
        log_job_description=False,
    )
    worker.work(logging_level=logging.getLevelName(logging.getLogger("rq").getEffectiveLevel()))
