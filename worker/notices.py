"""Tells a site's webhook when held comments wait too long, and when they no longer do. Free of RQ.

One message for each change, and one an hour at most. What could not be told is tried again, after
pauses that grow.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from moderation.clock import HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import Status
from moderation.models import Comment, QueueNotice, Site
from moderation.policy import SiteSettings
from worker.webhook import WebhookError, post_json

log = logging.getLogger(__name__)

PAUSE = HOUR
"""Between two messages to one site."""

FIRST_RETRY = 1 * MINUTE
LONGEST_RETRY = 1 * HOUR


@dataclass(frozen=True, slots=True)
class Notice:
    """What a site's webhook is to be told."""

    site_id: int
    url: str
    late: bool
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


def take_due(database: Database, *, desk: str) -> list[Notice]:
    """What is due now. It counts as tried and failed until somebody says that it was told."""
    now = now_ms()
    # Counting takes its time, so it is done before other writers have to wait.
    with database.read() as connection:
        wanted = [
            notice
            for notice in _notices(connection, desk, now)
            if _is_due(_state(connection, notice.site_id), notice.late, now)
        ]
    if not wanted:
        return []
    with database.write() as connection:
        return [notice for notice in wanted if _take(connection, notice, now)]


def _notices(connection: Connection, desk: str, now: int) -> list[Notice]:
    """What there is to say about each site that wants to be told, whether or not it is due."""
    sites = [
        (row.id, row.name, settings)
        for row in connection.execute(select(Site.id, Site.name, Site.settings))
        if (settings := SiteSettings.model_validate(row.settings)).notify_url
    ]
    oldest = _oldest_held(connection, [site_id for site_id, _, _ in sites]) if sites else {}
    notices = []
    for site_id, name, settings in sites:
        count, since = oldest.get(site_id, (0, now))
        late = now - since > settings.notify_after_minutes * MINUTE
        message = {
            "event": "queue_late" if late else "queue_in_time",
            "site": name,
            "held": count,
            "oldest_minutes": (now - since) // MINUTE,
            "limit_minutes": settings.notify_after_minutes,
            "desk": desk,
        }
        notices.append(Notice(site_id, settings.notify_url, late, message))
    return notices


def _oldest_held(connection: Connection, site_ids: list[int]) -> dict[int, tuple[int, int]]:
    """For each site with held comments, how many, and when the oldest was stored."""
    query = (
        select(Comment.site_id, func.count().label("held"), func.min(Comment.created_at))
        .where(Comment.status == Status.HELD, Comment.site_id.in_(site_ids))
        .group_by(Comment.site_id)
    )
    return {site_id: (held, since) for site_id, held, since in connection.execute(query)}


def _take(connection: Connection, notice: Notice, now: int) -> bool:
    """Count a try to tell a site, unless another worker was first."""
    # The site is locked, because there may be no row of its notices yet.
    connection.execute(select(Site.id).where(Site.id == notice.site_id).with_for_update())
    state = _state(connection, notice.site_id)
    if not _is_due(state, notice.late, now):
        return False
    values = {"tried_at": now, "failures": (state.failures if state else 0) + 1}
    if state is None:
        connection.execute(insert(QueueNotice).values(site_id=notice.site_id, late=False, **values))
    else:
        connection.execute(
            update(QueueNotice).where(QueueNotice.site_id == notice.site_id).values(**values)
        )
    return True


def _state(connection: Connection, site_id: int) -> Any:
    query = select(QueueNotice.__table__).where(QueueNotice.site_id == site_id)
    return connection.execute(query).one_or_none()


def _is_due(state: Any, late: bool, now: int) -> bool:
    """Whether a site is to be told now."""
    if state is None:
        return late
    if late == state.late or now - (state.told_at or 0) < PAUSE:
        return False
    if not state.failures:
        return True
    pause = min(FIRST_RETRY << min(state.failures - 1, 16), LONGEST_RETRY)
    return bool(now - state.tried_at >= pause)


def _told(database: Database, notice: Notice) -> None:
    with database.write() as connection:
        connection.execute(
            update(QueueNotice)
            .where(QueueNotice.site_id == notice.site_id)
            .values(late=notice.late, told_at=now_ms(), failures=0)
        )
