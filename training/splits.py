"""Which group is for training, for calibration, for the report: by hash, so it never changes."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from training.records import Record


class Part(StrEnum):
    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


def split(records: Sequence[Record], *, calibration: float, test: float, seed: int) -> list[Part]:
    """The part of each record; `calibration` and `test` are shares of all groups of a source."""

    def part(record: Record) -> Part:
        place = _place(f"{seed}/{record.source}/{record.group}")
        if place < test:
            return Part.TEST
        return Part.CALIBRATION if place < test + calibration else Part.TRAIN

    return [part(record) for record in records]


def _place(text: str) -> float:
    """A number in [0, 1) that looks random but depends on the text alone."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
