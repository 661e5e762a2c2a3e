"""Brings the comments of another system in: as examples that only teach, or with their history.

In batches, each in a transaction of its own: what is interrupted goes on where it stopped when it
is done again, because nothing comes in twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import ERASED, ActorKind, LabelSource, Selection, Status
from moderation.ids import new_id
from moderation.imports import DamagedFile, Format, Imported, Skipped, Source, Verdict, read
from moderation.imports.records import WEAK
from moderation.learning import labels
from moderation.learning.labels import NewLabel
from moderation.models import Comment, Event, Example, Label
from moderation.review import Actor, Change, set_status
from moderation.submissions import author_id, find_or_create_thread

# Comments in one transaction: long enough to be quick, short enough for other writers to wait.
_BATCH = 1_000

# Lines that are named for each reason.
_LINES = 5

# Pages that are named.
_PAGES = 5

Progress = Callable[[float, "Report"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be imported, and how."""

    path: Path
    form: Format
    site_id: int
    origin: str
    """What the comments' ids are ids of: an id comes in once from each origin."""
    history: bool = False
    """Whether they become comments of the site, and not only examples."""
    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    """By how a page's address begins there, how it begins here."""

    def page(self, address: str) -> str:
        """The address here of a page there; the longest beginning that fits counts."""
        fitting = [there for there in self.pages if address.startswith(there)]
        there = max(fitting, key=len, default="")
        return self.pages.get(there, "") + address.removeprefix(there)


@dataclass(slots=True)
class Report:
    """What came in, or would."""

    published: int = 0
    """Of what is new, how many were published there."""
    unwanted: int = 0
    """And how many were not."""
    weak: int = 0
    """How many of both stand on a weak word."""
    known: int = 0
    """What was here already."""
    changed: int = 0
    """What was here already, and is judged otherwise there since."""
    erased: int = 0
    """What was erased here, and stays out."""
    skipped: dict[str, list[int]] = field(default_factory=dict)
    """By reason: how many, and the first lines."""
    pages: list[str] = field(default_factory=list)
    """The first pages below which comments would stand, as the site has to ask for them."""
    damage: str = ""
    """Why not the whole file was read."""

    @property
    def new(self) -> int:
        """What was not here before."""
        return self.published + self.unwanted

    def skip(self, found: Skipped) -> None:
        """Count something that does not come in."""
        counted = self.skipped.setdefault(found.reason, [0])
        counted[0] += 1
        if len(counted) <= _LINES:
            counted.append(found.line)

    def note(self, page: str) -> None:
        """Keep the address of a page, if it is one of the first."""
        if page not in self.pages and len(self.pages) < _PAGES:
            self.pages.append(page)

    def to_json(self) -> dict[str, Any]:
        """As it is kept; `Report(**…)` reads it."""
        return asdict(self)


def bring_in(
    database: Database,
    wish: Wish,
    *,
    dry: bool,
    progress: Progress = lambda _share, _report: None,
) -> Report:
    """Import a file, or only say what would come of it (`dry`).

    A second run brings what is new there since, and a label anew where it has changed.

    Args:
        progress: called after each batch with the share of the file that was read, and what came
            of it so far.
    """
    report = Report()
    try:
        source = Source(wish.path, wish.encoding)
        loose = 0
        for batch in _batches(_comments(source, wish, report)):
            loose += _batch(database, wish, batch, report, dry=dry)
            progress(source.share, report)
    except DamagedFile as error:
        report.damage = str(error)
    if loose and not dry:
        _join_parents(database, wish)
    return report


def _comments(source: Source, wish: Wish, report: Report) -> Iterator[Imported]:
    for found in read(source, wish.form, wish.columns):
        if isinstance(found, Skipped):
            report.skip(found)
        elif not found.origin_id:
            report.skip(Skipped("no id", found.line))
        elif wish.history and not found.page:
            report.skip(Skipped("no page, below which it could stand", found.line))
        else:
            yield _moved(found, wish, report)


def _moved(found: Imported, wish: Wish, report: Report) -> Imported:
    page = wish.page(found.page)
    if wish.history:
        report.note(page)
    return replace(found, page=page) if wish.pages else found


def _batches(comments: Iterator[Imported]) -> Iterator[list[Imported]]:
    """What was read before a file turns out to be damaged is a batch too."""
    while True:
        batch: list[Imported] = []
        try:
            batch.extend(islice(comments, _BATCH))
        except DamagedFile:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


class _Known(NamedTuple):
    """A comment of that origin that is here."""

    id: str | int
    """Of a comment or of an example."""
    is_erased: bool
    verdict: Verdict | None
    """As it was last imported."""


class _Place(NamedTuple):
    """Where a comment stands that may be answered."""

    id: str
    root: str
    written: int


def _batch(
    database: Database, wish: Wish, batch: list[Imported], report: Report, *, dry: bool
) -> int:
    """Bring a batch in; how many answers have not found what they answer yet."""
    if dry:
        with database.read() as connection:
            _sorted_out(connection, wish, batch, report)
        return 0
    try:
        return _try_to_store(database, wish, batch, report)
    except IntegrityError:
        # Somebody was first with a page or with the same import, and now we can see it.
        return _try_to_store(database, wish, batch, report)


def _try_to_store(database: Database, wish: Wish, batch: list[Imported], report: Report) -> int:
    counted = Report(skipped={reason: list(found) for reason, found in report.skipped.items()})
    with database.write() as connection:
        new, changed = _sorted_out(connection, wish, batch, counted)
        loose = 0
        if wish.history:
            loose = _store_comments(connection, wish, new)
        else:
            _store_examples(connection, wish, new)
        _relabel(connection, wish, changed)
    # Only what is committed may be counted.
    for name in ("published", "unwanted", "weak", "known", "changed", "erased"):
        setattr(report, name, getattr(report, name) + getattr(counted, name))
    report.skipped = counted.skipped
    return loose


def _sorted_out(
    connection: Connection, wish: Wish, batch: Iterable[Imported], report: Report
) -> tuple[list[Imported], list[tuple[_Known, Imported]]]:
    """What is new, and what is judged otherwise since; all of it counted."""
    once: dict[str, Imported] = {}
    for one in batch:
        if one.origin_id in once:
            report.skip(Skipped("its id came before in this file", one.line))
        else:
            once[one.origin_id] = one
    known = _known(connection, wish, list(once))
    new, changed = [], []
    for origin_id, one in once.items():
        here = known.get(origin_id)
        if here is None or (wish.history and isinstance(here.id, int) and not here.is_erased):
            new.append(one)
            _count(report, one)
        elif here.is_erased:
            report.erased += 1
        elif here.verdict not in (None, one.verdict):
            changed.append((here, one))
            report.changed += 1
        else:
            report.known += 1
    return new, changed


def _count(report: Report, one: Imported) -> None:
    if one.verdict.unwanted >= 0.5:
        report.unwanted += 1
    else:
        report.published += 1
    report.weak += one.verdict.strength <= WEAK


def _known(connection: Connection, wish: Wish, origin_ids: Sequence[str]) -> dict[str, _Known]:
    """What is here of these ids, comments before examples."""
    found: dict[str, _Known] = {}
    examples = _with_verdict(
        Example.id, Example.text == "", Example.origin_id, Label.example_id
    ).where(
        Example.site_id == wish.site_id,
        Example.origin == wish.origin,
        Example.origin_id.in_(origin_ids),
    )
    comments = _with_verdict(
        Comment.id, Comment.reason == ERASED, Comment.idempotency_key, Label.comment_id
    ).where(
        Comment.site_id == wish.site_id,
        Comment.idempotency_key.in_([_key(wish, origin_id) for origin_id in origin_ids]),
    )
    prefix = len(_key(wish, ""))
    for query, cut in ((examples, 0), (comments, prefix)):
        for row in connection.execute(query):
            verdict = None
            if row.unwanted is not None:
                verdict = Verdict(row.unwanted, row.strength, row.reason)
            # Labels come the oldest first: the last one counts.
            found[row.called[cut:]] = _Known(row.id, row.is_erased, verdict)
    return found


def _with_verdict(own_id: Any, is_erased: Any, called: Any, labelled: Any) -> Select[Any]:
    imported = (
        (labelled == own_id) & (Label.source == LabelSource.IMPORT) & Label.withdrawn_at.is_(None)
    )
    return (
        select(
            own_id.label("id"),
            called.label("called"),
            is_erased.label("is_erased"),
            Label.unwanted,
            Label.strength,
            Label.reason,
        )
        .outerjoin(Label, imported)
        .order_by(Label.id)
    )


def _key(wish: Wish, origin_id: str) -> str:
    """By what a comment that came in with its history is known again."""
    return f"import:{wish.origin}:{origin_id}"


def _store_examples(connection: Connection, wish: Wish, new: Sequence[Imported]) -> None:
    if not new:
        return
    now = now_ms()
    rows = [
        {
            "site_id": wish.site_id,
            "origin": wish.origin,
            "origin_id": one.origin_id,
            "page": one.page,
            "name": one.name,
            "website": one.website,
            "text": one.text,
            "created_at": now if one.created_at is None else one.created_at,
        }
        for one in new
    ]
    inserted = connection.execute(insert(Example).returning(Example.id, Example.origin_id), rows)
    ids = {row.origin_id: row.id for row in inserted}
    labels.record(connection, (_label(wish, one, example_id=ids[one.origin_id]) for one in new))


def _label(wish: Wish, one: Imported, *, at: int | None = None, **whose: Any) -> NewLabel:
    return NewLabel(
        site_id=wish.site_id,
        source=LabelSource.IMPORT,
        actor=wish.origin,
        unwanted=one.verdict.unwanted,
        strength=one.verdict.strength,
        reason=one.verdict.reason,
        selection=Selection.IMPORTED,
        # When somebody decided is in no export; soon after it was written, mostly.
        at=one.created_at if at is None else at,
        **whose,
    )


def _relabel(
    connection: Connection, wish: Wish, changed: Sequence[tuple[_Known, Imported]]
) -> None:
    """What is judged otherwise there gets a new label, and the comment moves, unless somebody here
    has decided about it."""
    now = now_ms()
    new = []
    for known, one in changed:
        whose = "comment_id" if isinstance(known.id, str) else "example_id"
        new.append(_label(wish, one, at=now, **{whose: known.id}))
    labels.record(connection, new)
    moved = {known.id: one for known, one in changed if isinstance(known.id, str)}
    decided_here = (
        select(Event.id)
        .where(Event.comment_id == Comment.id, Event.actor_kind != ActorKind.IMPORT)
        .exists()
    )
    query = select(Comment.id, Comment.version, Comment.status).where(
        Comment.id.in_(list(moved)), ~decided_here
    )
    changes = [
        _change(wish, moved[row.id], row.id, seen_version=row.version)
        for row in connection.execute(query).all()
        if row.status != _status(moved[row.id])
    ]
    set_status(connection, changes, actor=Actor(ActorKind.IMPORT, wish.origin))


def _status(one: Imported) -> Status:
    return Status.REJECTED if one.verdict.unwanted >= 0.5 else Status.APPROVED


def _change(wish: Wish, one: Imported, comment_id: str, **more: Any) -> Change:
    return Change(
        comment_id=comment_id,
        to=_status(one),
        reason=one.verdict.reason,
        evidence={"origin": wish.origin},
        **more,
    )


def _store_comments(connection: Connection, wish: Wish, new: Sequence[Imported]) -> int:
    """Comments with their place and status; how many of them have not found what they answer."""
    if not new:
        return 0
    now = now_ms()
    places = _places(connection, wish, {one.parent for one in new if one.parent})
    threads: dict[str, int] = {}
    rows, ids, loose = [], {}, 0
    for one in sorted(new, key=lambda one: now if one.created_at is None else one.created_at):
        written = now if one.created_at is None else one.created_at
        if one.page not in threads:
            title = one.page_title
            threads[one.page], _ = find_or_create_thread(
                connection, wish.site_id, one.page, title, at=written
            )
        above = places.get(one.parent)
        loose += bool(one.parent) and above is None
        # An answer is listed after what it answers, even where clocks said otherwise.
        after = written if above is None else max(written, above.written + 1)
        comment_id = ids[one.origin_id] = new_id(after)
        root = comment_id if above is None else above.root
        places[one.origin_id] = _Place(comment_id, root, after)
        stands = {
            "id": comment_id,
            "thread_id": threads[one.page],
            "parent_id": None if above is None else above.id,
            "root_id": root,
            "created_at": written,
        }
        rows.append(_row(wish, one) | stands)
    connection.execute(insert(Comment), rows)
    _retire_examples(connection, wish, list(ids))
    changes = [_change(wish, one, ids[one.origin_id]) for one in new]
    set_status(connection, changes, actor=Actor(ActorKind.IMPORT, wish.origin))
    labels.record(connection, (_label(wish, one, comment_id=ids[one.origin_id]) for one in new))
    return loose


def _row(wish: Wish, one: Imported) -> dict[str, Any]:
    # Who gave no address is told apart by name, and is nobody who posts here.
    whose = one.email or f"{one.name or one.origin_id} of {wish.origin}"
    return {
        "site_id": wish.site_id,
        "idempotency_key": _key(wish, one.origin_id),
        "name": one.name,
        "email": one.email,
        "author_id": author_id(wish.site_id, whose),
        "website": one.website,
        "text": one.text,
        "ip": one.ip,
        "user_agent": one.user_agent,
        "referrer": "",
        "status": Status.PENDING,
        "reason": "",
        "version": 0,
        "sweeps": 0,
    }


def _retire_examples(connection: Connection, wish: Wish, origin_ids: Sequence[str]) -> None:
    """What came in as an example before, and now with its history, teaches once."""
    theirs = select(Example.id).where(
        Example.site_id == wish.site_id,
        Example.origin == wish.origin,
        Example.origin_id.in_(origin_ids),
    )
    connection.execute(
        update(Label)
        .where(Label.example_id.in_(theirs), Label.withdrawn_at.is_(None))
        .values(withdrawn_at=now_ms())
    )


def _places(connection: Connection, wish: Wish, origin_ids: Iterable[str]) -> dict[str, _Place]:
    keys = [_key(wish, origin_id) for origin_id in origin_ids]
    query = select(Comment.id, Comment.root_id, Comment.idempotency_key, Comment.created_at).where(
        Comment.site_id == wish.site_id, Comment.idempotency_key.in_(keys)
    )
    prefix = len(_key(wish, ""))
    return {
        (row.idempotency_key or "")[prefix:]: _Place(row.id, row.root_id, row.created_at)
        for row in connection.execute(query)
    }


def _join_parents(database: Database, wish: Wish) -> None:
    """Let answers that came before what they answer find it: the file is read once more."""
    try:
        source = Source(wish.path, wish.encoding)
        for batch in _batches(_comments(source, wish, Report())):
            answers = {one.origin_id: one.parent for one in batch if one.parent}
            with database.write() as connection:
                _join(connection, wish, answers)
    except DamagedFile:
        pass  # what can be read of it has been
    with database.write() as connection:
        while _spread_roots(connection, wish):
            pass


def _join(connection: Connection, wish: Wish, answers: Mapping[str, str]) -> None:
    places = _places(connection, wish, {*answers, *answers.values()})
    found = {
        places[child].id: places[parent].id
        for child, parent in answers.items()
        # Ids grow from the first to the last answer, so that no circle can close.
        if child in places and parent in places and places[parent].id < places[child].id
    }
    if found:
        connection.execute(
            update(Comment)
            .where(Comment.id.in_(list(found)), Comment.parent_id.is_(None))
            .values(parent_id=case(found, value=Comment.id))
        )


def _spread_roots(connection: Connection, wish: Wish) -> bool:
    """Give answers the root of what they answer; whether there were some to be given one."""
    above = aliased(Comment)
    root = select(above.root_id).where(above.id == Comment.parent_id).scalar_subquery()
    done = connection.execute(
        update(Comment)
        .where(
            Comment.site_id == wish.site_id,
            Comment.idempotency_key.startswith(_key(wish, ""), autoescape=True),
            Comment.parent_id.is_not(None),
            Comment.root_id != root,
        )
        .values(root_id=root)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)
