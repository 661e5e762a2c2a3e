"""Commands of the training package."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from moderation.classifier import artifact
from moderation.classifier.artifact import DEFAULT_ARTIFACT, ArtifactError
from moderation.classifier.parameters import HEADS

if TYPE_CHECKING:
    from moderation.classifier.pipeline import Classifier
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
    """Train a classifier from a recipe.

    Prints the version of the model. The same recipe, data and libraries give the same model, byte
    for byte.
    """
    from training import recipe as recipes
    from training.card import model_card
    from training.train import train as run

    _check_folders(output, card)
    with _plain_errors():
        recipe = recipes.read(recipe_path or recipes.DEFAULT_RECIPE)
        version = run(recipe, data, output, Console(stderr=True), jobs)
        if card:
            card.write_text(model_card(artifact.load(output)), "utf-8")
    click.echo(version)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@MODEL
@click.option("--explain", is_flag=True, help="Add what each head's probability is made of.")
def score(files: tuple[Path, ...], model_path: Path, explain: bool) -> None:
    """Score comments: JSON lines with "text" (and "name", "website") in, JSON lines out.

    Without FILES, reads standard input. Results come in the order of the lines: "reject" is the
    probability that a moderator would not publish the comment, "reasons" has one per reason, and
    where "able" is false the model cannot judge it. A line that is no comment has "error" instead,
    and makes the command fail in the end.
    """
    from training.scoring import score_lines

    errors: list[str] = []
    with _plain_errors():
        classifier = artifact.load(model_path)
        # Explanations are many small objects: the collector took two thirds of their time.
        gc.freeze()
        gc.set_threshold(20_000)
        for source, lines in _inputs(files):
            for results in score_lines(classifier, lines, source=source, explain=explain):
                errors += (result["error"] for result in results if "error" in result)
                click.echo(b"".join(map(_json_line, results)), nl=False)
    if errors:
        raise click.ClickException(f"lines that are no comments: {len(errors):,}; {errors[0]}")


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
    type=click.Choice([str(head) for head in HEADS]),
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
    help="Where DATA has what. FIELD is text, name, website, group, source, time, key or a head. "
    "Default: columns called like the fields, 'date' for time, 'id' for key, 'label' for reject.",
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
    """Measure MODEL on labelled comments in DATA.

    DATA is .jsonl, .csv, .tsv or .parquet; all but the last may be gzipped. Labels go from 0
    (publish) to 1. Figures come with 95 % intervals; unusable rows are counted and named.
    The report quotes the comments most wrongly judged: keep it where the comments may be kept.
    """
    from training.datasets.columns import count_rows
    from training.evaluation import evaluate as run
    from training.progress import progress_bars
    from training.report import render

    mapping = _columns(columns)
    _check_folders(report)
    with _plain_errors(), progress_bars(Console(stderr=True), transient=True) as progress:
        classifier = artifact.load(model_path)
        other = artifact.load(against) if against else None
        cautions = list(_cautions(data, [model for model in (classifier, other) if model]))
        scoring = progress.add_task("Scoring", total=sum(map(count_rows, data)))
        measuring = progress.add_task("Measuring", total=None)
        evaluations = run(
            classifier,
            _labelled(data, mapping),
            heads=heads,
            against=other,
            scored=lambda count: progress.advance(scoring, count),
            measured=lambda done, of: progress.update(measuring, completed=done, total=of),
        )
        if report:
            report.write_text(render(evaluations, cautions), "utf-8")
    for caution in cautions:
        click.echo(caution, err=True)
    for evaluation in evaluations:
        _print(evaluation)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """What is wrong with the input, in one line and without a traceback."""
    try:
        yield
    except ValidationError as error:
        found = error.errors(include_url=False)
        places = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in found)
        raise click.ClickException(f"recipe: {'; '.join(places)}") from error
    except (ValueError, ArtifactError) as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        # Whoever reads our output has seen enough, which click knows how to end on.
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from error


def _check_folders(*outputs: Path | None) -> None:
    """Now rather than when all the work is done."""
    for output in outputs:
        if output and not output.parent.is_dir():
            raise click.ClickException(f"{output}: there is no folder {output.parent}")


def _cautions(paths: tuple[Path, ...], models: Sequence["Classifier"]) -> Iterator[str]:
    """A sentence for each file that a model was trained on: its figures flatter."""
    from training.datasets.rows import file_digest

    for path in paths:
        digest = file_digest(path)
        for model in models:
            if digest in {item["sha256"] for item in model.metadata.get("data", [])}:
                yield f"{path}: {model.version} was trained on this file, so its figures flatter."


def _labelled(paths: tuple[Path, ...], columns: "Columns") -> Iterator["Record"]:
    """The records of all files; says what of each was skipped."""
    from training.datasets.columns import read_records
    from training.datasets.rows import Skipped

    for path in paths:
        skipped = Skipped()
        yield from read_records(path, columns, skipped)
        for sentence in skipped.describe():
            click.echo(f"{path}: {sentence}", err=True)


def _inputs(files: tuple[Path, ...]) -> Iterator[tuple[str, BinaryIO]]:
    if not files:
        yield "standard input", sys.stdin.buffer
    for path in files:
        with contextlib.closing(path.open("rb")) as file:
            yield click.format_filename(path), file


def _json_line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _columns(pairs: tuple[str, ...]) -> "Columns":
    from training.datasets.columns import Columns

    fields: dict[str, str] = {}
    labels = dict(Columns().labels)
    for pair in pairs:
        name, found, column = pair.partition("=")
        if not found or not column:
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN", param_hint="--column")
        if name in HEADS:
            labels[name] = column
        elif name in Columns.model_fields and name != "labels":
            fields[name] = column
        else:
            raise click.BadParameter(f"no field is called {name!r}", param_hint="--column")
    return Columns(labels=labels, **fields)


def _print(evaluation: "Evaluation") -> None:
    from training.report import difference, interval

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
            f"AUC less that of {evaluation.paired.other}", difference(evaluation.paired.difference)
        )
        table.add_row("McNemar p", f"{evaluation.paired.p_value:.2g}")
    Console().print(table)
