"""Takes comments in: store, commit, then tell the workers.

Requests of one process wait for a single writer thread, which takes all that wait, stores them in
one transaction, and enqueues one job for them. So a comment is durable before its 202, and the
price of a commit and of a job is shared (group commit).
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import Status
from moderation.errors import Conflict, FieldError, InvalidInput, Overloaded
from moderation.grouping import Groups, Waiting
from moderation.ids import new_id, time_of
from moderation.models import Callback, Comment, Thread
from moderation.precedence import Precedence
from moderation.queues import DecideNotifier

log = logging.getLogger(__name__)

# Seconds a caller waits for the commit, longer than a writer waits for the database's lock.
PATIENCE = 45.0

# Threads whose ids a process remembers.
_THREADS_KNOWN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    """A comment as it comes in, checked (see `schemas`)."""

    site_id: int
    page: str
    page_title: str
    parent_id: str | None
    name: str
    email: str
    website: str
    text: str
    ip: str | None
    user_agent: str
    referrer: str
    idempotency_key: str | None
    author: str = ""
    """What tells its author from others where there is no address; empty where nothing does."""
    callback: "NewCallback | None" = None
    trap: str = ""


@dataclass(frozen=True, slots=True)
class NewCallback:
    """Where the sender wants to hear of later decisions, and the key to show there."""

    url: str
    key: str


class Arrival(NamedTuple):
    """A comment and the id that it gets when it is stored."""

    id: str
    comment: NewComment

    @classmethod
    def of(cls, comment: NewComment) -> Self:
        """The comment arrives now."""
        return cls(new_id(), comment)

    @property
    def author_id(self) -> str:
        """Who wrote it. Without an address or another name of its author, a comment is the only one
        of its author: otherwise all who give no address would be trusted and blocked together."""
        whose = self.comment.email or self.comment.author
        return author_id(self.comment.site_id, whose) if whose else self.id


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender gets: the comment's id, and where it stood when it was stored or, for a
    repeated idempotency key (not `is_new`), where the first one stands."""

    id: str
    status: Status
    is_new: bool = field(default=False, compare=False)


Outcome = Receipt | Conflict
"""What comes of storing a comment."""


def author_id(site_id: int, email: str) -> str:
    """The same for one address on one site, and not the address: 128 bits in hexadecimal."""
    whose = f"{site_id}:{email.casefold()}"
    return hashlib.blake2b(whose.encode(), digest_size=16).hexdigest()


class Submissions:
    """The intake of one process. Its writer thread starts with the first comment."""

    def __init__(self, database: Database, notifier: DecideNotifier) -> None:
        self._database = database
        self._notifier = notifier
        self._groups: Groups[NewComment, Outcome] = Groups("submissions", self._write_group)
        self._threads = _KnownThreads()
        self.precedence = Precedence()
        """Comments that wait for a decision go before those that come here."""

    def submit(self, comment: NewComment) -> Receipt:
        """Store a comment, and have a worker decide it; it is durable when this returns.

        Raises:
            InvalidInput: the comment it answers is not there to be answered.
            Conflict: its idempotency key was used for another comment.
            Overloaded: the database does not take it, or not in time.
        """
        self.precedence.give_way()
        self.check_parent(comment)
        answer = self._groups.ask(comment).answer(PATIENCE)
        self.precedence.give_way()
        return receipt_of(answer)

    @contextmanager
    def storing(
        self, arrivals: Sequence[Arrival], *, urgent: bool = False
    ) -> Iterator[tuple[Connection, list[Outcome]]]:
        """A transaction in which these comments are stored, and the outcome for each, in the same
        order. They are durable when the block ends.

        Args:
            urgent: see `Database.write`.

        Raises:
            IntegrityError: another process was first with the same page or idempotency key, and
                now we can see it.
        """
        with self._database.write(urgent=urgent) as connection:
            thread_ids = self._threads.ids(connection, [arrival.comment for arrival in arrivals])
            yield connection, _store(connection, arrivals, thread_ids)
        # Only what is committed may be remembered.
        self._threads.remember(thread_ids, [arrival.comment for arrival in arrivals])

    def check_parent(self, comment: NewComment) -> None:
        """Make sure that the comment that it answers, if it does, is there to be answered.

        Raises:
            InvalidInput: it is not.
        """
        if comment.parent_id is None:
            return
        query = (
            select(Comment.id)
            .join(Thread, Thread.id == Comment.thread_id)
            .where(
                Comment.id == comment.parent_id,
                Comment.status == Status.APPROVED,
                Thread.site_id == comment.site_id,
                Thread.page == comment.page,
            )
        )
        with self._database.read() as connection:
            if connection.execute(query).one_or_none() is None:
                raise InvalidInput(FieldError("parent", "is not a published comment of this page"))

    def _write_group(self, group: Sequence[Waiting[NewComment, Outcome]]) -> None:
        self.precedence.give_way()
        try:
            outcomes = self._stored([waiting.asked for waiting in group])
        except Exception as error:
            self._write_singly(group, error)
            return
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.settle(outcome)
        new = [one.id for one in outcomes if isinstance(one, Receipt) and one.is_new]
        if new:
            self._notifier.notify(new)

    def _write_singly(
        self, group: Sequence[Waiting[NewComment, Outcome]], error: Exception
    ) -> None:
        """One comment must not take the others of its group down with it."""
        if len(group) == 1:
            log.error("a comment could not be stored: %s", type(error).__name__)
            group[0].settle(error)
            return
        for single in group:
            self._write_group([single])

    def _stored(self, comments: Sequence[NewComment]) -> list[Outcome]:
        """What came of a group that is stored in one transaction."""
        arrivals = list(map(Arrival.of, comments))
        try:
            with self.storing(arrivals) as (_, outcomes):
                return outcomes
        except IntegrityError:
            with self.storing(arrivals) as (_, outcomes):
                return outcomes


def receipt_of(answer: Outcome | Exception) -> Receipt:
    """The receipt, where there is one.

    Raises:
        Conflict, Overloaded: as `Submissions.submit`.
    """
    match answer:
        case Receipt():
            return answer
        case TimeoutError():
            raise Overloaded(
                "the database did not answer in time; the comment may be stored all the same, "
                "so send it again with the same Idempotency-Key"
            )
        case SQLAlchemyError():
            raise Overloaded(
                "the database did not take the comment; nothing was stored, try again"
            ) from answer
        case _:
            raise answer


def _store(
    connection: Connection, arrivals: Sequence[Arrival], thread_ids: Mapping[tuple[int, str], int]
) -> list[Outcome]:
    comments = [arrival.comment for arrival in arrivals]
    roots = _roots(connection, comments)
    earlier = _earlier(connection, comments)
    outcomes: list[Outcome] = []
    rows, callbacks = [], []
    for arrival in arrivals:
        comment_id, comment = arrival
        thread_id = thread_ids[comment.site_id, comment.page]
        key = (comment.site_id, comment.idempotency_key)
        if comment.idempotency_key is not None and key in earlier:
            outcomes.append(earlier[key].answer(comment, thread_id))
            continue
        rows.append(_row(arrival, thread_id=thread_id, roots=roots))
        if comment.callback is not None:
            callbacks.append(_callback(comment.callback, comment_id))
        outcomes.append(Receipt(comment_id, Status.PENDING, is_new=True))
        earlier[key] = _Earlier(comment_id, Status.PENDING, thread_id, comment.email, comment.text)
    if rows:
        connection.execute(insert(Comment), rows)
    if callbacks:
        connection.execute(insert(Callback), callbacks)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The comment that an idempotency key was first used for."""

    id: str
    status: Status
    thread_id: int
    email: str
    text: str

    def answer(self, again: NewComment, thread_id: int) -> Receipt | Conflict:
        if (thread_id, again.email, again.text) != (self.thread_id, self.email, self.text):
            return Conflict("the Idempotency-Key was used before, for another comment")
        return Receipt(self.id, self.status)


class _KnownThreads:
    """Ids and titles of threads, so that a comment on a known page costs no query."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[int, str]] = {}

    def ids(
        self, connection: Connection, comments: Iterable[NewComment]
    ) -> dict[tuple[int, str], int]:
        """The id of each comment's thread, which is made or renamed where needed."""
        titles = _titles(comments)
        ids = {}
        for (site_id, page), title in titles.items():
            known_id, known_title = self._known.get((site_id, page), (None, ""))
            if known_id is None:
                known_id, known_title = find_or_create_thread(connection, site_id, page, title)
            if title and title != known_title:
                connection.execute(update(Thread).where(Thread.id == known_id).values(title=title))
            ids[site_id, page] = known_id
        return ids

    def remember(self, ids: dict[tuple[int, str], int], comments: Iterable[NewComment]) -> None:
        """Keep what `ids` found, once it is committed."""
        for place, title in _titles(comments).items():
            if place not in self._known and len(self._known) >= _THREADS_KNOWN:
                self._known.pop(next(iter(self._known)))
            previous = self._known.get(place, (0, ""))[1]
            self._known[place] = (ids[place], title or previous)


def _titles(comments: Iterable[NewComment]) -> dict[tuple[int, str], str]:
    titles: dict[tuple[int, str], str] = {}
    for comment in comments:
        place = (comment.site_id, comment.page)
        titles[place] = comment.page_title or titles.get(place, "")
    return titles


def find_or_create_thread(
    connection: Connection, site_id: int, page: str, title: str, *, at: int | None = None
) -> tuple[int, str]:
    """The id and the title of the thread below a page of a site.

    Args:
        title: of a thread that is made now.
        at: when such a one began, in milliseconds since 1970; None: now.
    """
    find = select(Thread.id, Thread.title).where(Thread.site_id == site_id, Thread.page == page)
    row = connection.execute(find).one_or_none()
    if row is not None:
        return row.id, row.title
    began = now_ms() if at is None else at
    created = connection.execute(
        insert(Thread)
        .values(site_id=site_id, page=page, title=title, created_at=began)
        .returning(Thread.id)
    )
    return created.scalar_one(), title


def _roots(connection: Connection, comments: Iterable[NewComment]) -> dict[str, str]:
    """For each comment that is answered, the one that started its conversation."""
    parents = {comment.parent_id for comment in comments if comment.parent_id}
    if not parents:
        return {}
    query = select(Comment.id, Comment.root_id).where(Comment.id.in_(parents))
    return {row.id: row.root_id for row in connection.execute(query)}


def _earlier(
    connection: Connection, comments: Iterable[NewComment]
) -> dict[tuple[int, str | None], _Earlier]:
    """The stored comments that have one of these comments' idempotency keys."""
    keys = {(c.site_id, c.idempotency_key) for c in comments if c.idempotency_key is not None}
    if not keys:
        return {}
    return {
        (row.site_id, row.idempotency_key): _Earlier(
            row.id, Status(row.status), row.thread_id, row.email, row.text
        )
        for row in connection.execute(_WITH_KEYS, {"keys": list(keys)})
    }


# Made once: it is asked with every check.
_WITH_KEYS = select(
    Comment.site_id,
    Comment.idempotency_key,
    Comment.id,
    Comment.status,
    Comment.thread_id,
    Comment.email,
    Comment.text,
).where(
    tuple_(Comment.site_id, Comment.idempotency_key).in_(bindparam("keys", expanding=True)),
)


def _row(arrival: Arrival, *, thread_id: int, roots: Mapping[str, str]) -> dict[str, object]:
    comment_id, comment = arrival
    return {
        "id": comment_id,
        "site_id": comment.site_id,
        "thread_id": thread_id,
        "parent_id": comment.parent_id,
        "root_id": roots[comment.parent_id] if comment.parent_id else comment_id,
        "created_at": time_of(comment_id),
        "idempotency_key": comment.idempotency_key,
        "name": comment.name,
        "email": comment.email,
        "author_id": arrival.author_id,
        "website": comment.website,
        "text": comment.text,
        "ip": comment.ip,
        "user_agent": comment.user_agent,
        "referrer": comment.referrer,
        "trap": comment.trap,
        "status": Status.PENDING,
        "reason": "",
        "version": 0,
        "sweeps": 0,
    }


def _callback(callback: NewCallback, comment_id: str) -> dict[str, object]:
    return {"comment_id": comment_id, "url": callback.url, "key": callback.key, "guid": comment_id}
