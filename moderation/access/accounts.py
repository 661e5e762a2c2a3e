"""People who sign in, what they may do, and which sites they see."""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    SQLColumnExpression,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from moderation.clock import now_ms
from moderation.domain import Role
from moderation.errors import Conflict, FieldError, InvalidInput, NotFound
from moderation.models import Account, ApiToken, Membership, Site

_Rows = Select[int, str, str, str, int]

NAME_LENGTH = 64
PASSWORD_LENGTH = 12
"""Characters that a password has to have at least."""
LONGEST_PASSWORD = 1_000

# Argon2id with the library's parameters, which follow RFC 9106.
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account as the layers above know it."""

    id: int
    name: str
    role: Role
    sites: frozenset[int] | None
    """Ids of the sites it sees; None: every site, now and later."""
    session_nonce: str = ""

    @property
    def is_administrator(self) -> bool:
        """Whether it may change accounts and settings, and sees every site."""
        return self.role is Role.ADMINISTRATOR

    def sees(self, site_id: int) -> bool:
        """Whether the site is one of its sites."""
        return self.sites is None or site_id in self.sites

    def sees_in(self, column: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """The condition that `column`, a site's id, is one of its sites: for every query whose
        rows belong to a site."""
        return true() if self.sites is None else column.in_(sorted(self.sites))


@dataclass(frozen=True, slots=True)
class Listed:
    """An account in the list of all of them."""

    id: int
    name: str
    role: Role
    sites: tuple[str, ...]
    """Names of the sites it sees; none for an administrator, who sees every site."""


def create_account(
    connection: Connection, *, name: str, password: str, role: Role, sites: Iterable[str] = ()
) -> int:
    """Store an account, of whose password only a hash is kept; its id.

    Raises:
        InvalidInput: the name is taken or the password too short, or there is no such site.
    """
    name = name.strip()
    _check_name(connection, name)
    check_password(password)
    row = connection.execute(
        insert(Account)
        .values(
            name=name,
            password_hash=_hasher.hash(password),
            role=role,
            created_at=now_ms(),
            session_nonce=_nonce(),
        )
        .returning(Account.id)
    )
    account_id: int = row.scalar_one()
    _set_sites(connection, account_id, role, sites)
    return account_id


def sign_in(connection: Connection, *, name: str, password: str) -> AccountRef | None:
    """The account with this name and password, if there is one."""
    if len(password) > LONGEST_PASSWORD:
        return None
    row = connection.execute(
        select(Account.id, Account.password_hash).where(Account.name == name)
    ).one_or_none()
    try:
        _hasher.verify(row.password_hash if row else _hash_of_nobody(), password)
    except (VerificationError, InvalidHashError):
        return None
    return by_id(connection, row.id) if row else None


def _hash_of_nobody() -> str:
    """Checked when there is no such account, so that the answer takes as long. It is drawn, not
    worked out: that would take each process that starts a tenth of a second."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (_hasher.salt_len, _hasher.hash_len)
    )
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


def by_id(connection: Connection, account_id: int) -> AccountRef | None:
    """The account with this id."""
    return _one(connection, _with_sites().where(Account.id == account_id))


def by_token_digest(connection: Connection, digest: str) -> AccountRef | None:
    """The account that a token with this digest acts for."""
    query = _with_sites().join(ApiToken, ApiToken.account_id == Account.id)
    return _one(connection, query.where(ApiToken.digest == digest))


def listed(connection: Connection) -> list[Listed]:
    """Every account, by name."""
    names: dict[int, list[str]] = {}
    for row in connection.execute(
        select(Membership.account_id, Site.name)
        .join(Site, Site.id == Membership.site_id)
        .order_by(Site.name)
    ):
        names.setdefault(row.account_id, []).append(row.name)
    query = select(Account.id, Account.name, Account.role).order_by(Account.name)
    return [
        Listed(row.id, row.name, Role(row.role), tuple(names.get(row.id, ())))
        for row in connection.execute(query)
    ]


def set_role(connection: Connection, account_id: int, role: Role, sites: Iterable[str]) -> None:
    """Give an account another role and other sites.

    Raises:
        NotFound: there is no such account.
        Conflict: it is the last administrator, and would be one no more.
        InvalidInput: there is no such site.
    """
    _lock(connection, account_id, stays_administrator=role is Role.ADMINISTRATOR)
    connection.execute(update(Account).where(Account.id == account_id).values(role=role))
    connection.execute(delete(Membership).where(Membership.account_id == account_id))
    _set_sites(connection, account_id, role, sites)


def set_password(connection: Connection, account_id: int, password: str) -> None:
    """Give an account another password, and end its sessions.

    Raises:
        InvalidInput: the password is too short.
    """
    check_password(password)
    connection.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(password_hash=_hasher.hash(password), session_nonce=_nonce())
    )


def end_sessions(connection: Connection, account_id: int) -> None:
    """Sign an account out everywhere. Its tokens go on working."""
    connection.execute(
        update(Account).where(Account.id == account_id).values(session_nonce=_nonce())
    )


def remove(connection: Connection, account_id: int) -> None:
    """Remove an account with its tokens. What it decided stays, under its name.

    Raises:
        NotFound: there is no such account.
        Conflict: it is the last administrator.
    """
    _lock(connection, account_id, stays_administrator=False)
    connection.execute(delete(ApiToken).where(ApiToken.account_id == account_id))
    connection.execute(delete(Membership).where(Membership.account_id == account_id))
    connection.execute(delete(Account).where(Account.id == account_id))


def id_of(connection: Connection, name: str) -> int:
    """The id of the account with this name.

    Raises:
        NotFound: there is none.
    """
    account_id = connection.scalar(select(Account.id).where(Account.name == name))
    if account_id is None:
        raise NotFound(f"there is no account {name}")
    return account_id


def check_password(password: str) -> None:
    """Make sure that a password may be one.

    Raises:
        InvalidInput: it is too short or too long.
    """
    if len(password) < PASSWORD_LENGTH:
        detail = f"needs at least {PASSWORD_LENGTH} characters"
        raise InvalidInput(FieldError("password", detail))
    if len(password) > LONGEST_PASSWORD:
        detail = f"is too long: at most {LONGEST_PASSWORD:,} characters"
        raise InvalidInput(FieldError("password", detail))


def _with_sites() -> _Rows:
    return select(
        Account.id, Account.name, Account.role, Account.session_nonce, Membership.site_id
    ).outerjoin(Membership, Membership.account_id == Account.id)


def _one(connection: Connection, query: _Rows) -> AccountRef | None:
    rows = connection.execute(query).all()
    if not rows:
        return None
    role = Role(rows[0].role)
    sites = frozenset(row.site_id for row in rows if row.site_id is not None)
    seen = None if role is Role.ADMINISTRATOR else sites
    return AccountRef(rows[0].id, rows[0].name, role, seen, rows[0].session_nonce)


def _check_name(connection: Connection, name: str) -> None:
    if not name or not name.isprintable():
        raise InvalidInput(FieldError("name", "is required, without control characters"))
    if len(name) > NAME_LENGTH:
        raise InvalidInput(FieldError("name", f"is too long: at most {NAME_LENGTH} characters"))
    # Two people whose names differ by case only would be taken for one.
    taken = select(Account.id).where(func.lower(Account.name) == func.lower(name))
    if connection.execute(taken.limit(1)).first() is not None:
        raise InvalidInput(FieldError("name", "is taken: there is such an account already"))


def _set_sites(connection: Connection, account_id: int, role: Role, sites: Iterable[str]) -> None:
    wanted = set(sites)
    if role is Role.ADMINISTRATOR or not wanted:
        return
    sites_there = connection.execute(select(Site.id, Site.name))
    found = {row.name: row.id for row in sites_there if row.name in wanted}
    if unknown := sorted(wanted - found.keys()):
        raise InvalidInput(
            FieldError("sites", f"cannot be given: there is no site {', '.join(unknown)}")
        )
    connection.execute(
        insert(Membership),
        [{"account_id": account_id, "site_id": site_id} for site_id in found.values()],
    )


def _lock(connection: Connection, account_id: int, *, stays_administrator: bool) -> None:
    """Keep the accounts from changing, and make sure that an administrator remains."""
    query = select(Account.id, Account.role).order_by(Account.id).with_for_update()
    roles = {row.id: Role(row.role) for row in connection.execute(query)}
    if account_id not in roles:
        raise NotFound("there is no such account")
    administrators = [number for number, role in roles.items() if role is Role.ADMINISTRATOR]
    if not stays_administrator and administrators == [account_id]:
        raise Conflict("this is the last administrator, and the service needs one")


def _nonce() -> str:
    return secrets.token_hex(16)
