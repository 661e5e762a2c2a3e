import pytest
from sqlalchemy import func, select

from moderation.access import accounts
from moderation.access.bootstrap import FIRST_ADMINISTRATOR, FIRST_SITE, FirstSecrets, bootstrap
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import Role
from moderation.models import Account, Site
from moderation.sites import SiteDirectory, digest, revoke_key
from tests.support.comments import add_site
from tests.support.service import ADMIN_PASSWORD, SITE_KEY

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def administrator(database: Database, password: str) -> accounts.AccountRef | None:
    with database.read() as connection:
        return accounts.sign_in(connection, name=FIRST_ADMINISTRATOR, password=password)


def test_the_first_site_and_administrator_get_the_secrets_that_were_given(
    database: Database, settings: Settings
) -> None:
    assert bootstrap(database, settings) == FirstSecrets(None, None)
    site = SiteDirectory(database).by_key(SITE_KEY)
    assert site is not None
    assert site.name == FIRST_SITE
    account = administrator(database, ADMIN_PASSWORD)
    assert account is not None
    assert account.role is Role.ADMINISTRATOR


def test_secrets_that_were_not_given_are_made_up_and_told_once(database: Database) -> None:
    first = bootstrap(database, Settings())
    assert SiteDirectory(database).by_key(first.site_key or "") is not None
    assert administrator(database, first.admin_password or "") is not None
    assert bootstrap(database, Settings()) == FirstSecrets(None, None)


def test_a_given_key_is_the_first_sites_also_where_that_was_made_before(
    database: Database, settings: Settings
) -> None:
    courier = add_site(database, "courier")
    add_site(database, "blog")
    assert bootstrap(database, settings) == FirstSecrets(None, None)
    site = SiteDirectory(database).by_key(SITE_KEY)
    assert site is not None
    assert site.id == courier
    assert SiteDirectory(database).by_key("courier-key") == site


def test_a_given_key_that_was_revoked_stays_so(database: Database, settings: Settings) -> None:
    bootstrap(database, settings)
    with database.write() as connection:
        first = connection.execute(select(Site.id)).scalar_one()
        revoke_key(connection, site_id=first, key_digest=digest(SITE_KEY))
    bootstrap(database, settings)
    assert SiteDirectory(database).by_key(SITE_KEY) is None


def test_a_second_start_changes_nothing(database: Database, settings: Settings) -> None:
    bootstrap(database, settings)
    bootstrap(database, settings)
    with database.read() as connection:
        for table in (Site, Account):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 1
