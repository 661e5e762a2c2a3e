"""The moderators' queue, reading side: which comments, in which order, how many.

A page begins after the last row of the page before (keyset paging), and each order of held comments
has an index with all that they are filtered by: see docs/decisions/0010.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from moderation import alike, schemas
from moderation.domain import ERASED, Status, is_blind
from moderation.errors import FieldError, InvalidInput
from moderation.models import (
    Comment,
    Event,
    Site,
    Thread,
    is_approved,
    is_held,
    is_rejected,
    is_waiting,
)
from moderation.policy import HEADS, Probability

COUNTED = 10_000
"""Counting stops here: what is more is shown as "10,000+"."""

MATCHES_COUNTED = 1_000
"""The same for what passes a filter, of which it may be necessary to read a whole index."""

UNKNOWN = "unknown"
"""How a filter names the language of a comment whose language is not known."""


class Tab(StrEnum):
    """Which comments a page of the desk is about."""

    HELD = "held"
    """What waits for a moderator: held, or drawn for the audit."""
    APPROVED = "approved"
    REJECTED = "rejected"
    ALL = "all"


class Order(StrEnum):
    """What comes first."""

    UNCERTAINTY = "uncertainty"
    HARM = "harm"
    OLDEST = "oldest"
    NEWEST = "newest"


def orders(tab: Tab) -> Sequence[Order]:
    """The orders there are for a tab, the usual one first."""
    if tab is Tab.HELD:
        return (Order.UNCERTAINTY, Order.HARM, Order.OLDEST, Order.NEWEST)
    return (Order.NEWEST, Order.OLDEST)


# A form sends its empty fields too.
_Probability = Annotated[
    Probability | None, BeforeValidator(lambda value: None if value == "" else value)
]


class QueueQuery(BaseModel):
    """What the queue can be filtered by. What is empty filters nothing."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    status: Tab = Field(Tab.HELD, description="`held`, `approved`, `rejected`, or `all`.")
    site: schemas.Line = Field("", max_length=64, description="Name of a site.")
    page: schemas.Line = Field("", max_length=2000, description="Address of a page.")
    reason: schemas.Line = Field(
        "",
        max_length=64,
        description="A head of the model that was above its threshold, or any other reason that "
        "the comment stands where it does.",
    )
    rule: schemas.Line = Field("", max_length=32, description="The rule that spoke first.")
    score_from: _Probability = Field(None, description="Lowest probability of `reject`.")
    score_to: _Probability = Field(None, description="Highest probability of `reject`.")
    author: schemas.Line = Field("", max_length=32, description="An author's id.")
    language: schemas.Line = Field("", max_length=8, description="ISO 639-1 code, or `unknown`.")
    text: schemas.Line = Field(
        "", max_length=200, description="What the text or the name has to contain."
    )
    similar_to: schemas.Line = Field(
        "", max_length=32, description="Id of a comment that held ones have to resemble."
    )


class QueueFilter(QueueQuery):
    """A query, and the sites whose comments its sender may see; None for all sites."""

    sites: frozenset[int] | None = None

    @classmethod
    def parse(cls, args: Mapping[str, Any], sites: frozenset[int] | None) -> Self:
        """The filter that query arguments (or a form's fields) ask for.

        Raises:
            InvalidInput: some of them are wrong.
        """
        known = {name: args[name] for name in cls.model_fields if name in args}
        return schemas.parse(cls, known | {"sites": sites})

    def args(self, **changes: Any) -> dict[str, Any]:
        """The query arguments that `parse` would make this filter from, with `changes`."""
        asked = set(QueueQuery.model_fields)
        fields = self.model_dump(mode="json", include=asked, exclude_defaults=True) | changes
        return {name: value for name, value in fields.items() if value not in (None, "")}

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for more than a tab and a site."""
        return bool(self.args(status="", site=""))


@dataclass(frozen=True, slots=True)
class Row:
    """A comment in the queue. Without the e-mail address: moderators decide about what was said."""

    id: str
    version: int
    status: Status
    site_id: int
    site: str
    thread_id: int
    page: str
    title: str
    parent_id: str | None
    author_id: str
    name: str
    website: str
    text: str
    created_at: int
    reason: str
    head: str
    rule: str
    score: float | None
    uncertainty: float
    harm: float
    language: str
    fingerprint: bytes | None
    audit: str

    @property
    def is_erased(self) -> bool:
        """Whether its text and its author were removed for good."""
        return self.reason == ERASED

    @property
    def is_blind(self) -> bool:
        """See `domain.is_blind`."""
        return is_blind(self.status, self.audit)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of the queue; `next` is where the following page begins, None after the last.

    `matching` counts all that pass a narrow filter; None where there is no such filter, and after
    the first page.
    """

    rows: Sequence[Row]
    next: str | None
    matching: "Count | None"


@dataclass(frozen=True, slots=True)
class Count:
    """So many, or at least so many."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What has come into the queue since `marker` was handed out the last time."""

    marker: int
    ids: Sequence[str]


def page(
    connection: Connection, wanted: QueueFilter, order: Order, *, after: str, limit: int
) -> Page:
    """A page of the queue.

    Args:
        order: one of `orders(wanted.status)`; any other means the first of them.
        after: `next` of the page before; empty for the first page.
        limit: rows at most.

    Raises:
        InvalidInput: `after` is not what a page gave.
    """
    query = page_query(connection, wanted, order, after=after)
    counted = wanted.is_narrow and not after
    at_most = max(limit, MATCHES_COUNTED) if counted else limit
    found = connection.execute(query.limit(at_most + 1)).all()
    shown = found[:limit]
    following = "~".join(map(str, shown[-1])) if len(found) > limit else None
    return Page(
        rows(connection, [key[-1] for key in shown]),
        following,
        Count(min(len(found), at_most), more=len(found) > at_most) if counted else None,
    )


def page_query(
    connection: Connection, wanted: QueueFilter, order: Order, *, after: str
) -> Select[Any]:
    """The sort keys of all that `page` finds; the last of them is the id."""
    if order not in orders(wanted.status):
        order = orders(wanted.status)[0]
    keys = _sort_keys(order)
    query = select(*keys).where(*conditions(connection, wanted))
    if after:
        query = query.where(_beyond(keys, order, after))
    return query.order_by(*(key.asc() if order is Order.OLDEST else key.desc() for key in keys))


def rows(connection: Connection, ids: Sequence[str]) -> list[Row]:
    """The comments with these ids, in this order; those that do not exist are left out."""
    query = (
        select(
            *(getattr(Comment, name) for name in Row.__slots__ if hasattr(Comment, name)),
            Site.name.label("site"),
            Thread.page,
            Thread.title,
        )
        .join(Site, Site.id == Comment.site_id)
        .join(Thread, Thread.id == Comment.thread_id)
        .where(Comment.id.in_(ids))
    )
    found = {row.id: row for row in connection.execute(query)}
    return [_row(found[comment_id]) for comment_id in ids if comment_id in found]


def row(connection: Connection, comment_id: str, sites: frozenset[int] | None) -> Row | None:
    """The comment with this id, if there is one on these sites."""
    found = rows(connection, [comment_id])
    return found[0] if found and (sites is None or found[0].site_id in sites) else None


def seen(connection: Connection, wanted: QueueFilter, *, limit: int) -> list[tuple[str, int]]:
    """Id and version of the comments that pass, to decide about them in bulk; any `limit` of
    them."""
    query = select(Comment.id, Comment.version).where(*conditions(connection, wanted)).limit(limit)
    return [(found.id, found.version) for found in connection.execute(query)]


def count(connection: Connection, wanted: QueueFilter, *, at_most: int = COUNTED) -> Count:
    """How many comments pass."""
    return _count(connection, conditions(connection, wanted), at_most)


def counts(connection: Connection, wanted: QueueFilter) -> dict[Tab, Count]:
    """How many comments of the filter's sites there are in each tab, whatever else it asks for."""
    scope = QueueFilter(site=wanted.site, sites=wanted.sites)
    return {tab: count(connection, scope.model_copy(update={"status": tab})) for tab in Tab}


def arrivals(connection: Connection, wanted: QueueFilter, *, since: int, at_most: int) -> Arrivals:
    """Comments that have waited since an event after `since`, and pass; `at_most` of them."""
    newest = latest_event(connection)
    if newest <= since:
        return Arrivals(since, [])
    # Of what was approved, what was drawn for the audit passes.
    changed_since = (
        select(Event.comment_id)
        .distinct()
        .where(Event.id > since, Event.id <= newest, Event.from_status != Event.to_status)
        .where(Event.to_status.in_((Status.HELD, Status.APPROVED)))
    )
    query = (
        select(Comment.id)
        .where(Comment.id.in_(changed_since), *conditions(connection, wanted))
        .limit(at_most)
    )
    return Arrivals(newest, list(connection.scalars(query)))


def latest_event(connection: Connection) -> int:
    """The number of the latest event: where `arrivals` begins."""
    return connection.execute(select(func.max(Event.id))).scalar_one() or 0


def conditions(connection: Connection, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions on `Comment`."""
    found = _in_tab(wanted)
    # SQLite is to read the index of the status in its order, not to sort what it finds by another;
    # there is none of all statuses, where the index of the site's comments is in the same order.
    # The few comments of one author are found by author and sorted.
    of_one_site = _same if wanted.status is Tab.ALL or wanted.author else _unindexed
    if wanted.sites is not None:
        found.append(_unindexed(Comment.site_id).in_(sorted(wanted.sites)))
    if wanted.site:
        site = select(Site.id).where(Site.name == wanted.site).scalar_subquery()
        found.append(of_one_site(Comment.site_id) == site)
    if wanted.page:
        threads = select(Thread.id).where(Thread.page == wanted.page)
        found.append(_unindexed(Comment.thread_id).in_(threads))
    if wanted.author:
        found.append(Comment.author_id == wanted.author)
    if wanted.similar_to:
        found.append(Comment.id.in_(alike.like_comment(connection, wanted.similar_to)))
    return found + _about_the_decision(wanted) + _about_the_text(connection, wanted)


def _about_the_decision(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.reason in HEADS and wanted.status is Tab.HELD:
        found.append(Comment.head == wanted.reason)
    elif wanted.reason:
        found.append(or_(Comment.reason == wanted.reason, Comment.head == wanted.reason))
    if wanted.rule:
        found.append(Comment.rule == wanted.rule)
    if wanted.score_from is not None:
        found.append(Comment.score >= wanted.score_from)
    if wanted.score_to is not None:
        found.append(Comment.score <= wanted.score_to)
    return found


def _about_the_text(connection: Connection, wanted: QueueFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.language:
        found.append(Comment.language == ("" if wanted.language == UNKNOWN else wanted.language))
    if wanted.text:
        contains = _contains_on_sqlite if connection.dialect.name == "sqlite" else _contains
        found.append(or_(contains(Comment.text, wanted.text), contains(Comment.name, wanted.text)))
    return found


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    pattern: ColumnElement[bool] = column.ilike(f"%{_escaped(text)}%", escape="\\")
    return pattern


def _contains_on_sqlite(column: Any, text: str) -> ColumnElement[bool]:
    # Its LIKE knows the capitals A to Z only, so others are looked for in the usual spellings.
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}
    return or_(*(column.like(f"%{_escaped(text)}%", escape="\\") for text in sorted(spellings)))


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _in_tab(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    match wanted.status:
        case Tab.HELD:
            # Nothing was found in what was drawn for the audit, by which it could be asked for.
            return [is_held(Comment) if _about_the_decision(wanted) else is_waiting(Comment)]
        case Tab.APPROVED:
            return [is_approved(Comment)]
        case Tab.REJECTED:
            return [is_rejected(Comment)]
        case _:
            return []


class _unindexed(FunctionElement[Any]):  # noqa: N801 - is called like a function
    """A column that SQLite is not to look up in an index that begins with it."""

    inherit_cache = True


@compiles(_unindexed)
def _as_it_is(element: _unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_unindexed, "sqlite")
def _with_plus(element: _unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def _same(column: Any) -> Any:
    return column


def _sort_keys(order: Order) -> list[Any]:
    match order:
        case Order.UNCERTAINTY:
            return [Comment.uncertainty, Comment.id]
        case Order.HARM:
            return [Comment.harm, Comment.id]
        case _:
            return [Comment.id]


def _beyond(keys: list[Any], order: Order, after: str) -> ColumnElement[bool]:
    *figures, comment_id = after.split("~")
    try:
        values = [*map(float, figures), comment_id]
    except ValueError:
        values = []
    if len(values) != len(keys):
        raise InvalidInput(FieldError("after", "has to be `next` of the page before"))
    place, border = tuple_(*keys), tuple_(*values)
    return place > border if order is Order.OLDEST else place < border


def _count(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], at_most: int
) -> Count:
    some = select(Comment.id).where(*conditions).limit(at_most + 1)
    if connection.dialect.name == "sqlite":
        # This makes it read the index that has what is filtered by; PostgreSQL finds it by itself,
        # and would rather not.
        some = some.order_by(Comment.id)
    number = connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return Count(min(number, at_most), more=number > at_most)


def _row(found: Any) -> Row:
    return Row(**{**found._mapping, "status": Status(found.status)})
