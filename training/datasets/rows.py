"""Rows of a file, with the bad ones counted and named instead of fatal."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

Row = dict[str, Any]


@dataclass(slots=True)
class Skipped:
    """What could not be read: line numbers by reason."""

    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        self.lines.setdefault(reason, []).append(line)

    def __len__(self) -> int:
        return sum(len(lines) for lines in self.lines.values())

    def describe(self, at_most: int = 10) -> list[str]:
        """One sentence per reason, with the first line numbers."""
        return [
            f"{len(lines)} skipped, {reason}: line "
            + ", ".join(map(str, lines[:at_most]))
            + (", ..." if len(lines) > at_most else "")
            for reason, lines in self.lines.items()
        ]


def read_jsonl(path: Path, skipped: Skipped) -> Iterator[tuple[int, Row]]:
    """(line number, object) for every good line of a JSONL file, gzipped or not."""
    with open_bytes(path) as file:
        for line, text in enumerate(file, start=1):
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                skipped.add("not JSON", line)
                continue
            if isinstance(row, dict):
                yield line, row
            else:
                skipped.add("not an object", line)


def open_bytes(path: Path) -> BinaryIO | gzip.GzipFile:
    """The file for reading, unpacked if its name ends in .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def file_digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
