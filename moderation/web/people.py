"""The administrators' pages for accounts: who moderates which sites."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, select

from moderation.access import accounts
from moderation.domain import Role
from moderation.errors import Conflict, FieldError, InvalidInput, NotFound
from moderation.models import Site
from moderation.web.context import account, services

blueprint = Blueprint("people", __name__, url_prefix="/desk/people")

# 16 characters: nobody guesses them, and they can be read out over the telephone.
_PASSWORD_BYTES = 12


@blueprint.get("")
def page() -> str:
    """Every account."""
    return _list()


@blueprint.post("")
def add() -> ResponseReturnValue:
    """A new account, with a password that is shown on the page that answers and never again."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    name = request.form.get("name", "").replace("\0", "").strip()
    sites = request.form.getlist("sites")
    try:
        with services().database.write() as connection:
            accounts.create_account(
                connection, name=name, password=password, role=_role(), sites=sites
            )
    except InvalidInput as error:
        messages = {e.field: e.detail for e in error.errors}
        return _list(messages, typed=request.form), HTTPStatus.UNPROCESSABLE_ENTITY
    return _list(fresh=(name, password))


@blueprint.get("/<int:account_id>")
def one(account_id: int) -> str:
    """One account."""
    return _one(account_id)


@blueprint.post("/<int:account_id>/role")
def set_role(account_id: int) -> ResponseReturnValue:
    """Another role, other sites."""
    try:
        with services().database.write() as connection:
            accounts.set_role(connection, account_id, _role(), request.form.getlist("sites"))
    except Conflict as conflict:
        return _one(account_id, failure=str(conflict)), HTTPStatus.CONFLICT
    flash("Role and sites are changed, from the next click on.", "done")
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER)


@blueprint.post("/<int:account_id>/password")
def new_password(account_id: int) -> ResponseReturnValue:
    """A new password for who has forgotten it, shown on the page that answers and never again."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    with services().database.write() as connection:
        found = _listed(connection, account_id)
        accounts.set_password(connection, account_id, password)
    return _list(fresh=(found.name, password))


@blueprint.post("/<int:account_id>/remove")
def remove(account_id: int) -> ResponseReturnValue:
    """Remove an account."""
    try:
        if account_id == account().id:
            raise Conflict("this is your own account: another administrator may remove it")
        with services().database.write() as connection:
            accounts.remove(connection, account_id)
    except Conflict as conflict:
        return _one(account_id, failure=str(conflict)), HTTPStatus.CONFLICT
    flash("The account is removed. What it decided stays, under its name.", "done")
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER)


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        raise InvalidInput(FieldError("role", "has to be chosen")) from None


def _list(
    messages: Mapping[str, str] | None = None,
    *,
    typed: Mapping[str, str] | None = None,
    fresh: tuple[str, str] | None = None,
) -> str:
    with services().database.read() as connection:
        everybody = accounts.listed(connection)
        sites = _site_names(connection)
    return render_template(
        "desk/people.html",
        accounts=everybody,
        sites=sites,
        messages=messages or {},
        typed=typed or {},
        chosen=request.form.getlist("sites") if typed else [],
        fresh=fresh,
    )


def _one(account_id: int, *, failure: str = "") -> str:
    with services().database.read() as connection:
        found = _listed(connection, account_id)
        sites = _site_names(connection)
    return render_template(
        "desk/person.html", person=found, sites=sites, failure=failure, own=account().id
    )


def _listed(connection: Connection, account_id: int) -> accounts.Listed:
    for found in accounts.listed(connection):
        if found.id == account_id:
            return found
    raise NotFound("there is no such account")


def _site_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(Site.name).order_by(Site.name)))
