"""The database: one engine a process, transactions as context managers, migrations."""

import fcntl
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Dialect, Engine, UpdateBase, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from moderation.errors import StartupError

MIGRATIONS = Path(__file__).parent / "migrations"

# How long a writer waits for another one, in seconds. SQLite has one writer at a time.
LOCK_TIMEOUT = 30

# Alembic tells of each look at the database's version, as much as of a migration.
logging.getLogger("alembic").setLevel(logging.WARNING)

# Any number: it only has to be the same for all who migrate one PostgreSQL database.
MIGRATION_LOCK = 7_302_026


class Database:
    """An engine, and the two kinds of transaction that the service knows."""

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        # Parameters carry readers' e-mail addresses, so errors must not print them.
        # The connection that was used last is taken next: what it has in its caches is newest.
        options: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size}
        options["pool_use_lifo"] = True
        options |= {"json_serializer": to_json, "json_deserializer": orjson.loads}
        if url.startswith("sqlite"):
            options["connect_args"] = {"timeout": LOCK_TIMEOUT, "check_same_thread": False}
        else:
            options["pool_pre_ping"] = True
        self.url = url
        self.engine: Engine = create_engine(url, max_overflow=0, **options)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._turn = _turns(self.engine)
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and undone when it raises.

        Args:
            urgent: it comes before all that are not and wait for their turn.
        """
        with self._turn(urgent), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    def check(self) -> None:
        """Make sure that the database answers and its tables are those of this version.

        Raises:
            StartupError: it is unreachable, or wants `moderation migrate`.
        """
        try:
            with self.read() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
        except SQLAlchemyError as error:
            raise _unreachable(self.engine, error) from None
        head = _newest_revision()
        if current != head:
            raise StartupError(
                f"the database is at revision {current or 'none'} and this version needs {head}: "
                "run `moderation migrate`"
            )

    def migrate(self) -> None:
        """Create the tables or bring them up to date; safe to call from several machines.

        Raises:
            StartupError: the database is unreachable, or newer than this version.
        """
        try:
            with self.write() as connection:
                if self.engine.dialect.name == "postgresql":
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
                    )
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except (SQLAlchemyError, OSError) as error:
            raise _unreachable(self.engine, error) from None
        except CommandError as error:
            raise StartupError(f"the database cannot be migrated: {error}") from None


def execute_many(
    connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]
) -> None:
    """What `connection.execute(statement, rows)` does, in little more than half the time.

    The driver gets the values as they are, without SQLAlchemy's look at each: of a JSON column,
    `to_json` makes the value. Each row has a value for all that the statement binds.
    """
    if not rows:
        return
    compiled = _compiled(statement, connection.dialect, tuple(rows[0]))
    # SQLite's driver takes values in order, that of PostgreSQL by name.
    in_order = itemgetter(*compiled.positiontup) if compiled.positiontup else dict
    connection.exec_driver_sql(str(compiled), [in_order(row) for row in rows])


@lru_cache(maxsize=32)
def _compiled(statement: UpdateBase, dialect: Dialect, names: tuple[str, ...]) -> Any:
    return statement.compile(dialect=dialect, column_keys=list(names))


def to_json(value: object) -> str:
    """What stands in a JSON column."""
    return orjson.dumps(value).decode()


def _prepare_sqlite(connection: SQLiteConnection, _record: object) -> None:
    # The driver's own transaction handling would begin late and without the write lock.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: a commit is on the disk before it is answered (promise 1 of the design).
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once, where a transaction that reads first and then
    # writes would fail with "database is locked" when another writer came in between.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _turns(engine: Engine) -> Callable[[bool], AbstractContextManager[None]]:
    """How a writer, urgent or not, waits for its turn.

    SQLite's writers poll for its lock, with pauses of up to 100 ms, so that a worker would hardly
    ever find it free while comments pour in. Here they queue for a lock of the kernel's instead,
    which wakes the next one at once. Who is not urgent queues for another one first: so he who has
    the turn is the only one of them whom an urgent writer finds before him. PostgreSQL needs none
    of this.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        return lambda _urgent: nullcontext()

    @contextmanager
    def turn(urgent: bool) -> Iterator[None]:
        with nullcontext() if urgent else _locked(f"{path}-queue"), _locked(f"{path}-turn"):
            yield

    return turn


@contextmanager
def _locked(path: str) -> Iterator[None]:
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _unreachable(engine: Engine, error: SQLAlchemyError | OSError) -> StartupError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    first_line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    where = engine.url.render_as_string(hide_password=True)
    return StartupError(f"the database {where} cannot be used: {first_line}")
