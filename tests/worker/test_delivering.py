"""The outbox, emptied towards real receivers on this machine."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from sqlalchemy import select

from moderation.db import Database
from moderation.domain import Status
from moderation.models import Delivery, Webhook
from moderation.outbox import deliveries, webhooks
from moderation.outbox.deliveries import Lane, State
from moderation.outbox.webhooks import CHOOSABLE
from moderation.review import Change, set_status
from tests.support.clock import Clock
from tests.support.comments import MODERATOR, add_comment, add_site
from tests.support.receiver import Message, Receiver, running_receiver
from tests.support.waiting import eventually
from worker import delivering, webhook
from worker.delivering import BATCH, Courier

# What is done in the database is tested on both where it is written; this is about sending.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def add_webhook(database: Database, site_id: int, url: str) -> tuple[Lane, str]:
    with database.write() as connection:
        types = [str(one) for one in CHOOSABLE]
        webhook_id, secret = webhooks.add(connection, site_id=site_id, url=url, types=types)
    return Lane(site_id, webhook_id), secret


def decide(database: Database, site_id: int, count: int = 1) -> list[str]:
    """Comments that a moderator has approved; the ids of the messages about them."""
    for _ in range(count):
        add_comment(database, site_id, status=Status.APPROVED)
    return [row.id for row in outbox(database)]


def outbox(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Delivery.__table__).order_by(Delivery.id)))


def courier(database: Database, *, private_addresses: bool = True) -> Courier:
    return Courier(database, private_addresses=private_addresses)


def verified(message: Message, secret: str) -> Any:
    return standardwebhooks.Webhook(secret).verify(message.body, dict(message.headers))


def test_a_message_is_signed_so_that_the_library_of_the_standard_verifies_it(
    database: Database, site: int, receiver: Receiver
) -> None:
    lane, secret = add_webhook(database, site, f"{receiver.url}/hook?a=1")
    (message_id,) = decide(database, site)
    assert courier(database).deliver(lane) == 1
    (message,) = receiver.messages
    assert message.path == "/hook?a=1"
    assert message.headers["webhook-id"] == message_id
    assert message.headers["Content-Type"] == "application/json"
    assert verified(message, secret)["type"] == "comment.approved"
    message.body += b" "
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(message, secret)
    (row,) = outbox(database)
    assert (row.state, row.answer, row.tries, row.problem) == (State.DELIVERED, 200, 1, "")
    assert row.took >= 0


def test_after_a_change_of_secrets_both_are_good_for_a_day(
    database: Database, site: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane, old = add_webhook(database, site, receiver.url)
    with database.write() as connection:
        new = webhooks.rotate(connection, webhook_id=lane.webhook_id or 0)
    decide(database, site)
    courier(database).deliver(lane)
    (both,) = receiver.messages
    assert old != new
    assert verified(both, old) == verified(both, new)
    with database.write() as connection:
        connection.execute(Webhook.__table__.update().values(earlier_until=0))  # type: ignore[attr-defined]
    decide(database, site)
    courier(database).deliver(lane)
    assert verified(receiver.messages[1], new)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verified(receiver.messages[1], old)


def test_a_form_goes_out_as_one_and_unsigned(
    database: Database, site: int, receiver: Receiver
) -> None:
    with database.write() as connection:
        deliveries.enqueue_form(
            connection,
            site_id=site,
            url=f"{receiver.url}/callback",
            fields={"key": "k", "comments[0][result]": "true"},
            type="akismet.callback",
        )
    assert courier(database).deliver(Lane(site, None)) == 1
    (message,) = receiver.messages
    assert message.path == "/callback"
    assert message.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert message.body == b"key=k&comments%5B0%5D%5Bresult%5D=true"
    assert "webhook-signature" not in message.headers


def test_a_failure_is_kept_with_its_answer_and_the_next_ones_are_tried(
    database: Database, site: int, receiver: Receiver
) -> None:
    lane, _ = add_webhook(database, site, receiver.url)
    decide(database, site, 3)
    receiver.status = 500
    assert courier(database).deliver(lane) == 3
    assert [(row.state, row.answer) for row in outbox(database)] == [(State.WAITING, 500)] * 3


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_for_patience_is_left_alone_for_a_while(
    database: Database, site: int, receiver: Receiver, status: int
) -> None:
    lane, _ = add_webhook(database, site, receiver.url)
    decide(database, site, 3)
    receiver.status = status
    one = courier(database)
    assert one.deliver(lane) == 1
    assert len(receiver.messages) == 1
    assert not one._enter(lane)
    one._resting[lane] = 0.0
    assert one._enter(lane)
    assert not one._enter(lane)
    receiver.status = 200
    assert one.deliver(lane) == 2
    assert one._enter(lane)
    # The two that were not sent have lost nothing by it.
    assert sorted(row.tries for row in outbox(database)) == [1, 1, 1]


@pytest.mark.parametrize(("asked", "waits"), [("5", 10), ("600", 600), ("999999", 3600)])
def test_who_says_how_long_is_left_alone_for_so_long(
    database: Database, site: int, receiver: Receiver, asked: str, waits: int
) -> None:
    lane, _ = add_webhook(database, site, receiver.url)
    decide(database, site)
    receiver.status, receiver.retry_after = 503, asked
    one = courier(database)
    one.deliver(lane)
    (row,) = outbox(database)
    slack = deliveries.JITTER * 10
    assert waits - slack <= (row.due_at - row.tried_at) / 1000 <= waits + slack
    rest = one._resting[lane] - time.monotonic()
    assert max(waits, 30) - 10 < rest <= max(waits, 30)


def test_who_is_not_there_is_told_later(database: Database, site: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lane, _ = add_webhook(database, site, url)
        decide(database, site, 2)
        assert courier(database).deliver(lane) == 1
    failed, untouched = sorted(outbox(database), key=lambda row: -row.tries)
    assert (failed.state, failed.answer) == (State.WAITING, None)
    assert failed.problem.startswith("no answer")
    assert untouched.tries == 0


def test_a_private_address_is_called_only_where_that_is_allowed(
    database: Database, site: int, receiver: Receiver
) -> None:
    lane, _ = add_webhook(database, site, receiver.url)
    decide(database, site)
    courier(database, private_addresses=False).deliver(lane)
    assert receiver.messages == []
    assert "not a public one" in outbox(database)[0].problem


def test_a_redirect_is_a_failure_and_not_followed(
    database: Database, site: int, receiver: Receiver
) -> None:
    lane, _ = add_webhook(database, site, receiver.url)
    decide(database, site)
    receiver.status, receiver.location = 302, f"{receiver.url}/elsewhere"
    courier(database).deliver(lane)
    assert [message.path for message in receiver.messages] == ["/"]
    assert outbox(database)[0].answer == 302


def test_a_slow_receiver_keeps_no_other_waiting(
    database: Database,
    database_url: str,
    site: int,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "_POLL", 0.02)
    monkeypatch.setattr(webhook, "READ_TIMEOUT", 3.0)
    with running_receiver() as slow:
        slow.silent = True
        add_webhook(database, site, slow.url)
        add_webhook(database, site, receiver.url)
        decide(database, site, 5)
        with delivering.delivering(database_url, private_addresses=True):
            eventually(lambda: len(receiver.messages) == 5)
            assert not slow.ended.is_set()
            decide(database, site)
            eventually(lambda: len(receiver.messages) == 6)
            slow.ended.set()
    ids = [message.headers["webhook-id"] for message in receiver.messages]
    assert len(set(ids)) == 6


def test_many_messages_come_once_each(
    database: Database, database_url: str, site: int, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr(delivering, "_POLL", 0.02)
    add_webhook(database, site, receiver.url)
    comments = [add_comment(database, site) for _ in range(3 * BATCH + 5)]
    with database.write() as connection:
        changes = [Change(comment_id=one, to=Status.APPROVED, reason="") for one in comments]
        set_status(connection, changes, actor=MODERATOR)
    with delivering.delivering(database_url, private_addresses=True):
        eventually(lambda: all(row.state == State.DELIVERED for row in outbox(database)))
    told = [json.loads(message.body)["data"]["id"] for message in receiver.messages]
    assert sorted(told) == sorted(comments)


# What a worker's process does, without what it takes to start one.
COURIER = """
import sys, time
from worker.delivering import delivering
with delivering(sys.argv[1], private_addresses=True):
    time.sleep(60)
"""


def test_what_a_worker_held_in_hand_when_it_was_killed_is_sent_again_with_the_same_id(
    database: Database,
    database_url: str,
    site: int,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane, secret = add_webhook(database, site, receiver.url)
    (message_id,) = decide(database, site)
    receiver.silent = True
    folder = Path(__file__).parents[2]
    command = [sys.executable, "-c", COURIER, database_url]
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)})
    try:
        eventually(lambda: len(receiver.messages) == 1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.silent = False
    receiver.ended.set()
    (row,) = outbox(database)
    assert (row.state, row.tries) == (State.WAITING, 0)
    assert courier(database).deliver(lane) == 0
    clock = Clock()
    clock.ahead = deliveries.LEASE + 1000
    monkeypatch.setattr(deliveries, "now_ms", clock)
    assert courier(database).deliver(lane) == 1
    assert [m.headers["webhook-id"] for m in receiver.messages] == [message_id] * 2
    assert verified(receiver.messages[1], secret)
    assert outbox(database)[0].state == State.DELIVERED


def test_a_broken_database_is_told_of_and_survived(
    database: Database,
    database_url: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(delivering, "_POLL", 0.02)
    site = add_site(database)
    add_webhook(database, site, receiver.url)
    with database.write() as connection:
        connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
        connection.exec_driver_sql("ALTER TABLE delivery RENAME TO elsewhere")
    with (
        caplog.at_level(logging.WARNING),
        delivering.delivering(database_url, private_addresses=True),
    ):
        eventually(lambda: "the outbox cannot be read" in caplog.text)
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO delivery")
        decide(database, site)
        eventually(lambda: len(receiver.messages) == 1)
