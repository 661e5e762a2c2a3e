"""Changes of what a site sets, and of its keys, with the record of who changed what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from moderation.clock import now_ms
from moderation.errors import Conflict, FieldError, InvalidInput, NotFound
from moderation.learning import operating_points
from moderation.models import Notice, SettingChange, Site, SiteSecret
from moderation.policy import SiteSettings
from moderation.sites import (
    SiteRef,
    add_key,
    create_site,
    find,
    new_key,
    new_short_key,
    revoke_key,
)

SECRET_LENGTH = 16
"""Characters of a secret that signs calls, at least."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change in the past."""

    at: int
    actor: str
    changes: list[dict[str, Any]]
    """For each setting: `setting`, `before`, `after`."""


def site_named(connection: Connection, name: str, *, locked: bool = False) -> SiteRef:
    """The site as it stands now; `locked` for who is about to change it.

    Raises:
        NotFound: there is no such site.
    """
    site = find(connection, Site.name == name, locked=locked)
    if site is None:
        raise NotFound(f"there is no site {name}")
    return site


def save(
    connection: Connection, *, name: str, before: SiteSettings, after: SiteSettings, actor: str
) -> None:
    """Put `after` in the place of `before`.

    Raises:
        NotFound: there is no such site.
        Conflict: the settings are not `before`: somebody else changed them.
    """
    site = site_named(connection, name, locked=True)
    if site.settings != before:
        raise Conflict("somebody else has changed the settings meanwhile")
    found = differences(before, after)
    if not found:
        return
    stored = after.model_dump(mode="json")
    connection.execute(update(Site).where(Site.id == site.id).values(settings=stored))
    changed = {entry["setting"] for entry in found}
    if any(setting.startswith("notify_") for setting in changed):
        # Whoever is to be told now has not been told anything yet.
        connection.execute(delete(Notice).where(Notice.site_id == site.id))
    if "imports_complete" in changed:
        operating_points.forget(connection, site.id)
    elif any(setting.endswith("_precision") for setting in changed):
        operating_points.follow(connection, site.id)
    record(connection, site.id, actor, found)


def add_site(connection: Connection, *, name: str, actor: str) -> str:
    """A new site with the default settings; its key, to be shown this once.

    Raises:
        InvalidInput: the name cannot be one, or is taken.
    """
    key = new_key()
    site_id = create_site(connection, name=name, key=key, settings=SiteSettings())
    record(connection, site_id, actor, [change("site", None, name), _key_change(None, key)])
    return key


def give_key(connection: Connection, *, name: str, actor: str, short: bool = False) -> str:
    """One more key for a site, to be shown this once; `short`: in the form that Akismet's clients
    take.

    Raises:
        NotFound: there is no such site.
    """
    site = site_named(connection, name, locked=True)
    key = new_short_key() if short else new_key()
    add_key(connection, site_id=site.id, key=key)
    record(connection, site.id, actor, [_key_change(None, key)])
    return key


def take_key(connection: Connection, *, name: str, key_digest: str, actor: str) -> None:
    """Revoke a key of a site.

    Raises:
        NotFound: there is no such site, or it has no such key that works.
    """
    site = site_named(connection, name, locked=True)
    key = revoke_key(connection, site_id=site.id, key_digest=key_digest)
    record(connection, site.id, actor, [_key_change(key.hint, None)])


def set_secret(connection: Connection, *, name: str, purpose: str, secret: str, actor: str) -> None:
    """What another system signs its calls for this site with from now on; empty: nothing, so that
    its calls are refused.

    Raises:
        NotFound: there is no such site.
        InvalidInput: the secret is too long, or too short to be one.
    """
    site = site_named(connection, name, locked=True)
    if secret and not SECRET_LENGTH <= len(secret) <= 255:
        raise InvalidInput(FieldError("secret", f"has to have {SECRET_LENGTH} to 255 characters"))
    place = {"site_id": site.id, "purpose": purpose}
    connection.execute(delete(SiteSecret).filter_by(**place))
    if secret:
        connection.execute(insert(SiteSecret).values(**place, secret=secret))
    changed = change(f"{purpose} secret", None, f"…{secret[-4:]}" if secret else None)
    record(connection, site.id, actor, [changed])


def secret_of(connection: Connection, site_id: int, purpose: str) -> str | None:
    """What another system signs its calls for this site with; None for nothing."""
    query = select(SiteSecret.secret).where(
        SiteSecret.site_id == site_id, SiteSecret.purpose == purpose
    )
    return connection.scalar(query)


def history(connection: Connection, site_id: int, *, limit: int) -> list[Recorded]:
    """The latest changes, the newest first."""
    query = (
        select(SettingChange.at, SettingChange.actor, SettingChange.changes)
        .where(SettingChange.site_id == site_id)
        .order_by(SettingChange.id.desc())
        .limit(limit)
    )
    return [Recorded(**row._mapping) for row in connection.execute(query)]


def differences(before: SiteSettings, after: SiteSettings) -> list[dict[str, Any]]:
    """What differs, one entry for each setting by its dotted name."""
    old, new = (dict(_flat(s.model_dump(mode="json"))) for s in (before, after))
    return [
        change(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def change(setting: str, before: Any, after: Any) -> dict[str, Any]:
    """An entry for `record`."""
    return {"setting": setting, "before": before, "after": after}


def _key_change(before: str | None, after: str | None) -> dict[str, Any]:
    """Of a key only the last characters are recorded, as in the list of keys."""
    return change("key", before and f"…{before[-4:]}", after and f"…{after[-4:]}")


def record(connection: Connection, site_id: int, actor: str, changes: list[dict[str, Any]]) -> None:
    """Keep who changed what about a site."""
    connection.execute(
        insert(SettingChange).values(site_id=site_id, at=now_ms(), actor=actor, changes=changes)
    )
