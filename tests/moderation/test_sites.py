import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from moderation.clock import now_ms
from moderation.db import Database
from moderation.errors import InvalidInput
from moderation.models import Site, SiteKey
from moderation.sites import SiteDirectory, add_key, digest, new_key
from tests.support.comments import add_site


def revoke(database: Database, key: str) -> None:
    with database.write() as connection:
        connection.execute(
            update(SiteKey).where(SiteKey.digest == digest(key)).values(revoked_at=now_ms())
        )


def test_a_site_is_found_by_its_key_and_by_its_name(database: Database) -> None:
    site_id = add_site(database, "news", origins=("https://news.example",))
    sites = SiteDirectory(database)
    by_key, by_name = sites.by_key("news-key"), sites.by_name("news")
    assert by_key is not None
    assert by_key == by_name
    assert (by_key.id, by_key.name) == (site_id, "news")
    assert by_key.settings.origins == ("https://news.example",)
    assert by_key.settings.rules.max_links == 2


def test_each_site_has_its_own_keys_and_may_have_several(database: Database) -> None:
    news = add_site(database, "news")
    blog = add_site(database, "blog")
    with database.write() as connection:
        add_key(connection, site_id=news, key="second-key")
    sites = SiteDirectory(database)
    found = [sites.by_key(key) for key in ("news-key", "second-key", "blog-key")]
    assert [site.id for site in found if site] == [news, news, blog]


def test_only_the_hash_and_the_end_of_a_key_are_stored(database: Database) -> None:
    key = new_key()
    site_id = add_site(database)
    with database.write() as connection:
        add_key(connection, site_id=site_id, key=key)
    with database.read() as connection:
        rows = [*connection.execute(select(SiteKey)), *connection.execute(select(Site))]
    assert key not in repr(rows)
    assert digest(key) in {row.digest for row in rows if hasattr(row, "digest")}
    assert key[-4:] in {row.hint for row in rows if hasattr(row, "hint")}


def test_unknown_keys_and_names_find_nothing(database: Database) -> None:
    add_site(database)
    sites = SiteDirectory(database)
    assert sites.by_key("other-key") is None
    assert sites.by_key(digest("news-key")) is None
    assert sites.by_key("news") is None
    assert sites.by_name("news-key") is None
    assert sites.by_name("") is None


def test_a_key_that_was_unknown_works_as_soon_as_it_is_there(database: Database) -> None:
    sites = SiteDirectory(database)
    assert sites.by_key("news-key") is None
    add_site(database)
    assert sites.by_key("news-key") is not None


def test_a_revoked_key_works_no_longer_than_it_is_believed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_site(database)
    sites = SiteDirectory(database)
    monkeypatch.setattr("moderation.sites._BELIEVED_FOR", 1e9)
    assert sites.by_key("news-key") is not None
    revoke(database, "news-key")
    assert sites.by_key("news-key") is not None
    monkeypatch.setattr("moderation.sites._BELIEVED_FOR", 0.0)
    assert sites.by_key("news-key") is None
    # Once it was found to be revoked, no memory brings it back.
    monkeypatch.setattr("moderation.sites._BELIEVED_FOR", 1e9)
    assert sites.by_key("news-key") is None


def test_two_sites_cannot_have_one_name_or_one_key(database: Database) -> None:
    site_id = add_site(database)
    with pytest.raises(InvalidInput, match="name: is taken"):
        add_site(database)
    with pytest.raises(IntegrityError), database.write() as connection:
        add_key(connection, site_id=site_id, key="news-key")


def test_keys_that_are_made_up_are_long_and_differ() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert {len(new_key()) for _ in range(10)} == {32}
