"""Which fold a comment belongs to: by its group, so that near repeats, threads, pages and videos
stay together, and by hash, so that it never changes."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.records import Record

FEW_GROUPS = 100
"""A source with fewer groups is dealt out in turn: hashing could leave a fold empty."""


def folds(records: Sequence[Record], number: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold, from 0 to `number` - 1, of each record.

    A record whose `group` and `source` match another's shares its fold; a disguised copy shares
    that of its original.
    """
    groups: dict[str, dict[str, int]] = {}
    for record in records:
        found = groups.setdefault(record.origin, {})
        found.setdefault(record.group, len(found))

    def fold(record: Record) -> int:
        found = groups[record.origin]
        if len(found) < FEW_GROUPS:
            return found[record.group] % number
        return _number(f"{seed}/{record.origin}/{record.group}") % number

    return np.array([fold(record) for record in records], np.int64)


def _number(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)
