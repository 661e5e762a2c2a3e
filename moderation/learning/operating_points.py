"""Operating points: what labels say about a model's thresholds on a site, kept with the thresholds
that follow from the site's goals.

The evidence is the same for every goal. So when a goal changes, the thresholds of all models of the
site follow in the same transaction, and no comment is scored again.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, delete, func, insert, select, update

from moderation.clock import MINUTE, now_ms
from moderation.learning import goals
from moderation.learning.goals import Evidence
from moderation.models import Label, Site, SiteChoice, SiteModel
from moderation.models import OperatingPoint as Row
from moderation.policy import OperatingPoint, SiteSettings

Points = Mapping[str, OperatingPoint]
"""By the version of the model."""


def keep(connection: Connection, *, site_id: int, model: str, evidence: Evidence) -> OperatingPoint:
    """Keep what labels say about a model of a site, in the place of what they said before; the
    thresholds that follow for the site's goals."""
    settings = settings_of(connection, site_id)
    connection.execute(delete(Row).where(Row.site_id == site_id, Row.model == model))
    values = {"site_id": site_id, "model": model, "at": now_ms(), "evidence": evidence.to_json()}
    point = _point(evidence, settings)
    connection.execute(insert(Row).values(**values, **_goals(settings), **point._asdict()))
    return point


def follow(connection: Connection, site_id: int) -> None:
    """Work the thresholds of all models of a site out again, for goals that have changed."""
    settings = settings_of(connection, site_id)
    rows = connection.execute(select(Row.model, Row.evidence).where(Row.site_id == site_id)).all()
    for row in rows:
        point = _point(Evidence.from_json(row.evidence), settings)
        connection.execute(
            update(Row)
            .where(Row.site_id == site_id, Row.model == row.model)
            .values(**_goals(settings), **point._asdict())
        )


def forget(connection: Connection, site_id: int) -> None:
    """Forget what labels say about the models of a site: what counts has changed. Nothing is
    approved or rejected for a goal until they are weighed again."""
    connection.execute(delete(Row).where(Row.site_id == site_id))


def points(connection: Connection, site_id: int, settings: SiteSettings) -> Points:
    """The thresholds of a site's models for the goals in `settings`; empty if it has no goals.

    Those that were worked out for other goals are left out.
    """
    wanted = _goals(settings)
    if not any(wanted.values()):
        return {}
    query = select(
        Row.model,
        Row.approve_precision,
        Row.reject_precision,
        Row.approve_below,
        Row.reject_from,
    ).where(Row.site_id == site_id)
    return {
        row.model: OperatingPoint(row.approve_below, row.reject_from)
        for row in connection.execute(query)
        if {name: getattr(row, name) for name in wanted} == wanted
    }


def evidence(connection: Connection, *, site_id: int, model: str) -> tuple[Evidence, int] | None:
    """What labels say about a model of a site, and when it was gathered, in milliseconds; None if
    it never was."""
    query = select(Row.evidence, Row.at).where(Row.site_id == site_id, Row.model == model)
    row = connection.execute(query).one_or_none()
    return None if row is None else (Evidence.from_json(row.evidence), row.at)


def outdated(connection: Connection, general: str) -> Iterator[int]:
    """The sites with goals for whose deciding model no labels were weighed yet, or on which people
    have said so much since that it is worth doing again.

    Args:
        general: version of the general model in use.
    """
    query = (
        select(Site.id, Site.settings, SiteModel.version)
        .outerjoin(SiteChoice, SiteChoice.site_id == Site.id)
        # One that cannot be used does not decide.
        .outerjoin(
            SiteModel,
            (SiteModel.id == SiteChoice.current_id)
            & (SiteModel.base == general)
            & (SiteModel.problem == ""),
        )
    )
    for site in connection.execute(query).all():
        if not any(_goals(SiteSettings.model_validate(site.settings)).values()):
            continue
        model = f"{general}+{site.version}" if site.version else general
        at = connection.scalar(select(Row.at).where(Row.site_id == site.id, Row.model == model))
        new = select(func.count()).where(Label.site_id == site.id, Label.at > (at or 0))
        if at is None or (
            now_ms() - at >= _WEIGHED_AGAIN_AFTER
            and connection.execute(new).scalar_one() >= _NEW_LABELS
        ):
            yield site.id


_NEW_LABELS, _WEIGHED_AGAIN_AFTER = 25, 10 * MINUTE


def settings_of(connection: Connection, site_id: int) -> SiteSettings:
    """What a site has set, as it stands now."""
    query = select(Site.settings).where(Site.id == site_id)
    return SiteSettings.model_validate(connection.execute(query).scalar_one())


def _goals(settings: SiteSettings) -> dict[str, float | None]:
    return {
        "approve_precision": settings.approve_precision,
        "reject_precision": settings.reject_precision,
    }


def _point(found: Evidence, settings: SiteSettings) -> OperatingPoint:
    return goals.operating_point(
        found, approve=settings.approve_precision, reject=settings.reject_precision
    )
