"""Labels: what people say of comments, each with where it comes from. What training learns from.

A label is never changed. A newer one takes its place, or it is withdrawn; both stay to be looked
at. What the service decided by itself is never a label.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, insert, literal, select, update
from sqlalchemy.orm import aliased

from moderation.clock import now_ms
from moderation.domain import LabelSource, Selection
from moderation.models import Comment, Example, Label

PEOPLE = (LabelSource.MODERATOR, LabelSource.CLIENT)

_RANK = {source: rank for rank, source in enumerate(LabelSource)}
# A client passes on what the site's own moderators say: the later word counts.
_RANK[LabelSource.CLIENT] = _RANK[LabelSource.MODERATOR]

_FETCHED_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    """A label to be recorded: see `models.Label`. Of `comment_id` and `example_id`, give one."""

    site_id: int
    source: LabelSource
    actor: str
    unwanted: float
    selection: Selection
    comment_id: str | None = None
    example_id: int | None = None
    strength: float = 1.0
    reason: str = ""
    propensity: float = 1.0
    at: int | None = None
    """Milliseconds since 1970; None: now."""


class Labelled(NamedTuple):
    """A comment and the label that counts for it."""

    key: str
    """The comment's id, or "example-" and the number of an example."""
    text: str
    name: str
    website: str
    page: str
    """The page it stands below, or a number that stands for it."""
    created_at: int
    """When it was written, in milliseconds since 1970."""
    label_id: int
    first_label_id: int
    """The first label that the comment ever had: what was trained on labels up to some number knows
    the comment if this one is among them, whatever was said of it since."""
    source: LabelSource
    actor: str
    at: int
    """When it was labelled, in milliseconds since 1970."""
    unwanted: float
    strength: float
    reason: str
    selection: Selection
    propensity: float
    score: float | None
    """What the service gave it when it decided; None for an example."""
    rule: str = ""
    """The rule that held or rejected it, if one did: no model was asked then."""


class Disagreement(NamedTuple):
    """A comment of which people said different things, none of it taken back."""

    comment_id: str
    labels: Sequence[Any]
    """Rows of `label`, the oldest first: the last one counts."""


def record(connection: Connection, new: Iterable[NewLabel]) -> None:
    """Add labels. Those that were there stay, and count no more where these speak louder."""
    rows = [asdict(label) for label in new]
    for row in rows:
        row["at"] = now_ms() if row["at"] is None else row["at"]
    if rows:
        connection.execute(insert(Label), rows)


def withdraw(
    connection: Connection, comment_ids: Sequence[str], *, actor: str | None = None
) -> None:
    """Let the labels of these comments count no more: all of them, or the last one of `actor` on
    each."""
    those = Label.comment_id.in_(comment_ids), Label.withdrawn_at.is_(None)
    statement = update(Label).where(*those).values(withdrawn_at=now_ms())
    if actor is not None:
        last = select(func.max(Label.id)).where(*those, Label.actor == actor)
        statement = statement.where(Label.id.in_(last.group_by(Label.comment_id)))
    connection.execute(statement)


def spoken_of(connection: Connection, comment_ids: Sequence[str]) -> set[str]:
    """Those of the comments of which a person's word counts."""
    query = select(Label.comment_id).where(
        Label.comment_id.in_(comment_ids), Label.withdrawn_at.is_(None), Label.source.in_(PEOPLE)
    )
    return {comment_id for comment_id in connection.scalars(query) if comment_id is not None}


def effective(connection: Connection, site_id: int) -> Iterator[Labelled]:
    """Each labelled comment of a site with the label that counts: of the loudest source, the
    latest. Read as it goes: any number in little memory."""
    for query in (_of_comments(site_id), _of_examples(site_id)):
        rows = connection.execution_options(yield_per=_FETCHED_AT_ONCE).execute(query)
        for _, labels in groupby(rows, key=attrgetter("key")):
            row = max(labels, key=lambda r: (-_RANK[LabelSource(r.source)], r.label_id))
            yield _labelled(row)


def of_comment(connection: Connection, comment_id: str) -> list[tuple[Any, bool]]:
    """All labels of a comment, the oldest first, each with whether it is the one that counts."""
    query = select(Label.__table__).where(Label.comment_id == comment_id).order_by(Label.id)
    rows = connection.execute(query).all()
    valid = [row for row in rows if row.withdrawn_at is None]
    counts = max(valid, key=lambda r: (-_RANK[LabelSource(r.source)], r.id), default=None)
    return [(row, row is counts) for row in rows]


def count_since(connection: Connection, site_id: int, label_id: int = 0) -> int:
    """How many labels of a site that still count were recorded after that one."""
    query = select(func.count()).where(
        Label.site_id == site_id, Label.id > label_id, Label.withdrawn_at.is_(None)
    )
    return connection.scalar(query) or 0


def disagreements(connection: Connection, site_id: int, *, limit: int) -> list[Disagreement]:
    """Where people of a site said different things about a comment, the latest first."""
    theirs = (
        Label.site_id == site_id,
        Label.source.in_(PEOPLE),
        Label.withdrawn_at.is_(None),
        Label.comment_id.is_not(None),
    )
    disputed = (
        select(Label.comment_id)
        .where(*theirs)
        .group_by(Label.comment_id)
        .having(
            func.count(Label.actor.distinct()) > 1,
            func.min(Label.unwanted) < func.max(Label.unwanted),
        )
        .order_by(func.max(Label.id).desc())
        .limit(limit)
    )
    ids = list(connection.scalars(disputed))
    query = (
        select(Label.__table__)
        .where(*theirs, Label.comment_id.in_(ids))
        .order_by(Label.comment_id, Label.id)
    )
    rows = groupby(connection.execute(query), key=attrgetter("comment_id"))
    found = {comment_id: list(labels) for comment_id, labels in rows}
    return [Disagreement(comment_id, found[comment_id]) for comment_id in ids if comment_id]


def _labelled(row: Any) -> Labelled:
    values = dict(row._mapping)
    values["key"] = row.key if isinstance(row.key, str) else f"example-{row.key}"
    values["page"] = str(row.page)
    values["source"] = LabelSource(row.source)
    values["selection"] = Selection(row.selection)
    return Labelled(**values)


_EachLabel = aliased(Label)


def _first(of: Any, comment: Any) -> Any:
    """The first label of a comment or example, withdrawn or not."""
    return (
        select(func.min(_EachLabel.id))
        .where(of == comment)
        .scalar_subquery()
        .label("first_label_id")
    )


_OF_LABEL = (
    Label.id.label("label_id"),
    Label.source,
    Label.actor,
    Label.at,
    Label.unwanted,
    Label.strength,
    Label.reason,
    Label.selection,
    Label.propensity,
)


def _of_comments(site_id: int) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(
            Comment.id.label("key"),
            Comment.text,
            Comment.name,
            Comment.website,
            Comment.thread_id.label("page"),
            Comment.created_at,
            Comment.score,
            Comment.rule,
            _first(_EachLabel.comment_id, Comment.id),
            *_OF_LABEL,
        )
        .join(Label, Label.comment_id == Comment.id)
        .where(Label.site_id == site_id, Label.withdrawn_at.is_(None))
        .order_by(Comment.id)
    )
    return query


def _of_examples(site_id: int) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(
            Example.id.label("key"),
            Example.text,
            Example.name,
            Example.website,
            Example.page,
            Example.created_at,
            literal(None).label("score"),
            literal("").label("rule"),
            _first(_EachLabel.example_id, Example.id),
            *_OF_LABEL,
        )
        .join(Label, Label.example_id == Example.id)
        .where(Label.site_id == site_id, Label.withdrawn_at.is_(None))
        .order_by(Example.id)
    )
    return query
