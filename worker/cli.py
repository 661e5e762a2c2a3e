"""`moderation worker`."""

import gc

import click

from moderation import logs
from moderation.config import Settings
from moderation.db import Database
from moderation.queues import connect
from moderation.supervisor import check_redis, leave_no_orphans
from worker import jobs
from worker.pool import run_pool


@click.command()
def worker() -> None:
    """Run the worker processes alone."""
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    Database(settings.database, pool_size=1).check()
    check_redis(settings.redis)
    leave_no_orphans()
    # Loaded before the pool forks: the processes share its memory.
    jobs.scorer().classifier()
    # What is loaded stays: the collector need not look at it again, nor write into its memory.
    gc.freeze()
    # A job makes much that lives as long as the job: looking at it again and again finds nothing.
    gc.set_threshold(20_000)
    run_pool(connect(settings.redis), workers=settings.workers)
