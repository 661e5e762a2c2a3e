"""The blueprint that the desk's pages and forms share."""

from flask import Blueprint

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
