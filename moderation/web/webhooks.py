"""The administrators' page of a site's webhooks: who is told, what was sent, what did not come
through."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from moderation import site_settings
from moderation.clock import now_ms, to_datetime
from moderation.errors import InvalidInput
from moderation.outbox import deliveries, webhook_settings, webhooks
from moderation.outbox.webhooks import CHOOSABLE
from moderation.web.context import account, services

blueprint = Blueprint("webhooks", __name__, url_prefix="/desk/sites/<name>/webhooks")

_SHOWN = 50


@blueprint.get("")
def page(name: str) -> str:
    """The site's webhooks and its latest messages."""
    return _page(name)


@blueprint.post("")
def add(name: str) -> ResponseReturnValue:
    """A new webhook, whose secret is shown on the page that answers and never again."""
    url, types = request.form.get("url", "").strip(), request.form.getlist("types")
    try:
        with services().database.write() as connection:
            _, secret = webhook_settings.add(
                connection, name=name, url=url, types=types, actor=account().name
            )
    except InvalidInput as error:
        messages = {one.field: one.detail for one in error.errors}
        wrong = _page(name, url=url, types=types, messages=messages)
        return wrong, HTTPStatus.UNPROCESSABLE_ENTITY
    return _page(name, secret=secret)


@blueprint.post("/<int:webhook_id>/secret")
def rotate(name: str, webhook_id: int) -> str:
    """A new secret, which is shown on the page that answers and never again."""
    with services().database.write() as connection:
        secret = webhook_settings.rotate(
            connection, name=name, webhook_id=webhook_id, actor=account().name
        )
    return _page(name, secret=secret)


@blueprint.post("/<int:webhook_id>/test")
def test(name: str, webhook_id: int) -> ResponseReturnValue:
    """Send a message that tells of nothing."""
    with services().database.write() as connection:
        webhooks.send_test(connection, site_id=_site_id(connection, name), webhook_id=webhook_id)
    flash("A test message is on its way. Load the page again to see what came of it.", "done")
    return _back(name)


@blueprint.post("/<int:webhook_id>/revive")
def revive(name: str, webhook_id: int) -> ResponseReturnValue:
    """Send to a webhook again that was gone."""
    with services().database.write() as connection:
        webhook_settings.revive(connection, name=name, webhook_id=webhook_id, actor=account().name)
    flash("The webhook is told of what happens from now on.", "done")
    return _back(name)


@blueprint.post("/<int:webhook_id>/remove")
def remove(name: str, webhook_id: int) -> ResponseReturnValue:
    """Forget a webhook, and what was sent there."""
    with services().database.write() as connection:
        webhook_settings.remove(connection, name=name, webhook_id=webhook_id, actor=account().name)
    flash("The webhook is removed: nothing more is sent there.", "done")
    return _back(name)


@blueprint.post("/redeliver")
def redeliver(name: str) -> ResponseReturnValue:
    """Send again one message, or all that were given up."""
    chosen = request.form.get("message") or None
    with services().database.write() as connection:
        count = deliveries.redeliver(connection, _site_id(connection, name), chosen)
    if count:
        flash(f"{count} {'message is' if count == 1 else 'messages are'} sent again.", "done")
    else:
        flash("Nothing is sent again: the webhook is gone, or the message is.", "error")
    return _back(name)


def _site_id(connection: Connection, name: str) -> int:
    return site_settings.site_named(connection, name).id


def _back(name: str) -> ResponseReturnValue:
    return redirect(url_for(".page", name=name), HTTPStatus.SEE_OTHER)


def _page(
    name: str,
    *,
    secret: str = "",
    url: str = "",
    types: Sequence[str] = CHOOSABLE,
    messages: Mapping[str, str] | None = None,
) -> str:
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        return render_template(
            "desk/webhooks.html",
            site=site,
            endpoints=webhooks.endpoints(connection, site.id),
            recent=deliveries.recent(connection, site.id, limit=_SHOWN),
            dead=deliveries.dead(connection, site.id, limit=_SHOWN),
            dead_count=deliveries.count_dead(connection, site.id),
            secret=secret,
            url=url,
            types=types,
            choosable=CHOOSABLE,
            messages=messages or {},
            now=now_ms(),
            to_datetime=to_datetime,
        )
