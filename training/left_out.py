"""How well the model does on a set of comments that it was not trained on at all.

Each set in turn is left out, with the disguised copies of its comments, and judged by a model of
the other sets. The features are chosen from all comments, without any label. What another site's
comments are like to the shipped model, these figures say better than those of held-out folds.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from scipy.sparse import csr_array
from scipy.special import expit

from moderation.classifier.prediction import REJECT, Reason
from training import measures, metrics
from training import recipe as recipes
from training.datasets.loading import load_set
from training.heads import CommentHeads
from training.progress import progress_bars
from training.recipe import Recipe
from training.train import (
    TASKS,
    Table,
    calibration_weights,
    collect,
    estimator,
    tasks_of,
    without_spam,
)

MEASURED = (REJECT, Reason.SPAM)


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
    """Judge each set by a model of the others and write the figures as JSON."""
    recipe = recipes.read(recipe_path)
    with progress_bars(Console(stderr=True)) as progress:
        loaded = [
            load_set(data, item) for item in progress.track(recipe.sets, description="Reading sets")
        ]
        table = Table(collect(recipe, loaded), recipe)
        model = estimator(recipe, jobs)
        matrix = model["features"].fit_transform(table.documents)
        rows = [
            row
            for item in progress.track(recipe.sets, description="Sets left out")
            for row in left_out(recipe, table, matrix, item.name, jobs)
        ]
    content = {"recipe": recipe.name, "sets": rows}
    output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def left_out(
    recipe: Recipe, table: Table, matrix: csr_array[np.float32], name: str, jobs: int
) -> Iterator[dict[str, Any]]:
    """Figures of each head that the set has comments of both classes for."""
    inside, others = table.sources == name, table.origins != name
    heads = [head for head in MEASURED if _both(table, others & (table.calibration > 0), head)]
    measured = [head for head in heads if _both(table, inside, head)]
    if not measured:
        return
    model = _fitted(recipe, table, matrix, others, heads, jobs=jobs)
    log_odds = model.decision_function(matrix[inside])
    log_odds[:, heads.index(REJECT)] = log_odds.max(axis=1)  # see `with_spam`
    scores = expit(log_odds)
    for head in measured:
        labels = table.labels[inside, TASKS.index(head)]
        known = ~np.isnan(labels)
        labels = np.round(labels[known])
        figures = metrics.bootstraps(
            measures.MEASURES,
            labels,
            scores[known, heads.index(head)],
            recipe.seed,
            table.groups[inside][known],
        )
        yield {
            "set": name,
            "head": str(head),
            "comments": len(labels),
            "positives": int(labels.sum()),
            **{measure: asdict(figure) for measure, figure in figures.items()},
        }


def _both(table: Table, rows: npt.NDArray[np.bool_], head: str) -> bool:
    """Whether there are enough real comments of both classes."""
    labels = table.labels[rows & table.real, TASKS.index(head)]
    sides = np.bincount((labels[~np.isnan(labels)] >= 0.5).astype(int), minlength=2)
    return bool(sides.min() >= measures.ROWS_OF_A_CLASS)


def _fitted(
    recipe: Recipe,
    table: Table,
    matrix: csr_array[np.float32],
    others: npt.NDArray[np.bool_],
    heads: Sequence[str],
    *,
    jobs: int,
) -> CommentHeads:
    """These heads, of the other rows only."""
    tasks = [*heads, *(task for task in TASKS if task not in heads)]
    model = CommentHeads(heads=len(heads), n_jobs=jobs, **tasks_of(recipe, tasks, heads))
    calibration = calibration_weights(table, recipe.emphasis, heads)
    return model.fit(
        matrix,
        without_spam(table.labels)[:, [TASKS.index(task) for task in tasks]],
        np.where(others, table.weights, 0.0),
        folds=table.folds,
        domains=table.domains,
        calibration=np.where(others[:, None], calibration, 0.0),
    )


if __name__ == "__main__":
    main(prog_name="python -m training.left_out")
