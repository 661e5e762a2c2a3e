"""Reads the sets of a recipe."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from moderation.classifier.prediction import Document
from training.datasets.columns import read_records, read_rows
from training.datasets.formats import READERS
from training.datasets.rows import Skipped, file_digest
from training.recipe import SetRecipe, Split
from training.records import Record

MONTH = len("2026-11")


@dataclass(slots=True)
class LoadedSet:
    """The records of one set, what was skipped, and the SHA-256 of the file."""

    recipe: SetRecipe
    digest: str
    records: list[Record] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)


def load_set(folder: Path, recipe: SetRecipe) -> LoadedSet:
    """Read one set from `folder`; OSError when the file cannot be read, FormatError when it is
    damaged or without a usable row."""
    path = folder / recipe.file
    loaded = LoadedSet(recipe, file_digest(path))
    if recipe.columns:
        own = read_records(path, recipe.columns, loaded.skipped, exclude=recipe.exclude)
        loaded.records.extend(_as_recipe_says(record, recipe) for record in own)
    else:
        loaded.records.extend(_records(path, recipe, loaded.skipped))
    return loaded


def _as_recipe_says(record: Record, recipe: SetRecipe) -> Record:
    groups = {
        Split.GROUP: record.group,
        Split.SOURCE: record.source,
        Split.TIME: record.time[:MONTH],
    }
    return replace(
        record,
        weight=record.weight * recipe.weight,
        group=groups[recipe.split] or fingerprint(record.document.text),
        source=recipe.name,
        domain=recipe.domain,
        calibration=recipe.calibration,
    )


def _records(path: Path, recipe: SetRecipe, skipped: Skipped) -> Iterator[Record]:
    reader = READERS[recipe.reader]
    for line, row in read_rows(path, skipped, recipe.exclude):
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
            group=group or fingerprint(text),
            source=recipe.name,
            key=str(row.get("id", line)),
            time=str(row.get("date", "")),
            domain=recipe.domain,
            calibration=recipe.calibration,
        )


def fingerprint(text: str) -> str:
    """Near repeats are one group: letters and digits only, in lower case."""
    return re.sub(r"[\W_]+", "", text.lower()) or text
