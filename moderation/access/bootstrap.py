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
from moderation.sites import add_key, create_site, new_key, was_key

FIRST_SITE = "demo"
FIRST_ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class FirstSecrets:
    """What was made up now and is shown this once; None where nothing was."""

    site_key: str | None = None
    admin_password: str | None = None


def bootstrap(database: Database, settings: Settings) -> FirstSecrets:
    """Create the first site and administrator, where there is none yet. A key in the settings that
    was never one of a site's becomes one of the first site's, whoever made that."""
    site_key = admin_password = None
    with database.write() as connection:
        first = connection.scalar(select(Site.id).order_by(Site.id).limit(1))
        given = settings.site_key.get_secret_value()
        if first is None:
            key = given or new_key()
            create_site(connection, name=FIRST_SITE, key=key, settings=SiteSettings())
            site_key = None if given else key
        elif given and not was_key(connection, given):
            add_key(connection, site_id=first, key=given)
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
