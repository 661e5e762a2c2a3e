from pathlib import Path

from redis import Redis

from moderation.desk.reading import LEASE, Readers
from moderation.queues import connect


def test_who_is_first_reads_and_others_see_it(redis: Redis) -> None:
    readers = Readers(redis)
    assert readers.claim("1", "anna") == "anna"
    assert readers.claim("1", "Zoë") == "anna"
    assert readers.claim("2", "Zoë") == "Zoë"
    assert readers.of(["1", "2", "3"]) == {"1": "anna", "2": "Zoë"}
    assert readers.of([]) == {}


def test_a_lease_ends_unless_it_is_renewed(redis: Redis) -> None:
    readers = Readers(redis)
    readers.claim("1", "anna")
    (key,) = redis.keys("*reading*")
    redis.expire(key, 1)
    readers.claim("1", "nils")
    assert redis.ttl(key) <= 1
    readers.claim("1", "anna")
    assert LEASE - 2 <= redis.ttl(key) <= LEASE


def test_nobody_gives_back_what_another_reads(redis: Redis) -> None:
    readers = Readers(redis)
    readers.claim("1", "anna")
    readers.release("1", "nils")
    assert readers.of(["1"]) == {"1": "anna"}
    readers.release("1", "anna")
    assert readers.of(["1"]) == {}


def test_without_redis_everybody_reads(tmp_path: Path) -> None:
    readers = Readers(connect(f"unix://{tmp_path / 'none.sock'}", timeout=0.2))
    assert readers.claim("1", "anna") == "anna"
    assert readers.of(["1"]) == {}
    readers.release("1", "anna")
