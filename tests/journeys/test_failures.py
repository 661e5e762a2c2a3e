"""Whatever is killed, a comment that was answered 202 is decided, exactly once."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from rq.suspension import resume, suspend
from sqlalchemy import func, select

from moderation.domain import Status
from moderation.models import Comment, Event
from moderation.queues import QueueName, queue
from moderation.running.redis_server import RedisServer
from tests.support.service import Service, running_service

SOON = "1"  # seconds until a lost comment is looked for
MANY = 1_200  # more than the largest job holds, so that a kill comes between two of them


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a Redis of its own, which it starts again when it dies."""
    home = tmp_path_factory.mktemp("failures") / "home"
    with running_service(home, sweep_seconds=SOON, web_processes="2") as up:
        yield up


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis in the test's hands."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("victim", [0, 1], ids=["the pool", "its worker"])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(
    service: Service, victim: int
) -> None:
    posted: list[str] = []
    in_the_middle = 0
    # Where the worker was faster than the test, once more.
    for _ in range(8):
        workers = _decided_one(service)
        suspend(service.redis())
        ids = service.post_many(MANY)
        before = _count_decided(service, ids)
        resume(service.redis())
        service.wait_for(lambda: _count_decided(service, ids) > before)  # noqa: B023
        _signal([workers[victim]], signal.SIGKILL)
        in_the_middle += _count_decided(service, ids) < len(ids) == MANY
        posted += ids
        if in_the_middle == 2:
            break
    assert in_the_middle == 2
    _assert_decided_once(service, posted)


def test_a_redis_killed_with_all_its_data_loses_nothing(service: Service) -> None:
    _decided_one(service)
    redis = service.redis()
    suspend(redis)
    posted = service.post_many(100)
    service.wait_for(lambda: len(queue(redis, QueueName.DECIDE)) > 0)

    # The suspension is part of the data: if it survived, nothing would be decided.
    servers = service.processes("redis.sock")
    _signal(servers, signal.SIGSTOP)
    shutil.rmtree(service.home / "redis" / "appendonlydir")
    _signal(servers, signal.SIGKILL)

    _assert_decided_once(service, posted)


def test_what_is_posted_while_redis_is_down_is_decided_when_it_is_back(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    # The sweep is far away: the web process itself has to tell the workers.
    with running_service(
        tmp_path / "home", redis_url=redis_server.url, sweep_seconds="3600"
    ) as service:
        _decided_one(service)
        redis_server.stop()

        posted = service.post_many(50)

        assert len(posted) == 50
        assert service.request("GET", "/health").json == {"database": True, "redis": False}
        redis_server.start()
        _assert_decided_once(service, posted)


def test_a_web_process_killed_between_commit_and_enqueue_loses_nothing(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with running_service(
        tmp_path / "home", redis_url=redis_server.url, sweep_seconds=SOON
    ) as service:
        _decided_one(service)
        # What is committed now cannot be enqueued, and waits in the web process.
        redis_server.stop()
        posted = service.post_many(50)
        _signal(service.processes("moderation web"), signal.SIGKILL)
        redis_server.start()

        assert len(posted) == 50
        _assert_decided_once(service, posted)
        service.wait_for(lambda: _answers(service))
        assert service.post_comment(email="late@example.org").status == 202


def test_a_killed_web_server_leaves_no_process_that_listens(service: Service) -> None:
    server, *others = service.processes("moderation web")

    _signal([server], signal.SIGKILL)

    service.wait_for(lambda: not any(map(_lives, others)))
    service.wait_for(lambda: _answers(service))
    _decided_one(service)


def test_a_killed_supervisor_leaves_nothing_that_keeps_a_new_one_from_starting(
    service: Service,
) -> None:
    _decided_one(service)
    assert service.process is not None
    children = service.processes("moderation")
    posted = service.post_many(100)

    service.process.kill()
    service.process.wait()
    service.process = None
    service.wait_for(lambda: not any(map(_lives, children)))
    service.start()

    _assert_decided_once(service, posted)


def test_ctrl_c_stops_every_process_and_loses_nothing(service: Service) -> None:
    _decided_one(service)
    assert service.process is not None
    everything = service.processes()
    assert len(everything) >= 5
    before, logged = _count_comments(service), service.log.stat().st_size
    many = 20_000  # more than are posted before it stops; what comes later is refused at once
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(service.post_many, many)
        service.wait_for(lambda: _count_comments(service) > before + 100)
        service.process.send_signal(signal.SIGINT)
        posted = posting.result()
        status = service.process.wait(90)
    service.process = None

    assert status == 0
    told = service.log.read_bytes()[logged:].decode()
    assert told.endswith("Stopped.\n")
    assert "Traceback" not in told
    assert not any(map(_lives, everything))
    assert 0 < len(posted) < many
    service.start()
    _assert_decided_once(service, posted)


def _decided_one(service: Service) -> list[int]:
    """Wait until a worker has decided a comment; the worker processes, the pool first."""
    decided = service.post_comment(email=f"first{time.monotonic_ns()}@example.org")
    service.decision_on(decided.json["id"])
    # It may have been the orphan of a pool that was killed.
    service.wait_for(lambda: len(service.processes("moderation worker")) > 1)
    return service.processes("moderation worker")


def _signal(processes: Sequence[int], which: signal.Signals) -> None:
    assert processes
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, which)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that has ended stays until its parent has asked for its status.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _answers(service: Service) -> bool:
    try:
        return service.request("GET", "/health").status == 200
    except OSError:
        return False


def _count_comments(service: Service) -> int:
    database = service.database()
    with database.read() as connection:
        count: int = connection.execute(select(func.count()).select_from(Comment)).scalar_one()
    database.close()
    return count


def _count_decided(service: Service, ids: Sequence[str]) -> int:
    database = service.database()
    with database.read() as connection:
        query = select(func.count()).where(Comment.id.in_(ids), Comment.status != Status.PENDING)
        count: int = connection.execute(query).scalar_one()
    database.close()
    return count


def _assert_decided_once(service: Service, ids: Sequence[str]) -> None:
    assert ids
    service.wait_for(lambda: _count_decided(service, ids) == len(ids), 90)
    database = service.database()
    with database.read() as connection:
        decisions = connection.execute(
            select(Event.comment_id).where(
                Event.comment_id.in_(ids), Event.from_status == Status.PENDING
            )
        ).scalars()
        assert sorted(decisions) == sorted(ids)
    database.close()
