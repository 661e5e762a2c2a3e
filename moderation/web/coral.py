"""Coral's external moderation phase. See docs/protocols.md."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from moderation.errors import Unauthorized
from moderation.models import Comment
from moderation.site_settings import secret_of
from moderation.web.context import services
from moderation.website import coral
from moderation.website.coral import Asked

blueprint = Blueprint("coral", __name__, url_prefix="/coral")


@blueprint.post("/<name>")
def moderate(name: str) -> Response:
    """Store a comment of the site's Coral, decide it, and say what came of it."""
    raw = request.get_data()
    site = services().sites.by_name(name)
    secret = None
    if site is not None:
        with services().database.read() as connection:
            secret = secret_of(connection, site.id, coral.PROTOCOL)
    signatures = request.headers.get("X-Coral-Signature", "")
    if site is None or secret is None or not coral.is_signed(raw, signatures, secret):
        raise Unauthorized("the call is not signed with the secret of a site here")
    body: Any = request.get_json(force=True)
    asked = Asked.read(body if isinstance(body, dict) else {})
    with services().database.read() as connection:
        key = asked.sent.key(connection, site.id)
    receipt = services().checks.check(asked.comment(site.id, idempotency_key=key))
    with services().database.read() as connection:
        reason = connection.scalar(select(Comment.reason).where(Comment.id == receipt.id)) or ""
    return jsonify(coral.answer(receipt.status, reason))
