"""`moderation site …`: sites, their keys and settings, until there is a page for them."""

import json
from collections.abc import Iterable
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy import select, update

from moderation.config import Settings
from moderation.db import Database
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.sites import add_key, create_site, new_key


@click.group()
def site() -> None:
    """Add sites, give them keys, change their settings."""


@site.command(name="list")
def list_sites() -> None:
    """Show the sites' names."""
    with _database().read() as connection:
        for name in connection.scalars(select(Site.name).order_by(Site.name)):
            click.echo(name)


@site.command()
@click.argument("name")
def add(name: str) -> None:
    """Add the site NAME and print its key, this once."""
    key = new_key()
    with _database().write() as connection:
        if connection.scalar(select(Site.id).where(Site.name == name)) is not None:
            raise click.ClickException(f"there is a site {name} already")
        create_site(connection, name=name, key=key, settings=SiteSettings())
    click.echo(key)


@site.command()
@click.argument("name")
def key(name: str) -> None:
    """Give the site NAME one more key and print it, this once."""
    fresh = new_key()
    with _database().write() as connection:
        row = connection.execute(select(Site.id).where(Site.name == name)).one_or_none()
        add_key(connection, site_id=_found(row, name).id, key=fresh)
    click.echo(fresh)


@site.command()
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
def settings(name: str, changes: tuple[str, ...]) -> None:
    """Show the settings of the site NAME, after changing some of them.

    KEY is a name such as rules.max_links or thresholds.insult, VALUE is JSON: 3, true, null,
    '["casino*", "pills"]'. What the service decides from then on follows the new settings.
    """
    with _database().write() as connection:
        query = select(Site.id, Site.settings).where(Site.name == name).with_for_update()
        row = _found(connection.execute(query).one_or_none(), name)
        current = SiteSettings.model_validate(row.settings).model_dump(mode="json")
        changed = _valid(_with(current, changes))
        stored = changed.model_dump(mode="json")
        connection.execute(update(Site).where(Site.id == row.id).values(settings=stored))
    click.echo(json.dumps(stored, indent=2, ensure_ascii=False))


def _with(settings: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals:
            raise click.ClickException(f"{change!r} has to have the form KEY=VALUE")
        *parents, last = path.split(".")
        place = settings
        for parent in parents:
            place = place.setdefault(parent, {})
        try:
            place[last] = json.loads(value)
        except json.JSONDecodeError:
            raise click.ClickException(f"the value of {path} is no JSON: {value}") from None
    return settings


def _valid(settings: dict[str, Any]) -> SiteSettings:
    try:
        return SiteSettings.model_validate(settings)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise click.ClickException("; ".join(problems)) from None


def _found(row: Any, name: str) -> Any:
    if row is None:
        raise click.ClickException(f"there is no site {name}")
    return row


def _database() -> Database:
    database = Database(Settings.from_environment().database, pool_size=1)
    database.check()
    return database
