"""Reads the sets of a recipe."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from moderation.classifier.prediction import Document
from training.datasets.columns import read_rows
from training.datasets.formats import READERS
from training.datasets.rows import Row, Skipped
from training.recipe import SetRecipe
from training.records import Record


@dataclass(slots=True)
class LoadedSet:
    """The records of one set, what was skipped, and the SHA-256 of the file."""

    recipe: SetRecipe
    digest: str
    records: list[Record] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)


def load_set(folder: Path, recipe: SetRecipe) -> LoadedSet:
    """Read one set from `folder`; OSError when the file cannot be read."""
    path = folder / recipe.file
    loaded = LoadedSet(recipe, hashlib.sha256(path.read_bytes()).hexdigest())
    loaded.records.extend(_records(path, recipe, loaded.skipped))
    return loaded


def _records(path: Path, recipe: SetRecipe, skipped: Skipped) -> Iterator[Record]:
    reader = READERS[recipe.reader]
    for line, row in read_rows(path, skipped):
        if any(row.get(name) == value for name, value in recipe.exclude.items()):
            skipped.add("excluded by the recipe", line)
            continue
        try:
            text = str(row[recipe.text_field])
            labels, group = reader(row)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            skipped.add(f"unreadable ({type(error).__name__})", line)
            continue
        if not text.strip():
            skipped.add("empty text", line)
            continue
        name = str(row.get(recipe.name_field) or "") if recipe.name_field else ""
        yield Record(
            document=Document(text=text, name=name),
            labels=labels,
            weight=recipe.weight,
            group=group or _fingerprint(text),
            source=recipe.name,
            key=_key(row, line),
            time=str(row.get("date", "")),
            domain=recipe.domain,
            calibration=recipe.calibration,
        )


def _key(row: Row, line: int) -> str:
    return str(row.get("id", line))


def _fingerprint(text: str) -> str:
    """Near repeats are one group: letters and digits only, in lower case."""
    return re.sub(r"[\W_]+", "", text.lower()) or text
