"""A folder of invented data sets, and a recipe for them."""

import gzip
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.cli import train

WORDS = ["river", "tower", "market", "garden", "engine", "letter", "window", "season"]


def sentence(generator: random.Random, *parts: str) -> str:
    return " ".join([*parts, *generator.choices(WORDS, k=4)])


def jigsaw_rows(count: int) -> list[dict[str, object]]:
    generator = random.Random(7)
    names = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    rows = []
    for number in range(count):
        bad = number % 2
        text = sentence(generator, "you fool, you" if bad else "thanks for the")
        rows.append({"text": text, "labels": dict.fromkeys(names, bad), "id": f"j{number}"})
    return rows


def spam_rows(count: int) -> list[dict[str, object]]:
    generator = random.Random(8)
    rows = []
    for number in range(count):
        bad = number % 2
        text = sentence(generator, "cheap pills http://pills.example" if bad else "lovely")
        rows.append({"text": text, "label": bad, "page": f"page {number % 41}"})
    return rows


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


RECIPE = """
name = "small"
date = "2026-01-31"
seed = 3
languages = ["en"]
features = 8000
least_frequency = 1
common = 1
regularisation = { default = 10.0 }
folds = 2
disguised = 0.2
per_template = 2
goal = 0.95

[[sets]]
name = "talk"
file = "talk.jsonl.gz"
reader = "jigsaw"
licence = "CC0"
attribution = "Nobody, invented"

[[sets]]
name = "shop"
file = "shop.jsonl.gz"
reader = "spam"
licence = "MIT"
attribution = "Nobody either"
"""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder / "talk.jsonl.gz", jigsaw_rows(240))
    write(folder / "shop.jsonl.gz", spam_rows(240))
    return folder


@pytest.fixture(scope="session")
def recipe_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def trained(data: Path, recipe_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.safetensors and card.md, written by the training command."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["--data", data, "--recipe", recipe_path, "--jobs", 1]
    arguments += ["--output", folder / "model.safetensors", "--card", folder / "card.md"]
    result = CliRunner().invoke(train, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder
