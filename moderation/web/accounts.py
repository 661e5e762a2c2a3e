"""Signing in and out."""

import re
import secrets
from http import HTTPStatus

from flask import (
    Blueprint,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from moderation.access import accounts, guessing
from moderation.access.accounts import AccountRef
from moderation.access.guessing import Try
from moderation.errors import TooManyTries, in_words
from moderation.web.access import start_session
from moderation.web.context import services

blueprint = Blueprint("accounts", __name__)

# Not "//host" or "/\\host", which are other sites; nor white space, which browsers leave out of an
# address before they look at it.
_OUR_PATH = re.compile(r"/(?![/\\])[!-~]*")


# Longer than anybody is on holiday, in seconds.
_DEVICE_COOKIE = "moderation_device"
_DEVICE_KNOWN_FOR = 180 * 24 * 3600


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The form, and what becomes of it."""
    if request.method == "GET":
        return render_template("desk/sign_in.html", name="", failure="")
    name = request.form.get("name", "").replace("\0", "").strip()
    device = _device_of(name)
    try:
        account = verified(name, request.form.get("password", ""), device)
    except TooManyTries as error:
        return too_many_tries(
            render_template("desk/sign_in.html", name=name, wait=in_words(error.seconds)), error
        )
    if account is None:
        page = render_template(
            "desk/sign_in.html", name=name, failure="Name or password is not right."
        )
        return page, HTTPStatus.UNAUTHORIZED
    start_session(account)
    response = redirect(_next_page(), HTTPStatus.SEE_OTHER)
    _remember_device(response, name, device)
    return response


def verified(name: str, password: str, device: str = "") -> AccountRef | None:
    """The account with this name and password; each wrong one makes the next ones wait longer.

    Raises:
        TooManyTries: the password was not even looked at.
    """
    attempt = Try(name, request.remote_addr, device)
    database = services().database
    with database.write() as connection:
        guessing.count(connection, attempt)
    with database.read() as connection:
        account = accounts.sign_in(connection, name=name, password=password)
    if account is not None:
        with database.write() as connection:
            guessing.forgive(connection, attempt)
    return account


def too_many_tries(page: str, error: TooManyTries) -> ResponseReturnValue:
    """The answer to who has to wait."""
    return page, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(error.seconds)}


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.clear()
    return redirect(url_for(".sign_in"), HTTPStatus.SEE_OTHER)


def _next_page() -> str:
    """The page that asked for the sign-in, if it is one of ours."""
    wanted = request.args.get("next", "")
    return wanted if _OUR_PATH.fullmatch(wanted) else url_for("desk.page")


def _device_of(name: str) -> str:
    """What this browser is called, if the account of this name has signed in with it before."""
    try:
        device, known_name = _signer().loads(request.cookies.get(_DEVICE_COOKIE, ""))
    except (BadSignature, ValueError, TypeError):
        return ""
    return str(device) if known_name == name else ""


def _remember_device(response: Response, name: str, device: str) -> None:
    response.set_cookie(
        _DEVICE_COOKIE,
        str(_signer().dumps([device or secrets.token_hex(16), name])),
        max_age=_DEVICE_KNOWN_FOR,
        path=url_for(".sign_in"),
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="device")
