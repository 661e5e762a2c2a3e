"""People who sign in."""

import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, insert, select

from moderation.clock import now_ms
from moderation.domain import Role
from moderation.models import Account

# Argon2id with the library's parameters, which follow RFC 9106.
_hasher = PasswordHasher()

# Checked when there is no such account, so that the answer takes as long.
_NOBODY = _hasher.hash(secrets.token_urlsafe())


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account as the layers above know it."""

    id: int
    name: str
    role: Role
    sites: frozenset[int] | None = None
    """The sites whose comments the account may see; None for all."""


def create_account(connection: Connection, *, name: str, password: str, role: Role) -> None:
    """Store an account; only a hash of the password is kept."""
    connection.execute(
        insert(Account).values(
            name=name, password_hash=_hasher.hash(password), role=role, created_at=now_ms()
        )
    )


def sign_in(connection: Connection, *, name: str, password: str) -> AccountRef | None:
    """The account with this name and password, if there is one."""
    row = connection.execute(select(Account).where(Account.name == name)).one_or_none()
    try:
        _hasher.verify(row.password_hash if row else _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return None
    return AccountRef(row.id, row.name, Role(row.role)) if row else None


def by_id(connection: Connection, account_id: int) -> AccountRef | None:
    """The account with this id."""
    row = connection.execute(
        select(Account.id, Account.name, Account.role).where(Account.id == account_id)
    ).one_or_none()
    return AccountRef(row.id, row.name, Role(row.role)) if row else None
