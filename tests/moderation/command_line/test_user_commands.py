"""`moderation user …` on a real database."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moderation.access import accounts
from moderation.cli import cli
from moderation.db import Database
from tests.support.comments import add_site

PASSWORD = "correct horse battery"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cheap_passwords: None) -> Database:
    url = f"sqlite:///{tmp_path / 'users.sqlite3'}"
    monkeypatch.setenv("MODERATION_DATABASE_URL", url)
    database = Database(url)
    database.migrate()
    for name in ("courier", "gazette"):
        add_site(database, name)
    return database


def run(*words: str, password: str = "") -> Result:
    return CliRunner().invoke(cli, ["user", *words], input=f"{password}\n")


def signs_in(database: Database, name: str, password: str) -> bool:
    with database.read() as connection:
        return accounts.sign_in(connection, name=name, password=password) is not None


def test_an_added_moderator_signs_in_and_sees_the_sites(database: Database) -> None:
    added = run("add", "mona", "--site", "courier", "--site", "gazette", password=PASSWORD)

    assert (added.exit_code, added.output) == (0, "")
    assert signs_in(database, "mona", PASSWORD)
    assert run("list").output == "mona\tmoderator\tcourier,gazette\n"


def test_an_administrator_sees_all(database: Database) -> None:
    run("add", "ada", "--role", "administrator", password=PASSWORD)

    assert run("list").output == "ada\tadministrator\t*\n"


def test_a_password_may_begin_and_end_with_a_space(database: Database) -> None:
    run("add", "mona", password=f" {PASSWORD} ")

    assert signs_in(database, "mona", f" {PASSWORD} ")
    assert not signs_in(database, "mona", PASSWORD)


def test_a_password_is_no_argument(database: Database) -> None:
    assert run("add", "mona", PASSWORD).exit_code == 2
    assert run("add", "mona", "--password", PASSWORD).exit_code == 2


def test_a_new_password_takes_the_place_of_the_old_one(database: Database) -> None:
    run("add", "mona", password=PASSWORD)

    assert run("password", "mona", password="another long password").exit_code == 0

    assert signs_in(database, "mona", "another long password")
    assert not signs_in(database, "mona", PASSWORD)


def test_role_and_sites_are_replaced(database: Database) -> None:
    run("add", "mona", "--site", "courier", password=PASSWORD)

    run("set", "mona", "--role", "moderator", "--site", "gazette")

    assert run("list").output == "mona\tmoderator\tgazette\n"


def test_a_removed_account_is_gone(database: Database) -> None:
    run("add", "ada", "--role", "administrator", password=PASSWORD)
    run("add", "mona", password=PASSWORD)

    assert run("remove", "mona").exit_code == 0

    assert run("list").output == "ada\tadministrator\t*\n"


@pytest.mark.parametrize(
    ("words", "password", "complaint"),
    [
        (["add", "mona"], "short", "password: needs at least 12 characters"),
        (
            ["add", "mona", "--site", "nowhere"],
            PASSWORD,
            "sites: cannot be given: there is no site nowhere",
        ),
        (["add", "ADA"], PASSWORD, "name: is taken"),
        (["remove", "nobody"], "", "there is no account nobody"),
        (["password", "nobody"], PASSWORD, "there is no account nobody"),
        (["set", "ada", "--role", "moderator"], "", "the last administrator"),
        (["remove", "ada"], "", "the last administrator"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_in_a_line_and_changes_nothing(
    database: Database, words: list[str], password: str, complaint: str
) -> None:
    run("add", "ada", "--role", "administrator", password=PASSWORD)

    result = run(*words, password=password)

    assert result.exit_code == 1
    assert complaint in result.output
    assert len(result.output.splitlines()) == 1
    assert run("list").output == "ada\tadministrator\t*\n"
