"""The administrators' pages for sites: settings, tried on past decisions before they are saved, and
keys."""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, select

from moderation import site_settings, sites
from moderation.classifier import artifact
from moderation.clock import to_datetime
from moderation.desk import rehearsal
from moderation.errors import Conflict, InvalidInput
from moderation.learning import operating_points
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.sites import SiteRef
from moderation.web import site_form
from moderation.web.context import account, services
from moderation.website.coral import PROTOCOL

log = logging.getLogger(__name__)

blueprint = Blueprint("sites", __name__, url_prefix="/desk/sites")

_CHANGES_SHOWN = 50


@blueprint.get("")
def page() -> str:
    """Every site."""
    return _list()


@blueprint.post("")
def add() -> ResponseReturnValue:
    """A new site, with a key that is shown on the page that answers and never again."""
    name = request.form.get("name", "").strip()
    try:
        with services().database.write() as connection:
            key = site_settings.add_site(connection, name=name, actor=account().name)
    except InvalidInput as error:
        return _list(name, error.errors[0].detail), HTTPStatus.UNPROCESSABLE_ENTITY
    return _keys(name, key=key)


@blueprint.get("/<name>/")
def settings(name: str) -> str:
    """A site's settings, and who changed them."""
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        return _settings(connection, site, site_form.shown(site.settings))


@blueprint.post("/<name>/preview")
def preview(name: str) -> ResponseReturnValue:
    """What the settings that were typed would have done; nothing is saved."""
    values = site_form.typed(request.form)
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        try:
            proposed = site_form.parse(request.form, site.settings)
        except InvalidInput as error:
            messages = {e.field: e.detail for e in error.errors}
            page = _settings(connection, site, values, messages=messages)
            return page, HTTPStatus.UNPROCESSABLE_ENTITY
        found = rehearsal.rehearse(
            connection,
            site.id,
            present=site.settings,
            proposed=proposed,
            thresholds=own_thresholds(site),
            point=operating_points.points(connection, site.id, site.settings).get,
        )
        changes = site_settings.differences(site.settings, proposed)
        return _settings(
            connection,
            site,
            values,
            rehearsal=found,
            changes=changes,
            proposal=_sealed(site, proposed) if changes else "",
        )


@blueprint.post("/<name>/save")
def save(name: str) -> ResponseReturnValue:
    """Save exactly what was shown by `preview`, if nobody has changed the settings since."""
    try:
        with services().database.write() as connection:
            site = site_settings.site_named(connection, name, locked=True)
            proposed = _opened(site, request.form.get("proposal", ""))
            site_settings.save(
                connection,
                name=name,
                before=site.settings,
                after=proposed,
                actor=account().name,
            )
    except Conflict as conflict:
        flash(f"Nothing was saved: {conflict}. These are the settings as they stand.", "error")
    else:
        flash("Saved. Every comment is decided by these settings from now on.", "done")
    return redirect(url_for(".settings", name=name), HTTPStatus.SEE_OTHER)


@blueprint.get("/<name>/keys")
def keys(name: str) -> str:
    """A site's keys."""
    return _keys(name)


@blueprint.post("/<name>/keys")
def give_key(name: str) -> str:
    """One more key, which is shown on the page that answers and never again."""
    with services().database.write() as connection:
        key = site_settings.give_key(
            connection, name=name, actor=account().name, short="akismet" in request.form
        )
    return _keys(name, key=key)


@blueprint.post("/<name>/keys/<key_digest>/revoke")
def take_key(name: str, key_digest: str) -> ResponseReturnValue:
    """Let a key work no more."""
    with services().database.write() as connection:
        site_settings.take_key(connection, name=name, key_digest=key_digest, actor=account().name)
    flash("The key is revoked: in a few seconds it works nowhere any more.", "done")
    return redirect(url_for(".keys", name=name), HTTPStatus.SEE_OTHER)


@blueprint.post("/<name>/coral")
def coral_secret(name: str) -> ResponseReturnValue:
    """Take over the secret with which Coral signs its calls for a site; an empty one ends that."""
    secret = request.form.get("secret", "").strip()
    try:
        with services().database.write() as connection:
            site_settings.set_secret(
                connection, name=name, purpose=PROTOCOL, secret=secret, actor=account().name
            )
    except InvalidInput as error:
        return _keys(name, message=error.errors[0].detail), HTTPStatus.UNPROCESSABLE_ENTITY
    flash("Coral may ask now." if secret else "Coral’s calls are refused now.", "done")
    return redirect(url_for(".keys", name=name), HTTPStatus.SEE_OTHER)


def _list(name: str = "", message: str = "") -> str:
    with services().database.read() as connection:
        names = list(connection.scalars(select(Site.name).order_by(Site.name)))
    return render_template("desk/sites.html", sites=names, name=name, message=message)


def _keys(name: str, *, key: str = "", message: str = "") -> str:
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        found = sites.keys(connection, site.id)
        signed = site_settings.secret_of(connection, site.id, PROTOCOL) is not None
    return render_template(
        "desk/keys.html",
        site=site,
        keys=found,
        key=key,
        coral=signed,
        message=message,
        to_datetime=to_datetime,
    )


def _settings(
    connection: Connection,
    site: SiteRef,
    values: Mapping[str, Any],
    *,
    messages: Mapping[str, str] | None = None,
    **shown: Any,
) -> str:
    return render_template(
        "desk/settings.html",
        site=site,
        groups=site_form.GROUPS,
        values=values,
        messages=messages or {},
        own_thresholds=_current_thresholds(),
        history=site_settings.history(connection, site.id, limit=_CHANGES_SHOWN),
        label=site_form.label,
        to_datetime=to_datetime,
        **shown,
    )


def _sealed(site: SiteRef, proposed: SiteSettings) -> str:
    """What was proposed for the settings as they stand, signed: nothing else can be saved."""
    return str(_signer().dumps([site.id, _digest(site.settings), proposed.model_dump(mode="json")]))


def _opened(site: SiteRef, proposal: str) -> SiteSettings:
    """The settings in a proposal for this site.

    Raises:
        Conflict: it is none, or was made for settings that have changed since.
    """
    try:
        site_id, before, proposed = _signer().loads(proposal)
    except BadSignature:
        raise Conflict("what you wanted to save was not shown by this service") from None
    if (site_id, before) != (site.id, _digest(site.settings)):
        raise Conflict("somebody else has changed the settings meanwhile")
    return SiteSettings.model_validate(proposed)


def _digest(settings: SiteSettings) -> str:
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="settings")


def own_thresholds(site: SiteRef) -> rehearsal.Thresholds:
    """The thresholds of the model that decides for a site, by its version. A model of the site's
    has those of the general one."""
    version, thresholds = _header(services().settings.model)
    if not version:
        return {}
    return {f"{version}+{site.current.version}" if site.current else version: thresholds}


def general_model() -> str:
    """The version of the general model in use; empty where it is on another machine."""
    return _header(services().settings.model)[0]


def _current_thresholds() -> Mapping[str, float]:
    return _header(services().settings.model)[1]


def _header(path: Path) -> tuple[str, Mapping[str, float]]:
    """Version and thresholds of the model at `path`; empty where it is on another machine."""
    try:
        return _read_header(path, path.stat().st_mtime_ns)
    except (OSError, artifact.ArtifactError) as error:
        log.warning("the model's own thresholds are not known here: %s", error)
        return "", {}


@cache
def _read_header(path: Path, _changed_at: int) -> tuple[str, Mapping[str, float]]:
    return artifact.thresholds(path)
