"""What RQ calls. Each job may run twice, or late, without harm."""

from collections.abc import Sequence
from functools import cache
from threading import Thread

from moderation import deliveries
from moderation.config import Settings
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.numbers import close_days
from moderation.queues import connect, enqueue_decide, oldest_waiting
from moderation.scorer import Scorer
from worker.notices import send_notices
from worker.sweeping import sweep as find_lost


def decide(comment_ids: Sequence[str]) -> None:
    """Decide those of these comments that are still pending."""
    decide_comments(_database(), scorer(), comment_ids)


def sweep() -> None:
    """Enqueue again what was lost on its way to a decision, keep the figures of past days, clear
    the outbox of what is over."""
    redis = connect(_settings().redis)
    lost = find_lost(
        _database(), grace=_settings().sweep_seconds, oldest_waiting=oldest_waiting(redis)
    )
    for comment_ids in lost:
        enqueue_decide(redis, comment_ids)
    close_days(_database())
    with _database().write() as connection:
        deliveries.tidy(connection)


def notify() -> None:
    """Tell the sites' webhooks where comments wait for too long.

    In a thread of its own: while a receiver takes its time, comments are decided.
    """
    Thread(target=_notify, name="notices", daemon=True).start()


def _notify() -> None:
    settings = _settings()
    database = Database(settings.database, pool_size=1)
    try:
        send_notices(
            database,
            desk=f"{settings.base_url}/desk/",
            private_addresses=settings.webhooks_to_private_addresses,
        )
    finally:
        database.close()


@cache
def scorer() -> Scorer:
    """This process's classifier."""
    return Scorer(_settings().model)


@cache
def _settings() -> Settings:
    return Settings.from_environment()


@cache
def _database() -> Database:
    # A worker does one thing at a time.
    return Database(_settings().database, pool_size=1)
