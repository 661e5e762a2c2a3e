"""The service's API, as a website's server uses it."""

import hashlib
import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv6Address
from typing import NoReturn, Self
from urllib.parse import urlsplit

from moderation.demo_data.rows import Row, Unusable
from moderation.domain import Status
from moderation.errors import StartupError
from moderation.schemas import CommentReceipt, CommentState, Problem

_TIMEOUT = 60.0

# Reserved for documentation (RFC 3849).
_NETWORK = int(IPv6Address("2001:db8::"))

_FIRST_NAMES = ("Ada", "Ben", "Clara", "Daniel", "Edda", "Femi", "Hanno", "Ines", "Kavya", "Noor")
_LAST_NAMES = ("Adeyemi", "Berg", "Costa", "Dijk", "Eriksen", "Garcia", "Haas", "Ito", "Kaya")

_KEY_ADVICE = (
    "give --key or MODERATION_SITE_KEY the one that you set or that was shown at the first start"
)

# The service looked at the comment, and did not want it.
_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class Client:
    """A site's access to the service at `url`; each thread keeps a connection of its own, until the
    client is closed.

    Raises:
        StartupError: by every method, when the service cannot be used.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise StartupError(f"{url} is no address: it should look like http://127.0.0.1:8000")
        if not key:
            raise StartupError(f"the site's key is needed: {_KEY_ADVICE}")
        self._url = url
        self._key = key
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = parts.netloc
        self._own = threading.local()
        self._connections: list[HTTPConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def post(self, row: Row) -> CommentReceipt | Unusable:
        """Post a comment under a name of its own. The same row again is the same comment."""
        body = json.dumps(_comment(row)).encode()
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": hashlib.sha256(body).hexdigest(),
        }
        status, answer = self._request("POST", "/v1/comments", body, headers)
        if status in _REFUSALS:
            return Unusable(row.line, f"refused: {_reason(answer)}")
        if status != HTTPStatus.ACCEPTED:
            self._give_up(status)
        return CommentReceipt.model_validate_json(answer)

    def status(self, comment_id: str) -> Status:
        """Where a comment stands."""
        status, answer = self._request("GET", f"/v1/comments/{comment_id}")
        if status != HTTPStatus.OK:
            self._give_up(status)
        return CommentState.model_validate_json(answer).status

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        connection = self._connection()
        for last_try in (False, True):
            try:
                connection.request(method, path, body, dict(headers or {}))
                response = connection.getresponse()
                return response.status, response.read()
            except (HTTPException, OSError) as error:
                # The server may have closed a connection that was kept. Asking again posts nothing
                # twice, thanks to the idempotency key.
                connection.close()
                if last_try:
                    cause = str(error) or type(error).__name__
                    raise StartupError(
                        f"no service answers at {self._url} ({cause}): start it with "
                        "`moderation up`, or give --url its address"
                    ) from None
        raise AssertionError("the last try returned or raised")

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = self._kind(self._address, timeout=_TIMEOUT)
            self._connections.append(self._own.connection)
        connection: HTTPConnection = self._own.connection
        return connection

    def _give_up(self, status: int) -> NoReturn:
        if status == HTTPStatus.UNAUTHORIZED:
            raise StartupError(f"the service at {self._url} does not know the key: {_KEY_ADVICE}")
        raise StartupError(f"the service at {self._url} answers with status {status}")


def _reason(answer: bytes) -> str:
    problem = Problem.model_validate_json(answer)
    return "; ".join(f"{e.field} {e.detail}" for e in problem.errors) or problem.title


def _comment(row: Row) -> dict[str, str]:
    """The comment under a name, an e-mail address and an IP address that no other row has, because
    many comments from one sender would be a flood."""
    digest = hashlib.sha256(f"{row.line}\n{row.page}\n{row.text}".encode()).hexdigest()
    number = int(digest, 16)
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number % len(_LAST_NAMES)]
    return {
        "page": row.page,
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{digest[:12]}@example.org".lower(),
        "text": row.text,
        "ip": str(IPv6Address(_NETWORK + number % 2**64)),
    }
