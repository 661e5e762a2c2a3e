import pytest

from moderation.clock import HOUR
from moderation.db import Database
from moderation.sent import Sent
from tests.support.comments import add_comment, add_site


def test_the_same_call_has_the_same_key_for_a_while(database: Database) -> None:
    site = add_site(database)
    sent = Sent("akismet", ("Zoë", "A text"), ("/page", "203.0.113.7"))
    with database.read() as connection:
        key = sent.key(connection, site)
        assert sent.find(connection, site) is None
    comment_id = add_comment(database, site, idempotency_key=key)
    with database.read() as connection:
        assert sent.key(connection, site) == key
        assert sent.find(connection, site).id == comment_id
        assert sent.find(connection, site + 1) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestRecognizing:
    def test_the_same_words_from_elsewhere_are_another_call_about_the_same_content(
        self, database: Database
    ) -> None:
        site = add_site(database)
        here = Sent("akismet", ("Zoë", "A text"), ("/page",))
        there = Sent("akismet", ("Zoë", "A text"), ("/other",))
        with database.read() as connection:
            key = here.key(connection, site)
            assert there.key(connection, site) != key
        comment_id = add_comment(database, site, idempotency_key=key)
        with database.read() as connection:
            assert there.key(connection, site) != key
            assert there.find(connection, site).id == comment_id

    def test_the_same_much_later_is_another_comment(self, database: Database) -> None:
        site = add_site(database)
        sent = Sent("akismet", ("Zoë", "A text"))
        with database.read() as connection:
            key = sent.key(connection, site).rpartition("-")[0] + "-1"
        old = add_comment(database, site, idempotency_key=key, age=HOUR)
        with database.read() as connection:
            assert sent.key(connection, site) != key
            assert sent.find(connection, site).id == old

    @pytest.mark.parametrize("other", [("Zoë", "A text."), ("ZoëA", " text"), ("A text", "Zoë")])
    def test_other_content_is_not_found(self, database: Database, other: tuple[str, ...]) -> None:
        site = add_site(database)
        with database.read() as connection:
            key = Sent("akismet", ("Zoë", "A text")).key(connection, site)
        add_comment(database, site, idempotency_key=key)
        with database.read() as connection:
            assert Sent("akismet", other).find(connection, site) is None
            assert Sent("coral", ("Zoë", "A text")).find(connection, site) is None
