"""The models of sites: which there are, which one decides, and who decided that.

What decides is one row of `site_choice`, changed in one transaction together with the record of who
changed it. Whoever scores reads that row anew for each batch, and the model itself once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from moderation.clock import now_ms
from moderation.errors import Conflict, NotFound
from moderation.models import ModelChange, Site, SiteChoice, SiteModel

GENERAL = "general"
"""How the general model alone is called where one of a site's models could be named."""


class State(StrEnum):
    """Where a site's model stands."""

    CURRENT = "current"
    """It decides."""
    CANDIDATE = "candidate"
    """It has never decided."""
    RETIRED = "retired"
    """It has decided, and does no more."""
    REFUSED = "refused"
    """A person does not want it."""


class Deed(StrEnum):
    """What can be done about a site's models."""

    PROMOTE = "promote"
    ROLL_BACK = "roll back"
    REFUSE = "refuse"
    SHADOW = "shadow"
    """Let one score without deciding, or no longer any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """A model that was trained: see `models.SiteModel`."""

    site_id: int
    version: str
    base: str
    made_by: str
    labels: int
    last_label_id: int
    recommended: bool
    report: Mapping[str, Any]
    artifact: bytes
    held_out: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A site's model, without the artifact."""

    id: int
    version: str
    base: str
    state: State
    is_shadow: bool
    made_at: int
    made_by: str
    labels: int
    last_label_id: int
    recommended: bool
    report: Mapping[str, Any]
    promoted_at: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was done about a site's models; a version that is empty means the general
    model alone, or no shadow."""

    at: int
    actor: str
    deed: Deed
    before: str
    after: str


def store(connection: Connection, new: NewModel) -> int:
    """Keep a model as a candidate; its number. The same model again is kept once, with the newer
    report."""
    values = {
        "base": new.base,
        "made_at": now_ms(),
        "made_by": new.made_by,
        "labels": new.labels,
        "last_label_id": new.last_label_id,
        "recommended": new.recommended,
        "report": dict(new.report),
        "held_out": new.held_out,
    }
    _lock(connection, new.site_id)
    same = SiteModel.site_id == new.site_id, SiteModel.version == new.version
    found = connection.scalar(select(SiteModel.id).where(*same))
    if found is not None:
        connection.execute(update(SiteModel).where(SiteModel.id == found).values(values))
        return found
    row = connection.execute(
        insert(SiteModel)
        .values(site_id=new.site_id, version=new.version, artifact=new.artifact, **values)
        .returning(SiteModel.id)
    )
    number: int = row.scalar_one()
    return number


def artifact(connection: Connection, model_id: int) -> bytes | None:
    """The model itself; None where there is no such model."""
    return connection.scalar(select(SiteModel.artifact).where(SiteModel.id == model_id))


def held_out(connection: Connection, model_id: int) -> bytes | None:
    """What stands for the model where its labels are weighed: see `held_out.HeldOut`; None where
    nothing does."""
    return connection.scalar(select(SiteModel.held_out).where(SiteModel.id == model_id))


def report_problem(connection: Connection, model_id: int, problem: str) -> None:
    """Note why a model cannot be used; empty: it can."""
    cut = problem[:_LONGEST_PROBLEM]
    connection.execute(
        update(SiteModel)
        .where(SiteModel.id == model_id, SiteModel.problem != cut)
        .values(problem=cut)
    )


def models(
    connection: Connection, site_id: int, *, limit: int | None = None, before: int | None = None
) -> list[StoredModel]:
    """The site's models, the newest first; so many at most, and of those made before the one with
    the number `before`."""
    query = select(*_SHOWN).where(SiteModel.site_id == site_id).order_by(SiteModel.id.desc())
    if before is not None:
        query = query.where(SiteModel.id < before)
    query = query.limit(limit)
    choice = _choice(connection, site_id)
    return [_stored(row, choice) for row in connection.execute(query)]


def model(connection: Connection, site_id: int, version: str) -> StoredModel:
    """The site's model of this version, or the only one whose version ends so.

    Raises:
        NotFound: there is none.
        Conflict: several are meant.
    """
    query = select(*_SHOWN).where(
        SiteModel.site_id == site_id, SiteModel.version.endswith(version, autoescape=True)
    )
    found = connection.execute(query.order_by(SiteModel.id)).all()
    found = [row for row in found if row.version == version] or found
    if not found or not version:
        raise NotFound(f"the site has no model {version}")
    if len(found) > 1:
        raise Conflict(f"{version} may be any of {', '.join(row.version for row in found)}")
    return _stored(found[0], _choice(connection, site_id))


def current(connection: Connection, site_id: int) -> StoredModel | None:
    """The site's model that decides; None for the general model alone."""
    choice = _choice(connection, site_id)
    return _numbered(connection, choice.current_id, choice)


def shadowing(connection: Connection, site_id: int) -> StoredModel | None:
    """The site's model that scores without deciding; None: there is none."""
    choice = _choice(connection, site_id)
    return _numbered(connection, choice.shadow_id, choice)


def before(connection: Connection, site_id: int) -> StoredModel | None:
    """The model that `roll_back` lets decide; None for the general model alone."""
    choice = _choice(connection, site_id)
    if choice.current_id is None:
        return None
    return _numbered(connection, _before(connection, site_id, choice.current_id), choice)


def promote(
    connection: Connection, site_id: int, version: str, *, general: str, actor: str
) -> StoredModel:
    """Let a model decide from now on; the model.

    Args:
        general: version of the general model that is in use.

    Raises:
        NotFound: the site has no such model.
        Conflict: it decides already, was refused, or was trained on another general model.
    """
    _lock(connection, site_id)
    wanted = model(connection, site_id, version)
    if wanted.state is State.CURRENT:
        raise Conflict(f"{wanted.version} is the current model already")
    if wanted.state is State.REFUSED:
        raise Conflict(f"{wanted.version} was refused")
    if wanted.base != general:
        raise Conflict(
            f"{wanted.version} was trained on the general model {wanted.base}, and {general} is in "
            "use: train the site's model anew"
        )
    _choose(connection, site_id, wanted.id, Deed.PROMOTE, actor)
    return model(connection, site_id, wanted.version)


def roll_back(
    connection: Connection, site_id: int, *, actor: str, to_general: bool = False
) -> StoredModel | None:
    """Let the model decide that did before the current one, and was not refused since; it, or None
    for the general model alone.

    Args:
        to_general: let the general model alone decide, whatever did before.

    Raises:
        Conflict: the general model alone decides already.
    """
    _lock(connection, site_id)
    present = _choice(connection, site_id).current_id
    if present is None:
        raise Conflict("the general model alone decides: there is nothing to roll back")
    wanted = None if to_general else _before(connection, site_id, present)
    _choose(connection, site_id, wanted, Deed.ROLL_BACK, actor)
    return current(connection, site_id)


def refuse(connection: Connection, site_id: int, version: str, *, actor: str) -> None:
    """Let a model never decide, nor shadow.

    Raises:
        NotFound: the site has no such model.
        Conflict: it decides, or was refused already.
    """
    _lock(connection, site_id)
    wanted = model(connection, site_id, version)
    if wanted.state is State.CURRENT:
        raise Conflict(f"{wanted.version} is the current model: roll back first")
    if wanted.state is State.REFUSED:
        raise Conflict(f"{wanted.version} was refused already")
    if wanted.is_shadow:
        connection.execute(
            update(SiteChoice).where(SiteChoice.site_id == site_id).values(shadow_id=None)
        )
    connection.execute(
        update(SiteModel).where(SiteModel.id == wanted.id).values(refused_at=now_ms())
    )
    _record(connection, site_id, Deed.REFUSE, actor, before=wanted.id)


def shadow(
    connection: Connection, site_id: int, version: str | None, *, actor: str
) -> StoredModel | None:
    """Let a model score what comes in without deciding; with None, no longer any; the model.

    Raises:
        NotFound: the site has no such model.
        Conflict: it decides, was refused, or shadows already; or nothing does.
    """
    _lock(connection, site_id)
    wanted = None if version is None else model(connection, site_id, version)
    present = _choice(connection, site_id).shadow_id
    if wanted is not None and wanted.state in (State.CURRENT, State.REFUSED):
        raise Conflict(f"{wanted.version} is {wanted.state}: it cannot shadow")
    if present == (wanted.id if wanted else None):
        raise Conflict("it shadows already" if wanted else "no model shadows")
    new = wanted.id if wanted else None
    connection.execute(
        update(SiteChoice).where(SiteChoice.site_id == site_id).values(shadow_id=new)
    )
    _record(connection, site_id, Deed.SHADOW, actor, before=present, after=new)
    return None if wanted is None else model(connection, site_id, wanted.version)


def changes(connection: Connection, site_id: int, *, limit: int) -> list[Change]:
    """What was done about the site's models, the latest first."""
    versions = _versions(connection, site_id)
    query = (
        select(ModelChange.__table__)
        .where(ModelChange.site_id == site_id)
        .order_by(ModelChange.id.desc())
        .limit(limit)
    )
    return [
        Change(row.at, row.actor, Deed(row.deed), versions[row.from_id], versions[row.to_id])
        for row in connection.execute(query)
    ]


def to_rescore(connection: Connection) -> Iterator[tuple[int, str]]:
    """The sites whose held comments are being scored again, each with the comment that was last."""
    query = select(SiteChoice.site_id, SiteChoice.rescored_to).where(
        SiteChoice.rescored_to.is_not(None)
    )
    for row in connection.execute(query):
        yield row.site_id, row.rescored_to


def advance(connection: Connection, site_id: int, *, after: str, to: str | None) -> bool:
    """Note that the held comments after `after` and up to `to` (None: all) were scored again; False
    where somebody else went on, or another model decides since."""
    moved = connection.execute(
        update(SiteChoice)
        .where(SiteChoice.site_id == site_id, SiteChoice.rescored_to == after)
        .values(rescored_to=to)
    )
    return moved.rowcount == 1


_LONGEST_PROBLEM = 300

_NOT_SHOWN = {"site_id", "artifact", "held_out"}
_SHOWN = tuple(c for c in SiteModel.__table__.columns if c.name not in _NOT_SHOWN)


def _stored(row: Any, choice: "_Choice") -> StoredModel:
    values = dict(row._mapping)
    refused = values.pop("refused_at") is not None
    if row.id == choice.current_id:
        state = State.CURRENT
    elif refused:
        state = State.REFUSED
    else:
        state = State.RETIRED if row.promoted_at else State.CANDIDATE
    return StoredModel(state=state, is_shadow=row.id == choice.shadow_id, **values)


def _numbered(
    connection: Connection, model_id: int | None, choice: "_Choice"
) -> StoredModel | None:
    if model_id is None:
        return None
    row = connection.execute(select(*_SHOWN).where(SiteModel.id == model_id)).one()
    return _stored(row, choice)


@dataclass(frozen=True, slots=True)
class _Choice:
    current_id: int | None = None
    shadow_id: int | None = None


def _choice(connection: Connection, site_id: int) -> _Choice:
    query = select(SiteChoice.current_id, SiteChoice.shadow_id).where(SiteChoice.site_id == site_id)
    row = connection.execute(query).one_or_none()
    return _Choice(*row) if row else _Choice()


def _lock(connection: Connection, site_id: int) -> None:
    """Keep others from changing the site's choice until the transaction ends, and see that there is
    a row of it."""
    # The site is locked, because there may be no choice yet.
    connection.execute(select(Site.id).where(Site.id == site_id).with_for_update())
    known = select(SiteChoice.site_id).where(SiteChoice.site_id == site_id)
    if connection.scalar(known) is None:
        connection.execute(insert(SiteChoice).values(site_id=site_id))


def _choose(
    connection: Connection, site_id: int, model_id: int | None, deed: Deed, actor: str
) -> None:
    """Let this model decide; all that is held is to be scored again."""
    choice = _choice(connection, site_id)
    shadow_id = None if choice.shadow_id == model_id else choice.shadow_id
    connection.execute(
        update(SiteChoice)
        .where(SiteChoice.site_id == site_id)
        .values(current_id=model_id, shadow_id=shadow_id, rescored_to="")
    )
    if model_id is not None:
        connection.execute(
            update(SiteModel).where(SiteModel.id == model_id).values(promoted_at=now_ms())
        )
    _record(connection, site_id, deed, actor, before=choice.current_id, after=model_id)


def _record(
    connection: Connection,
    site_id: int,
    deed: Deed,
    actor: str,
    *,
    before: int | None = None,
    after: int | None = None,
) -> None:
    connection.execute(
        insert(ModelChange).values(
            site_id=site_id, at=now_ms(), actor=actor, deed=deed, from_id=before, to_id=after
        )
    )


def _before(connection: Connection, site_id: int, model_id: int) -> int | None:
    """What decided before the model was promoted, and was not refused since."""
    query = (
        select(ModelChange.to_id, ModelChange.from_id)
        .where(ModelChange.site_id == site_id, ModelChange.deed == Deed.PROMOTE)
        .order_by(ModelChange.id)
    )
    promotions = {row.to_id: row.from_id for row in connection.execute(query)}
    refused = set(
        connection.scalars(
            select(SiteModel.id).where(
                SiteModel.site_id == site_id, SiteModel.refused_at.is_not(None)
            )
        )
    )
    seen: set[int | None] = {model_id}
    before = promotions.get(model_id)
    while before in refused and before not in seen:
        seen.add(before)
        before = promotions.get(before)
    # Promoted, rolled back and promoted again, two models may each have come after the other.
    return None if before in seen else before


def _versions(connection: Connection, site_id: int) -> dict[int | None, str]:
    query = select(SiteModel.id, SiteModel.version).where(SiteModel.site_id == site_id)
    return {None: "", **{row.id: row.version for row in connection.execute(query)}}
