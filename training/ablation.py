"""What each family of features gives: the same tasks, with one family at a time left out.

Measured on a fold that the models did not see: AUC of the toxic task on talk pages, its recall on
toxic comments and on their disguised copies; AUC of the identity attack task on
invented sentences of unseen templates; best F1 of the spam task over all sets of spam.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.metrics import f1_score, roc_auc_score

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
from training import recipe as recipes
from training.datasets.loading import load_set
from training.invented import DISGUISED, TEMPLATES
from training.model import fit_linear
from training.recipe import Recipe
from training.softlabels import Floats
from training.train import TASKS, Table, collect, settings
from training.vectorizer import CommentVectorizer

SPAM = ("youtube_spam", "scamspot_instagram", "tg_spam", "sms_spam")
TALK = "jigsaw_toxic_subset"
SOURCES = {TALK, TEMPLATES, *SPAM}
"""The sets with labels of the three tasks."""

HELD_OUT = 0
"""The fold that is measured; the models see the others."""

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
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(data: Path, output: Path) -> None:
    """Measure each family of features and write the table as JSON."""
    recipe = recipes.read(recipes.DEFAULT_RECIPE)
    records = collect(recipe, [load_set(data, item) for item in recipe.sets])
    table = Table([record for record in records if record.origin in SOURCES], recipe)
    rows = [
        row(recipe, table, name)
        for name in track(VARIANTS, description="Variants", console=Console(stderr=True))
    ]
    output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def row(recipe: Recipe, table: Table, variant: str) -> dict[str, Any]:
    """One row of the table."""
    arguments: dict[str, Any] = {
        "features": recipe.features,
        "least_frequency": recipe.least_frequency,
        "common": recipe.common,
    }
    vectorizer = CommentVectorizer(**arguments | VARIANTS[variant])
    seen = np.flatnonzero(table.folds != HELD_OUT)
    held = np.flatnonzero(table.folds == HELD_OUT)
    matrix = vectorizer.fit_transform([table.documents[place] for place in seen])
    unseen = vectorizer.transform([table.documents[place] for place in held])
    margins: dict[str, Floats] = {}
    for task in (Reason.TOXIC, Reason.IDENTITY_ATTACK, Reason.SPAM):
        column = TASKS.index(task)
        labels = table.labels[seen, column]
        known = np.flatnonzero(~np.isnan(labels))
        strength = settings(recipe)[column].regularisation
        model = fit_linear(matrix[known], labels[known], table.weights[seen][known], strength)
        margins[task] = model(unseen)
    return {"variant": variant, "features": matrix.shape[1]} | dict(_figures(table, held, margins))


def _figures(table: Table, held: Any, margins: Mapping[str, Floats]) -> Iterator[tuple[str, float]]:
    sources, labels = table.sources[held], table.labels[held]

    def known(task: str, *names: str) -> Any:
        column = labels[:, TASKS.index(task)]
        return ~np.isnan(column) & np.isin(sources, names)

    def of(task: str, rows: Any) -> tuple[Floats, Floats]:
        return np.round(labels[rows, TASKS.index(task)]), margins[task][rows]

    talk = known(Reason.TOXIC, TALK)
    yield "toxic AUC", float(roc_auc_score(*of(Reason.TOXIC, talk)))
    for name, source in (("recall", TALK), ("recall disguised", DISGUISED)):
        truth, margin = of(Reason.TOXIC, known(Reason.TOXIC, source))
        yield name, float(np.mean(margin[truth == 1] > 0))
    templates = known(Reason.IDENTITY_ATTACK, TEMPLATES)
    yield "templates AUC", float(roc_auc_score(*of(Reason.IDENTITY_ATTACK, templates)))
    truth, margin = of(Reason.SPAM, known(Reason.SPAM, *SPAM))
    yield "spam F1", max(float(f1_score(truth, margin > t)) for t in np.linspace(-4, 2, 25))


if __name__ == "__main__":
    main(prog_name="python -m training.ablation")
