from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from moderation.db import MIGRATIONS, Database
from moderation.domain import Status
from tests.support.comments import add_comment, add_site


def test_the_migrations_are_one_line_of_succession() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_the_migrations_can_be_taken_back_and_made_again(own_database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with own_database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(own_database.engine).get_table_names() == ["alembic_version"]
    own_database.migrate()
    own_database.check()


def test_events_that_are_there_learn_their_site(own_database: Database) -> None:
    comments = {
        add_comment(own_database, add_site(own_database, n), status=Status.HELD) for n in "ab"
    }
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with own_database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    own_database.migrate()
    with own_database.read() as connection:
        rows = connection.execute(
            text(
                "SELECT event.comment_id, event.site_id = comment.site_id AS same FROM event"
                " JOIN comment ON comment.id = event.comment_id"
            )
        ).all()
    assert {row.comment_id for row in rows} == comments
    assert all(row.same for row in rows)
