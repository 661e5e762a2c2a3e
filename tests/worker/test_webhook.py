"""Messages to a real server on this machine."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.receiver import Receiver, running_receiver
from worker import webhook
from worker.webhook import WebhookError, post, post_json


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def test_a_message_is_posted_as_json(receiver: Receiver) -> None:
    post_json(f"{receiver.url}/hook?key=1", {"site": "Zoë"}, private_addresses=True)
    (message,) = receiver.messages
    assert message.path == "/hook?key=1"
    assert message.headers["Content-Type"] == "application/json"
    assert message.headers["Host"] == receiver.url.removeprefix("http://")
    assert json.loads(message.body) == {"site": "Zoë"}


def test_a_name_is_looked_up_and_sent_along(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    post_json(f"http://localhost:{port}", {}, private_addresses=True)
    assert receiver.messages[0].headers["Host"] == f"localhost:{port}"


@pytest.mark.parametrize("status", [204, 299])
def test_every_success_is_one(receiver: Receiver, status: int) -> None:
    receiver.status = status
    post_json(receiver.url, {}, private_addresses=True)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    receiver.location = f"{receiver.url}/elsewhere"
    with pytest.raises(WebhookError, match=f"answered {status}"):
        post_json(receiver.url, {}, private_addresses=True)
    assert [message.path for message in receiver.messages] == ["/"]


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("", 0, 0),
        ("120", 120, 120),
        ("9" * 30, 999_999_999, 999_999_999),
        ("soon", 0, 0),
        ("-5", 0, 0),
        (format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True), 6_000, 7_200),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
)
def test_how_long_a_receiver_asks_to_be_left_alone(
    receiver: Receiver, said: str, least: float, most: float
) -> None:
    receiver.status, receiver.retry_after = 503, said
    answer = post(receiver.url, b"{}", {}, private_addresses=True)
    assert answer.status == 503
    assert least <= answer.retry_after <= most


def test_who_does_not_answer_is_not_waited_for_for_long(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "READ_TIMEOUT", 0.2)
    receiver.silent = True
    with pytest.raises(WebhookError, match="no answer: ReadTimeoutError"):
        post_json(receiver.url, {}, private_addresses=True)


def test_who_is_not_there_is_a_failure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(WebhookError, match="no answer"):
            post_json(url, {}, private_addresses=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "224.0.0.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(receiver: Receiver, host: str) -> None:
    port = receiver.url.rpartition(":")[2]
    with pytest.raises(WebhookError, match=r"not a public one|not found"):
        post_json(f"http://{host}:{port}/secret", {}, private_addresses=False)
    assert receiver.messages == []


@pytest.mark.parametrize(
    "url",
    ["", "hook", "ftp://example.org/", "http://", "http://user:word@127.0.0.1/", "http://a:b/"],
)
def test_what_is_no_web_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(WebhookError, match=r"^the address is none$"):
        post_json(url, {}, private_addresses=True)


def test_public_addresses_may_be_called() -> None:
    for address in ("93.184.215.14", "2606:2800:21f::1"):
        assert webhook._is_public(address)
