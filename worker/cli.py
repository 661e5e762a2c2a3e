"""`moderation worker` and `moderation trainer`. What they run is loaded when they run: a trainer
that waits needs none of it."""

import gc
import os

import click

from moderation import logs
from moderation.config import Settings
from moderation.db import Database
from moderation.queues import connect
from moderation.running.supervisor import check_redis, leave_no_orphans


@click.command()
def worker() -> None:
    """Run the worker processes alone."""
    from worker import jobs  # noqa: PLC0415 - the model's code
    from worker.pool import run_pool  # noqa: PLC0415

    settings = _ready()
    # Loaded before the pool forks: the processes share its memory.
    jobs.scorer().classifier()
    # What is loaded stays: the collector need not look at it again, nor write into its memory.
    gc.freeze()
    # A job makes much that lives as long as the job: looking at it again and again finds nothing.
    gc.set_threshold(20_000)
    run_pool(connect(settings.redis), workers=settings.workers)


@click.command()
def trainer() -> None:
    """Run the trainer alone: it trains the models of sites, one at a time."""
    from worker.trainer import run_trainer  # noqa: PLC0415

    settings = _ready()
    # Nobody waits for it, and comments wait to be decided.
    os.nice(_NICENESS)
    run_trainer(connect(settings.redis))


_NICENESS = 10


def _ready() -> Settings:
    """The settings, when everything that they name is there."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    Database(settings.database, pool_size=1).check()
    check_redis(settings.redis)
    leave_no_orphans()
    return settings
