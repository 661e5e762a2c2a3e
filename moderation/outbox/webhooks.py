"""What sites are told, and at which addresses: messages as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import standardwebhooks
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from moderation.clock import DAY, now_ms, to_datetime
from moderation.db import to_json
from moderation.domain import ActorKind, Status
from moderation.errors import NotFound
from moderation.models import Comment, Delivery, Thread, Webhook
from moderation.outbox import deliveries
from moderation.outbox.deliveries import Message, Taken

EARLIER_SECRET_SIGNS_FOR = 1 * DAY
"""How long the secret before the present one signs too, after it was changed."""

_SECRET_BYTES = 32


class MessageType(StrEnum):
    """What a message tells of; a webhook gets those that it was made for, and tests."""

    APPROVED = "comment.approved"
    HELD = "comment.held"
    REJECTED = "comment.rejected"
    TEST = "webhook.test"


CHOOSABLE = (MessageType.APPROVED, MessageType.HELD, MessageType.REJECTED)

_TYPE_OF = {
    Status.APPROVED: MessageType.APPROVED,
    Status.HELD: MessageType.HELD,
    Status.REJECTED: MessageType.REJECTED,
}

_BY = {ActorKind.WORKER: "service", ActorKind.MODERATOR: "moderator", ActorKind.CLIENT: "client"}


class Changed(NamedTuple):
    """A comment whose status has changed."""

    site_id: int
    comment_id: str
    previous: str
    status: Status
    reason: str
    version: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook as it is shown later: without its secret."""

    id: int
    url: str
    types: list[str]
    created_at: int
    earlier_until: int
    gone_at: int | None


Listeners = Mapping[int, Sequence[tuple[int, Sequence[str]]]]
"""By the site's id, the ids of its webhooks and the types of messages that each gets."""


# Made once: it is asked with every decision.
_LISTENERS = select(Webhook.site_id, Webhook.id, Webhook.types).where(
    Webhook.site_id.in_(bindparam("sites", expanding=True)), Webhook.gone_at.is_(None)
)


def listeners(connection: Connection, site_ids: Iterable[int]) -> Listeners:
    """Who is to be told of comments of these sites."""
    found: dict[int, list[tuple[int, Sequence[str]]]] = {}
    for site_id, webhook_id, types in connection.execute(_LISTENERS, {"sites": list(site_ids)}):
        found.setdefault(site_id, []).append((webhook_id, types))
    return found


def tell(
    connection: Connection,
    listening: Listeners,
    changes: Iterable[Changed],
    *,
    by: ActorKind,
    at: int,
) -> None:
    """Have the sites told of these changes, as soon as they are durable."""
    told = [one for one in changes if one.site_id in listening and one.status != one.previous]
    if not told:
        return
    pages = _pages(connection, [one.comment_id for one in told])
    deliveries.enqueue(
        connection,
        (
            Message(
                site_id=one.site_id,
                webhook_id=webhook_id,
                type=_TYPE_OF[one.status],
                comment_id=one.comment_id,
                body=body,
            )
            for one in told
            for body in (_about(one, pages[one.comment_id], by, at),)
            for webhook_id, types in listening[one.site_id]
            if _TYPE_OF[one.status] in types
        ),
    )


def send_test(connection: Connection, *, site_id: int, webhook_id: int) -> str:
    """Have a webhook sent a message that tells of nothing; the message's id.

    Raises:
        NotFound: the site has no such webhook.
    """
    endpoint(connection, site_id=site_id, webhook_id=webhook_id)
    body = _message(MessageType.TEST, now_ms(), {})
    test = Message(site_id=site_id, webhook_id=webhook_id, type=MessageType.TEST, body=body)
    return deliveries.enqueue(connection, [test])[0]


def signature_headers(message: Taken, at: int) -> dict[str, str]:
    """The headers by which a receiver knows that a message is ours, and not an old one.

    Args:
        at: when it is sent, in milliseconds since 1970.
    """
    signatures = (
        standardwebhooks.Webhook(secret).sign(message.id, to_datetime(at), message.body)
        for secret in message.secrets
    )
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(at // 1_000),
        "webhook-signature": " ".join(signatures),
    }


def endpoints(connection: Connection, site_id: int) -> list[Endpoint]:
    """The site's webhooks, the oldest first."""
    query = _shown().where(Webhook.site_id == site_id).order_by(Webhook.id)
    return [Endpoint(**row._mapping) for row in connection.execute(query)]


def endpoint(connection: Connection, *, site_id: int, webhook_id: int) -> Endpoint:
    """One of the site's webhooks.

    Raises:
        NotFound: the site has no such webhook.
    """
    query = _shown().where(Webhook.site_id == site_id, Webhook.id == webhook_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("the site has no such webhook")
    return Endpoint(**row._mapping)


def add(connection: Connection, *, site_id: int, url: str, types: Sequence[str]) -> tuple[int, str]:
    """A new webhook; its id and its secret, to be shown this once."""
    secret = new_secret()
    values = {"site_id": site_id, "url": url, "types": list(types), "secret": secret}
    row = connection.execute(
        insert(Webhook).values(**values, created_at=now_ms()).returning(Webhook.id)
    )
    return row.scalar_one(), secret


def rotate(connection: Connection, *, webhook_id: int) -> str:
    """A new secret, to be shown this once; the present one signs too for a while."""
    secret = new_secret()
    connection.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id)
        .values(
            secret=secret,
            earlier_secret=Webhook.secret,
            earlier_until=now_ms() + EARLIER_SECRET_SIGNS_FOR,
        )
    )
    return secret


def revive(connection: Connection, *, webhook_id: int) -> None:
    """Send to a webhook again that was gone."""
    connection.execute(update(Webhook).where(Webhook.id == webhook_id).values(gone_at=None))


def remove(connection: Connection, *, webhook_id: int) -> None:
    """Forget a webhook, and all that was sent or is to be sent there."""
    connection.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    connection.execute(delete(Webhook).where(Webhook.id == webhook_id))


def new_secret() -> str:
    """A secret in the form that the libraries of Standard Webhooks take."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _shown() -> Any:
    return select(
        Webhook.id,
        Webhook.url,
        Webhook.types,
        Webhook.created_at,
        Webhook.earlier_until,
        Webhook.gone_at,
    )


def _pages(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    query = (
        select(Comment.id, Thread.page)
        .join(Thread, Thread.id == Comment.thread_id)
        .where(Comment.id.in_(ids))
    )
    return {row.id: row.page for row in connection.execute(query)}


def _about(one: Changed, page: str, by: ActorKind, at: int) -> str:
    data = {
        "id": one.comment_id,
        "page": page,
        "status": one.status,
        "previous": one.previous,
        "reason": one.reason,
        "by": _BY[by],
        "version": one.version,
    }
    return _message(_TYPE_OF[one.status], at, data)


def _message(type_: MessageType, at: int, data: Mapping[str, Any]) -> str:
    timestamp = to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return to_json({"type": type_, "timestamp": timestamp, "data": data})
