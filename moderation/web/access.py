"""Who may come in: everything is closed to those who did not sign in, unless listed here."""

from http import HTTPStatus

from flask import Flask, Response, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from moderation import accounts
from moderation.web import comments
from moderation.web.context import services

PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "comments.submit",
        "comments.state",
        "comments.published",
        "demo.article",
        "accounts.sign_in",
        "reference.document",
        "reference.page",
        "health.health",
    }
)

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def register(app: Flask) -> None:
    """Close the application, and protect its forms and pages."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = CSRFProtect(app)

    @app.before_request
    def refuse_forgeries() -> None:
        # Readers post without a session, so there is nothing for a forged request to borrow.
        by_reader = request.blueprint == comments.blueprint.name
        if app.config["WTF_CSRF_ENABLED"] and request.endpoint and not by_reader:
            csrf.protect()

    app.before_request(_refuse_nul)
    app.before_request(_require_account)
    app.after_request(_add_headers)


def _refuse_nul() -> None:
    """Nothing is called by a name with a NUL, and PostgreSQL does not even take the question."""
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise NotFound


def _require_account() -> BaseResponse | None:
    g.account = None
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS:
        return None
    if "account" in session:
        with services().database.read() as connection:
            g.account = accounts.by_id(connection, session["account"])
    if g.account is None:
        # After the sign-in a page can be shown again; what a form wanted to do cannot be done.
        back = request.path if request.method == "GET" else None
        return redirect(url_for("accounts.sign_in", next=back), HTTPStatus.SEE_OTHER)
    return None


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers.update(_PAGE_HEADERS)
    if request.endpoint not in PUBLIC_ENDPOINTS:
        response.headers["Cache-Control"] = "no-store"
    return response
