from typing import Any

import pytest
from sqlalchemy import select

from moderation import site_settings, sites
from moderation.db import Database
from moderation.errors import Conflict, InvalidInput, NotFound
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.sites import SiteDirectory
from tests.support.comments import add_site

OTHER = SiteSettings.model_validate(
    {"rules": {"banned_words": ["casino*"]}, "thresholds": {"insult": 0.5}}
)


def recorded(database: Database, site_id: int) -> list[tuple[str, list[dict[str, Any]]]]:
    with database.read() as connection:
        return [
            (entry.actor, entry.changes)
            for entry in site_settings.history(connection, site_id, limit=10)
        ]


def stored(database: Database, name: str) -> SiteSettings:
    with database.read() as connection:
        return site_settings.site_named(connection, name).settings


def save(database: Database, before: SiteSettings, after: SiteSettings) -> None:
    with database.write() as connection:
        site_settings.save(connection, name="news", before=before, after=after, actor="ada")


def test_a_change_is_stored_with_who_made_it_and_what_was_before(database: Database) -> None:
    site = add_site(database, audit_share=SiteSettings().audit_share)
    save(database, SiteSettings(), OTHER)
    save(database, OTHER, SiteSettings())

    assert stored(database, "news") == SiteSettings()
    there = [
        {"setting": "rules.banned_words", "before": [], "after": ["casino*"]},
        {"setting": "thresholds.insult", "before": None, "after": 0.5},
    ]
    back = [entry | {"before": entry["after"], "after": entry["before"]} for entry in there]
    assert recorded(database, site) == [("ada", back), ("ada", there)]


def test_what_changes_nothing_is_not_recorded(database: Database) -> None:
    site = add_site(database, audit_share=SiteSettings().audit_share)
    save(database, SiteSettings(), SiteSettings())
    assert recorded(database, site) == []


def test_nothing_is_overwritten_that_the_changer_has_not_seen(database: Database) -> None:
    site = add_site(database, audit_share=SiteSettings().audit_share)
    save(database, SiteSettings(), OTHER)
    with pytest.raises(Conflict):
        save(database, SiteSettings(), SiteSettings(reject_above=0.9))
    assert stored(database, "news") == OTHER
    assert len(recorded(database, site)) == 1


def test_a_site_is_made_with_a_key_that_works(database: Database) -> None:
    with database.write() as connection:
        key = site_settings.add_site(connection, name="courier", actor="ada")
    site = SiteDirectory(database).by_key(key)
    assert site is not None
    assert site.name == "courier"
    hint = f"…{key[-4:]}"
    assert recorded(database, site.id) == [
        (
            "ada",
            [
                {"setting": "site", "before": None, "after": "courier"},
                {"setting": "key", "before": None, "after": hint},
            ],
        )
    ]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("news", "is taken"),
        ("", "has to be 1 to 64"),
        ("x" * 65, "has to be 1 to 64"),
        ("a/b", "has to be 1 to 64"),
        ("..", "has to be 1 to 64"),
        ("a b", "has to be 1 to 64"),
        ("a\n", "has to be 1 to 64"),
    ],
    ids=repr,
)
def test_what_cannot_be_a_site_is_refused(database: Database, name: str, complaint: str) -> None:
    add_site(database, audit_share=SiteSettings().audit_share)
    with pytest.raises(InvalidInput, match=complaint), database.write() as connection:
        site_settings.add_site(connection, name=name, actor="ada")
    with database.read() as connection:
        assert connection.scalars(select(Site.name)).all() == ["news"]


def test_a_key_works_until_it_is_revoked_and_both_are_recorded(database: Database) -> None:
    site = add_site(database, audit_share=SiteSettings().audit_share)
    with database.write() as connection:
        key = site_settings.give_key(connection, name="news", actor="ada")
    assert SiteDirectory(database).by_key(key) is not None
    with database.write() as connection:
        site_settings.take_key(connection, name="news", key_digest=sites.digest(key), actor="max")
        kept = [(k.hint, k.revoked_at is None) for k in sites.keys(connection, site)]
    assert SiteDirectory(database).by_key(key) is None
    assert kept == [("-key", True), (key[-4:], False)]
    hint = f"…{key[-4:]}"
    assert recorded(database, site) == [
        ("max", [{"setting": "key", "before": hint, "after": None}]),
        ("ada", [{"setting": "key", "before": None, "after": hint}]),
    ]


def test_a_site_takes_only_its_own_key_and_only_once(database: Database) -> None:
    add_site(database, audit_share=SiteSettings().audit_share)
    add_site(database, "other")
    digest = sites.digest("other-key")
    with database.write() as connection, pytest.raises(NotFound):
        site_settings.take_key(connection, name="news", key_digest=digest, actor="ada")
    with database.write() as connection:
        site_settings.take_key(connection, name="other", key_digest=digest, actor="ada")
        with pytest.raises(NotFound):
            site_settings.take_key(connection, name="other", key_digest=digest, actor="ada")


def test_a_site_that_is_not_there_is_not_changed(database: Database) -> None:
    with database.write() as connection, pytest.raises(NotFound, match="there is no site news"):
        site_settings.give_key(connection, name="news", actor="ada")
