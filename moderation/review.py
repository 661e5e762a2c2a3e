"""Status changes: decide, alone or in bulk, and take it back.

`set_status` is the only writer of a comment's status, and writes the event row in the same
transaction; a person's decision is final for every machine.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Executable,
    Select,
    bindparam,
    insert,
    select,
    update,
)

from moderation import alike
from moderation.access.accounts import AccountRef
from moderation.clock import now_ms
from moderation.db import execute_many, to_json
from moderation.domain import (
    CHANGING,
    ERASED,
    PEOPLE,
    ActorKind,
    Audit,
    EventKind,
    LabelSource,
    Selection,
    Status,
)
from moderation.errors import NotFound
from moderation.ids import new_id
from moderation.learning import labels
from moderation.learning.audits import NOT_DRAWN, Drawn
from moderation.learning.labels import NewLabel
from moderation.models import Comment, Event, is_by_person
from moderation.outbox import callbacks, webhooks
from moderation.outbox.webhooks import Changed
from moderation.ranking import rank

# Made once: putting a query together takes longer than to write a small batch.
_CURRENT = (
    select(
        Comment.id,
        Comment.site_id,
        Comment.status,
        Comment.version,
        Comment.score,
        Comment.fingerprint,
        Comment.head,
        Comment.rule,
        Comment.uncertainty,
        Comment.harm,
        Comment.language,
        (Comment.reason == ERASED).label("is_erased"),
        Comment.audit,
        Comment.propensity,
    )
    .where(Comment.id.in_(bindparam("ids", expanding=True)))
    .order_by(Comment.id)
    .with_for_update()
)

# Kept for the bound parameters' names: a column's own name would stand for its value.
_WRITE = (
    update(Comment.__table__)  # type: ignore[arg-type]  # declared as FromClause, is a Table
    .where(Comment.id == bindparam("comment"))
    .values(
        status=bindparam("to"),
        reason=bindparam("why"),
        score=bindparam("scored"),
        fingerprint=bindparam("print"),
        head=bindparam("above"),
        rule=bindparam("spoke"),
        uncertainty=bindparam("uncertain"),
        harm=bindparam("harmful"),
        language=bindparam("written_in"),
        audit=bindparam("audited"),
        propensity=bindparam("chance"),
        version=bindparam("becomes"),
    )
)

# Of the table, not of the class: what the mapping adds to an insert is not needed.
_RECORD = insert(Event.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who or what decides; `name` is the account's name or the program's part."""

    kind: ActorKind
    name: str


class Change(NamedTuple):
    """A wish to move a comment to another status.

    `seen_version` is the version that the decider looked at; None if it need not match. `score`,
    `fingerprint` and `language` replace the stored ones unless they are None. Where the decider is
    a worker, `evidence` is that of a `policy.Decision`, by which the queue is sorted, unless the
    lot decides its place there: `drawn` is what `audits.draw` gave.
    """

    comment_id: str
    to: Status
    reason: str
    seen_version: int | None = None
    model: str | None = None
    score: float | None = None
    fingerprint: bytes | None = None
    language: str | None = None
    kind: EventKind = EventKind.DECISION
    evidence: Mapping[str, Any] = {}
    drawn: Drawn = NOT_DRAWN


class Applied(NamedTuple):
    """A change that was made."""

    comment_id: str
    from_status: Status
    to_status: Status
    version: int


def set_status(connection: Connection, changes: Sequence[Change], *, actor: Actor) -> list[Applied]:
    """Make those changes that are still allowed, each with its event; return them.

    A worker moves a comment only out of `pending`; or, scoring it again (`EventKind.RESCORE`), from
    held to held or approved, where no person ever decided about it and it is in `seen_version`. An
    import moves one out of `pending`, or in the version that it has seen. A person moves it from
    any status to approved, held or rejected, as long as nobody else did since `seen_version`, and
    what he decides becomes a label. Nobody moves what is erased. A comment that was drawn for the
    audit waits for as long as no label of a person counts. What is not allowed is left out,
    silently: the caller compares. Ids that do not exist are left out too.
    """
    current = _lock(connection, [change.comment_id for change in changes])
    again = [c.comment_id for c in changes if c.kind is EventKind.RESCORE]
    settled = _decided_by_people(connection, again) if again else frozenset()
    allowed = [
        (change, row)
        for change in changes
        if (row := current.get(change.comment_id)) is not None
        and _allowed(change, row, actor, settled)
    ]
    if not allowed:
        return []
    at = now_ms()
    spoken_of: Collection[str] = ()
    if actor.kind in PEOPLE:
        _keep_labels(connection, allowed, actor)
        drawn = [row.id for _, row in allowed if row.propensity is not None]
        spoken_of = labels.spoken_of(connection, drawn) if drawn else ()
    values = [_values(change, row, actor, spoken_of) for change, row in allowed]
    execute_many(connection, _WRITE, values)
    execute_many(connection, _RECORD, [_event(change, row, actor, at) for change, row in allowed])
    _keep_alike(connection, allowed, values)
    if actor.kind not in (ActorKind.CLIENT, ActorKind.IMPORT):
        # A site knows already what it did itself, and what it had before.
        _tell_sites(connection, allowed, actor, at)
    return [
        Applied(change.comment_id, Status(row.status), change.to, new["becomes"])
        for (change, row), new in zip(allowed, values, strict=True)
    ]


def _lock(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """The rows as they stand, kept from changing until the transaction ends.

    PostgreSQL locks the rows, always in the same order; SQLite's transaction holds the write lock
    anyway, and its dialect leaves FOR UPDATE out.
    """
    return {row.id: row for row in connection.execute(_CURRENT, {"ids": ids}).all()}


def _decided_by_people(connection: Connection, ids: Sequence[str]) -> Collection[str]:
    """Those of the comments about which a person ever decided, whether or not it was taken back."""
    query = select(Event.comment_id).where(
        Event.comment_id.in_(ids), Event.actor_kind.in_(PEOPLE), Event.kind.in_(CHANGING)
    )
    return frozenset(connection.scalars(query))


def _allowed(change: Change, row: Any, actor: Actor, settled: Collection[str]) -> bool:
    if change.to is Status.PENDING or row.is_erased:
        return False
    if change.kind is EventKind.RESCORE:
        return (
            actor.kind is ActorKind.WORKER
            and row.status == Status.HELD
            and change.to in (Status.HELD, Status.APPROVED)
            and row.version == change.seen_version
            and row.id not in settled
        )
    is_machine = actor.kind not in PEOPLE
    if is_machine and (actor.kind is ActorKind.WORKER or change.seen_version is None):
        return bool(row.status == Status.PENDING)
    return change.seen_version is None or bool(row.version == change.seen_version)


def _values(change: Change, row: Any, actor: Actor, spoken_of: Collection[str]) -> dict[str, Any]:
    # A person's decision says nothing new about what the model and the rules found.
    ranked = rank(change.evidence, change.reason) if actor.kind is ActorKind.WORKER else row
    audit, propensity = row.audit, row.propensity
    if change.drawn.audit is not None:
        audit, propensity = change.drawn.audit, change.drawn.propensity
    elif propensity is not None:
        audit = Audit.DONE if row.id in spoken_of else Audit.OPEN
    placed = ranked if change.drawn.propensity is None else change.drawn
    return {
        "comment": change.comment_id,
        "to": change.to,
        "why": change.reason,
        "scored": row.score if change.score is None else change.score,
        "print": row.fingerprint if change.fingerprint is None else change.fingerprint,
        "above": ranked.head,
        "spoke": ranked.rule,
        "uncertain": placed.uncertainty,
        "harmful": placed.harm,
        "written_in": row.language if change.language is None else change.language,
        "audited": audit,
        "chance": propensity,
        # What is scored again and still held is not what a moderator has to look at anew.
        "becomes": row.version + (change.kind is not EventKind.RESCORE or row.status != change.to),
    }


def _event(change: Change, row: Any, actor: Actor, at: int) -> dict[str, Any]:
    return {
        "comment_id": change.comment_id,
        "site_id": row.site_id,
        "kind": change.kind,
        "at": at,
        "actor_kind": actor.kind,
        "actor": actor.name,
        "from_status": row.status,
        "to_status": change.to,
        "reason": change.reason,
        "model": change.model,
        "evidence": to_json(change.evidence),
    }


def _keep_alike(
    connection: Connection,
    allowed: Sequence[tuple[Change, Any]],
    values: Sequence[Mapping[str, Any]],
) -> None:
    """Let what waits now be found by what resembles it, and what no longer does, not."""
    entering, leaving = [], []
    for (change, row), new in zip(allowed, values, strict=True):
        waited = row.status == Status.HELD or row.audit == Audit.OPEN
        waits = change.to is Status.HELD or new["audited"] == Audit.OPEN
        if waited and not waits and row.fingerprint is not None:
            leaving.append((row.id, row.site_id, row.fingerprint))
        if waits and not waited and new["print"] is not None:
            entering.append((row.id, row.site_id, new["print"]))
    alike.add(connection, entering)
    alike.remove(connection, leaving)


_SELECTED = {
    Status.PENDING: Selection.HELD,
    Status.HELD: Selection.HELD,
    Status.APPROVED: Selection.PUBLISHED,
    Status.REJECTED: Selection.REJECTED,
}


def _keep_labels(
    connection: Connection, allowed: Sequence[tuple[Change, Any]], actor: Actor
) -> None:
    """What a person decided is a label; what he took back, or put back in the queue, no longer."""
    undone = [c.comment_id for c, _ in allowed if c.kind is EventKind.UNDO]
    decided = [(c, row) for c, row in allowed if c.kind is EventKind.DECISION]
    requeued = [change.comment_id for change, _ in decided if change.to is Status.HELD]
    if undone:
        labels.withdraw(connection, undone, actor=actor.name)
    if requeued:
        labels.withdraw(connection, requeued)
    labels.record(
        connection,
        (
            NewLabel(
                site_id=row.site_id,
                comment_id=change.comment_id,
                source=LabelSource(actor.kind),
                actor=actor.name,
                unwanted=float(change.to is Status.REJECTED),
                reason=change.reason,
                **_selected(row),
            )
            for change, row in decided
            if change.to is not Status.HELD
        ),
    )


def _tell_sites(
    connection: Connection, allowed: Sequence[tuple[Change, Any]], actor: Actor, at: int
) -> None:
    """Have those sites told that want to be, and Akismet clients of what they wait for. Who asks
    for the first decision has it as the answer."""
    waited_for = {
        row.id: change.to
        for change, row in allowed
        if Status.PENDING != row.status != change.to and change.to is not Status.HELD
    }
    if waited_for:
        callbacks.tell(connection, waited_for)
    listening = webhooks.listeners(connection, {row.site_id for _, row in allowed})
    if not listening:
        return
    changed = (
        Changed(row.site_id, row.id, row.status, change.to, change.reason, row.version + 1)
        for change, row in allowed
    )
    webhooks.tell(connection, listening, changed, by=actor.kind, at=at)


def _selected(row: Any) -> dict[str, Any]:
    """How it came that somebody looked: of what was drawn for the audit each word counts as one of
    the audit, by whatever way it came."""
    if row.propensity is not None:
        return {"selection": Selection.AUDIT, "propensity": row.propensity}
    return {"selection": _SELECTED[Status(row.status)]}


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decided about a comment, before the decision that it keeps from being made."""

    comment_id: str
    status: Status
    by: str
    reason: str
    at: int
    version: int

    def __str__(self) -> str:
        why = f" ({self.reason.replace('_', ' ')})" if self.reason else ""
        return f"{self.by} has decided meanwhile: {self.status}{why}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a decision about several comments: `missing` are not there, or on sites that
    are not the moderator's."""

    applied: Sequence[Applied] = ()
    conflicts: Sequence[Decided] = ()
    missing: Sequence[str] = ()


# Comments in one statement: SQLite takes 32,766 values.
_CHUNK = 1_000


def decide(
    connection: Connection,
    seen: Sequence[tuple[str, int]],
    *,
    to: Status,
    reason: str,
    moderator: AccountRef,
) -> Outcome:
    """A moderator's decision about some comments, each in the version that was looked at.

    Those that somebody else decided since are left as they are. `undo` takes all of it back at
    once.

    Args:
        seen: id and version of each comment.
        to: approved, held or rejected.
        reason: of a rejection, one of `domain.ModeratorReason`; otherwise empty.
    """
    evidence = {"batch": new_id()} if len(seen) > 1 else {}
    return _apply(
        connection,
        [
            Change(
                comment_id=comment_id,
                to=to,
                reason=reason,
                seen_version=version,
                evidence=evidence,
            )
            for comment_id, version in seen
        ],
        moderator,
    )


def undo(connection: Connection, *, moderator: AccountRef) -> Outcome:
    """Take back what the moderator decided last and has not taken back yet, one comment or many.

    Each comment goes back to where it stood, with the reason it had there, unless somebody decided
    about it since. What nobody had decided before is held.

    Raises:
        NotFound: there is nothing to take back.
    """
    taken_back = _last_decision(connection, moderator)
    if not taken_back:
        raise NotFound("there is no decision of yours to take back")
    ids = [event.comment_id for event in taken_back]
    versions = {comment_id: row.version for comment_id, row in _locked(connection, ids).items()}
    earlier = _earlier_reasons(connection, taken_back)
    return _apply(
        connection,
        [
            Change(
                comment_id=event.comment_id,
                to=_restored(event.from_status),
                reason=earlier.get(event.id, ""),
                # -1 is no comment's version.
                seen_version=versions[event.comment_id] if event.id in earlier else -1,
                kind=EventKind.UNDO,
                evidence={"undoes": event.id},
            )
            for event in taken_back
        ],
        moderator,
    )


def latest(connection: Connection, comment_ids: Iterable[str]) -> dict[str, Decided]:
    """Who decided last about each of these comments, and what."""
    ids = list(comment_ids)
    query = (
        select(Event, Comment.version)
        .join(Comment, Comment.id == Event.comment_id)
        .where(Event.comment_id.in_(ids), Event.kind.in_(CHANGING))
    )
    return {
        event.comment_id: Decided(
            event.comment_id,
            Status(event.to_status),
            event.actor,
            event.reason,
            event.at,
            event.version,
        )
        for event in _in_order(connection, query)
    }


_UNDOABLE = CHANGING - {EventKind.ERASURE}


def _restored(status: str) -> Status:
    return Status.HELD if status == Status.PENDING else Status(status)


def _apply(connection: Connection, changes: Sequence[Change], moderator: AccountRef) -> Outcome:
    actor = Actor(ActorKind.MODERATOR, moderator.name)
    applied: list[Applied] = []
    conflicts: list[Decided] = []
    missing: list[str] = []
    for part in _parts(changes):
        there = _on_sites(connection, [change.comment_id for change in part], moderator.sites)
        missing += [change.comment_id for change in part if change.comment_id not in there]
        made = set_status(connection, [c for c in part if c.comment_id in there], actor=actor)
        applied += made
        conflicts += latest(connection, there - {one.comment_id for one in made}).values()
    return Outcome(applied, conflicts, missing)


def _on_sites(connection: Connection, ids: Sequence[str], sites: frozenset[int] | None) -> set[str]:
    query = select(Comment.id).where(Comment.id.in_(ids))
    if sites is not None:
        query = query.where(Comment.site_id.in_(sorted(sites)))
    return set(connection.scalars(query))


def _locked(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts(ids):
        found |= _lock(connection, part)
    return found


def _last_decision(connection: Connection, moderator: AccountRef) -> list[Any]:
    """The events of the moderator's last decision that is not taken back."""
    undone: set[int] = set()
    events = _own_events(connection, moderator)
    for event in events:
        if event.kind == EventKind.UNDO:
            undone.add(event.evidence["undoes"])
        elif event.id not in undone:
            return [event, *_rest_of_batch(events, event.evidence.get("batch"), undone)]
    return []


def _rest_of_batch(
    events: Iterator[Any], batch: str | None, undone: Collection[int]
) -> Iterator[Any]:
    if batch is None:
        return iter(())
    others = takewhile(lambda event: event.evidence.get("batch") == batch, events)
    return (event for event in others if event.id not in undone)


def _own_events(connection: Connection, moderator: AccountRef) -> Iterator[Any]:
    """The events by which the moderator changed a status, the latest first."""
    query: Select[Any] = (
        select(Event.__table__)
        .where(
            is_by_person(Event),
            Event.actor_kind == ActorKind.MODERATOR,
            Event.actor == moderator.name,
            Event.kind.in_(_UNDOABLE),
        )
        .order_by(Event.id.desc())
        .limit(_CHUNK)
    )
    before = None
    while True:
        beyond = query if before is None else query.where(Event.id < before)
        found = connection.execute(beyond).all()
        yield from found
        if len(found) < _CHUNK:
            return
        before = found[-1].id


def _earlier_reasons(connection: Connection, events: Sequence[Any]) -> dict[int, str]:
    """The reason each comment had before the event, by the event's number; without those events
    after which the comment was decided again, unless that was taken back."""
    earlier: dict[int, str] = {}
    wanted = {event.comment_id: event.id for event in events}
    for part in _parts(list(wanted)):
        reasons: dict[str, str] = {}
        query = select(Event.__table__).where(Event.comment_id.in_(part), Event.kind.in_(CHANGING))
        rows = _in_order(connection, query)
        undos = {row.id: row.evidence["undoes"] for row in rows if row.kind == EventKind.UNDO}
        taken_back = {*undos, *undos.values()}
        for row in rows:
            if row.id == wanted[row.comment_id]:
                earlier[row.id] = reasons.get(row.comment_id, "")
            elif row.id > wanted[row.comment_id] and row.id not in taken_back:
                earlier.pop(wanted[row.comment_id], None)
            reasons[row.comment_id] = row.reason
    return earlier


def _in_order(connection: Connection, query: Executable) -> list[Any]:
    """Events sorted here: PostgreSQL would read all there are to save itself the sorting."""
    return sorted(connection.execute(query), key=attrgetter("id"))


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
