"""Files of the user's own: JSONL, CSV or Parquet, with the columns named by the caller."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document
from training.datasets.rows import Row, Skipped, open_bytes, read_jsonl
from training.records import Record


class FormatError(Exception):
    """A file that cannot be read at all; the message names it and the reason."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what. `labels`: column per head, values from 0 to 1; a head whose column
    is not in a row is unknown for it. `group`: rows of one group stay on one side of a split."""

    text: str = "text"
    name: str = "name"
    website: str = "website"
    group: str = "group"
    source: str = "source"
    time: str = "date"
    key: str = "id"
    labels: Mapping[str, str] = field(
        default_factory=lambda: {REJECT: "label"} | {head: head for head in HEADS if head != REJECT}
    )


def read_records(path: Path, columns: Columns, skipped: Skipped) -> Iterator[Record]:
    """The labelled comments of a file; rows without text or any label are skipped.

    FormatError for an unknown kind of file; OSError when it cannot be read.
    """
    for line, row in read_rows(path, skipped):
        text = row.get(columns.text)
        if not isinstance(text, str) or not text.strip():
            skipped.add(f"no text in column {columns.text!r}", line)
            continue
        try:
            labels = _labels(row, columns)
        except ValueError:
            skipped.add("a label is not a number from 0 to 1", line)
            continue
        if not labels:
            skipped.add("no label", line)
            continue
        yield Record(
            document=Document(text, _string(row, columns.name), _string(row, columns.website)),
            labels=labels,
            weight=1.0,
            group=_string(row, columns.group) or str(line),
            source=_string(row, columns.source) or path.name,
            key=_string(row, columns.key) or str(line),
            time=_string(row, columns.time),
        )


def read_rows(path: Path, skipped: Skipped) -> Iterator[tuple[int, Row]]:
    """(line or row number, row) of a JSONL, CSV (either gzipped or not) or Parquet file."""
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind in {".jsonl", ".ndjson"}:
        return read_jsonl(path, skipped)
    if kind == ".csv":
        return _read_csv(path, skipped)
    if kind == ".parquet":
        return _read_parquet(path)
    raise FormatError(f"{path}: not .jsonl, .csv or .parquet")


def _read_csv(path: Path, skipped: Skipped) -> Iterator[tuple[int, Row]]:
    with (
        open_bytes(path) as binary,
        io.TextIOWrapper(binary, "utf-8-sig", errors="replace", newline="") as text,
    ):
        reader = csv.DictReader(text)
        for row in reader:
            if None in row:
                skipped.add("more fields than columns", reader.line_num)
            else:
                yield reader.line_num, row


def _read_parquet(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415  (an optional dependency)
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise FormatError(f"{path}: Parquet needs the extra 'parquet' (pyarrow)") from None
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except ArrowException as error:
        raise FormatError(f"{path}: {error}") from error


def _labels(row: Mapping[str, Any], columns: Columns) -> dict[str, float]:
    labels = {}
    for head, column in columns.labels.items():
        value = row.get(column)
        if value is None or value == "":
            continue
        label = float(value)
        if not 0 <= label <= 1:
            raise ValueError(column)
        labels[head] = label
    return labels


def _string(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)
