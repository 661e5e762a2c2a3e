"""`moderation models …`: the models of sites, as on the desk's page for them."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Connection

from moderation import logs, site_settings
from moderation.classifier import artifact
from moderation.classifier.artifact import ArtifactError
from moderation.clock import to_datetime
from moderation.command_line.commands import changing, open_database
from moderation.config import Settings
from moderation.errors import Conflict
from moderation.learning import shadows, site_models, training_runs
from moderation.learning.site_models import GENERAL, StoredModel
from moderation.learning.training_runs import State
from moderation.learning.verdict_report import render
from moderation.scorer import Scorer
from training.retraining import retrain

# Who changed it, in the record of changes: whoever may log in on the service's machine.
_ACTOR = "command line"

_RUNS_SHOWN = 5
_CHANGES_SHOWN = 20
_WIDTH = 200


@click.group()
def models() -> None:
    """Train the models of sites, look at them, and say which one decides."""


@models.command(name="list")
@click.argument("site")
def list_models(site: str) -> None:
    """Show the models of SITE, its latest trainings, and who changed which model decides."""
    with changing() as connection:
        site_id = _site(connection, site)
        found = site_models.models(connection, site_id)
        runs = training_runs.runs(connection, site_id, limit=_RUNS_SHOWN)
        changes = site_models.changes(connection, site_id, limit=_CHANGES_SHOWN)
    console = _console()
    if not any(model.state is site_models.State.CURRENT for model in found):
        console.print("The general model alone decides.")
    table = _table("version", "state", "made (UTC)", "by", "labels", "gate")
    for model in found:
        verdict = "recommends it" if model.recommended else "does not"
        row = (_state(model), _time(model.made_at), model.made_by, f"{model.labels:,}", verdict)
        table.add_row(model.version, *row)
    console.print(table)
    if runs:
        table = _table("training (UTC)", "state", "asked by", "outcome")
        for run in runs:
            step = f"{run.step}, {run.done:.0%}" if run.state is State.RUNNING else run.outcome
            table.add_row(_time(run.asked_at), run.state, run.asked_by, step)
        console.print(table)
    if changes:
        table = _table("change (UTC)", "by", "what", "before", "after")
        for one in changes:
            names = (one.before or GENERAL, one.after or GENERAL)
            table.add_row(_time(one.at), one.actor, one.deed, *names)
        console.print(table)


@models.command()
@click.argument("site")
@click.argument("version")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write what the gate said, with plots, to this file (HTML).",
)
def show(site: str, version: str, report: Path | None) -> None:
    """Show what the gate said of a model of SITE; the end of its VERSION is enough."""
    with changing() as connection:
        model = site_models.model(connection, _site(connection, site), version)
        agreement = shadows.agreement(connection, model.id)
    click.echo(f"{model.version}: {_state(model)}, trained on {model.labels:,} labels")
    click.echo(f"on top of {model.base}")
    for sentence in model.report.get("sentences", []):
        click.echo(f"  {sentence}")
    if report:
        html = render(model.report["sentences"], model.report["figures"])
        report.write_text(html, encoding="utf-8")
    if agreement.compared:
        click.echo(
            f"As a shadow it agreed on {agreement.agreed:,} of {agreement.compared:,} comments."
        )


@models.command()
@click.argument("site")
def train(site: str) -> None:
    """Train the model of SITE now, in this process, and say what came of it.

    Whether the new model decides is as the site's settings say.
    """
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    database = open_database()
    with changing() as connection:
        site_id = _site(connection, site)
        run_id = _asked(connection, site_id)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("starting", total=1.0)
        retrain(
            database,
            Scorer(settings.model),
            run_id,
            lambda step, done: bar.update(task, description=step, completed=done),
        )
        bar.update(task, description="done", completed=1.0)
    with database.read() as connection:
        run = training_runs.run(connection, run_id)
    click.echo(run.outcome or f"The training is {run.state}.")
    sys.exit(0 if run.state is State.DONE else 1)


@models.command()
@click.argument("site")
@click.argument("version")
def promote(site: str, version: str) -> None:
    """Let the model VERSION of SITE decide from now on; the end of the version is enough."""
    with changing() as connection:
        model = site_models.promote(
            connection, _site(connection, site), version, general=_general(), actor=_ACTOR
        )
    click.echo(f"{model.version} decides from now on.")


@models.command()
@click.argument("site")
@click.option("--to-general", is_flag=True, help="Let the general model alone decide.")
def rollback(site: str, to_general: bool) -> None:
    """Let the model decide that did so before the current one."""
    with changing() as connection:
        model = site_models.roll_back(
            connection, _site(connection, site), actor=_ACTOR, to_general=to_general
        )
    click.echo(f"{model.version if model else 'The general model alone'} decides from now on.")


@models.command()
@click.argument("site")
@click.argument("version")
def refuse(site: str, version: str) -> None:
    """Let the model VERSION of SITE never decide."""
    with changing() as connection:
        site_models.refuse(connection, _site(connection, site), version, actor=_ACTOR)
    click.echo("It is refused.")


@models.command()
@click.argument("site")
@click.argument("version", required=False)
def shadow(site: str, version: str | None) -> None:
    """Let the model VERSION of SITE score what comes in without deciding; without VERSION, none."""
    with changing() as connection:
        model = site_models.shadow(connection, _site(connection, site), version, actor=_ACTOR)
    click.echo(f"{model.version} shadows from now on." if model else "No model shadows any more.")


def _site(connection: Connection, name: str) -> int:
    return site_settings.site_named(connection, name).id


def _asked(connection: Connection, site_id: int) -> int:
    """A run to do here: a new one, or the one that waits for a trainer."""
    try:
        return training_runs.ask(connection, site_id, by=_ACTOR)
    except Conflict:
        (last,) = training_runs.runs(connection, site_id, limit=1)
        if last.state is not State.QUEUED:
            raise
        return last.id


def _general() -> str:
    """The version of the general model in use."""
    try:
        return artifact.thresholds(Settings.from_environment().model)[0]
    except ArtifactError as error:
        raise click.ClickException(f"MODERATION_MODEL cannot be used: {error}") from None


def _state(model: StoredModel) -> str:
    said = f"{model.state}, shadows" if model.is_shadow else str(model.state)
    return f"{said}; cannot be used: {model.problem}" if model.problem else said


def _time(at: int) -> str:
    return f"{to_datetime(at):%Y-%m-%d %H:%M}"


def _console() -> Console:
    """Prints what fits a terminal, and everything where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
