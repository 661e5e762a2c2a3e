"""Whose token a program holds."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from moderation.models import Site
from moderation.schemas import AccountState
from moderation.web.context import account, services

blueprint = Blueprint("account_api", __name__, url_prefix="/v1/account")


@blueprint.get("")
def state() -> ResponseReturnValue:
    """The account that the token acts for."""
    query = select(Site.name).where(account().sees_in(Site.id)).order_by(Site.name)
    with services().database.read() as connection:
        sites = list(connection.scalars(query))
    found = AccountState(name=account().name, role=account().role, sites=sites)
    return jsonify(found.model_dump(mode="json"))
