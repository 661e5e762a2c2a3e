"""One message to an address that somebody typed into a form: with patience that ends, and not to
the machines of our own network, unless that is wanted."""

import ipaddress
import socket
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import orjson
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError

CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 5.0

_USER_AGENT = "moderation"

_DEFAULT_PORTS = {"http": 80, "https": 443}


class WebhookError(Exception):
    """The message was not taken; the text says why, and does not repeat the address, which may
    hold a secret."""


def post_json(url: str, message: Mapping[str, Any], *, private_addresses: bool) -> None:
    """Send a JSON object by POST.

    Args:
        private_addresses: whether the address may be one that is not public.

    Raises:
        WebhookError: it did not come to an answer 2xx.
    """
    headers = {"Content-Type": "application/json"}
    body = orjson.dumps(message)
    answer = post(url, body, headers, private_addresses=private_addresses)
    if not 200 <= answer.status < 300:
        raise WebhookError(f"answered {answer.status}")


class Answer(NamedTuple):
    """What a receiver said."""

    status: int
    retry_after: float
    """Seconds for which it asks not to be called again."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, private_addresses: bool) -> Answer:
    """Send `body` by POST. Redirects are not followed.

    Args:
        private_addresses: whether the address may be one that is not public.

    Raises:
        WebhookError: there was no answer.
    """
    parts, port = _parsed(url)
    host = parts.hostname or ""
    address = _resolved(host, port, private_addresses=private_addresses)
    # The connection goes to the address that was looked at: a name could mean another one the
    # next time it is asked for.
    pool = (
        HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host)
        if parts.scheme == "https"
        else HTTPConnectionPool(address, port)
    )
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        with pool:
            answer = pool.request(
                "POST",
                path,
                body=body,
                headers={"Host": parts.netloc, "User-Agent": _USER_AGENT, **headers},
                timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except HTTPError as error:
        raise WebhookError(f"no answer: {type(error).__name__}") from None
    return Answer(answer.status, _seconds(answer.headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float:
    """What a header `Retry-After` (RFC 9110, section 10.2.3) asks for, a number of seconds or a
    date; 0 where it is neither."""
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, at.timestamp() - time.time())


def _parsed(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise WebhookError("the address is none") from None
    if not parts.hostname or "@" in parts.netloc:
        raise WebhookError("the address is none")
    return parts, port


def _resolved(host: str, port: int, *, private_addresses: bool) -> str:
    """One of the host's IP addresses, all of which are such as may be called."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookError("the host is not found") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not private_addresses and not all(map(_is_public, addresses)):
        raise WebhookError("the host's address is not a public one")
    return addresses[0]


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return mapped.is_global and not mapped.is_multicast
