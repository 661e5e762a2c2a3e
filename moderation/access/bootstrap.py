"""The first start: the first site, its key, and the first administrator."""

import secrets
from dataclasses import dataclass

from sqlalchemy import select

from moderation.access.accounts import create_account
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import Role
from moderation.models import Account, Site
from moderation.policy import SiteSettings
from moderation.sites import create_site, new_key

FIRST_SITE = "demo"
FIRST_ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class FirstSecrets:
    """What was made up now and is shown this once; None where nothing was."""

    site_key: str | None = None
    admin_password: str | None = None


def bootstrap(database: Database, settings: Settings) -> FirstSecrets:
    """Create the first site and administrator, where there is none yet."""
    site_key = admin_password = None
    with database.write() as connection:
        if connection.execute(select(Site.id).limit(1)).first() is None:
            given = settings.site_key.get_secret_value()
            key = given or new_key()
            create_site(connection, name=FIRST_SITE, key=key, settings=SiteSettings())
            site_key = None if given else key
        if connection.execute(select(Account.id).limit(1)).first() is None:
            given = settings.admin_password.get_secret_value()
            password = given or secrets.token_urlsafe(12)
            create_account(
                connection,
                name=FIRST_ADMINISTRATOR,
                password=password,
                role=Role.ADMINISTRATOR,
            )
            admin_password = None if given else password
    return FirstSecrets(site_key, admin_password)
