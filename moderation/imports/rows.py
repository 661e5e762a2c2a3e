"""Rows of a table: JSON, one object a line or an array of them, or CSV."""

import csv
import json
from collections.abc import Iterator
from typing import Any

from moderation.imports.errors import DamagedFile
from moderation.imports.records import Skipped
from moderation.imports.source import LONGEST, MARK, Source

Row = dict[str, str]

_DECODER = json.JSONDecoder()
_BLANK = " \t\r\n"


def rows(source: Source) -> Iterator[tuple[int, Row] | Skipped]:
    """(line, row) of each row; in an array of JSON its number takes the place of a line.

    Raises:
        DamagedFile: it cannot be read any further.
    """
    beginning = source.beginning.lstrip()
    if beginning.startswith("["):
        return _array(source)
    return _json_lines(source) if beginning.startswith("{") else _csv(source)


def _json_lines(source: Source) -> Iterator[tuple[int, Row] | Skipped]:
    for number, text in enumerate(source.lines(), 1):
        if not text.strip(_BLANK + "\ufeff"):
            continue
        try:
            found = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            yield Skipped("no JSON", number)
            continue
        yield _row(number, found)


def _array(source: Source) -> Iterator[tuple[int, Row] | Skipped]:
    """The objects of one array, of which there is never more than one in memory."""
    pieces = source.text()
    text = next(pieces).lstrip("\ufeff").lstrip()[1:]
    number = 0
    while True:
        text = text.lstrip(_BLANK + ",")
        if text.startswith("]"):
            return
        found, end = _first(text)
        # A number that ends with the piece may go on in the next.
        if 0 < end < len(text):
            number += 1
            text = text[end:]
            yield _row(number, found)
            continue
        piece = next(pieces, None)
        if piece is None:
            raise DamagedFile(f"it is no JSON, or cut off, after {number:,} comments")
        text += piece
        if len(text) > LONGEST:
            raise DamagedFile(f"it is no JSON after {number:,} comments")


def _first(text: str) -> tuple[Any, int]:
    """The first value of the text and where it ends; 0 if it does not end in it."""
    try:
        return _DECODER.raw_decode(text)
    except ValueError:
        return None, 0
    except RecursionError:
        raise DamagedFile("its values are nested too deep") from None


def _row(line: int, found: Any) -> tuple[int, Row] | Skipped:
    if not isinstance(found, dict):
        return Skipped("not an object", line)
    return line, {str(name): _string(value) for name, value in found.items()}


def _string(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _csv(source: Source) -> Iterator[tuple[int, Row] | Skipped]:
    """Separated by commas, semicolons or tabs, whichever the first line has most of."""
    lines = source.lines()
    header = next(lines, "").lstrip("\ufeff")
    delimiter = max(",;\t", key=header.count)
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error as error:
        raise DamagedFile(f"its first line is no row of CSV: {error}") from None
    # Quotes in a comment may be left open: then the rest of the file would be one field.
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        line = reader.line_num + 2
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Skipped(f"no row of CSV: {error}", line)
            continue
        if not fields:
            continue
        if len(fields) != len(names):
            more = len(fields) > len(names)
            yield Skipped(f"{'more' if more else 'fewer'} fields than columns", line)
        elif any(MARK in field for field in fields):
            yield Skipped("its characters do not fit the file's encoding", line)
        else:
            yield line, dict(zip(names, fields, strict=True))
