"""Who may come in: everything is closed to those who did not sign in, unless listed here.

A page asks for a session, the API of moderators for a token. What a moderator may see of it is
decided by the query, with `AccountRef.sees_in`; administrators' pages are closed here.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, flash, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response as BaseResponse

from moderation.access import accounts, tokens
from moderation.access.accounts import AccountRef
from moderation.clock import MINUTE, now_ms
from moderation.errors import Unauthorized
from moderation.web import problems, uploads
from moderation.web.context import services

PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "comments.submit",
        "comments.state",
        "comments.published",
        "feeds.json_feed",
        "feeds.atom",
        "comments.give_feedback",
        "comments.report",
        "scoring.score",
        "akismet.verify_key",
        "akismet.comment_check",
        "akismet.submit_spam",
        "akismet.submit_ham",
        "akismet.usage_limit",
        "akismet.key_sites",
        "akismet.get_subscription",
        "akismet.deactivate",
        "akismet.get_stats",
        "akismet.connection_test",
        "akismet.compatible_plugins",
        "perspective.analyze",
        "perspective.suggest_score",
        "perspective.discovery",
        "coral.moderate",
        "forms.challenge",
        "forms.form",
        "forms.script",
        "demo.article",
        "accounts.sign_in",
        "reference.document",
        "reference.page",
        "health.health",
    }
)

SITE_BLUEPRINTS = frozenset({"comments", "scoring", "akismet", "perspective", "coral"})
"""What readers' browsers and sites' programs call: with a site's key or without, in no session."""

API_BLUEPRINTS = frozenset({"account_api", "desk_api", "events_api"})
"""The API of moderators: wants `Authorization: Bearer` with a moderator's token, and looks at no
session, so that a forged request has nothing to borrow."""

ADMINISTRATOR_BLUEPRINTS = frozenset(
    {"people", "sites", "thresholds", "models", "webhooks", "imports", "erasing"}
)
"""Pages that moderators are refused (403)."""

BACKGROUND_ENDPOINTS = frozenset(
    {"desk.pulse", "desk.reading", "imports.state", "models.training", "models.rescoring_state"}
)
"""What pages ask for by themselves, with nobody there: it does not keep a session alive."""

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self' {back}; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def register(app: Flask) -> None:
    """Close the application, and protect its forms and pages."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = CSRFProtect(app)

    app.before_request(_refuse_nul)
    # Whose session has ended is sent to sign in, rather than told of a token.
    app.before_request(_require_account)
    app.before_request(_take_large_files)

    @app.before_request
    def refuse_forgeries() -> None:
        # Readers and programs come without a session: there is nothing for a forgery to borrow.
        without = request.blueprint in SITE_BLUEPRINTS | API_BLUEPRINTS
        if app.config["WTF_CSRF_ENABLED"] and request.endpoint and not without:
            csrf.protect()

    app.register_error_handler(CSRFError, _tell_of_forgery)
    app.after_request(_add_headers)


def _refuse_nul() -> None:
    """Nothing is called by a name with a NUL, and PostgreSQL does not even take the question."""
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise NotFound


def _tell_of_forgery(error: CSRFError) -> Response:
    # Mostly it is none, but a page from before the last sign-in.
    detail = f"{error.description} Nothing was done. Go back, load the page again, and repeat it."
    return problems.problem(HTTPStatus.BAD_REQUEST, detail)


def start_session(account: AccountRef) -> None:
    """Sign somebody in."""
    session.clear()
    session.update(account=account.id, nonce=account.session_nonce, seen=now_ms())


def _require_account() -> BaseResponse | None:
    g.account = None
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS:
        return None
    if request.blueprint in API_BLUEPRINTS:
        g.account = _account_of_token()
        return None
    g.account = _account_of_session()
    if g.account is None:
        return _to_sign_in()
    if request.blueprint in ADMINISTRATOR_BLUEPRINTS and not g.account.is_administrator:
        raise Forbidden("only administrators may see and change this")
    return None


def _take_large_files() -> None:
    """An administrator's upload may be larger than anything else that is sent."""
    if request.endpoint == uploads.ENDPOINT:
        request.max_content_length = uploads.LARGEST


def _account_of_token() -> AccountRef:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("send a moderator's token as `Authorization: Bearer TOKEN`")
    with services().database.read() as connection:
        account = tokens.account_with(connection, token.strip())
    if account is None:
        raise Unauthorized("this token is not known")
    return account


def _account_of_session() -> AccountRef | None:
    now = now_ms()
    idle = services().settings.session_idle_minutes * MINUTE
    if "account" not in session or now - session.get("seen", 0) > idle:
        return None
    with services().database.read() as connection:
        account = accounts.by_id(connection, session["account"])
    if account is None or account.session_nonce != session.get("nonce"):
        return None
    # Written now and then only, or answers that come in the wrong order would undo one another.
    if now - session["seen"] > idle // 20 and request.endpoint not in BACKGROUND_ENDPOINTS:
        session["seen"] = now
    return account


def _to_sign_in() -> BaseResponse:
    """The way to the sign-in and back to the page that is on the screen."""
    if request.accept_mimetypes.best == "application/json":
        raise Unauthorized("your session has ended: sign in again")
    if "account" in session:
        session.clear()
        undone = "" if request.method == "GET" else " What you did last was not done."
        flash(f"Your session has ended. Sign in to go on where you were.{undone}", "error")
    back = request.full_path.rstrip("?") if request.method == "GET" else _referring_page()
    return redirect(url_for("accounts.sign_in", next=back), HTTPStatus.SEE_OTHER)


def _referring_page() -> str | None:
    """The page of ours from which a form was sent."""
    parts = urlsplit(request.referrer or "")
    if parts.netloc != request.host:
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        for name, value in _PAGE_HEADERS.items():
            # Browsers hold `form-action` against where the answer to a form sends them, too.
            response.headers[name] = value.replace(" {back}", g.get("origin_after_form", ""))
    if request.endpoint not in PUBLIC_ENDPOINTS:
        response.headers["Cache-Control"] = "no-store"
    return response
