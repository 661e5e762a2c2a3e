"""Trainings of sites' models: asked for, under way, and over. What trains is elsewhere.

A site has one run at a time that is not over. A run says every few seconds that it lives; one that
has not for a while was killed, and counts as interrupted: what it would still store is refused.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from moderation.clock import DAY, HOUR, SECOND, now_ms
from moderation.errors import Conflict, NotFound
from moderation.learning import labels
from moderation.models import Label, Site, SiteModel, TrainingRun
from moderation.policy import SiteSettings

BEAT = 2 * SECOND
"""Between two signs of life."""

DEAD_AFTER = 30 * SECOND
"""Without a sign of life, in milliseconds: a loaded machine may hold one back for a while."""

SCHEDULE = "the schedule"
NEW_LABELS = "new labels"
"""Who asked for a run that nobody asked for."""

# Between two runs of a site that nobody asked for, so that one that fails does not fail all day.
_PAUSE = HOUR


LEAST_LABELS = 40
"""Of fewer the gate could not tell anything, so that no model is made."""


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


UNFINISHED = frozenset({State.QUEUED, State.RUNNING})


@dataclass(frozen=True, slots=True)
class Run:
    """See `models.TrainingRun`; `version` is that of the model it made, empty where it made
    none."""

    id: int
    site_id: int
    state: State
    asked_by: str
    asked_at: int
    started_at: int | None
    ended_at: int | None
    step: str
    done: float
    outcome: str
    version: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """When the site's settings have its model trained next."""

    new: int
    """Labels since the last training that was done began."""
    labels_left: int | None
    """It is due after so many more; None: not by their number."""
    at: int | None
    """It is due from then on if anything is new, in milliseconds since 1970; None: not by time."""


def outlook(connection: Connection, site_id: int, settings: SiteSettings) -> Outlook:
    """When the site's settings have its model trained next."""
    done = _latest(connection, site_id, State.DONE)
    since, at = (done.last_label_id, done.asked_at) if done else (0, 0)
    new = labels.count_since(connection, site_id, since)
    wanted, days = settings.retrain_after_labels, settings.retrain_every_days
    return Outlook(
        new,
        None if wanted is None else max(wanted - new, 0),
        None if days is None else at + days * DAY,
    )


def ask(connection: Connection, site_id: int, *, by: str) -> int:
    """Have the site's model trained; the run's number, to be enqueued once this is committed.

    Raises:
        Conflict: a run of the site is not over yet.
    """
    new = insert(TrainingRun).values(
        site_id=site_id, state=State.QUEUED, asked_by=by, asked_at=now_ms()
    )
    try:
        with connection.begin_nested():
            number: int = connection.execute(new.returning(TrainingRun.id)).scalar_one()
    except IntegrityError:
        raise Conflict("the site's model is being trained already") from None
    return number


def begin(connection: Connection, run_id: int) -> Run | None:
    """The run, which is now running; None where it runs or is over already, as when its job runs
    twice."""
    now = now_ms()
    latest = select(func.coalesce(func.max(Label.id), 0)).where(
        Label.site_id == TrainingRun.site_id
    )
    begun = connection.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state == State.QUEUED)
        .values(
            state=State.RUNNING,
            started_at=now,
            beat_at=now,
            last_label_id=latest.scalar_subquery(),
        )
    )
    return run(connection, run_id) if begun.rowcount == 1 else None


def beat(connection: Connection, run_id: int, *, step: str, done: float) -> bool:
    """Say that the run lives and how far it is; False where it counts as interrupted."""
    values = {"beat_at": now_ms(), "step": step, "done": done}
    return _while_running(connection, run_id, values)


def finish(
    connection: Connection, run_id: int, state: State, *, outcome: str, model_id: int | None = None
) -> bool:
    """End the run; False where it counts as interrupted: then nothing of it may be stored."""
    values: dict[str, Any] = {
        "state": state,
        "ended_at": now_ms(),
        "outcome": outcome[:_LONGEST_OUTCOME],
        "model_id": model_id,
    }
    if state is State.DONE:
        values |= {"step": "", "done": 1.0}
    return _while_running(connection, run_id, values)


def run(connection: Connection, run_id: int) -> Run:
    """The run of this number.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(_RUNS.where(TrainingRun.id == run_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no training run {run_id}")
    return _run(row)


def runs(connection: Connection, site_id: int, *, limit: int) -> list[Run]:
    """The site's runs, the latest first."""
    query = _RUNS.where(TrainingRun.site_id == site_id).order_by(TrainingRun.id.desc())
    return [_run(row) for row in connection.execute(query.limit(limit))]


def last_label_id(connection: Connection, run_id: int) -> int:
    """The latest label that was there when the run began."""
    query = select(TrainingRun.last_label_id).where(TrainingRun.id == run_id)
    return connection.execute(query).scalar_one()


def any_unfinished(connection: Connection) -> bool:
    """Whether a run of any site is not over."""
    query = select(TrainingRun.id).where(TrainingRun.state.in_(UNFINISHED)).limit(1)
    return connection.scalar(query) is not None


def queued(connection: Connection) -> list[int]:
    """The runs that wait to begin."""
    query = select(TrainingRun.id).where(TrainingRun.state == State.QUEUED)
    return list(connection.scalars(query.order_by(TrainingRun.id)))


def mark_interrupted(connection: Connection) -> int:
    """End the runs that have given no sign of life for too long; how many."""
    now = now_ms()
    ended = connection.execute(
        update(TrainingRun)
        .where(TrainingRun.state == State.RUNNING, TrainingRun.beat_at < now - DEAD_AFTER)
        .values(
            state=State.INTERRUPTED,
            ended_at=now,
            outcome="It was interrupted. What decides has not changed.",
        )
    )
    return ended.rowcount


def due(connection: Connection) -> list[tuple[int, str]]:
    """The sites whose model is to be trained by their settings, each with the reason, which
    `ask` takes for who asked."""
    found = []
    for row in connection.execute(select(Site.id, Site.settings)).all():
        why = _why_due(connection, row.id, SiteSettings.model_validate(row.settings))
        if why:
            found.append((row.id, why))
    return found


_LONGEST_OUTCOME = 500

_RUNS = select(
    TrainingRun.id,
    TrainingRun.site_id,
    TrainingRun.state,
    TrainingRun.asked_by,
    TrainingRun.asked_at,
    TrainingRun.started_at,
    TrainingRun.ended_at,
    TrainingRun.step,
    TrainingRun.done,
    TrainingRun.outcome,
    func.coalesce(SiteModel.version, "").label("version"),
).outerjoin(SiteModel, SiteModel.id == TrainingRun.model_id)


def _run(row: Any) -> Run:
    return Run(**{**row._mapping, "state": State(row.state)})


def _while_running(connection: Connection, run_id: int, values: dict[str, Any]) -> bool:
    changed = connection.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state == State.RUNNING)
        .values(values)
    )
    return changed.rowcount == 1


def _why_due(connection: Connection, site_id: int, settings: SiteSettings) -> str:
    """Why the site's model is to be trained now; empty where it is not."""
    if settings.retrain_after_labels is None and settings.retrain_every_days is None:
        return ""
    now = now_ms()
    last = _latest(connection, site_id, *State)
    if last is not None and (last.state in UNFINISHED or now - last.asked_at < _PAUSE):
        return ""
    ahead = outlook(connection, site_id, settings)
    if ahead.labels_left == 0:
        return NEW_LABELS
    if ahead.at is not None and ahead.new and now >= ahead.at:
        return SCHEDULE
    return ""


def _latest(connection: Connection, site_id: int, *states: State) -> Any:
    query = (
        select(TrainingRun.state, TrainingRun.asked_at, TrainingRun.last_label_id)
        .where(TrainingRun.site_id == site_id, TrainingRun.state.in_(states))
        .order_by(TrainingRun.id.desc())
        .limit(1)
    )
    return connection.execute(query).one_or_none()
