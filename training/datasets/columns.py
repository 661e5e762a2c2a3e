"""Files of the user's own: JSONL, CSV or Parquet, with the columns named by the caller."""

import csv
import io
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document
from training.datasets.rows import Row, Skipped, open_bytes, read_jsonl
from training.records import Record

NOTHING: Mapping[str, str] = MappingProxyType({})


class FormatError(ValueError):
    """A file that cannot be read at all; the message names it and the reason."""


class Columns(BaseModel):
    """Which column holds what.

    `labels`: column per head, values from 0 to 1; a head whose column is empty or not in a row is
    unknown for it. `weight`: how much a row counts, 1 if empty. `group`: rows of one group (thread,
    page) stay on one side of a split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = "text"
    name: str = "name"
    website: str = "website"
    group: str = "group"
    source: str = "source"
    time: str = "date"
    key: str = "id"
    weight: str = "weight"
    labels: Mapping[str, str] = {REJECT: "label"} | {head: head for head in HEADS if head != REJECT}

    @field_validator("labels")
    @classmethod
    def _are_heads(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        if unknown := set(labels) - set(HEADS):
            raise ValueError(f"no head is called {min(unknown)!r}; there are {', '.join(HEADS)}")
        return labels


def read_records(
    path: Path,
    columns: Columns,
    skipped: Skipped,
    exclude: Mapping[str, str] = NOTHING,
) -> Iterator[Record]:
    """The labelled comments of a file; rows without text or any label are skipped.

    FormatError for an unknown kind of file and for one without a usable row; OSError when it cannot
    be read.
    """
    first: Row | None = None
    usable = False
    for line, row in read_rows(path, skipped, exclude):
        first = first or row
        try:
            record = _record(row, line, columns, path.name)
        except ValueError as error:
            skipped.add(str(error), line)
            continue
        usable = True
        yield record
    if first and not usable:
        reasons = "; ".join(skipped.lines)
        raise FormatError(f"{path}: no usable row ({reasons}); its columns are {', '.join(first)}")


def _record(row: Row, line: int, columns: Columns, source: str) -> Record:
    """ValueError with the reason when the row cannot be used."""
    text = row.get(columns.text)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"no text in column {columns.text!r}")
    labels = {}
    for head, column in columns.labels.items():
        label = _number(row.get(column))
        if label is not None:
            if not 0 <= label <= 1:
                raise ValueError("a label is not a number from 0 to 1")
            labels[head] = label
    if not labels:
        raise ValueError("no label")
    weight = _number(row.get(columns.weight))
    if weight is not None and not 0 <= weight < math.inf:
        raise ValueError("the weight is not a number from 0")
    return Record(
        document=Document(text, _string(row, columns.name), _string(row, columns.website)),
        labels=labels,
        weight=1.0 if weight is None else weight,
        group=_string(row, columns.group),
        source=_string(row, columns.source) or source,
        key=_string(row, columns.key) or str(line),
        time=_string(row, columns.time),
    )


def _number(value: Any) -> float | None:
    """None for what is empty; -1, which nothing may be, for what is no number."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return -1.0
    return None if math.isnan(number) else number


def _string(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def read_rows(
    path: Path, skipped: Skipped, exclude: Mapping[str, str] = NOTHING
) -> Iterator[tuple[int, Row]]:
    """(line or row number, row) of a JSONL, CSV (either gzipped or not) or Parquet file; without
    the rows whose columns have the values of `exclude`."""
    for line, row in _read_all(path, skipped):
        if any(_string(row, name) == value for name, value in exclude.items()):
            skipped.add("excluded by the recipe", line)
        else:
            yield line, row


def _read_all(path: Path, skipped: Skipped) -> Iterator[tuple[int, Row]]:
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind in {".jsonl", ".ndjson"}:
        return _undamaged(path, read_jsonl(path, skipped))
    if kind in {".csv", ".tsv"}:
        return _undamaged(path, _read_csv(path, skipped))
    if kind == ".parquet":
        return _read_parquet(path)
    raise FormatError(f"{path}: not .jsonl, .csv, .tsv or .parquet")


def _undamaged(path: Path, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    try:
        yield from rows
    except (EOFError, zlib.error) as error:
        raise FormatError(f"{path}: damaged: {error}") from error


# A quote that is never closed would make one field of the rest of the file.
_LONGEST_FIELD = 131_072


def _read_csv(path: Path, skipped: Skipped) -> Iterator[tuple[int, Row]]:
    """Separated by commas, semicolons or tabs, whichever the first line has most of. What is not
    UTF-8 becomes surrogates, by which it is known."""
    with closing(open_bytes(path)) as binary:
        text = io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="")
        header = text.readline()
        delimiter = max(",;\t", key=header.count)
        names = next(csv.reader([header], delimiter=delimiter), [])
        # Of the whole process, which other readers set as they need it.
        csv.field_size_limit(_LONGEST_FIELD)
        reader = csv.reader(text, delimiter=delimiter)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                skipped.add(str(error), reader.line_num + 1)
                continue
            line = reader.line_num + 1
            if not fields:
                continue
            if len(fields) != len(names):
                more = len(fields) > len(names)
                skipped.add(f"{'more' if more else 'fewer'} fields than columns", line)
            elif not all(map(_is_text, fields)):
                skipped.add("not UTF-8", line)
            else:
                yield line, dict(zip(names, fields, strict=True))


def _is_text(field: str) -> bool:
    return field.isascii() or not any("\udc80" <= c <= "\udcff" for c in field)


def _read_parquet(path: Path) -> Iterator[tuple[int, Row]]:
    number = 0
    with _parquet(path) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield number, row


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415  (an optional dependency)
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise FormatError(f"{path}: Parquet needs the extra 'parquet' (pyarrow)") from None
    try:
        with ParquetFile(path) as file:
            yield file
    except ArrowException as error:
        raise FormatError(f"{path}: {error}") from error


def count_rows(path: Path) -> int:
    """About how many rows a file has, to show how far its reading is: lines, but of Parquet.

    FormatError when it is damaged; OSError when it cannot be read.
    """
    if path.suffix == ".parquet":
        with _parquet(path) as table:
            return int(table.metadata.num_rows)
    try:
        with closing(open_bytes(path)) as file:
            return sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))
    except (EOFError, zlib.error) as error:
        raise FormatError(f"{path}: damaged: {error}") from error
