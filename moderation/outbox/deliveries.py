"""The outbox: messages to sites are stored in the transaction that they speak of, and sent later.

Sent at least once: a message keeps its id from try to try, so that its receiver can tell. What is
taken to be sent counts as being sent for a while, and is due again when nobody says what became of
it: its worker has died.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from random import uniform
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from moderation.clock import DAY, HOUR, MINUTE, SECOND, now_ms
from moderation.db import execute_many
from moderation.ids import floor_id, new_id
from moderation.models import Delivery, Webhook, is_dead, is_undelivered

GIVEN_UP_AFTER = 3 * DAY

FIRST_RETRY = 10 * SECOND
RETRY_FACTOR = 3
LONGEST_RETRY = 6 * HOUR
JITTER = 0.2
"""Pauses are longer or shorter by up to this share, or what failed together would be tried
together again and again."""

LONGEST_ASKED = 1 * HOUR
"""How long a receiver may ask not to be called again: a mistake of its must not cost it what waits
for it."""

LEASE = 2 * MINUTE
"""How long a message that was taken counts as being sent."""

DELIVERED_KEPT = 7 * DAY
DEAD_KEPT = 30 * DAY

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class State(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; it can be sent again by hand."""


class Lane(NamedTuple):
    """What waits for the same receiver: one that is slow delays nobody else's messages."""

    site_id: int
    webhook_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a site is to be told: at one of its webhooks, signed, or at `url`, unsigned."""

    site_id: int
    type: str
    body: str
    content_type: str = JSON
    webhook_id: int | None = None
    url: str = ""
    comment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A message to be sent now; `secrets` sign it, where there are any."""

    id: str
    url: str
    content_type: str
    body: str
    tries: int
    expires_at: int
    webhook_id: int | None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try: the status of the answer, and for how many seconds its receiver asks to
    be left alone; or why there was none."""

    message: Taken
    at: int
    took: int
    answer: int | None = None
    retry_after: float = 0.0
    problem: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.answer is not None and 200 <= self.answer < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more."""
        return self.answer == HTTPStatus.GONE


# Of the table, not of the class: what the mapping adds to an insert is not needed.
_INSERT = insert(Delivery.__table__)  # type: ignore[arg-type]

_RECORD = (
    update(Delivery.__table__)  # type: ignore[arg-type]
    .where(Delivery.id == bindparam("message"))
    .values(
        state=bindparam("became"),
        due_at=bindparam("next"),
        tries=bindparam("tried"),
        tried_at=bindparam("at"),
        answer=bindparam("answered"),
        took=bindparam("lasted"),
        problem=bindparam("why"),
    )
)


def enqueue(connection: Connection, messages: Iterable[Message]) -> list[str]:
    """Have the messages sent as soon as the transaction is durable; their ids."""
    now = now_ms()
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(now),
            "site_id": one.site_id,
            "webhook_id": one.webhook_id,
            "url": one.url,
            "type": one.type,
            "comment_id": one.comment_id,
            "content_type": one.content_type,
            "body": one.body,
            "created_at": now,
            "state": State.WAITING,
            "due_at": now,
            "expires_at": now + GIVEN_UP_AFTER,
            "tries": 0,
            "tried_at": None,
            "answer": None,
            "took": None,
            "problem": "",
        }
        for one in messages
    ]
    execute_many(connection, _INSERT, rows)
    return [row["id"] for row in rows]


def enqueue_form(
    connection: Connection,
    *,
    site_id: int,
    url: str,
    fields: Mapping[str, str],
    type: str,  # noqa: A002  # the same word as in `Message`
    comment_id: str | None = None,
) -> str:
    """Have a form posted to `url`, unsigned; the message's id."""
    form = Message(
        site_id=site_id,
        type=type,
        body=urlencode(fields),
        content_type=FORM,
        url=url,
        comment_id=comment_id,
    )
    return enqueue(connection, [form])[0]


def due_lanes(connection: Connection) -> list[Lane]:
    """Where something is due."""
    query = (
        select(Delivery.site_id, Delivery.webhook_id)
        .where(is_undelivered(Delivery), Delivery.due_at <= now_ms())
        .distinct()
    )
    return [Lane(*row) for row in connection.execute(query)]


def take(connection: Connection, lane: Lane, *, limit: int) -> list[Taken]:
    """What is due in a lane, the longest due first; nobody else takes it while it is sent."""
    now = now_ms()
    webhook = _webhook(connection, lane.webhook_id)
    query = (
        select(Delivery.__table__)
        .where(is_undelivered(Delivery), _in_lane(lane), Delivery.due_at <= now)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    _postpone(connection, [row.id for row in rows], until=now + LEASE)
    secrets = _secrets(webhook, now) if webhook else ()
    return [
        Taken(
            id=row.id,
            url=webhook.url if webhook else row.url,
            content_type=row.content_type,
            body=row.body,
            tries=row.tries,
            expires_at=row.expires_at,
            webhook_id=row.webhook_id,
            secrets=secrets,
        )
        for row in rows
    ]


def record(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Keep what became of messages that were sent: a failure is tried again, and in the end given
    up; who is gone is told nothing more."""
    execute_many(connection, _RECORD, [_recorded(outcome) for outcome in outcomes])
    for webhook_id in {o.message.webhook_id for o in outcomes if o.is_gone} - {None}:
        connection.execute(update(Webhook).where(Webhook.id == webhook_id).values(gone_at=now_ms()))
        connection.execute(
            update(Delivery)
            .where(is_undelivered(Delivery), Delivery.webhook_id == webhook_id)
            .values(state=State.DEAD, problem="the webhook is gone")
        )


def give_back(connection: Connection, messages: Iterable[Taken]) -> None:
    """Let messages that were taken and not sent be taken again."""
    _postpone(connection, [message.id for message in messages], until=now_ms())


def recent(connection: Connection, site_id: int, *, limit: int) -> list[Any]:
    """The site's latest messages, the newest first."""
    return list(connection.execute(_listed(site_id, limit)))


def dead(connection: Connection, site_id: int, *, limit: int) -> list[Any]:
    """The site's latest messages that were given up, the newest first."""
    return list(connection.execute(_listed(site_id, limit).where(is_dead(Delivery))))


def count_dead(connection: Connection, site_id: int) -> int:
    """How many of the site's messages were given up."""
    query = select(func.count()).where(is_dead(Delivery), Delivery.site_id == site_id)
    return connection.execute(query).scalar_one()


def redeliver(connection: Connection, site_id: int, message_id: str | None = None) -> int:
    """Send again, with the same id: one message, or all that were given up; how many.

    What is addressed to a webhook that is gone stays where it is.
    """
    now = now_ms()
    gone = select(Webhook.id).where(Webhook.site_id == site_id, Webhook.gone_at.is_not(None))
    chosen = is_dead(Delivery) if message_id is None else Delivery.id == message_id
    reachable = or_(Delivery.webhook_id.is_(None), Delivery.webhook_id.not_in(gone))
    sent_again = connection.scalars(
        update(Delivery)
        .where(Delivery.site_id == site_id, chosen, reachable)
        .values(state=State.WAITING, due_at=now, expires_at=now + GIVEN_UP_AFTER, tries=0)
        .returning(Delivery.id)
    )
    return len(sent_again.all())


def tidy(connection: Connection) -> None:
    """Give up what has waited for too long, and forget what was settled long ago."""
    now = now_ms()
    connection.execute(
        update(Delivery)
        .where(is_undelivered(Delivery), Delivery.expires_at < now, Delivery.due_at < now)
        .values(state=State.DEAD)
    )
    old = and_(Delivery.state == State.DELIVERED, Delivery.id < floor_id(now - DELIVERED_KEPT))
    older = and_(is_dead(Delivery), Delivery.id < floor_id(now - DEAD_KEPT))
    connection.execute(delete(Delivery).where(or_(old, older)))


def pause(tries: int) -> int:
    """Milliseconds until the next try after so many."""
    grown: int = min(FIRST_RETRY * RETRY_FACTOR ** min(tries - 1, 16), LONGEST_RETRY)
    return round(grown * uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  # no secret


def _webhook(connection: Connection, webhook_id: int | None) -> Any:
    query = select(Webhook.__table__).where(Webhook.id == webhook_id)
    return connection.execute(query).one_or_none() if webhook_id is not None else None


def _secrets(webhook: Any, now: int) -> tuple[str, ...]:
    earlier = (webhook.earlier_secret,) if now < webhook.earlier_until else ()
    return (webhook.secret, *earlier)


def _in_lane(lane: Lane) -> ColumnElement[bool]:
    return and_(Delivery.site_id == lane.site_id, Delivery.webhook_id == lane.webhook_id)


def _postpone(connection: Connection, ids: Sequence[str], *, until: int) -> None:
    if ids:
        connection.execute(update(Delivery).where(Delivery.id.in_(ids)).values(due_at=until))


def _recorded(outcome: Outcome) -> dict[str, Any]:
    tries = outcome.message.tries + 1
    asked = min(round(outcome.retry_after * SECOND), LONGEST_ASKED)
    due_at = outcome.at + max(pause(tries), asked)
    if outcome.is_success:
        state = State.DELIVERED
    elif outcome.is_gone or due_at > outcome.message.expires_at:
        state = State.DEAD
    else:
        state = State.WAITING
    return {
        "message": outcome.message.id,
        "became": state,
        "next": due_at,
        "tried": tries,
        "at": outcome.at,
        "answered": outcome.answer,
        "lasted": outcome.took,
        "why": outcome.problem,
    }


def _listed(site_id: int, limit: int) -> Any:
    return (
        select(
            Delivery.id,
            Delivery.type,
            Delivery.comment_id,
            Delivery.state,
            Delivery.created_at,
            Delivery.tried_at,
            Delivery.due_at,
            Delivery.tries,
            Delivery.answer,
            Delivery.took,
            Delivery.problem,
            Delivery.webhook_id,
            func.coalesce(Webhook.url, Delivery.url).label("url"),
        )
        .join(Webhook, Webhook.id == Delivery.webhook_id, isouter=True)
        .where(Delivery.site_id == site_id)
        .order_by(Delivery.id.desc())
        .limit(limit)
    )
