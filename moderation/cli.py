"""The command line. Most commands are named by path and loaded when they are called: this package
imports none of the others, and no process holds in memory what only another command needs."""

import importlib
import sys
from pathlib import Path

import click
from rich.console import Console

from moderation import logs
from moderation.access.bootstrap import FirstSecrets
from moderation.config import Settings
from moderation.db import Database
from moderation.errors import StartupError
from moderation.running.server import serve

_ELSEWHERE = {
    "site": "moderation.command_line.site_commands:site",
    "user": "moderation.command_line.user_commands:user",
    "import": "moderation.command_line.import_commands:import_",
    "erase": "moderation.command_line.erase_commands:erase",
    "worker": "worker.cli:worker",
    "trainer": "worker.cli:trainer",
    "models": "training.model_commands:models",
    "train": "training.cli:train",
    "score": "training.cli:score",
    "evaluate": "training.cli:evaluate",
}


class _Commands(click.Group):
    """The commands of this module and, by path, those of others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = _ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Commands)
@click.version_option(package_name="moderation")
def cli() -> None:
    """Self-hosted moderation of readers' comments."""


@cli.command()
def up() -> None:
    """Run everything on this machine: Redis, web server, workers and trainer."""
    from moderation.running.supervisor import Supervisor  # noqa: PLC0415 - loads the model's code

    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    Supervisor(settings).run(lambda first: click.echo(_announcement(settings, first)))
    click.echo("Stopped.")


def _announcement(settings: Settings, first: FirstSecrets) -> str:
    password = first.admin_password or "the one you have set or were shown at the first start"
    lines = [
        "",
        f"{click.style('The service runs.', bold=True)} Stop it with Ctrl-C.",
        "",
        f"  Demo article   {settings.base_url}/demo",
        f"  Moderators     {settings.base_url}/desk/   name: admin   password: {password}",
        f"  API            {settings.base_url}/docs",
        f"  Data           {settings.home.absolute()}",
    ]
    if first.site_key:
        lines.append(f"  Site key       {first.site_key}")
    if first.site_key or first.admin_password:
        lines += ["", "What was made up now, key or password, is not shown again."]
    return "\n".join(lines)


@cli.command()
def web() -> None:
    """Run the web server alone."""
    from moderation.running.supervisor import leave_no_orphans  # noqa: PLC0415

    settings = Settings.from_environment()
    Database(settings.database, pool_size=1).check()
    leave_no_orphans()
    serve(settings)


@cli.command()
def migrate() -> None:
    """Create the database's tables, or bring them up to date."""
    settings = Settings.from_environment()
    if not settings.database_url:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    Database(settings.database, pool_size=1).migrate()


@cli.command("demo-data")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", help="Address of the service.  [default: by MODERATION_BIND]")
@click.option("--key", help="The site's key.  [default: MODERATION_SITE_KEY]")
@click.option("--limit", type=click.IntRange(1), help="Post the first so many lines only.")
def demo_data(file: Path | None, url: str | None, key: str | None, limit: int | None) -> None:
    """Post labelled comments to the running service and compare its decisions with the labels.

    FILE has a JSON object in each line, with `text` and `label` (1: should not be published), and
    may be compressed with gzip. Without FILE, a sample is posted to the demo article.
    """
    from moderation.demo_data import client, report, rows, run  # noqa: PLC0415

    settings = Settings.from_environment()
    console = Console(highlight=False)
    address = url or f"http://{settings.local_address}"
    with client.Client(address, key or settings.site_key.get_secret_value()) as site:
        outcome = run.run(file or rows.SAMPLE, site, console, limit=limit)
    run.add_grounds(outcome.posted, Database(settings.database, pool_size=1))
    console.print(report.report(outcome))


def main() -> None:
    """Run the command; what keeps it from starting is one line."""
    try:
        cli()
    except StartupError as error:
        click.echo(f"moderation: {error}", err=True)
        sys.exit(1)
