"""What people do about their own account: password, sessions, tokens for programs."""

from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from moderation.access import accounts, tokens
from moderation.clock import to_datetime
from moderation.errors import InvalidInput, TooManyTries
from moderation.web.access import start_session
from moderation.web.accounts import too_many_tries, verified
from moderation.web.context import account, services

blueprint = Blueprint("own_account", __name__, url_prefix="/desk/account")


@blueprint.get("")
def page() -> str:
    """The account's page."""
    return _page()


@blueprint.post("/password")
def change_password() -> ResponseReturnValue:
    """Another password, for who knows the present one; it ends the other sessions."""
    new = request.form.get("new", "")
    try:
        if verified(account().name, request.form.get("current", "")) is None:
            return _page({"current": "is not right"}), HTTPStatus.UNPROCESSABLE_ENTITY
    except TooManyTries as error:
        return too_many_tries(_page({"current": f"was not looked at: {error}"}), error)
    if new != request.form.get("again"):
        messages = {"again": "is not the same as the new password"}
        return _page(messages), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        with services().database.write() as connection:
            accounts.set_password(connection, account().id, new)
            changed = accounts.by_id(connection, account().id)
    except InvalidInput as error:
        return _page({"new": error.errors[0].detail}), HTTPStatus.UNPROCESSABLE_ENTITY
    if changed is not None:
        start_session(changed)
    flash("The password is changed. Every other session of yours has ended.", "done")
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER)


@blueprint.post("/sessions/end")
def end_sessions() -> ResponseReturnValue:
    """Sign out everywhere."""
    with services().database.write() as connection:
        accounts.end_sessions(connection, account().id)
    session.clear()
    flash("You are signed out everywhere.", "done")
    return redirect(url_for("accounts.sign_in"), HTTPStatus.SEE_OTHER)


@blueprint.post("/tokens")
def create_token() -> ResponseReturnValue:
    """A new token, which is shown on the page that answers and never again."""
    label = request.form.get("label", "")
    try:
        with services().database.write() as connection:
            token = tokens.create(connection, account_id=account().id, label=label)
    except InvalidInput as error:
        page = _page({"label": error.errors[0].detail}, label=label)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    return _page(token=token)


@blueprint.post("/tokens/<token_digest>/revoke")
def revoke_token(token_digest: str) -> ResponseReturnValue:
    """Let a token work no more."""
    with services().database.write() as connection:
        tokens.revoke(connection, account_id=account().id, token_digest=token_digest)
    flash("The token is revoked and works no more.", "done")
    return redirect(url_for(".page", _anchor="tokens"), HTTPStatus.SEE_OTHER)


def _page(messages: Mapping[str, str] | None = None, *, token: str = "", label: str = "") -> str:
    with services().database.read() as connection:
        mine = tokens.of_account(connection, account().id)
    return render_template(
        "desk/account.html",
        account=account(),
        tokens=mine,
        token=token,
        label=label,
        messages=messages or {},
        password_length=accounts.PASSWORD_LENGTH,
        to_datetime=to_datetime,
    )
