import pytest

from moderation.clock import HOUR
from moderation.db import Database
from moderation.website.sent import Sent
from tests.support.comments import PAGE, add_comment, add_site

HERE = Sent("akismet", "He said it's a text", (PAGE, "203.0.113.7"))


def key(database: Database, site: int, sent: Sent) -> str:
    with database.read() as connection:
        return sent.key(connection, site)


def found(database: Database, site: int, sent: Sent, **known: str) -> str | None:
    with database.read() as connection:
        row = sent.find(connection, site, **known)
    return None if row is None else str(row.id)


def test_the_same_call_has_the_same_key_for_a_while(database: Database) -> None:
    site = add_site(database)
    first = key(database, site, HERE)
    assert found(database, site, HERE) is None
    comment_id = add_comment(database, site, idempotency_key=first)
    assert key(database, site, HERE) == first
    assert found(database, site, HERE) == comment_id
    assert found(database, site + 1, HERE) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestRecognizing:
    def test_the_same_words_from_elsewhere_are_another_call(self, database: Database) -> None:
        site = add_site(database)
        there = Sent("akismet", HERE.text, ("/other",))
        first = key(database, site, HERE)
        assert key(database, site, there) != first
        comment_id = add_comment(database, site, idempotency_key=first)
        assert key(database, site, there) != first
        assert found(database, site, there) == comment_id

    def test_the_same_much_later_is_another_comment(self, database: Database) -> None:
        site = add_site(database)
        past = key(database, site, HERE).rpartition("-")[0] + "-1"
        old = add_comment(database, site, idempotency_key=past, age=HOUR)
        assert key(database, site, HERE) != past
        assert found(database, site, HERE) == old

    def test_backslashes_and_white_space_make_no_difference(self, database: Database) -> None:
        site = add_site(database)
        comment_id = add_comment(database, site, idempotency_key=key(database, site, HERE))
        assert found(database, site, Sent("akismet", "He  said it\\'s a\r\ntext ")) == comment_id

    def test_of_one_text_the_comment_of_the_same_author_and_page_is_meant(
        self, database: Database
    ) -> None:
        site = add_site(database)
        zoe, eve, elsewhere = (
            add_comment(
                database,
                site,
                idempotency_key=key(database, site, Sent("akismet", HERE.text, (name, page))),
                name=name,
                page=page,
            )
            for name, page in (("Zoë", PAGE), ("Eve", PAGE), ("Zoë", "/other"))
        )
        assert found(database, site, HERE, name="Zoë", page=PAGE) == zoe
        assert found(database, site, HERE, name="Zoë", page="/third") == elsewhere
        assert found(database, site, HERE, name="Eve", email="") == eve
        assert found(database, site, HERE, name="Mallory") is None
        assert found(database, site, HERE, name="Zoë", email="other@example.org") is None

    @pytest.mark.parametrize("text", ["He said it's a text.", "he said it's a text", ""])
    def test_another_text_or_protocol_is_another_comment(
        self, database: Database, text: str
    ) -> None:
        site = add_site(database)
        add_comment(database, site, idempotency_key=key(database, site, HERE))
        assert found(database, site, Sent("akismet", text)) is None
        assert found(database, site, Sent("coral", HERE.text)) is None
