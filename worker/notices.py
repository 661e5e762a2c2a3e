"""Tells a site's webhook when there is trouble, and when it is over. Free of RQ.

There are several kinds of trouble. Of each, one message for each change, and one an hour at most.
What could not be told is tried again, after pauses that grow.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from moderation.clock import HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import Status
from moderation.learning import watch
from moderation.learning.drift import Shift
from moderation.models import Comment, Notice, Site
from moderation.policy import SiteSettings
from moderation.sites import SiteRef
from worker.webhook import WebhookError, post_json

log = logging.getLogger(__name__)

PAUSE = HOUR
"""Between two messages of one kind to one site."""

FIRST_RETRY = 1 * MINUTE
LONGEST_RETRY = 1 * HOUR


class Kind(StrEnum):
    """What may be in trouble."""

    QUEUE = "queue"
    """Held comments wait for too long."""
    AUDIT = "audit"
    """The audit shows that too much of what is published by itself should not be."""
    DRIFT = "drift"
    """What comes in looks different to the model."""


_EVENTS = {
    Kind.QUEUE: ("queue_in_time", "queue_late"),
    Kind.AUDIT: ("goal_met", "goal_missed"),
    Kind.DRIFT: ("drift_over", "drift"),
}
"""What a message is called when the trouble is over, and when it begins."""


class Finding(NamedTuple):
    """How things stand; `trouble` is None where it is neither clear that there is trouble nor that
    there is none, so that what was told last still holds."""

    kind: Kind
    trouble: bool | None
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """What a site's webhook is to be told."""

    site_id: int
    url: str
    kind: Kind
    trouble: bool
    message: Mapping[str, Any]


def send_notices(database: Database, *, desk: str, private_addresses: bool) -> None:
    """Send what is due.

    Args:
        desk: web address of the moderators' desk.
        private_addresses: whether webhooks may call addresses that are not public.
    """
    for notice in take_due(database, desk=desk):
        try:
            post_json(notice.url, notice.message, private_addresses=private_addresses)
        except WebhookError as error:
            log.warning("the webhook of site %d was not told: %s", notice.site_id, error)
        else:
            _told(database, notice)


def take_due(database: Database, *, desk: str) -> list[Due]:
    """What is due now. It counts as tried and failed until somebody says that it was told."""
    now = now_ms()
    # Counting takes its time, so it is done before other writers have to wait.
    with database.read() as connection:
        wanted = [
            notice
            for notice in _notices(connection, desk, now)
            if _is_due(_state(connection, notice), notice.trouble, now)
        ]
    if not wanted:
        return []
    with database.write() as connection:
        return [notice for notice in wanted if _take(connection, notice, now)]


def _notices(connection: Connection, desk: str, now: int) -> Iterator[Due]:
    """What there is to say about each site that wants to be told, whether or not it is due."""
    sites = [
        SiteRef(row.id, row.name, settings)
        for row in connection.execute(select(Site.id, Site.name, Site.settings)).all()
        if (settings := SiteSettings.model_validate(row.settings)).notify_url
    ]
    oldest = _oldest_held(connection, [site.id for site in sites]) if sites else {}
    for site in sites:
        findings = (
            _queue(site.settings, *oldest.get(site.id, (0, now)), now),
            _audit(connection, site, now),
            _drift(connection, site, now),
        )
        for kind, trouble, figures in findings:
            if trouble is None:
                continue
            event = {"event": _EVENTS[kind][trouble], "site": site.name}
            message = event | dict(figures) | {"desk": desk}
            yield Due(site.id, site.settings.notify_url, kind, trouble, message)


def _queue(settings: SiteSettings, held: int, since: int, now: int) -> Finding:
    late = now - since > settings.notify_after_minutes * MINUTE
    figures = {
        "held": held,
        "oldest_minutes": (now - since) // MINUTE,
        "limit_minutes": settings.notify_after_minutes,
    }
    return Finding(Kind.QUEUE, late, figures)


def _audit(connection: Connection, site: SiteRef, now: int) -> Finding:
    error = watch.error(connection, site.id, site.settings, now=now)
    rate = error.rate
    figures = {
        "days": watch.WINDOW,
        "judged": rate.judged,
        "wrong": rate.wrong,
        "error": rate.value,
        "at_least": round(rate.low, 4),
        "allowed": round(error.allowed, 4),
    }
    return Finding(
        Kind.AUDIT, True if error.is_missed else False if error.is_met else None, figures
    )


def _drift(connection: Connection, site: SiteRef, now: int) -> Finding:
    found = watch.drift(connection, site.id, now=now)
    if found is None:
        return Finding(Kind.DRIFT, None, {})
    figures = {
        "model": found.model,
        "scores": _index(found.scores),
        "unknown_words": _index(found.unknown),
    }
    return Finding(
        Kind.DRIFT, True if found.is_large else False if found.is_small else None, figures
    )


def _index(shift: Shift | None) -> float | None:
    return None if shift is None or shift.psi is None else round(shift.psi, 3)


def _oldest_held(connection: Connection, site_ids: list[int]) -> dict[int, tuple[int, int]]:
    """For each site with held comments, how many, and when the oldest was stored."""
    query = (
        select(Comment.site_id, func.count().label("held"), func.min(Comment.created_at))
        .where(Comment.status == Status.HELD, Comment.site_id.in_(site_ids))
        .group_by(Comment.site_id)
    )
    return {site_id: (held, since) for site_id, held, since in connection.execute(query)}


def _take(connection: Connection, notice: Due, now: int) -> bool:
    """Count a try to tell a site, unless another worker was first."""
    # The site is locked, because there may be no row of its notices yet.
    connection.execute(select(Site.id).where(Site.id == notice.site_id).with_for_update())
    state = _state(connection, notice)
    if not _is_due(state, notice.trouble, now):
        return False
    values = {"tried_at": now, "failures": (state.failures if state else 0) + 1}
    if state is None:
        key = {"site_id": notice.site_id, "kind": notice.kind}
        connection.execute(insert(Notice).values(trouble=False, **key, **values))
    else:
        connection.execute(update(Notice).where(*_of(notice)).values(**values))
    return True


def _state(connection: Connection, notice: Due) -> Any:
    return connection.execute(select(Notice.__table__).where(*_of(notice))).one_or_none()


def _of(notice: Due) -> tuple[Any, ...]:
    return Notice.site_id == notice.site_id, Notice.kind == notice.kind


def _is_due(state: Any, trouble: bool, now: int) -> bool:
    """Whether a site is to be told now."""
    if state is None:
        return trouble
    if trouble == state.trouble or now - (state.told_at or 0) < PAUSE:
        return False
    if not state.failures:
        return True
    pause = min(FIRST_RETRY << min(state.failures - 1, 16), LONGEST_RETRY)
    return bool(now - state.tried_at >= pause)


def _told(database: Database, notice: Due) -> None:
    with database.write() as connection:
        connection.execute(
            update(Notice)
            .where(*_of(notice))
            .values(trouble=notice.trouble, told_at=now_ms(), failures=0)
        )
