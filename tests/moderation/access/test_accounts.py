from typing import Any

import argon2
import pytest
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import select

from moderation.access import accounts, tokens
from moderation.access.accounts import create_account
from moderation.db import Database
from moderation.domain import Role
from moderation.errors import Conflict, InvalidInput, NotFound
from moderation.models import Account, Site
from tests.support.comments import add_site

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _mona(database: Database, cheap_passwords: None) -> None:
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


def test_a_name_that_is_unknown_costs_as_much_as_a_wrong_password(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[argon2.Parameters] = []

    class Seeing(argon2.PasswordHasher):
        def verify(self, hash: str, password: str) -> bool:  # noqa: A002
            # Anything but a mismatch would mean that nothing was worked out.
            with pytest.raises(VerifyMismatchError) as caught:
                super().verify(hash, password)
            seen.append(argon2.extract_parameters(hash))
            raise caught.value

    monkeypatch.setattr(accounts, "_hasher", Seeing(time_cost=1, memory_cost=64, parallelism=1))
    for name in ("mona", "nobody"):
        assert signed_in(database, name, "wrong") is None
    known, unknown = seen
    assert known == unknown


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


@pytest.fixture
def sites(database: Database) -> dict[str, int]:
    return {name: add_site(database, name) for name in ("courier", "gazette")}


def account_named(database: Database, name: str) -> accounts.AccountRef:
    with database.read() as connection:
        found = accounts.by_id(connection, accounts.id_of(connection, name))
    assert found is not None
    return found


def test_a_moderator_sees_the_sites_of_the_memberships_and_no_other(
    database: Database, sites: dict[str, int]
) -> None:
    with database.write() as connection:
        create_account(
            connection, name="max", password=PASSWORD, role=Role.MODERATOR, sites=["gazette"]
        )
    for name, seen in (("max", {sites["gazette"]}), ("mona", set())):
        account = account_named(database, name)
        assert account.sites == seen
        assert {site for site in sites.values() if account.sees(site)} == seen
        with database.read() as connection:
            found = connection.scalars(select(Site.id).where(account.sees_in(Site.id)))
            assert set(found) == seen


def test_an_administrator_sees_every_site(database: Database, sites: dict[str, int]) -> None:
    with database.write() as connection:
        create_account(
            connection, name="ada", password=PASSWORD, role=Role.ADMINISTRATOR, sites=["gazette"]
        )
    ada = account_named(database, "ada")
    assert ada.sites is None
    assert ada.is_administrator
    assert all(map(ada.sees, sites.values()))
    with database.read() as connection:
        assert set(connection.scalars(select(Site.id).where(ada.sees_in(Site.id)))) == set(
            sites.values()
        )


def test_role_and_sites_can_be_changed(database: Database, sites: dict[str, int]) -> None:
    mona = account_named(database, "mona").id
    with database.write() as connection:
        accounts.set_role(connection, mona, Role.ADMINISTRATOR, [])
    assert account_named(database, "mona").sites is None
    with database.write() as connection:
        create_account(connection, name="ada", password=PASSWORD, role=Role.ADMINISTRATOR)
        accounts.set_role(connection, mona, Role.MODERATOR, ["courier"])
    assert account_named(database, "mona").sites == {sites["courier"]}
    with database.read() as connection:
        listed = [(a.name, a.role, a.sites) for a in accounts.listed(connection)]
    assert listed == [("ada", "administrator", ()), ("mona", "moderator", ("courier",))]


def test_the_last_administrator_stays(database: Database) -> None:
    mona = account_named(database, "mona").id
    with database.write() as connection:
        accounts.set_role(connection, mona, Role.ADMINISTRATOR, [])
    with pytest.raises(Conflict, match="last administrator"), database.write() as connection:
        accounts.set_role(connection, mona, Role.MODERATOR, [])
    with pytest.raises(Conflict, match="last administrator"), database.write() as connection:
        accounts.remove(connection, mona)
    assert account_named(database, "mona").is_administrator


def test_a_removed_account_leaves_nothing_that_signs_in(database: Database) -> None:
    with database.write() as connection:
        create_account(connection, name="ada", password=PASSWORD, role=Role.ADMINISTRATOR)
        mona = accounts.id_of(connection, "mona")
        token = tokens.create(connection, account_id=mona, label="export")
        accounts.remove(connection, mona)
    assert signed_in(database, "mona", PASSWORD) is None
    with database.read() as connection:
        assert tokens.account_with(connection, token) is None


@pytest.mark.parametrize("change", ["set_password", "end_sessions"])
def test_a_new_password_and_a_sign_out_everywhere_end_the_sessions(
    database: Database, change: str
) -> None:
    before = account_named(database, "mona")
    further = ["a rather new password"] if change == "set_password" else []
    with database.write() as connection:
        getattr(accounts, change)(connection, before.id, *further)
    assert account_named(database, "mona").session_nonce != before.session_nonce
    assert (signed_in(database, "mona", PASSWORD) is None) == (change == "set_password")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"password": "too short"}, "password: needs at least 12 characters"),
        ({"password": "x" * 1001}, "password: is too long"),
        ({"name": "  "}, "name: is required"),
        ({"name": "a\x07b"}, "name: is required, without control characters"),
        ({"name": "x" * 65}, "name: is too long"),
        ({"sites": ["nowhere", "courier"]}, "sites: cannot be given: there is no site nowhere"),
    ],
    ids=str,
)
def test_what_cannot_be_an_account_is_refused(
    database: Database, sites: dict[str, int], fields: dict[str, Any], complaint: str
) -> None:
    wanted = {"name": "new", "password": PASSWORD, "role": Role.MODERATOR} | fields
    with pytest.raises(InvalidInput, match=complaint), database.write() as connection:
        create_account(connection, **wanted)


def test_who_is_not_there_is_not_changed(database: Database) -> None:
    with database.write() as connection:
        for change in (
            lambda: accounts.id_of(connection, "nobody"),
            lambda: accounts.remove(connection, 999),
            lambda: accounts.set_role(connection, 999, Role.MODERATOR, []),
        ):
            with pytest.raises(NotFound):
                change()
