"""Redis: queue names, job paths and the only functions that enqueue.

Jobs are named by path, because the web process must not import the worker's code; a test resolves
every path. They carry ids and nothing else, as JSON.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from moderation.clock import now_ms


class QueueName(StrEnum):
    """Every queue, what matters most first: a worker takes from them in this order."""

    DECIDE = "decide"
    MAINTENANCE = "maintenance"


class JobPath(StrEnum):
    """Every job."""

    DECIDE = "worker.jobs.decide"
    SWEEP = "worker.jobs.sweep"


SERIALIZER = JSONSerializer

# A batch takes well under a second; what takes a minute hangs.
DECIDE_TIMEOUT = 60

# Seconds between tries of a job that failed. The sweep comes to what fails after the last one.
DECIDE_RETRY = [1, 5, 15]

# Results are of no use to anybody; a failed job is kept for a week, to be looked at.
RESULT_TTL = 0
FAILURE_TTL = 7 * 24 * 3600

SWEEP_INTERVAL = 30

# After a failure, how long the web process goes without trying Redis: a request must not wait.
_PAUSE_AFTER_FAILURE = 1.0


def connect(url: str, *, timeout: float | None = None) -> Redis:
    """A client for `url`; `timeout` bounds each call, in seconds."""
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)


def queue(connection: Redis, name: QueueName) -> Queue:
    """The RQ queue of that name."""
    return Queue(name, connection=connection, serializer=SERIALIZER)


def enqueue_decide(connection: Redis, comment_ids: Sequence[str]) -> None:
    """Ask a worker to look at these comments, as one job.

    Raises:
        redis.exceptions.RedisError: Redis did not take it.
    """
    queue(connection, QueueName.DECIDE).enqueue(
        JobPath.DECIDE,
        list(comment_ids),
        job_timeout=DECIDE_TIMEOUT,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_TTL,
        retry=Retry(max=len(DECIDE_RETRY), interval=DECIDE_RETRY),
        description="decide",
    )


class DecideNotifier:
    """Tells the workers about new comments, as far as Redis is there to be told.

    A comment is safe in the database before this is called, and the sweep finds what was not
    told; so a Redis that is down is noted and not waited for.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._silent_until = 0.0

    def notify(self, comment_ids: Sequence[str]) -> bool:
        """Whether Redis was told about these comments."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            enqueue_decide(self._connection, comment_ids)
        except (RedisError, OSError):
            self._silent_until = time.monotonic() + _PAUSE_AFTER_FAILURE
            return False
        return True


def oldest_waiting(connection: Redis) -> int | None:
    """When the job that has waited longest for a decision was enqueued, in milliseconds since 1970;
    None if none waits."""
    waiting = queue(connection, QueueName.DECIDE)
    for job_id in waiting.get_job_ids(0, 1):
        job = waiting.fetch_job(job_id)
        if job is not None and job.enqueued_at is not None:
            return int(job.enqueued_at.astimezone(UTC).timestamp() * 1_000)
    return None


def ensure_sweep_is_scheduled(connection: Redis) -> None:
    """Schedule the next sweep, unless one is scheduled or waiting already.

    The job's id carries its time slot, so that several workers schedule one sweep between them.
    """
    slot = now_ms() // 1_000 // SWEEP_INTERVAL + 1
    job_id = f"sweep-{slot}"
    if Job.exists(job_id, connection):
        return
    queue(connection, QueueName.MAINTENANCE).enqueue_at(
        datetime.fromtimestamp(slot * SWEEP_INTERVAL, tz=UTC),
        JobPath.SWEEP,
        job_id=job_id,
        job_timeout=DECIDE_TIMEOUT,
        result_ttl=SWEEP_INTERVAL,
        failure_ttl=FAILURE_TTL,
        description="sweep",
    )
