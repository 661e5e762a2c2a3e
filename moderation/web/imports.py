"""The administrators' page for imports: upload a file, see what would come in, bring it in."""

import os
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from moderation import site_settings
from moderation.clock import to_datetime
from moderation.errors import FieldError, InvalidInput, NotFound
from moderation.imports import Format
from moderation.models import Site
from moderation.queues import enqueue_import
from moderation.records import import_runs
from moderation.records.import_runs import UNDER_WAY, State, Upload
from moderation.records.importing import Report
from moderation.schemas import line
from moderation.web import uploads
from moderation.web.context import account, services

blueprint = Blueprint("imports", __name__, url_prefix="/desk/import")

_SHOWN = 30

_FORMATS = {
    Format.WORDPRESS: "WordPress: export (XML)",
    Format.WP_LIST: "WordPress: wp comment list (JSON, CSV)",
    Format.DISQUS: "Disqus: export (XML)",
    Format.ISSO: "Isso: database",
    Format.TABLE: "Table with labels (CSV, JSON lines, Jigsaw)",
}

_STATES = {
    State.CHECKING: "is being read",
    State.CHECKED: "waits for your word",
    State.IMPORTING: "comes in",
    State.DONE: "has come in",
    State.FAILED: "could not be read",
    State.DISCARDED: "discarded",
}


@blueprint.get("")
def page() -> str:
    """The form, and the latest imports."""
    return _page({})


@blueprint.post("")
def upload() -> ResponseReturnValue:
    """Take a file, and have a worker look what is in it."""
    try:
        run_id = _taken(request.files.get("file"))
    except InvalidInput as error:
        messages = {e.field: e.detail for e in error.errors}
        return _page(messages), HTTPStatus.UNPROCESSABLE_ENTITY
    return _enqueued(run_id)


@blueprint.get("/<int:run_id>")
def run(run_id: int) -> str:
    """One import: what would come in, how far it is, or what came of it."""
    with services().database.read() as connection:
        found = import_runs.one(connection, run_id)
    return render_template(
        "desk/import_run.html",
        run=found,
        report=Report(**found.report),
        under_way=found.state in UNDER_WAY,
        states=_STATES,
        formats=_FORMATS,
        to_datetime=to_datetime,
    )


@blueprint.get("/<int:run_id>/state")
def state(run_id: int) -> ResponseReturnValue:
    """How far an import is, for the page's script."""
    with services().database.read() as connection:
        found = import_runs.one(connection, run_id)
    return jsonify(state=found.state, share=found.share)


@blueprint.post("/<int:run_id>/go-on")
def go_on(run_id: int) -> ResponseReturnValue:
    """Import what was checked, or begin anew what came to nothing."""
    with services().database.write() as connection:
        import_runs.go_on(connection, run_id)
    return _enqueued(run_id)


@blueprint.post("/<int:run_id>/discard")
def discard(run_id: int) -> ResponseReturnValue:
    """Remove the file; nothing comes in."""
    with services().database.write() as connection:
        import_runs.discard(connection, run_id, _folder())
    flash("The file is removed. Nothing of it came in.", "done")
    return redirect(url_for(".page"), HTTPStatus.SEE_OTHER)


def _page(messages: dict[str, str]) -> str:
    with services().database.read() as connection:
        runs = import_runs.latest(connection, limit=_SHOWN)
        sites = list(connection.scalars(select(Site.name).order_by(Site.name)))
    return render_template(
        "desk/imports.html",
        runs=runs,
        sites=sites,
        formats=_FORMATS,
        states=_STATES,
        messages=messages,
        typed=request.form,
        largest=uploads.LARGEST // 2**30,
        to_datetime=to_datetime,
    )


def _taken(file: FileStorage | None) -> int:
    """Keep the file that the form sent, with what is wanted of it; the run's number."""
    if file is None or not file.filename:
        raise InvalidInput(FieldError("file", "has to be chosen"))
    form = request.form.get("format", "")
    if form and form not in list(Format):
        raise InvalidInput(FieldError("format", "has to be one of the list"))
    pages = _pages(request.form.get("pages", ""))
    files = _folder()
    stored = secrets.token_hex(16)
    file.stream.flush()
    stream: Any = file.stream
    try:
        with services().database.write() as connection:
            try:
                site = site_settings.site_named(connection, request.form.get("site", ""))
            except NotFound:
                raise InvalidInput(FieldError("site", "has to be chosen")) from None
            wanted = Upload(
                site_id=site.id,
                actor=account().name,
                file=line(Path(file.filename).name)[:255],
                stored=stored,
                form=Format(form) if form else None,
                history="history" in request.form,
                pages=pages,
            )
            run_id = import_runs.add(connection, wanted, files)
            os.link(stream.name, files / stored)
    finally:
        file.close()
    return run_id


def _pages(typed: str) -> dict[str, str]:
    """How pages' addresses begin there and here, two to a line."""
    pairs = [line.split() for line in typed.splitlines() if line.strip()]
    if any(len(pair) != 2 for pair in pairs):
        detail = "has to have two addresses to a line: how it begins there, and how it begins here"
        raise InvalidInput(FieldError("pages", detail))
    return dict(pairs)


def _folder() -> Path:
    return import_runs.folder(services().settings.home)


def _enqueued(run_id: int) -> ResponseReturnValue:
    try:
        enqueue_import(services().redis, run_id)
    except (RedisError, OSError):
        flash("No worker could be told. Begin again in a moment.", "error")
    return redirect(url_for(".run", run_id=run_id), HTTPStatus.SEE_OTHER)
