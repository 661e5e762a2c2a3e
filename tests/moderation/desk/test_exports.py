import csv
import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moderation.desk.exports import COLUMNS, Form, guarded, lines, restored
from moderation.desk.history import EventRecord
from moderation.domain import ActorKind, EventKind, Status

EVENT = EventRecord(
    id=7,
    at=1_700_000_000_123,
    site="news",
    page="https://news.example/bridge",
    title="The bridge",
    comment_id="0" * 32,
    name="Zoë",
    text="The old bridge.",
    email="zoe@example.org",
    kind=EventKind.DECISION,
    actor_kind=ActorKind.MODERATOR,
    actor="mona",
    from_status=Status.HELD,
    to_status=Status.REJECTED,
    reason="spam",
    model=None,
    evidence={"scores": {"reject": 0.5}},
)

# All that a database takes: no NUL, no half of a surrogate pair.
hostile = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
events = st.lists(
    st.builds(
        lambda name, text, page, reason: replace(
            EVENT, name=name, text=text, page=page, reason=reason
        ),
        hostile,
        hostile | st.sampled_from(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "＝1"]),
        hostile,
        hostile,
    ),
    max_size=5,
)


def written(records: list[EventRecord], form: Form, *, with_emails: bool = False) -> str:
    return "".join(lines(records, form, with_emails=with_emails))


def read_csv(text: str) -> list[dict[str, Any]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text[1:], newline=""), strict=True))


@given(events)
def test_csv_comes_back_as_it_was(records: list[EventRecord]) -> None:
    rows = read_csv(written(records, Form.CSV))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        for column in ("name", "text", "page", "reason", "actor", "comment_id"):
            assert restored(row[column]) == getattr(record, column)


@given(events)
def test_no_cell_of_a_csv_is_a_formula(records: list[EventRecord]) -> None:
    for row in read_csv(written(records, Form.CSV)):
        for cell in row.values():
            assert cell[:1] not in {*"=+-@\t\r\n＝＋－＠"} or not cell


@given(events)
def test_json_lines_come_back_as_they_were(records: list[EventRecord]) -> None:
    text = written(records, Form.JSONL)
    # Whatever other characters a program may take for the end of a line.
    rows = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [(r["name"], r["text"], r["page"]) for r in rows] == [
        (r.name, r.text, r.page) for r in records
    ]


@given(hostile)
@example("'")
@example("''=1")
def test_a_guarded_cell_can_be_restored(cell: str) -> None:
    assert restored(guarded(cell)) == cell


@pytest.mark.parametrize("form", Form)
def test_the_address_is_left_out_unless_asked_for(form: Form) -> None:
    assert "email" not in written([EVENT], form)
    assert "zoe@" not in written([EVENT], form)
    assert "zoe@example.org" in written([EVENT], form, with_emails=True)


def test_what_an_export_says() -> None:
    (row,) = read_csv(written([EVENT], Form.CSV))
    assert list(row) == [column for column in COLUMNS if column != "email"]
    assert row["at"] == "2023-11-14T22:13:20.123000+00:00"
    assert (row["id"], row["from_status"], row["to_status"]) == ("7", "held", "rejected")
    assert row["model"] == ""
    (line,) = written([EVENT], Form.JSONL).splitlines()
    assert json.loads(line)["evidence"] == {"scores": {"reject": 0.5}}


def test_nothing_found_is_an_export_all_the_same() -> None:
    assert read_csv(written([], Form.CSV)) == []
    assert written([], Form.JSONL) == ""
