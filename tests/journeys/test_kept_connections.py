"""A refusal reaches a client that is still sending, and its connection serves on."""

from contextlib import closing
from http.client import HTTPConnection
from socket import create_connection

import pytest

from tests.support.service import SITE_KEY, Service

WITH_KEY = {"Authorization": f"Bearer {SITE_KEY}"}


@pytest.mark.parametrize("size", [1_000, 3_000_000])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nothing", {}, 404),
        ("/health", {}, 405),
        ("/v1/score", {"Authorization": "Bearer unknown"}, 401),
        ("/v1/comments", WITH_KEY, 415),
        ("/v1alpha1/comments:analyze?key=unknown", {}, 400),
    ],
)
def test_what_nobody_reads_costs_no_connection(
    service: Service, path: str, headers: dict[str, str], status: int, size: int
) -> None:
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=60)) as connection:
        connection.connect()
        kept = connection.sock
        for _ in range(5):
            assert post(connection, path, b"a" * size, headers) == status
            assert connection.sock is kept


def test_what_is_too_large_is_refused_in_words(service: Service) -> None:
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=60)) as connection:
        headers = WITH_KEY | {"Content-Type": "application/json"}
        for _ in range(5):
            assert post(connection, "/v1/comments", b"a" * 3_000_000, headers) == 413


def test_who_asks_first_is_refused_before_sending(service: Service) -> None:
    with closing(create_connection(("127.0.0.1", service.port), timeout=60)) as connection:
        connection.sendall(
            b"POST /nothing HTTP/1.1\r\nHost: localhost\r\n"
            b"Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n"
        )
        assert connection.recv(1_000).startswith(b"HTTP/1.1 404")


def post(connection: HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> int:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status
