"""Posts a file's comments and waits for the decisions."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from moderation.db import Database
from moderation.demo_data.client import Client
from moderation.demo_data.rows import Row, Unusable, read
from moderation.domain import ActorKind, Status
from moderation.models import Event

# Requests at the same time, and comments that are handed out to them together.
_CONCURRENCY = 16
_BATCH = 256

# Seconds between two questions about the same comments, and without any decision until none is
# expected any more.
_PAUSE = 0.2
_PATIENCE = 60.0

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision stood on, as the service's database has it."""

    reason: str
    by_rule: bool
    model: str | None


@dataclass(slots=True)
class Posted:
    """A comment that the service took, and what became of it; `pending` if nothing did in time."""

    id: str
    label: int
    status: Status
    repeated: bool
    """It had been posted, and decided, before."""
    grounds: Grounds | None = None


@dataclass(slots=True)
class Outcome:
    """All that came of one file."""

    posted: list[Posted] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)


def run(path: Path, client: Client, console: Console, *, limit: int | None = None) -> Outcome:
    """Post the comments in the file's first `limit` lines, and wait for the decisions.

    Raises:
        StartupError: the file cannot be read, or the service cannot be used.
    """
    outcome = Outcome()
    lines = sum(1 for _ in read(path, limit))
    bar = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ThreadPoolExecutor(_CONCURRENCY) as pool,
        Progress(TextColumn("{task.description:8}"), *bar, console=console) as progress,
    ):
        posting = progress.add_task("Posted", total=lines)
        deciding = progress.add_task("Decided", total=lines)
        for batch in _batches(read(path, limit)):
            for result in pool.map(lambda row: _post(client, row), batch):
                if isinstance(result, Posted):
                    outcome.posted.append(result)
                else:
                    outcome.unusable.append(result)
                progress.advance(posting)
        progress.update(deciding, total=len(outcome.posted))
        for posted in _batches(outcome.posted):
            if not _wait(posted, client, pool, lambda n: progress.advance(deciding, n)):
                break
    return outcome


def add_grounds(posted: Sequence[Posted], database: Database) -> None:
    """Note what the decisions stood on, where `database` has them; it may be another service's, or
    not be there at all."""
    grounds: dict[str, Grounds] = {}
    try:
        with database.read() as connection:
            for batch in _batches(posted):
                query = select(Event.comment_id, Event.reason, Event.model, Event.evidence).where(
                    Event.comment_id.in_([comment.id for comment in batch]),
                    Event.actor_kind == ActorKind.WORKER,
                )
                for row in connection.execute(query):
                    by_rule = bool(row.evidence.get("rules"))
                    grounds[row.comment_id] = Grounds(row.reason, by_rule, row.model)
    except SQLAlchemyError:
        return
    for comment in posted:
        comment.grounds = grounds.get(comment.id)


def _post(client: Client, row: Row | Unusable) -> Posted | Unusable:
    if isinstance(row, Unusable):
        return row
    receipt = client.post(row)
    if isinstance(receipt, Unusable):
        return receipt
    repeated = receipt.status is not Status.PENDING
    return Posted(receipt.id, row.label, receipt.status, repeated)


def _wait(
    batch: Sequence[Posted],
    client: Client,
    pool: ThreadPoolExecutor,
    decided: Callable[[int], None],
) -> bool:
    """Wait until the batch is decided; whether it was, before patience ran out."""
    waiting = list(batch)
    patient_until = time.monotonic() + _PATIENCE
    while True:
        statuses = pool.map(client.status, [posted.id for posted in waiting])
        for posted, status in zip(waiting, statuses, strict=True):
            posted.status = status
        still = [posted for posted in waiting if posted.status is Status.PENDING]
        if len(still) < len(waiting):
            decided(len(waiting) - len(still))
            patient_until = time.monotonic() + _PATIENCE
        waiting = still
        if not waiting or time.monotonic() > patient_until:
            return not waiting
        time.sleep(_PAUSE)


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
