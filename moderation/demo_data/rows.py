"""Labelled comments from a file of JSON objects, one a line."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from moderation.errors import StartupError

SAMPLE = Path(__file__).with_name("sample.jsonl")
"""Comments on the demo article, written for this purpose."""

_GZIP = b"\x1f\x8b"


class _Line(BaseModel):
    """A line's content; other fields are of no use here."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    text: str
    label: Literal[0, 1]
    source: str = "comments"
    page: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A comment to post; `label` is 1 for one that should not be published."""

    line: int
    text: str
    label: int
    page: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A line that is no comment, or one that the service did not take."""

    line: int
    why: str


def read(path: Path, limit: int | None = None) -> Iterator[Row | Unusable]:
    """The file's first `limit` lines; it may be compressed with gzip.

    Raises:
        StartupError: the file cannot be read.
    """
    try:
        with _open(path) as lines:
            for number, line in enumerate(islice(lines, limit), 1):
                yield _row(number, line)
    except (OSError, EOFError) as error:
        raise StartupError(f"{path} cannot be read: {error}") from None


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _row(number: int, line: bytes) -> Row | Unusable:
    try:
        found = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return Unusable(number, " ".join(map(str, (*first["loc"], first["msg"]))))
    return Row(number, found.text, found.label, found.page or f"demo-data/{found.source}")
