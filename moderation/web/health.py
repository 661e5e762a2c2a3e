"""Whether the service can do its work, for supervisors and load balancers."""

from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from moderation.web.context import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> ResponseReturnValue:
    """200 while comments can be stored. A Redis that is down delays decisions and loses nothing,
    so it is reported and is no failure."""
    database, redis = _database_answers(), _redis_answers()
    status = HTTPStatus.OK if database else HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify(database=database, redis=redis), status


def _database_answers() -> bool:
    try:
        with services().database.read() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        return bool(services().redis.ping())
    except (RedisError, OSError):
        return False
