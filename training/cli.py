"""Commands of the training package."""

from pathlib import Path

import click
from rich.console import Console

from moderation.classifier import artifact
from training import recipe as recipes
from training.card import model_card
from training.train import train as run


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
    default=recipes.DEFAULT_RECIPE,
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
def train(data: Path, recipe_path: Path, output: Path, card: Path | None) -> None:
    """Train a classifier from a recipe."""
    try:
        recipe = recipes.read(recipe_path)
        version = run(recipe, data, output, Console(stderr=True))
        if card:
            card.write_text(model_card(artifact.load(output)), "utf-8")
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(version)
