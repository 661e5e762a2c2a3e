"""`moderation import` and `moderation erase`, as somebody types them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from moderation.cli import cli
from moderation.db import Database
from moderation.domain import Status
from moderation.models import Comment, Example
from tests.support.comments import add_comment, add_site, row_of
from tests.support.exports import wp_comment, written, wxr


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    url = f"sqlite:///{tmp_path / 'import.sqlite3'}"
    monkeypatch.setenv("MODERATION_DATABASE_URL", url)
    database = Database(url)
    database.migrate()
    return database


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return written(
        tmp_path / "wp.xml", wxr(wp_comment(1), wp_comment(2, "spam"), wp_comment(3, "0"))
    )


def run(*words: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=answer)


def examples(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(Example)) or 0


def test_the_pages_below_which_comments_would_stand_are_shown(
    database: Database, export: Path
) -> None:
    add_site(database)
    words = ["--site", "news", "--dry-run", "--page", "https://old.example/2024", "/articles"]

    assert "/articles/bridge/" not in run("import", "auto", export, *words).output
    assert "Below pages such as\n  /articles/bridge/\n" in (
        run("import", "auto", export, *words, "--history").output
    )


def test_nothing_comes_in_before_one_has_seen_what_would(database: Database, export: Path) -> None:
    add_site(database)

    for words, answer in ((["--dry-run"], ""), ([], "n\n")):
        shown = run("import", "auto", export, "--site", "news", *words, answer=answer)
        assert shown.exit_code == 0
        assert "2 new examples to learn from: 1 that were published, 1 that were not" in (
            shown.output
        )
        assert "1 skipped, nobody has decided about it there: line 7" in shown.output
        assert examples(database) == 0

    done = run("import", "auto", export, "--site", "news", answer="y\n")
    assert "2 came in" in done.output
    assert examples(database) == 2
    again = run("import", "wordpress", export, "--site", "news", "--yes")
    assert "2 are here already" in again.output
    assert examples(database) == 2


def test_history_and_a_table_with_columns_of_its_own_come_in(
    database: Database, export: Path, tmp_path: Path
) -> None:
    add_site(database)
    run("import", "auto", export, "--site", "news", "--yes", "--history")
    with database.read() as connection:
        statuses = connection.scalars(select(Comment.status).order_by(Comment.id)).all()
    assert statuses == ["approved", "rejected"]

    table = tmp_path / "forum.csv"
    table.write_bytes("body,removed\nGröße,1\n".encode("latin-1"))
    words = ["--column", "text=body", "--column", "label=removed", "--encoding", "latin-1"]
    run("import", "table", table, "--site", "news", "--yes", *words)
    with database.read() as connection:
        row = connection.execute(select(Example.text, Example.origin)).one()
    assert tuple(row) == ("Größe", "forum")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--site", "nowhere"], "there is no site nowhere"),
        (["--site", "news", "--column", "colour=red"], "has to have the form FIELD=COLUMN"),
        (["--site", "news", "--encoding", "klingon"], "its encoding 'klingon' is not known"),
        ([], "--site"),
    ],
)
def test_what_is_wrong_is_one_line(
    database: Database, export: Path, words: list[str], says: str
) -> None:
    add_site(database)

    result = run("import", "auto", export, *words)

    assert result.exit_code != 0
    assert says in result.output
    assert "Traceback" not in result.output


def test_an_author_is_erased_by_address_after_a_question(database: Database, export: Path) -> None:
    site = add_site(database)
    run("import", "auto", export, "--site", "news", "--yes")
    comment = add_comment(database, site, status=Status.APPROVED)
    words = ("erase", "--email", "Zoe@example.org", "--site", "news", "--examples")

    refused = run(*words, answer="n\n")
    assert "Erase 1 comments and 2 examples?" in refused.output
    assert row_of(database, comment).text

    assert "Erased: 1 comments, 2 examples." in run(*words, answer="y\n").output
    assert row_of(database, comment).text == ""
    again = run(*words)
    assert (again.exit_code, again.output) == (1, "Error: there is nothing of that to erase\n")


def test_a_comment_is_erased_by_its_id(database: Database) -> None:
    site = add_site(database)
    mine, other = add_comment(database, site), add_comment(database, site)

    assert "Erased: 1 comments" in run("erase", mine, "--yes").output

    assert (row_of(database, mine).text, bool(row_of(database, other).text)) == ("", True)
    for words in ((), (mine, "--email", "a@b.example", "--site", "news"), ("--email", "a@b.c")):
        assert "give ids of comments, or --email with --site" in run("erase", *words).output
