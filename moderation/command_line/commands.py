"""What the commands that work on the database share."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection

from moderation.config import Settings
from moderation.db import Database
from moderation.errors import Conflict, InvalidInput, NotFound


def open_database() -> Database:
    """The database that the environment names, when its tables are up to date."""
    database = Database(Settings.from_environment().database, pool_size=1)
    database.check()
    return database


@contextmanager
def changing() -> Iterator[Connection]:
    """A transaction; what was wrong with the wish is one line."""
    try:
        with open_database().write() as connection:
            yield connection
    except (Conflict, InvalidInput, NotFound) as error:
        raise click.ClickException(str(error)) from None
