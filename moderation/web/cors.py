"""Which pages of other origins may ask by script: those of the site that the address names."""

from flask import Flask, Response, request

from moderation.web.context import services

SHARED_ENDPOINTS = frozenset(
    {"comments.submit", "comments.state", "comments.published", "forms.challenge"}
)

# Seconds for which a browser need not ask again whether it may ask.
_MAX_AGE = "600"


def register(app: Flask) -> None:
    """Tell browsers which answers which pages may read. A site's key is never for browsers: its
    header is not among those that are allowed."""
    app.after_request(_share)


def _share(response: Response) -> Response:
    if request.endpoint not in SHARED_ENDPOINTS:
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if not origin or origin not in _origins(request.args.get("site", "")):
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
        response.headers["Access-Control-Max-Age"] = _MAX_AGE
    return response


def _origins(site_name: str) -> tuple[str, ...]:
    site = services().sites.by_name(site_name) if site_name else None
    return site.settings.origins if site else ()
