"""What each family of features gives: the same tasks, with one family at a time left out.

Measured on every fold by models that did not see it: AUC of the toxic task on talk pages, its
recall on toxic comments and on their disguised copies; AUC of the identity attack task on invented
sentences of unseen templates; AUC and best F1 of the spam task over all sets of spam. With 95 %
bootstrap intervals.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from scipy.special import expit

from moderation.classifier.features import (
    CHARACTERS,
    CONTEXT,
    GROUP,
    NO_PART,
    NOT,
    PERSON,
    ROLES,
    WHOLE,
    WORDS,
    YOU,
)
from moderation.classifier.prediction import Reason
from training import metrics
from training import recipe as recipes
from training.datasets.loading import load_set
from training.invented import TEMPLATES
from training.model import fit_tasks
from training.progress import progress_bars
from training.recipe import Recipe
from training.softlabels import Floats
from training.train import TASKS, Table, collect, estimator

MEASURED = (Reason.TOXIC, Reason.IDENTITY_ATTACK, Reason.SPAM)

NEVER = 10**9

PARTS = set(range(NO_PART))

VARIANTS: Mapping[str, dict[str, Any]] = {
    "everything": {},
    "without n-grams of characters": {"leave_out": [CHARACTERS]},
    "without words": {"leave_out": [WORDS]},
    "without what stands around a word": {"leave_out": [CONTEXT]},
    "without properties of the whole text": {"leave_out": [WHOLE]},
    "without the order of words with a part": {"leave_out": [ROLES]},
    "without folding groups of people": {"parts": sorted(PARTS - {GROUP, PERSON})},
    "without marking 'not' and 'you'": {"parts": sorted(PARTS - {NOT, YOU})},
    "without reading disguised words": {"common": NEVER},
    "words only": {
        "leave_out": [CHARACTERS, CONTEXT, ROLES, WHOLE],
        "parts": [],
        "common": NEVER,
    },
}


@click.command()
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True
)
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=recipes.DEFAULT_RECIPE,
    help="Recipe file (TOML). Default: the one of the shipped model.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--jobs", type=click.IntRange(min=1), default=lambda: os.cpu_count() or 1)
def main(data: Path, recipe_path: Path, output: Path, jobs: int) -> None:
    """Measure each family of features and write the table as JSON."""
    recipe = recipes.read(recipe_path)
    with progress_bars(Console(stderr=True)) as progress:
        loaded = [
            load_set(data, item) for item in progress.track(recipe.sets, description="Reading sets")
        ]
        table = Table(collect(recipe, loaded), recipe)
        rows = [
            row(recipe, table, variant, jobs)
            for variant in progress.track(VARIANTS, description="Variants")
        ]
    content = {"recipe": recipe.name, "variants": rows}
    output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def row(recipe: Recipe, table: Table, variant: str, jobs: int) -> dict[str, Any]:
    """One row of the table."""
    model = estimator(recipe, jobs)
    vectorizer = model["features"].set_params(**VARIANTS[variant])
    matrix = vectorizer.fit_transform(table.documents)
    places = [TASKS.index(task) for task in MEASURED]
    settings = model["heads"].settings(len(TASKS))
    tasks = fit_tasks(
        matrix,
        labels=table.labels[:, places],
        weights=table.weights,
        folds=table.folds,
        domains=table.domains,
        settings=[settings[place] for place in places],
        jobs=jobs,
    )
    scores = dict(zip(MEASURED, (expit(task.unseen) for task in tasks), strict=True))
    figures = {name: asdict(interval) for name, interval in _figures(table, scores, recipe.seed)}
    return {"variant": variant, "features": matrix.shape[1], **figures}


def _figures(
    table: Table, scores: Mapping[Reason, Floats], seed: int
) -> Iterator[tuple[str, metrics.Interval]]:
    """(name, figure) of probabilities per task, of comments that the task's model did not see."""
    spam = table.labels[:, TASKS.index(Reason.SPAM)] == 1
    shops = np.isin(table.sources, np.unique(table.sources[spam & table.real]))
    measured: list[tuple[str, Reason, npt.NDArray[np.bool_], metrics.Measure]] = [
        ("toxic", Reason.TOXIC, table.real, metrics.auc),
        ("recall", Reason.TOXIC, table.real, metrics.recall),
        ("recall disguised", Reason.TOXIC, table.disguised, metrics.recall),
        ("templates", Reason.IDENTITY_ATTACK, table.sources == TEMPLATES, metrics.auc),
        ("spam", Reason.SPAM, shops, metrics.auc),
        ("spam F1", Reason.SPAM, shops, metrics.best_f1),
    ]
    for name, task, chosen, measure in measured:
        rows = table.known(TASKS.index(task))
        rows = rows[chosen[rows]]
        labels = np.round(table.labels[rows, TASKS.index(task)])
        yield (
            name,
            metrics.bootstrap(measure, labels, scores[task][rows], seed, table.groups[rows]),
        )


if __name__ == "__main__":
    main(prog_name="python -m training.ablation")
