"""`moderation site …`: sites, their keys and settings, as on the desk's pages for them."""

import json
from collections.abc import Iterable
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy import select

from moderation import site_settings
from moderation.command_line.commands import changing, open_database
from moderation.config import Settings
from moderation.learning import goals, weighing
from moderation.models import Site
from moderation.outbox import deliveries, webhook_settings, webhooks
from moderation.policy import SiteSettings
from moderation.scorer import Scorer
from moderation.website.coral import PROTOCOL

# Who changed it, in the record of changes: whoever may log in on the service's machine.
_ACTOR = "command line"


@click.group()
def site() -> None:
    """Add sites, give them keys, change their settings."""


@site.command(name="list")
def list_sites() -> None:
    """Show the sites' names."""
    with open_database().read() as connection:
        for name in connection.scalars(select(Site.name).order_by(Site.name)):
            click.echo(name)


@site.command()
@click.argument("name")
def add(name: str) -> None:
    """Add the site NAME and print its key, this once."""
    with changing() as connection:
        click.echo(site_settings.add_site(connection, name=name, actor=_ACTOR))


@site.command()
@click.argument("name")
@click.option("--akismet", is_flag=True, help="12 hexadecimal digits, for clients of Akismet.")
def key(name: str, akismet: bool) -> None:
    """Give the site NAME one more key and print it, this once."""
    with changing() as connection:
        click.echo(site_settings.give_key(connection, name=name, actor=_ACTOR, short=akismet))


@site.command("coral-secret")
@click.argument("name")
@click.option("--secret", prompt=True, hide_input=True, help="Coral's signing secret.")
def coral_secret(name: str, secret: str) -> None:
    """Let Coral's moderation phase ask for the site NAME, with calls that are signed by a secret.

    Coral shows the secret when the phase is added there. An empty one: Coral may ask no more.
    """
    with changing() as connection:
        site_settings.set_secret(
            connection, name=name, purpose=PROTOCOL, secret=secret.strip(), actor=_ACTOR
        )


@site.command()
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
def settings(name: str, changes: tuple[str, ...]) -> None:
    """Show the settings of the site NAME, after changing some of them.

    KEY is a name such as rules.max_links or thresholds.insult, VALUE is JSON: 3, true, null,
    '["casino*", "pills"]'. What the service decides from then on follows the new settings. A goal
    is set by approve_precision=0.99; after `moderation site weigh NAME` it is in effect.
    """
    with changing() as connection:
        before = site_settings.site_named(connection, name, locked=True).settings
        after = _valid(_with(before.model_dump(mode="json"), changes))
        site_settings.save(connection, name=name, before=before, after=after, actor=_ACTOR)
    click.echo(json.dumps(after.model_dump(mode="json"), indent=2, ensure_ascii=False))


@site.group()
def webhook() -> None:
    """Tell the site's own programs what becomes of its comments."""


@webhook.command(name="list")
@click.argument("name")
def list_webhooks(name: str) -> None:
    """Show the webhooks of the site NAME: id, address, types of messages."""
    with changing() as connection:
        site_id = site_settings.site_named(connection, name).id
        for one in webhooks.endpoints(connection, site_id):
            gone = " (gone)" if one.gone_at else ""
            click.echo(f"{one.id} {one.url} {','.join(one.types)}{gone}")


@webhook.command(name="add")
@click.argument("name")
@click.argument("url")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice([str(one) for one in webhooks.CHOOSABLE]),
    default=[str(one) for one in webhooks.CHOOSABLE],
    help="What it is told; several times for several. Default: everything.",
)
def add_webhook(name: str, url: str, types: tuple[str, ...]) -> None:
    """Send messages of the site NAME to URL, and print the secret that signs them, this once."""
    with changing() as connection:
        _, secret = webhook_settings.add(connection, name=name, url=url, types=types, actor=_ACTOR)
    click.echo(secret)


@webhook.command()
@click.argument("name")
@click.argument("webhook_id", type=int)
def rotate(name: str, webhook_id: int) -> None:
    """Give a webhook a new secret and print it, this once. The present one signs too for a day."""
    with changing() as connection:
        secret = webhook_settings.rotate(connection, name=name, webhook_id=webhook_id, actor=_ACTOR)
    click.echo(secret)


@webhook.command()
@click.argument("name")
@click.argument("webhook_id", type=int)
def revive(name: str, webhook_id: int) -> None:
    """Send to a webhook again that answered 410 Gone."""
    with changing() as connection:
        webhook_settings.revive(connection, name=name, webhook_id=webhook_id, actor=_ACTOR)


@webhook.command()
@click.argument("name")
@click.argument("webhook_id", type=int)
def remove(name: str, webhook_id: int) -> None:
    """Forget a webhook, and what was sent there."""
    with changing() as connection:
        webhook_settings.remove(connection, name=name, webhook_id=webhook_id, actor=_ACTOR)


@webhook.command()
@click.argument("name")
@click.argument("webhook_id", type=int)
def test(name: str, webhook_id: int) -> None:
    """Send a webhook a message that tells of nothing."""
    with changing() as connection:
        site_id = site_settings.site_named(connection, name).id
        webhooks.send_test(connection, site_id=site_id, webhook_id=webhook_id)


@webhook.command()
@click.argument("name")
def redeliver(name: str) -> None:
    """Send all messages of the site NAME again that were given up."""
    with changing() as connection:
        site_id = site_settings.site_named(connection, name).id
        click.echo(deliveries.redeliver(connection, site_id))


@site.command()
@click.argument("name")
def weigh(name: str) -> None:
    """Weigh the labels of the site NAME for the model that decides there, and print the thresholds
    that follow from its goals."""
    with changing() as connection:
        found = site_settings.site_named(connection, name)
    scorer = Scorer(Settings.from_environment().model)
    weighed = weighing.weigh_deciding(open_database(), scorer, found.id)
    if weighed is None:
        raise click.ClickException("the model cannot be used")
    model, evidence = weighed
    point = goals.operating_point(
        evidence,
        approve=found.settings.approve_precision,
        reject=found.settings.reject_precision,
    )
    said = {"model": model, "labels": evidence.labels} | point._asdict()
    click.echo(json.dumps(said, indent=2))


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
