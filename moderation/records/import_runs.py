"""Uploaded files, from what would come in to what came: steps of one run, each done by a worker.

The file lies in the data folder until it has come in or is discarded.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from moderation.clock import DAY, now_ms
from moderation.db import Database
from moderation.errors import Conflict, NotFound
from moderation.imports import DamagedFile, Format, Source, detect
from moderation.models import ImportRun, Site
from moderation.records import importing
from moderation.records.importing import Report, Wish

log = logging.getLogger(__name__)

# What nobody has imported by then is discarded when the next file comes.
_KEPT = 7 * DAY

# Seconds between two notes of how far it is.
_NOTED = 1.0


class State(StrEnum):
    """How far a run has come."""

    CHECKING = "checking"
    """It is being read, to say what would come in."""
    CHECKED = "checked"
    IMPORTING = "importing"
    DONE = "done"
    FAILED = "failed"
    DISCARDED = "discarded"


UNDER_WAY = (State.CHECKING, State.IMPORTING)

_NEXT = {
    State.CHECKING: State.CHECKING,
    State.CHECKED: State.IMPORTING,
    State.IMPORTING: State.IMPORTING,
    State.FAILED: State.CHECKING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that has come, and what is wanted of it."""

    site_id: int
    actor: str
    file: str
    """What it was called where it came from."""
    stored: str
    """What it is called in the folder of uploads."""
    form: Format | None
    history: bool
    pages: Mapping[str, str] = field(default_factory=dict)
    """See `importing.Wish`."""


def folder(home: Path) -> Path:
    """Where uploads lie; made if it is not there."""
    path = home / "imports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def add(connection: Connection, upload: Upload, files: Path) -> int:
    """A new run, to be worked on; its number. Old ones that nobody wanted are discarded."""
    now = now_ms()
    forgotten = select(ImportRun.id).where(
        ImportRun.state.in_((State.CHECKED, State.FAILED)), ImportRun.updated_at < now - _KEPT
    )
    for run_id in connection.scalars(forgotten).all():
        discard(connection, run_id, files)
    values = {
        "site_id": upload.site_id,
        "at": now,
        "actor": upload.actor,
        "file": upload.file,
        "stored": upload.stored,
        "format": upload.form or "",
        "origin": "",
        "pages": dict(upload.pages),
        "history": upload.history,
        "state": State.CHECKING,
        "share": 0.0,
        "report": Report().to_json(),
        "updated_at": now,
    }
    return int(
        connection.execute(insert(ImportRun).values(values).returning(ImportRun.id)).scalar_one()
    )


def go_on(connection: Connection, run_id: int) -> None:
    """Let the next step begin: import what was checked, or begin a step anew that came to nothing.

    Raises:
        NotFound: there is no such run.
        Conflict: it is over.
    """
    following = _NEXT.get(State(one(connection, run_id).state))
    if following is None:
        raise Conflict("this import is over: upload the file again")
    _note(connection, run_id, state=following, share=0.0)


def discard(connection: Connection, run_id: int, files: Path) -> None:
    """Remove the file of a run that is not under way.

    Raises:
        NotFound: there is no such run.
        Conflict: it is under way, or over.
    """
    run = one(connection, run_id)
    if run.state not in (State.CHECKED, State.FAILED):
        raise Conflict("this import is under way, or over")
    _note(connection, run_id, state=State.DISCARDED)
    (files / run.stored).unlink(missing_ok=True)


def one(connection: Connection, run_id: int) -> Row[Any]:
    """A run, with its site's name.

    Raises:
        NotFound: there is no such run.
    """
    query = _runs().where(ImportRun.id == run_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("there is no such import")
    return row


def latest(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """The latest runs, the newest first."""
    return connection.execute(_runs().order_by(ImportRun.id.desc()).limit(limit)).all()


def _runs() -> Any:
    return select(ImportRun.__table__, Site.name.label("site")).join(
        Site, Site.id == ImportRun.site_id
    )


def work(database: Database, files: Path, run_id: int) -> None:
    """Do the step that a run has come to; one that is not under way is left alone."""
    with database.read() as connection:
        run = one(connection, run_id)
    if run.state not in UNDER_WAY:
        return
    try:
        report = _work(database, files, run)
    except Exception as error:
        log.exception("the import %d has failed", run_id)
        failed = Report(damage=f"something went wrong ({type(error).__name__}), see the log")
        with database.write() as connection:
            _note(connection, run_id, state=State.FAILED, report=failed.to_json())
        return
    if run.state == State.IMPORTING:
        state = State.DONE
    else:
        state = State.FAILED if report.damage and not _something(report) else State.CHECKED
    with database.write() as connection:
        _note(connection, run_id, state=state, share=1.0, report=report.to_json())
    if state is State.DONE:
        with suppress(OSError):
            (files / run.stored).unlink()


def _something(report: Report) -> bool:
    return bool(report.new or report.changed or report.known)


def _work(database: Database, files: Path, run: Row[Any]) -> Report:
    path = files / run.stored
    if not path.exists():
        return Report(damage="the file is not in the data folder of this machine")
    try:
        form = Format(run.format) if run.format else detect(Source(path))
    except DamagedFile as error:
        return Report(damage=str(error))
    wish = Wish(
        path=path,
        form=form,
        site_id=run.site_id,
        origin=form.origin(run.file),
        history=run.history,
        pages=run.pages,
    )
    with database.write() as connection:
        _note(connection, run.id, format=form, origin=wish.origin)
    noted = time.monotonic()

    def note(share: float, report: Report) -> None:
        nonlocal noted
        if time.monotonic() - noted > _NOTED:
            noted = time.monotonic()
            with database.write() as connection:
                _note(connection, run.id, share=share, report=report.to_json())

    return importing.bring_in(database, wish, dry=run.state == State.CHECKING, progress=note)


def _note(connection: Connection, run_id: int, **values: Any) -> None:
    connection.execute(
        update(ImportRun).where(ImportRun.id == run_id).values(values | {"updated_at": now_ms()})
    )
