"""What RQ calls. Each job may run twice, or late, without harm."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from threading import Thread

from redis import Redis

from moderation.config import Settings
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.desk.numbers import close_days
from moderation.errors import Conflict
from moderation.learning import operating_points, site_models, training_runs
from moderation.learning.rescoring import rescore as rescore_held
from moderation.learning.weighing import weigh_deciding
from moderation.outbox import deliveries
from moderation.queues import (
    connect,
    enqueue_decide,
    enqueue_rescore,
    enqueue_train,
    enqueue_weigh,
    oldest_waiting,
)
from moderation.records import import_runs
from moderation.scorer import Scorer
from worker.notices import send_notices
from worker.sweeping import sweep as find_lost


def decide(comment_ids: Sequence[str]) -> None:
    """Decide those of these comments that are still pending."""
    decide_comments(_database(), scorer(), comment_ids)


def sweep() -> None:
    """Enqueue again what was lost on its way to a decision or a training, have labels weighed again
    where a site has goals and people have said more, keep the figures of past days, and clear the
    outbox of what is over."""
    redis = connect(_settings().redis)
    lost = find_lost(
        _database(), grace=_settings().sweep_seconds, oldest_waiting=oldest_waiting(redis)
    )
    for comment_ids in lost:
        enqueue_decide(redis, comment_ids)
    _sweep_trainings(redis)
    general = scorer().classifier()
    with _database().read() as connection:
        outdated = list(operating_points.outdated(connection, general.version)) if general else []
        unfinished = list(site_models.to_rescore(connection))
    for site_id in outdated:
        enqueue_weigh(redis, site_id)
    for site_id, after in unfinished:
        enqueue_rescore(redis, site_id, after)
    close_days(_database())
    with _database().write() as connection:
        deliveries.tidy(connection)


def _sweep_trainings(redis: Redis) -> None:
    """Have trained what is due, or waits and was lost on its way; note what was killed."""
    with _database().read() as connection:
        due = training_runs.due(connection)
        if not due and not training_runs.any_unfinished(connection):
            return
    with _database().write() as connection:
        training_runs.mark_interrupted(connection)
        for site_id, why in due:
            with suppress(Conflict):
                training_runs.ask(connection, site_id, by=why)
        waiting = training_runs.queued(connection)
    for run_id in waiting:
        enqueue_train(redis, run_id)


def rescore(site_id: int) -> None:
    """Score the next held comments of a site again, and have the rest done later."""
    with _database().read() as connection:
        after = dict(site_models.to_rescore(connection)).get(site_id)
    if after is None:
        return
    last = rescore_held(_database(), scorer(), site_id, after)
    if last is not None:
        enqueue_rescore(connect(_settings().redis), site_id, last)


def train(run_id: int) -> None:
    """Train a site's model. In the trainer's process alone, which is forked for it."""
    from training.retraining import retrain  # noqa: PLC0415 - scikit-learn, for nobody else

    retrain(_database(), scorer(), run_id)


def weigh(site_id: int) -> None:
    """Weigh the labels of a site for its goals, by the model that decides."""
    weigh_deciding(_database(), scorer(), site_id)


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


def import_file(run_id: int) -> None:
    """Do the step that an import has come to: say what would come in, or bring it in."""
    import_runs.work(_database(), import_runs.folder(_settings().home), run_id)


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
