"""Signing in and out."""

import re
from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from moderation import accounts
from moderation.web.access import start_session
from moderation.web.context import services

blueprint = Blueprint("accounts", __name__)

# Not "//host" or "/\\host", which are other sites; nor white space, which browsers leave out of an
# address before they look at it.
_OUR_PATH = re.compile(r"/(?![/\\])[!-~]*")


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The form, and what becomes of it."""
    if request.method == "GET":
        return render_template("desk/sign_in.html", name="", failed=False)
    name = request.form.get("name", "").replace("\0", "").strip()
    with services().database.read() as connection:
        account = accounts.sign_in(connection, name=name, password=request.form.get("password", ""))
    if account is None:
        page = render_template("desk/sign_in.html", name=name, failed=True)
        return page, HTTPStatus.UNAUTHORIZED
    start_session(account)
    return redirect(_next_page(), HTTPStatus.SEE_OTHER)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    session.clear()
    return redirect(url_for(".sign_in"), HTTPStatus.SEE_OTHER)


def _next_page() -> str:
    """The page that asked for the sign-in, if it is one of ours."""
    wanted = request.args.get("next", "")
    return wanted if _OUR_PATH.fullmatch(wanted) else url_for("desk.page")
