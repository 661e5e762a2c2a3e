"""What RQ calls. Each job may run twice, or late, without harm."""

from collections.abc import Sequence
from functools import cache
from threading import Thread

from moderation import operating_points
from moderation.config import Settings
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.numbers import close_days
from moderation.queues import connect, enqueue_decide, enqueue_weigh, oldest_waiting
from moderation.scorer import Scorer
from moderation.weighing import weigh as weigh_labels
from worker.notices import send_notices
from worker.sweeping import sweep as find_lost


def decide(comment_ids: Sequence[str]) -> None:
    """Decide those of these comments that are still pending."""
    decide_comments(_database(), scorer(), comment_ids)


def sweep() -> None:
    """Enqueue again what was lost on its way to a decision, and keep the figures of past days;
    have labels weighed again where a site has goals and people have said more."""
    redis = connect(_settings().redis)
    lost = find_lost(
        _database(), grace=_settings().sweep_seconds, oldest_waiting=oldest_waiting(redis)
    )
    for comment_ids in lost:
        enqueue_decide(redis, comment_ids)
    with _database().read() as connection:
        outdated = list(operating_points.outdated(connection))
    for site_id in outdated:
        enqueue_weigh(redis, site_id)
    close_days(_database())


def weigh(site_id: int) -> None:
    """Weigh the labels of a site for its goals, by the model that decides."""
    classifier = scorer().classifier()
    if classifier is not None:
        weigh_labels(_database(), site_id, classifier)


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
