"""What a request brings is read, also where nobody wants it.

A server that answers before it has read all of a body closes the connection, and a client that is
still sending sees it reset ("socket hang up") in the place of the answer.
"""

from contextlib import suppress
from http import HTTPStatus

from flask import Flask, Response, request

LARGEST_UNREAD = 8 * 1024 * 1024
"""Bytes that are read only to be forgotten; whoever sends more loses the connection."""

_PIECE = 64 * 1024


def register(app: Flask) -> None:
    """Read what a view has left of a request's body before the answer goes out."""
    app.after_request(_read_the_rest)


def _read_the_rest(response: Response) -> Response:
    if not _was_read(response) and _comes_to_an_end():
        left = LARGEST_UNREAD
        # Who is gone meanwhile does not wait for the answer either.
        with suppress(OSError):
            while left > 0 and (piece := request.environ["wsgi.input"].read(_PIECE)):
                left -= len(piece)
    return response


def _was_read(response: Response) -> bool:
    # Only an error, or a redirect to the sign-in, comes before the end of what is read at all.
    return response.status_code < HTTPStatus.MULTIPLE_CHOICES and "stream" in vars(request)


def _comes_to_an_end() -> bool:
    """Whether there is a body that is short enough, and on its way."""
    if "Expect" in request.headers or not request.environ.get("wsgi.input_terminated"):
        return False
    if request.content_length is None:
        return "Transfer-Encoding" in request.headers
    return 0 < request.content_length <= LARGEST_UNREAD
