"""Redis: queue names, job paths and the only functions that enqueue.

Jobs are named by path, because the web process must not import the worker's code; a test resolves
every path. They carry ids and nothing else, as JSON.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry, Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from moderation.clock import now_ms


class QueueName(StrEnum):
    """Every queue."""

    DECIDE = "decide"
    MAINTENANCE = "maintenance"
    TRAIN = "train"
    """The trainer's, so that nothing that decides waits for a training."""


DECIDING = (QueueName.DECIDE, QueueName.MAINTENANCE)
"""What the workers take from, what matters most first."""


class JobPath(StrEnum):
    """Every job."""

    DECIDE = "worker.jobs.decide"
    SWEEP = "worker.jobs.sweep"
    NOTIFY = "worker.jobs.notify"
    IMPORT = "worker.jobs.import_file"
    RESCORE = "worker.jobs.rescore"
    TRAIN = "worker.jobs.train"
    WEIGH = "worker.jobs.weigh"


SERIALIZER = JSONSerializer

# A batch takes well under a second; what takes a minute hangs.
DECIDE_TIMEOUT = 60

# A million comments take some minutes, with their history several times as long.
IMPORT_TIMEOUT = 6 * 3600
# A training takes a minute or two; what takes an hour hangs.
TRAIN_TIMEOUT = 3600

# Seconds between tries of a job that failed. The sweep comes to what fails after the last one.
DECIDE_RETRY = [1, 5, 15]
_TRIES = Retry(max=len(DECIDE_RETRY), interval=DECIDE_RETRY)

# A million labels are scored in about half a minute.
WEIGH_TIMEOUT = 600

_ON_ITS_WAY = (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED, JobStatus.DEFERRED)

# Results are of no use to anybody; a failed job is kept for a week, to be looked at.
RESULT_TTL = 0
FAILURE_TTL = 7 * 24 * 3600

# Seconds between tries to reach a Redis that does not answer.
_PAUSE_AFTER_FAILURE = 1.0

# Seconds between two looks whether the workers have taken the jobs that wait.
_PAUSE_WHILE_BUSY = 0.005

# Seconds after which ids go to Redis in any case, where the process cannot lose them.
_LONGEST_GATHERING = 0.5

# A job of about this many comments makes the most of a worker's time.
_JOB_SIZE = 512

# Groups of ids that are kept while Redis is down.
_GROUPS_KEPT = 10_000

log = logging.getLogger(__name__)


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
    decide = queue(connection, QueueName.DECIDE)
    _enqueue(decide, JobPath.DECIDE, list(comment_ids), timeout=DECIDE_TIMEOUT, retry=_TRIES)


def enqueue_import(connection: Redis, run_id: int) -> None:
    """Have the trainer do the step that an import has come to.

    Raises:
        redis.exceptions.RedisError: Redis did not take it.
    """
    train = queue(connection, QueueName.TRAIN)
    _enqueue(train, JobPath.IMPORT, run_id, timeout=IMPORT_TIMEOUT, retry=_TRIES)


def enqueue_train(connection: Redis, run_id: int) -> None:
    """Have the trainer do this run, unless it has been told already.

    Raises:
        redis.exceptions.RedisError: Redis did not take it; the sweep will try again.
    """
    train = queue(connection, QueueName.TRAIN)
    _enqueue_once(train, JobPath.TRAIN, run_id, f"train-{run_id}", timeout=TRAIN_TIMEOUT)


def enqueue_rescore(connection: Redis, site_id: int, after: str) -> None:
    """Have a worker score the held comments of a site that come after this one again, when there
    is nothing to decide, unless one has been told already.

    Raises:
        redis.exceptions.RedisError: Redis did not take it; the sweep will try again.
    """
    job_id = f"rescore-{site_id}-{after or 'first'}"
    maintenance = queue(connection, QueueName.MAINTENANCE)
    _enqueue_once(maintenance, JobPath.RESCORE, site_id, job_id, timeout=DECIDE_TIMEOUT)


def _enqueue_once(to: Queue, job: JobPath, number: int, job_id: str, *, timeout: int) -> None:
    known = to.fetch_job(job_id)
    if known is not None and known.get_status() in _ON_ITS_WAY:
        return
    _enqueue(to, job, number, timeout=timeout, job_id=job_id)


def _enqueue(
    to: Queue,
    job: JobPath,
    argument: int | list[str],
    *,
    timeout: int,
    job_id: str | None = None,
    retry: Retry | None = None,
) -> None:
    to.enqueue(
        job,
        argument,
        job_id=job_id,
        job_timeout=timeout,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_TTL,
        retry=retry,
        description=job_id or job.name.lower(),
    )


def enqueue_weigh(connection: Redis, site_id: int) -> None:
    """Have the labels of a site weighed again for its goals.

    Raises:
        redis.exceptions.RedisError: Redis did not take it.
    """
    maintenance = queue(connection, QueueName.MAINTENANCE)
    _enqueue(maintenance, JobPath.WEIGH, site_id, timeout=WEIGH_TIMEOUT)


class DecideNotifier:
    """Tells the workers about new comments, from a thread of its own: nobody waits for Redis.

    While Redis is down it keeps the ids and tries again. What it cannot keep, or loses with its
    process, the sweep finds: the comments are safe in the database.
    """

    def __init__(self, connection: Redis) -> None:
        self._connection = connection
        self._new: SimpleQueue[Sequence[str]] = SimpleQueue()
        self._starting = Lock()
        self._thread: Thread | None = None

    def notify(self, comment_ids: Sequence[str]) -> None:
        """Have the workers look at these comments, as soon as Redis takes the message."""
        if self._new.qsize() < _GROUPS_KEPT:
            self._new.put(comment_ids)
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="decide-notifier", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._enqueue(self._next_ids())

    def _next_ids(self) -> list[str]:
        """Waits for new ids, and takes all that have come in meanwhile, to make one job of them.

        While an earlier job still waits for a worker nobody would look at a new one, so more ids
        are gathered: the more there is to do, the larger the jobs, and the less each comment costs.
        """
        ids = list(self._new.get())
        since = time.monotonic()
        while len(ids) < _JOB_SIZE and time.monotonic() - since < _LONGEST_GATHERING:
            try:
                ids += self._new.get_nowait()
            except Empty:
                if not self._workers_are_busy():
                    break
                time.sleep(_PAUSE_WHILE_BUSY)
        return ids

    def _workers_are_busy(self) -> bool:
        try:
            return queue(self._connection, QueueName.DECIDE).count > 0
        except (RedisError, OSError):
            return False

    def _enqueue(self, ids: Sequence[str]) -> None:
        reported = False
        while True:
            try:
                enqueue_decide(self._connection, ids)
            except (RedisError, OSError) as error:
                if not reported:
                    log.warning("Redis does not take jobs, trying on: %s", type(error).__name__)
                    reported = True
                time.sleep(_PAUSE_AFTER_FAILURE)
            else:
                return


def workers(connection: Redis) -> int:
    """How many worker processes are there to decide comments."""
    return len(Worker.all(queue=queue(connection, QueueName.DECIDE)))


def oldest_waiting(connection: Redis) -> int | None:
    """When the job that has waited longest for a decision was enqueued, in milliseconds since 1970;
    None if none waits."""
    waiting = queue(connection, QueueName.DECIDE)
    for job_id in waiting.get_job_ids(0, 1):
        job = waiting.fetch_job(job_id)
        if job is not None and job.enqueued_at is not None:
            return int(job.enqueued_at.astimezone(UTC).timestamp() * 1_000)
    return None


def ensure_is_scheduled(connection: Redis, job: JobPath, *, interval: int) -> None:
    """Schedule the next run of a job that runs again and again, unless one is scheduled or waiting
    already.

    The job's id carries its time slot, so that several workers schedule one run between them.

    Args:
        interval: seconds between two runs.
    """
    name = job.name.lower()
    slot = now_ms() // 1_000 // interval + 1
    job_id = f"{name}-{slot}"
    if Job.exists(job_id, connection):
        return
    queue(connection, QueueName.MAINTENANCE).enqueue_at(
        datetime.fromtimestamp(slot * interval, tz=UTC),
        job,
        job_id=job_id,
        job_timeout=DECIDE_TIMEOUT,
        result_ttl=interval,
        failure_ttl=FAILURE_TTL,
        description=name,
    )
