"""API tokens: what a program sends to act for a moderator."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from moderation.access import accounts
from moderation.access.accounts import AccountRef
from moderation.clock import now_ms
from moderation.errors import FieldError, InvalidInput, NotFound
from moderation.models import ApiToken
from moderation.sites import digest, new_key

LABEL_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner sees it later."""

    digest: str
    label: str
    hint: str
    created_at: int


def create(connection: Connection, *, account_id: int, label: str) -> str:
    """A new token for the account, which is not kept: it can be shown this once.

    Raises:
        InvalidInput: the label is empty or too long.
    """
    label = label.strip()
    if not 0 < len(label) <= LABEL_LENGTH or not label.isprintable():
        raise InvalidInput(FieldError("label", f"has to have 1 to {LABEL_LENGTH} characters"))
    token = new_key()
    connection.execute(
        insert(ApiToken).values(
            digest=digest(token),
            account_id=account_id,
            label=label,
            hint=token[-4:],
            created_at=now_ms(),
        )
    )
    return token


def of_account(connection: Connection, account_id: int) -> list[Token]:
    """The account's tokens, the oldest first."""
    query = (
        select(ApiToken.digest, ApiToken.label, ApiToken.hint, ApiToken.created_at)
        .where(ApiToken.account_id == account_id)
        .order_by(ApiToken.created_at, ApiToken.digest)
    )
    return [Token(**row._mapping) for row in connection.execute(query)]


def revoke(connection: Connection, *, account_id: int, token_digest: str) -> None:
    """Let a token work no more.

    Raises:
        NotFound: the account has no such token.
    """
    gone = connection.execute(
        delete(ApiToken).where(ApiToken.digest == token_digest, ApiToken.account_id == account_id)
    )
    if not gone.rowcount:
        raise NotFound("there is no such token")


def account_with(connection: Connection, token: str) -> AccountRef | None:
    """The account that this token acts for; None if there is no such token."""
    return accounts.by_token_digest(connection, digest(token))
