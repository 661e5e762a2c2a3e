import pytest
from sqlalchemy import select

from moderation.access import accounts, tokens
from moderation.access.accounts import create_account
from moderation.db import Database
from moderation.domain import Role
from moderation.errors import InvalidInput, NotFound
from moderation.models import ApiToken


@pytest.fixture
def mona(database: Database, cheap_passwords: None) -> int:
    with database.write() as connection:
        create_account(
            connection, name="max", password="correct horse battery", role=Role.MODERATOR
        )
        return create_account(
            connection, name="mona", password="correct horse battery", role=Role.MODERATOR
        )


def test_a_token_acts_for_its_account_until_it_is_revoked(database: Database, mona: int) -> None:
    with database.write() as connection:
        token = tokens.create(connection, account_id=mona, label=" export ")
        account = tokens.account_with(connection, token)
        assert account == accounts.by_id(connection, mona)
        (kept,) = tokens.of_account(connection, mona)
        assert (kept.label, kept.hint) == ("export", token[-4:])
        tokens.revoke(connection, account_id=mona, token_digest=kept.digest)
        assert tokens.account_with(connection, token) is None
        assert tokens.of_account(connection, mona) == []


def test_the_token_itself_is_not_stored(database: Database, mona: int) -> None:
    with database.write() as connection:
        token = tokens.create(connection, account_id=mona, label="export")
        row = connection.execute(select(ApiToken)).one()
        assert token not in repr(row)
        assert tokens.account_with(connection, row.digest) is None


def test_nobody_revokes_the_token_of_another(database: Database, mona: int) -> None:
    with database.write() as connection:
        token = tokens.create(connection, account_id=mona, label="export")
        (kept,) = tokens.of_account(connection, mona)
        other = accounts.id_of(connection, "max")
        with pytest.raises(NotFound):
            tokens.revoke(connection, account_id=other, token_digest=kept.digest)
        assert tokens.account_with(connection, token) is not None


@pytest.mark.parametrize("label", ["", "  ", "x" * 65, "a\0b"], ids=repr)
def test_a_token_says_what_it_is_for(database: Database, mona: int, label: str) -> None:
    with (
        database.write() as connection,
        pytest.raises(InvalidInput, match="label: has to have 1 to 64 characters"),
    ):
        tokens.create(connection, account_id=mona, label=label)
