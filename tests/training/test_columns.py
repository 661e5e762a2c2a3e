import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from moderation.classifier.prediction import REJECT, Document, Reason
from training.datasets.columns import Columns, FormatError, read_records
from training.datasets.rows import Skipped

ROWS = [
    {"body": "Thanks", "author": "Ann", "bad": "0", "kind": "0.25", "thread": "a"},
    {"body": "You fool", "author": "", "bad": "1", "kind": "", "thread": "b"},
]
COLUMNS = Columns(
    text="body", name="author", group="thread", labels={REJECT: "bad", Reason.INSULT: "kind"}
)


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
