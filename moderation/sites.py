"""Sites and their keys."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, insert, select, update
from sqlalchemy.orm import aliased

from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import ModelRef
from moderation.errors import FieldError, InvalidInput, NotFound
from moderation.models import Site, SiteChoice, SiteKey, SiteModel
from moderation.policy import SiteSettings

# For so many seconds a process believes what it read about a key or a site: the longest time that
# a revoked key goes on working, or a site's model that is no longer the current one.
_BELIEVED_FOR = 3.0

_KEY_BYTES = 24
_SHORT_KEY_BYTES = 6

# What stands in an address as it is.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class SiteRef:
    """A site as the layers above know it."""

    id: int
    name: str
    settings: SiteSettings
    current: ModelRef | None = None
    """Its own model that decides; None: the general model alone."""
    shadow: ModelRef | None = None
    """Its own model that scores beside it, and decides nothing."""


_CURRENT, _SHADOW = aliased(SiteModel), aliased(SiteModel)

_SITES = (
    select(
        Site.id,
        Site.name,
        Site.settings,
        _CURRENT.id.label("current_id"),
        _CURRENT.version.label("current_version"),
        _SHADOW.id.label("shadow_id"),
        _SHADOW.version.label("shadow_version"),
    )
    .outerjoin(SiteChoice, SiteChoice.site_id == Site.id)
    .outerjoin(_CURRENT, _CURRENT.id == SiteChoice.current_id)
    .outerjoin(_SHADOW, _SHADOW.id == SiteChoice.shadow_id)
)


def find(
    connection: Connection, condition: ColumnElement[bool], *, locked: bool = False
) -> SiteRef | None:
    """The site that meets the condition, as it stands now, or None; `locked` for who is about to
    change it."""
    query = _SITES.where(condition)
    row = connection.execute(query.with_for_update(of=Site) if locked else query).one_or_none()
    return None if row is None else _site(row)


def get(connection: Connection, site_id: int) -> SiteRef:
    """The site of this number.

    Raises:
        NotFound: there is no such site.
    """
    row = connection.execute(_BY_ID, {"site": site_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no site {site_id}")
    return _site(row)


# Made once: it is asked with every batch that is decided.
_BY_ID = _SITES.where(Site.id == bindparam("site"))


def _site(row: Any) -> SiteRef:
    return SiteRef(
        row.id,
        row.name,
        SiteSettings.model_validate(row.settings),
        _ref(row.current_id, row.current_version),
        _ref(row.shadow_id, row.shadow_version),
    )


def _ref(model_id: int | None, version: str) -> ModelRef | None:
    return None if model_id is None else ModelRef(model_id, version)


def new_key() -> str:
    """A site key of 32 characters from the system's source of randomness."""
    return secrets.token_urlsafe(_KEY_BYTES)


def new_short_key() -> str:
    """A site key of 12 lower-case hexadecimal digits, the only form that Akismet's clients take.

    It has 48 bits: a million guesses a second would find one of a hundred such keys in a month, at
    the thousands that a server answers it takes decades.
    """
    return secrets.token_hex(_SHORT_KEY_BYTES)


def digest(key: str) -> str:
    """What is kept of a key: its SHA-256 in hexadecimal. Long keys are random, so a slow hash would
    add nothing but delay to each request; short ones could be found from their digests by whoever
    has the database, who has the comments too."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """A site's key as it is shown later."""

    digest: str
    hint: str
    created_at: int
    revoked_at: int | None


def create_site(connection: Connection, *, name: str, key: str, settings: SiteSettings) -> int:
    """Store a site and its first key; the new site's id.

    Raises:
        InvalidInput: the name cannot be one, or is taken.
    """
    if not _NAME.fullmatch(name):
        detail = "has to be 1 to 64 letters a to z, digits, dots, hyphens and underscores"
        raise InvalidInput(FieldError("name", detail))
    if connection.scalar(select(Site.id).where(Site.name == name)) is not None:
        raise InvalidInput(FieldError("name", f"is taken: there is a site {name} already"))
    created = now_ms()
    row = connection.execute(
        insert(Site)
        .values(name=name, settings=settings.model_dump(mode="json"), created_at=created)
        .returning(Site.id)
    )
    site_id: int = row.scalar_one()
    add_key(connection, site_id=site_id, key=key)
    return site_id


def add_key(connection: Connection, *, site_id: int, key: str) -> None:
    """Let a site use `key` from now on."""
    connection.execute(
        insert(SiteKey).values(
            digest=digest(key), site_id=site_id, hint=key[-4:], created_at=now_ms()
        )
    )


def was_key(connection: Connection, key: str) -> bool:
    """Whether this is, or ever was, a key of a site."""
    query = select(SiteKey.digest).where(SiteKey.digest == digest(key))
    return connection.execute(query).first() is not None


def names(connection: Connection, sites: frozenset[int] | None) -> dict[int, str]:
    """The names of these sites (None: of all) by their ids, in the order of the names."""
    query = select(Site.id, Site.name).order_by(Site.name)
    if sites is not None:
        query = query.where(Site.id.in_(sorted(sites)))
    return {row.id: row.name for row in connection.execute(query)}


def keys(connection: Connection, site_id: int) -> list[Key]:
    """The site's keys, the newest first, and those that are revoked last."""
    query = (
        select(SiteKey.digest, SiteKey.hint, SiteKey.created_at, SiteKey.revoked_at)
        .where(SiteKey.site_id == site_id)
        .order_by(SiteKey.revoked_at.is_not(None), SiteKey.created_at.desc(), SiteKey.digest)
    )
    return [Key(**row._mapping) for row in connection.execute(query)]


def revoke_key(connection: Connection, *, site_id: int, key_digest: str) -> Key:
    """Let a key work no more, within `_BELIEVED_FOR` seconds; the key.

    Raises:
        NotFound: the site has no such key that works.
    """
    row = connection.execute(
        update(SiteKey)
        .where(
            SiteKey.digest == key_digest,
            SiteKey.site_id == site_id,
            SiteKey.revoked_at.is_(None),
        )
        .values(revoked_at=now_ms())
        .returning(SiteKey.digest, SiteKey.hint, SiteKey.created_at, SiteKey.revoked_at)
    ).one_or_none()
    if row is None:
        raise NotFound("the site has no such key")
    return Key(**row._mapping)


class SiteDirectory:
    """Finds sites by key or name; remembers each answer for `_BELIEVED_FOR` seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], tuple[float, SiteRef]] = {}

    def by_key(self, key: str) -> SiteRef | None:
        """The site that this bearer key belongs to; None for an unknown or a revoked key."""
        return self._find("key", digest(key), _with_key)

    def by_name(self, name: str) -> SiteRef | None:
        """The site of this public name."""
        return self._find("name", name, _with_name)

    def _find(
        self, kind: str, value: str, condition: Callable[[str], ColumnElement[bool]]
    ) -> SiteRef | None:
        place = (kind, value)
        now = time.monotonic()
        read_at, site = self._known.get(place, (float("-inf"), None))
        if site is not None and now - read_at < _BELIEVED_FOR:
            return site
        with self._database.read() as connection:
            found = find(connection, condition(value))
        if found is None:
            # Not remembered, or guesses would fill the memory.
            self._known.pop(place, None)
            return None
        self._known[place] = (now, found)
        return found


def _with_key(held_digest: str) -> ColumnElement[bool]:
    return exists().where(
        SiteKey.site_id == Site.id, SiteKey.digest == held_digest, SiteKey.revoked_at.is_(None)
    )


def _with_name(name: str) -> ColumnElement[bool]:
    return Site.name == name
