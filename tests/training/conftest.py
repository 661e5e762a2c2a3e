"""A folder of invented data sets, and a recipe for them."""

import gzip
import json
import random
from pathlib import Path

import pytest

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
        rows.append({"text": text, "label": bad, "page": f"page {number % 40}"})
    return rows


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


RECIPE = """
name = "small"
date = "2026-01-31"
seed = 3
languages = ["en"]
features = 3000
least_frequency = 1
regularisation = 10.0
calibration = 0.3
test = 0.3
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
