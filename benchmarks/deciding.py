"""How many comments one worker process decides: load, score, explain, write.

`decided` stores comments, enqueues their ids and has a worker process of its own (this module, run
as a program) do all that waits. Redis and SQLite (`synchronous=FULL`) are real.
"""

import gc
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, insert, select

from benchmarks.load import BenchmarkError
from benchmarks.servers import Size, stage
from moderation.clock import MINUTE, now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import Status
from moderation.ids import new_id
from moderation.models import Comment, Site, Thread
from moderation.queues import SERIALIZER, QueueName, connect, enqueue_decide, queue
from moderation.submissions import author_id
from worker import jobs
from worker.pool import ModerationWorker

_PAGES = 20
_AUTHORS = 5_000

EARLIER = 2_000
"""Comments stored and decided beforehand: the worker compares new ones with them."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a worker process did: comments, how many of them it held, ids in a job, seconds on the
    clock and of its processor's time."""

    comments: int
    held: int
    job_size: int
    seconds: float
    cpu_seconds: float


def decided(folder: Path, texts: Sequence[str], *, job_size: int) -> Decided:
    """Have one worker process decide comments of these texts, `job_size` in a job.

    The first `EARLIER` are decided before the clock starts.
    """
    with stage(folder, Size(processes=1, threads=1)) as environment:
        database = Database(environment["MODERATION_DATABASE_URL"], pool_size=1)
        redis = connect(environment["MODERATION_REDIS_URL"])
        seconds = []
        for part in (texts[:EARLIER], texts[EARLIER:]):
            held_before = _count(database, Status.HELD)
            ids = _store(database, part)
            for start in range(0, len(ids), job_size):
                enqueue_decide(redis, ids[start : start + job_size])
            seconds.append(_work(environment))
        if pending := _count(database, Status.PENDING):
            raise BenchmarkError(f"{pending} comments were not decided")
        held = _count(database, Status.HELD) - held_before
        database.close()
        redis.close()
    return Decided(len(texts) - EARLIER, held, job_size, *seconds[-1])


def _store(database: Database, texts: Sequence[str]) -> list[str]:
    """Comments of one site, as they would have come in over the last minutes."""
    chance = random.Random(len(texts))
    with database.write() as connection:
        site_id = connection.execute(select(Site.id)).scalar_one()
        threads = [
            connection.execute(
                insert(Thread)
                .values(site_id=site_id, page=f"/{new_id()}", created_at=now_ms())
                .returning(Thread.id)
            ).scalar_one()
            for _ in range(_PAGES)
        ]
        ids, rows = [], []
        for number, text in enumerate(texts):
            at = now_ms() - 2 * MINUTE + number
            comment_id = new_id(at)
            ids.append(comment_id)
            reader = f"reader-{chance.randrange(_AUTHORS)}@example.org"
            rows.append(
                {
                    "id": comment_id,
                    "site_id": site_id,
                    "thread_id": chance.choice(threads),
                    "root_id": comment_id,
                    "created_at": at,
                    "name": "A Reader",
                    "email": reader,
                    "author_id": author_id(site_id, reader),
                    "text": text,
                    "ip": f"2001:db8::{number:x}",
                }
            )
        connection.execute(insert(Comment), rows)
    return ids


def _work(environment: dict[str, str]) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.deciding"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BenchmarkError(f"the worker failed:\n{result.stderr}")
    seconds, cpu_seconds = result.stdout.split()
    return float(seconds), float(cpu_seconds)


def _count(database: Database, status: Status) -> int:
    query = select(func.count()).where(Comment.status == status)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def main() -> None:
    """Do all jobs that wait, as a worker does, and print how long it took."""
    redis = connect(Settings.from_environment().redis)
    queues = [queue(redis, name) for name in QueueName]
    jobs.scorer().classifier()
    # As `worker.cli` does.
    gc.freeze()
    gc.set_threshold(20_000)
    worker = ModerationWorker(queues, connection=redis, serializer=SERIALIZER)
    start, cpu_start = time.perf_counter(), time.process_time()
    worker.work(burst=True, logging_level="WARNING")
    print(time.perf_counter() - start, time.process_time() - cpu_start)


if __name__ == "__main__":
    main()
