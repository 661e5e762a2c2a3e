"""Commands of the training package."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from rich.console import Console
from rich.table import Table

from moderation.classifier import artifact
from moderation.classifier.artifact import DEFAULT_ARTIFACT, ArtifactError
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier

if TYPE_CHECKING:
    from training.datasets.columns import Columns
    from training.evaluation import Evaluation
    from training.records import Record

# What only one of the commands needs is imported by that command: scikit-learn and jinja2 would
# take a second from every other.
# ruff: noqa: PLC0415, PLR0917  (click passes parameters by name)

MODEL = click.option(
    "--model",
    "model_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_ARTIFACT,
    help="Model file. Default: the one that ships with the package.",
)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with the data sets that the recipe names.",
)
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recipe file (TOML). Default: the one of the shipped model.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    required=True,
    help="Where to write the model.",
)
@click.option(
    "--card",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write the model card (Markdown).",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="one per core",
    help="Models fitted at once; the result does not depend on it.",
)
def train(data: Path, recipe_path: Path | None, output: Path, card: Path | None, jobs: int) -> None:
    """Train a classifier from a recipe."""
    from training import recipe as recipes
    from training.card import model_card
    from training.train import train as run

    try:
        recipe = recipes.read(recipe_path or recipes.DEFAULT_RECIPE)
        version = run(recipe, data, output, Console(stderr=True), jobs)
        if card:
            card.write_text(model_card(artifact.load(output)), "utf-8")
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(version)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@MODEL
@click.option("--explain", is_flag=True, help="Add what each head's probability is made of.")
def score(files: tuple[Path, ...], model_path: Path, explain: bool) -> None:
    """Score comments: JSON lines with "text" (and "name", "website") in, JSON lines out.

    Without FILES, reads standard input.
    """
    from training.scoring import LineError, score_lines

    classifier = _load(model_path)
    try:
        for source, lines in _inputs(files):
            for result in score_lines(classifier, lines, source=source, explain=explain):
                click.echo(json.dumps(result))
    except (LineError, OSError) as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.argument("model_path", metavar="MODEL", type=click.Path(dir_okay=False, path_type=Path))
@click.argument(
    "data",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=click.Choice(HEADS),
    help="Head to measure; may be given several times. Default: all that DATA has labels for.",
)
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Another model, compared on the same comments.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Where DATA has what: text, name, website, group, source, or a head. Default: the same "
    "names, and 'label' for reject.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write the HTML report.",
)
def evaluate(
    model_path: Path,
    data: tuple[Path, ...],
    heads: tuple[str, ...],
    against: Path | None,
    columns: tuple[str, ...],
    report: Path | None,
) -> None:
    """Measure MODEL on labelled comments in DATA (.jsonl, .csv, .parquet; the first two may be
    gzipped)."""
    from training.datasets.columns import FormatError, read_records
    from training.datasets.rows import Skipped
    from training.evaluation import evaluate as run
    from training.report import render

    classifier = _load(model_path)
    other = _load(against) if against else None
    mapping = _columns(columns)
    records: list[Record] = []
    try:
        for path in data:
            skipped = Skipped()
            records += read_records(path, mapping, skipped)
            for sentence in skipped.describe():
                click.echo(f"{path}: {sentence}", err=True)
        found = {head for record in records for head in record.labels}
        chosen = heads or tuple(head for head in HEADS if head in found)
        if not chosen:
            raise click.ClickException("DATA has no usable labels")
        evaluations = [run(classifier, records, head=head, against=other) for head in chosen]
    except (FormatError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for evaluation in evaluations:
        _print(evaluation)
    if report:
        report.write_text(render(evaluations), "utf-8")


def _load(path: Path) -> Classifier:
    try:
        return artifact.load(path)
    except ArtifactError as error:
        raise click.ClickException(str(error)) from error


def _inputs(files: tuple[Path, ...]) -> Iterator[tuple[str, BinaryIO]]:
    if not files:
        yield "standard input", sys.stdin.buffer
    for path in files:
        with contextlib.closing(path.open("rb")) as file:
            yield str(path), file


def _columns(pairs: tuple[str, ...]) -> "Columns":
    from training.datasets.columns import Columns

    fields, labels = {}, dict(Columns().labels)
    for pair in pairs:
        name, found, column = pair.partition("=")
        if not found or not column:
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN", param_hint="--column")
        if name in HEADS:
            labels[name] = column
        elif name in Columns.__dataclass_fields__:
            fields[name] = column
        else:
            raise click.BadParameter(f"no field is called {name!r}", param_hint="--column")
    return Columns(labels=labels, **fields)


def _print(evaluation: "Evaluation") -> None:
    from training.report import interval

    table = Table(title=f"{evaluation.model}: {evaluation.head}", title_justify="left")
    table.add_column("")
    table.add_column("value (95 % interval)")
    table.add_row("comments", f"{evaluation.comments:,}")
    table.add_row("labelled 1", f"{evaluation.positives:,}")
    table.add_row("out of depth", f"{evaluation.unable:,}")
    for name, figure in evaluation.figures.items():
        table.add_row(name, interval(figure))
    if evaluation.paired:
        table.add_row(
            f"AUC less that of {evaluation.paired.other}", interval(evaluation.paired.difference)
        )
        table.add_row("McNemar p", f"{evaluation.paired.p_value:.2g}")
    Console().print(table)
