import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from moderation.classifier.prediction import REJECT, Document, Reason
from training.datasets.columns import Columns, FormatError, count_rows, read_records
from training.datasets.rows import Skipped

ROWS = [
    {"body": "Thanks", "author": "Ann", "bad": "0", "kind": "0.25", "thread": "a"},
    {"body": "You fool", "author": "", "bad": "1", "kind": "", "thread": "b"},
]
COLUMNS = Columns(
    text="body", name="author", group="thread", labels={REJECT: "bad", Reason.INSULT: "kind"}
)

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_lines = st.dictionaries(
    st.sampled_from(["text", "label", "weight", "insult", "id"]), anything | st.lists(anything)
).map(lambda row: json.dumps(row).encode())


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def write(folder: Path, kind: str) -> Path:
    if kind == "csv":
        return write_csv(folder / "own.csv", ROWS)
    if kind == "csv.gz":
        plain = write_csv(folder / "own.csv", ROWS)
        packed = folder / "own.csv.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        return packed
    if kind == "jsonl":
        path = folder / "own.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        return path
    path = folder / "own.parquet"
    parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_every_format_reads_the_same(tmp_path: Path, kind: str) -> None:
    skipped = Skipped()
    first, second = read_records(write(tmp_path, kind), COLUMNS, skipped)
    assert not len(skipped)
    assert first.document == Document("Thanks", name="Ann")
    assert first.labels == {REJECT: 0.0, Reason.INSULT: 0.25}
    assert second.labels == {REJECT: 1.0}
    assert (first.group, second.group) == ("a", "b")
    assert first.weight == 1.0


def test_what_cannot_be_used_is_counted_with_its_line(tmp_path: Path) -> None:
    rows = [*ROWS, {"body": " ", "bad": "1"}, {"body": "x", "bad": "2"}, {"body": "y"}]
    skipped = Skipped()
    assert len(list(read_records(write_csv(tmp_path / "a.csv", rows), COLUMNS, skipped))) == 2
    assert skipped.lines == {
        "no text in column 'body'": [4],
        "a label is not a number from 0 to 1": [5],
        "no label": [6],
    }


def test_a_row_with_too_many_fields_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,bad\nfine,0\none,1,two\n")
    skipped = Skipped()
    assert len(list(read_records(path, COLUMNS, skipped))) == 1
    assert skipped.lines == {"more fields than columns": [3]}


def test_another_kind_of_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"own\.xlsx: not"):
        list(read_records(tmp_path / "own.xlsx", COLUMNS, Skipped()))


def test_a_broken_parquet_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(FormatError, match=r"own\.parquet"):
        list(read_records(path, COLUMNS, Skipped()))


def read(path: Path, skipped: Skipped, **columns: str) -> list[str]:
    chosen = Columns(text="body", labels={REJECT: "bad"}, **columns)
    return [record.document.text for record in read_records(path, chosen, skipped)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_read_from_the_first_line(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.csv"
    lines = [["body", "bad"], ["one; two, three", "0"]]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(lines)
    assert read(path, Skipped()) == ["one; two, three"]


def test_a_byte_order_mark_and_line_breaks_inside_quotes_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffbody,bad\r\n"two\nlines",0\r\ncafé,1\r\nodd,9\r\n'.encode())
    skipped = Skipped()
    assert read(path, skipped) == ["two\nlines", "café"]
    assert skipped.lines == {"a label is not a number from 0 to 1": [5]}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_in_another_encoding_are_counted_and_the_others_read(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    rows = {
        "csv": ["body,bad", "café,0", "plain,1", "😀,0"],
        "jsonl": [f'{{"body": "{text}", "bad": 0}}' for text in ("café", "plain", "😀")],
    }[kind]
    path.write_bytes(
        b"".join(row.encode("latin-1" if "é" in row else "utf-8") + b"\n" for row in rows)
    )
    skipped = Skipped()
    assert read(path, skipped) == ["plain", "😀"]
    assert skipped.lines == ({"not UTF-8": [2]} if kind == "csv" else {"not JSON": [1]})


def test_a_field_without_end_is_counted_not_fatal(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,bad\nfine,0\n" + '"' + "x" * 200_000 + "\nlast,1\n")
    skipped = Skipped()
    assert read(path, skipped) == ["fine", "last"]
    assert list(skipped.lines.values()) == [[3]]


def test_a_cut_off_archive_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"body,bad\n" + b"fine,0\n" * 1000)[:-12])
    with pytest.raises(FormatError, match=r"a\.csv\.gz: damaged"):
        read(path, Skipped())


def test_weights_are_read_and_must_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,bad,times\none,0,2.5\ntwo,0,\nthree,0,-1\nfour,0,inf\n")
    columns = Columns(text="body", weight="times", labels={REJECT: "bad"})
    skipped = Skipped()
    assert [record.weight for record in read_records(path, columns, skipped)] == [2.5, 1.0]
    assert skipped.lines == {"the weight is not a number from 0": [4, 5]}


@given(st.lists(st.binary(max_size=40) | json_lines, max_size=5))
def test_no_line_is_fatal_and_none_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "own.jsonl"
    content = b"".join(line + b"\n" for line in [b'{"text": "fine", "label": 0}', *lines])
    path.write_bytes(content)
    skipped = Skipped()
    read = list(read_records(path, Columns(), skipped))
    assert len(read) + len(skipped) == content.count(b"\n")


@pytest.mark.parametrize("label", ["1e999", "1" + "0" * 400, "true2", "{}"])
def test_a_label_that_is_no_probability_is_counted(tmp_path: Path, label: str) -> None:
    path = tmp_path / "own.jsonl"
    rows = ['{"text": "fine", "label": 0}', f'{{"text": "odd", "label": {label}}}', "[" * 100_000]
    path.write_text("\n".join(rows))
    skipped = Skipped()
    (only,) = read_records(path, Columns(), skipped)
    assert only.document.text == "fine"
    assert sorted(line for lines in skipped.lines.values() for line in lines) == [2, 3]


def test_a_missing_number_of_parquet_is_an_unknown_label(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [
        {"text": "one", "label": float("nan"), "insult": 1.0},
        {"text": "two", "label": 0.0, "insult": None},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    first, second = read_records(path, Columns(), Skipped())
    assert first.labels == {Reason.INSULT: 1.0}
    assert second.labels == {REJECT: 0.0}


def test_a_file_without_a_usable_row_says_which_columns_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("comment,verdict\nfine,0\n")
    with pytest.raises(FormatError, match=r"no text in column 'body'.*comment, verdict"):
        read(path, Skipped())


def test_a_label_of_an_unknown_head_is_refused() -> None:
    with pytest.raises(ValueError, match="no head is called 'mood'"):
        Columns(labels={"mood": "label"})


@pytest.mark.parametrize("kind", ["jsonl", "csv.gz", "parquet"])
def test_rows_are_counted_before_they_are_read(tmp_path: Path, kind: str) -> None:
    header = kind == "csv.gz"
    assert count_rows(write(tmp_path, kind)) == len(ROWS) + header
