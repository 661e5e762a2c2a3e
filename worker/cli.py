"""`moderation worker`."""

import logging

import click

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
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    Database(settings.database, pool_size=1).check()
    check_redis(settings.redis)
    leave_no_orphans()
    # Loaded before the pool forks: the processes share its memory.
    jobs.scorer().classifier()
    run_pool(connect(settings.redis), workers=settings.workers, log_level=settings.log_level)
