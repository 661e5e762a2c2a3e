"""Events as files: CSV for spreadsheets, JSON lines for programs. Pure, line by line."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from io import StringIO

from moderation.clock import to_datetime
from moderation.desk.history import EventRecord

COLUMNS = (
    "id",
    "at",
    "site",
    "page",
    "comment_id",
    "name",
    "email",
    "text",
    "kind",
    "actor_kind",
    "actor",
    "from_status",
    "to_status",
    "reason",
    "model",
    "note",
)

# A spreadsheet takes a cell for a formula that begins with one of these (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_GUARD = "'"


class Form(StrEnum):
    """What kind of file."""

    CSV = "csv"
    JSONL = "jsonl"


CONTENT_TYPES = {Form.CSV: "text/csv; charset=utf-8", Form.JSONL: "application/jsonl"}


def lines(events: Iterable[EventRecord], form: Form, *, with_emails: bool) -> Iterator[str]:
    """The file's lines. The e-mail address has a column only if it is asked for."""
    left_out = frozenset() if with_emails else frozenset({"email"})
    return _csv(events, left_out) if form is Form.CSV else _jsonl(events, left_out)


def guarded(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula: behind an apostrophe where it might be,
    or where it has one already, so that `restored` can tell."""
    return _GUARD + cell if cell.startswith((*_FORMULA, _GUARD)) else cell


def restored(cell: str) -> str:
    """What `guarded` was given."""
    return cell.removeprefix(_GUARD)


def _csv(events: Iterable[EventRecord], left_out: frozenset[str]) -> Iterator[str]:
    columns = [column for column in COLUMNS if column not in left_out]
    # The mark by which a spreadsheet knows UTF-8.
    yield "\ufeff" + _csv_line(columns)
    for event in events:
        values = _plain(event)
        yield _csv_line([_cell(values[column]) for column in columns])


def _cell(value: object) -> str:
    return "" if value is None else guarded(str(value))


def _csv_line(cells: list[str]) -> str:
    buffer = StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerow(cells)
    return buffer.getvalue()


def _jsonl(events: Iterable[EventRecord], left_out: frozenset[str]) -> Iterator[str]:
    for event in events:
        values = {key: value for key, value in _plain(event).items() if key not in left_out}
        yield json.dumps(values, ensure_ascii=False) + "\n"


def _plain(event: EventRecord) -> dict[str, object]:
    changed = {"at": to_datetime(event.at).isoformat(), "note": event.evidence.get("note")}
    return asdict(event) | changed
