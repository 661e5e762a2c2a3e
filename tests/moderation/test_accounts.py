import pytest
from sqlalchemy import select

from moderation import accounts
from moderation.accounts import create_account
from moderation.db import Database
from moderation.domain import Role
from moderation.errors import InvalidInput
from moderation.models import Account

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _mona(database: Database) -> None:
    with database.write() as connection:
        create_account(connection, name="mona", password=PASSWORD, role=Role.MODERATOR)


def signed_in(database: Database, name: str, password: str) -> accounts.AccountRef | None:
    with database.read() as connection:
        return accounts.sign_in(connection, name=name, password=password)


def test_name_and_password_sign_in(database: Database) -> None:
    account = signed_in(database, "mona", PASSWORD)
    assert account is not None
    assert (account.name, account.role) == ("mona", Role.MODERATOR)
    with database.read() as connection:
        assert accounts.by_id(connection, account.id) == account


@pytest.mark.parametrize(
    ("name", "password"),
    [("mona", "wrong"), ("mona", ""), ("mona", PASSWORD + " "), ("Mona", PASSWORD), ("", PASSWORD)],
)
def test_anything_else_does_not(database: Database, name: str, password: str) -> None:
    assert signed_in(database, name, password) is None


def test_the_hash_does_not_sign_in_and_the_password_is_not_stored(database: Database) -> None:
    with database.read() as connection:
        row = connection.execute(select(Account)).one()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in repr(row)
    assert signed_in(database, "mona", row.password_hash) is None


def test_a_hash_that_is_damaged_signs_nobody_in(database: Database) -> None:
    with database.write() as connection:
        connection.execute(Account.__table__.update().values(password_hash="damaged"))
    assert signed_in(database, "mona", PASSWORD) is None


def test_an_unknown_id_is_nobody(database: Database) -> None:
    with database.read() as connection:
        assert accounts.by_id(connection, 999) is None


def test_two_accounts_cannot_have_one_name(database: Database) -> None:
    with pytest.raises(InvalidInput, match="name: is taken"), database.write() as connection:
        create_account(connection, name="Mona", password=PASSWORD, role=Role.ADMINISTRATOR)
