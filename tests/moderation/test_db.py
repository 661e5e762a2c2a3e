import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from moderation.db import MIGRATIONS, Database, execute_many, to_json
from moderation.errors import StartupError
from moderation.models import Base, Comment, Site
from tests.support.comments import EMAIL, add_comment, add_site
from tests.support.ports import free_port
from tests.support.waiting import eventually, waiting_for


def sites(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(Site)).scalar_one()


def test_migrating_twice_is_as_good_as_once(database: Database) -> None:
    add_site(database)
    database.migrate()
    database.check()
    assert sites(database) == 1


def test_several_can_migrate_at_once(empty_database_url: str) -> None:
    databases = [Database(empty_database_url, pool_size=1) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Database.migrate, databases))
    for database in databases:
        database.check()
        database.close()


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_migrations_make_the_constraints_of_the_models(database: Database) -> None:
    # Alembic's comparison leaves these out.
    for table in Base.metadata.sorted_tables:
        found = inspect(database.engine).get_foreign_keys(table.name)
        wanted = {key.parent.name: key.target_fullname for key in table.foreign_keys}
        assert {
            key["constrained_columns"][0]: f"{key['referred_table']}.{key['referred_columns'][0]}"
            for key in found
        } == wanted
        columns = {
            column["name"]: column for column in inspect(database.engine).get_columns(table.name)
        }
        assert {n for n, c in columns.items() if c["nullable"]} == {
            c.name for c in table.columns if c.nullable
        }


def test_an_empty_database_wants_to_be_migrated(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(StartupError, match=r"at revision none .* run `moderation migrate`"):
        database.check()
    database.close()


def test_a_database_of_a_newer_version_is_left_alone(own_database: Database) -> None:
    with own_database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with pytest.raises(StartupError, match=f"at revision 9999 and this version needs {head}"):
        own_database.check()
    with pytest.raises(StartupError, match="cannot be migrated"):
        own_database.migrate()


def test_an_unreachable_server_is_one_line_without_the_password() -> None:
    port = free_port()
    database = Database(f"postgresql+psycopg://me:hushhush@127.0.0.1:{port}/comments")
    for use in (database.check, database.migrate):
        with pytest.raises(StartupError) as caught:
            use()
        message = str(caught.value)
        assert f"me:***@127.0.0.1:{port}/comments cannot be used: " in message
        assert "hushhush" not in message
        assert "\n" not in message


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "letter.sqlite3"
    path.write_text("Dear Sir or Madam, " * 100)
    database = Database(f"sqlite:///{path}")
    for use in (database.check, database.migrate):
        with pytest.raises(StartupError, match="cannot be used: file is not a database"):
            use()


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/comments.sqlite3")
    for use in (database.check, database.migrate):
        with pytest.raises(StartupError, match=r"nowhere/comments\.sqlite3 cannot be used: "):
            use()


def test_what_a_transaction_did_is_undone_when_it_raises(database: Database) -> None:
    add_site(database)

    def fail_in_the_middle() -> None:
        with database.write() as connection:
            connection.execute(update(Site).values(name="other"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    with database.read() as connection:
        assert connection.execute(select(Site.name)).scalar_one() == "news"


def test_a_reader_sees_no_half_of_a_transaction(database: Database) -> None:
    site_id = add_site(database)
    with database.write() as writer:
        writer.execute(update(Site).values(name="other"))
        with database.read() as reader:
            assert reader.execute(select(Site.name)).scalar_one() == "news"
    with database.read() as reader:
        found = reader.execute(select(Site.name).where(Site.id == site_id))
        assert found.scalar_one() == "other"


def test_no_increment_of_many_writers_is_lost(database: Database) -> None:
    comment_id = add_comment(database, add_site(database))

    def increment(_: int) -> None:
        with database.write() as connection:
            query = select(Comment.sweeps).where(Comment.id == comment_id).with_for_update()
            seen = connection.execute(query).scalar_one()
            connection.execute(update(Comment).values(sweeps=seen + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(40)))
    with database.read() as connection:
        assert connection.execute(select(Comment.sweeps)).scalar_one() == 40


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_writers_of_several_connections_take_turns(database: Database) -> None:
    other = Database(database.url)
    written = threading.Event()
    order = []

    def second() -> None:
        with other.write() as connection:
            order.append(_sites_seen(connection))
            written.set()

    with database.write() as connection:
        thread = threading.Thread(target=second)
        thread.start()
        # It cannot have begun: its turn comes when this block has committed.
        assert not written.is_set()
        connection.execute(Site.__table__.insert().values(name="first", settings={}, created_at=0))
        order.append("first")
    thread.join()
    other.close()
    assert order == ["first", 1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_urgent_writer_passes_those_that_wait_already(database: Database) -> None:
    queue, turn = (Path(f"{database.engine.url.database}-{lock}") for lock in ("queue", "turn"))
    order: list[str] = []

    def write(name: str, *, urgent: bool = False) -> None:
        other = Database(database.url, pool_size=1)
        with other.write(urgent=urgent):
            order.append(name)
        other.close()

    with ThreadPoolExecutor(4) as pool:
        with database.write():
            ordinary = [pool.submit(write, f"ordinary {number}") for number in range(3)]
            eventually(lambda: waiting_for(queue) == 3)
            urgent = pool.submit(write, "urgent", urgent=True)
            # Only he who has the turn is before it.
            eventually(lambda: waiting_for(turn) == 1)
            assert waiting_for(queue) == 3
        for future in (*ordinary, urgent):
            future.result()
        assert sorted(order) == ["ordinary 0", "ordinary 1", "ordinary 2", "urgent"]

        order.clear()
        # He who has done is the last of these to let the others in.
        with queue.open("w") as done:
            fcntl.flock(done, fcntl.LOCK_EX)
            ordinary = [pool.submit(write, f"ordinary {number}") for number in range(3)]
            eventually(lambda: waiting_for(queue) == 3)
            write("urgent", urgent=True)
            assert order == ["urgent"]
        for future in ordinary:
            future.result()


def _sites_seen(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(Site)).scalar_one()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_commit_in_sqlite_is_on_the_disk_before_it_returns(database: Database) -> None:
    with database.read() as connection:
        for pragma, value in [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]:
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_an_error_does_not_print_what_was_written(database: Database) -> None:
    site_id = add_site(database)
    with pytest.raises(IntegrityError) as caught:
        add_comment(database, site_id, email=EMAIL, thread_id=999)
    assert EMAIL not in str(caught.value)
    assert caught.value.hide_parameters


def test_many_rows_are_written_as_the_statement_says(database: Database) -> None:
    values = [
        {"name": name, "settings": to_json({"of": name}), "created_at": at}
        for at, name in enumerate(("ö’s", "b%s?", "c"))
    ]
    rename = (
        update(Site).where(Site.name == bindparam("old")).values(created_at=bindparam("moment"))
    )
    with database.write() as connection:
        execute_many(connection, insert(Site), values)
        execute_many(connection, rename, [{"old": "c", "moment": 7}, {"old": "none", "moment": 8}])
        execute_many(connection, rename, [])
    with database.read() as connection:
        query = select(Site.name, Site.settings, Site.created_at).order_by(Site.id)
        found = [tuple(row) for row in connection.execute(query)]
    assert found == [("ö’s", {"of": "ö’s"}, 0), ("b%s?", {"of": "b%s?"}, 1), ("c", {"of": "c"}, 7)]
