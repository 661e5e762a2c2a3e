"""What a browser and a site's server send."""

import re
from typing import Any

from flask.testing import FlaskClient

from moderation.access import accounts, tokens
from moderation.access.bootstrap import FIRST_ADMINISTRATOR, FIRST_SITE
from moderation.db import Database
from moderation.domain import Role
from tests.support.service import ADMIN_PASSWORD, SITE_KEY

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
KEY = {"Authorization": f"Bearer {SITE_KEY}"}

FIELDS = {
    "page": "https://news.example/bridge",
    "name": "Zoë",
    "email": "zoe@example.org",
    "text": "The old bridge had a tram line, which nobody mentions.",
}
FORM = FIELDS | {"site": FIRST_SITE}


def first_site(client: FlaskClient) -> int:
    """The id of the site that the first start made."""
    site = client.application.extensions["moderation"].sites.by_name(FIRST_SITE)
    return int(site.id)


def csrf_token(client: FlaskClient, address: str) -> str:
    """The token in the form at `address`."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(address).text)
    assert found is not None
    return found.group(1)


def sign_in(client: FlaskClient, *, address: str = "/sign-in", **changes: str) -> Any:
    """The answer to the sign-in form, sent as the first administrator does."""
    form = {
        "name": FIRST_ADMINISTRATOR,
        "password": ADMIN_PASSWORD,
        "csrf_token": csrf_token(client, "/sign-in"),
    }
    return client.post(address, data=form | changes)


PASSWORD = "correct horse battery"


def add_moderator(database: Database, name: str, *sites: str) -> int:
    """A moderator of these sites with `PASSWORD`; the account's id."""
    with database.write() as connection:
        return accounts.create_account(
            connection, name=name, password=PASSWORD, role=Role.MODERATOR, sites=sites
        )


def moderator_token(client: FlaskClient, name: str = FIRST_ADMINISTRATOR) -> dict[str, str]:
    """The header with a new token of the account."""
    with client.application.extensions["moderation"].database.write() as connection:
        account_id = accounts.id_of(connection, name)
        token = tokens.create(connection, account_id=account_id, label="test")
    return {"Authorization": f"Bearer {token}"}
