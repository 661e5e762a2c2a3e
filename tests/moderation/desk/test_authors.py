import pytest

from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import authors
from moderation.desk.authors import Record
from moderation.domain import Role, Standing, Status
from moderation.errors import NotFound
from tests.support.comments import add_comment, add_site, row_of


def test_a_record_counts_the_author_on_the_site_alone(database: Database) -> None:
    site, other = add_site(database), add_site(database, "blog")
    ids = [
        add_comment(database, site, status=status)
        for status in (Status.APPROVED, Status.APPROVED, Status.REJECTED, Status.HELD)
    ]
    add_comment(database, site, status=Status.HELD, email="ada@example.org")
    add_comment(database, other, status=Status.HELD)
    author = (site, row_of(database, ids[0]).author_id)
    with database.read() as connection:
        assert authors.records(connection, ids) == {author: Record(2, 1, 1, None)}
        assert authors.records(connection, []) == {}


def test_counting_an_author_stops(database: Database) -> None:
    site = add_site(database)
    ids = [add_comment(database, site, status=Status.HELD) for _ in range(authors.COUNTED + 1)]
    author = (site, row_of(database, ids[0]).author_id)
    with database.read() as connection:
        assert authors.records(connection, ids[:1])[author].held == authors.COUNTED


def test_a_standing_replaces_the_one_before_and_needs_the_site(database: Database) -> None:
    site = add_site(database)
    comment_id = add_comment(database, site, status=Status.HELD)
    author = (site, row_of(database, comment_id).author_id)
    mona = AccountRef(1, "mona", Role.MODERATOR, frozenset({site}))
    stranger = AccountRef(2, "nils", Role.MODERATOR, frozenset())
    for standing in (Standing.TRUSTED, Standing.BLOCKED, None):
        with database.write() as connection:
            authors.set_standing(
                connection, comment_id=comment_id, standing=standing, moderator=mona
            )
        with database.read() as connection:
            assert authors.records(connection, [comment_id])[author].standing is standing
    with pytest.raises(NotFound), database.write() as connection:
        authors.set_standing(
            connection, comment_id=comment_id, standing=Standing.BLOCKED, moderator=stranger
        )
