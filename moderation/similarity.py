"""Finds comments that repeat one another, word for word or nearly.

A fingerprint holds, for each of 16 hash functions, the lowest byte of the smallest hash among the
text's character 6-grams: b-bit minwise hashing (Li and König 2010). Two fingerprints agree in about
as large a share of their bytes as the texts share of their 6-grams.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIZE = 16
"""Bytes in a fingerprint."""

_SHINGLE = 6
_NOT_WORD = re.compile(r"[\W_]+")
# The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = 0x9E3779B97F4A7C15
# Powers of an odd number weigh the bytes of a shingle; odd multiples give the 16 hash functions.
_POWERS = np.array([pow(_GOLDEN, k, 1 << 64) for k in range(_SHINGLE)], dtype=np.uint64)
_FUNCTIONS = np.array([pow(_GOLDEN, k + 7, 1 << 64) for k in range(SIZE)], dtype=np.uint64)[:, None]


def normalize(text: str) -> str:
    """The text as a reader hears it: no case, no punctuation, compatibility forms unified."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", folded).strip()


def fingerprint(text: str) -> bytes:
    """The fingerprint of `text`: `SIZE` bytes."""
    data = np.frombuffer(normalize(text).encode().ljust(_SHINGLE), np.uint8)
    shingles = np.ndarray((len(data) - _SHINGLE + 1, _SHINGLE), np.uint8, data, strides=(1, 1))
    hashes = shingles.astype(np.uint64) @ _POWERS
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX[0]
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX[1]
    smallest: NDArray[np.uint64] = (hashes * _FUNCTIONS).min(axis=1)
    return smallest.astype(np.uint8).tobytes()


def agreement(fingerprints: Sequence[bytes], others: Sequence[bytes]) -> NDArray[np.int64]:
    """In how many of `SIZE` bytes each fingerprint agrees with each other one.

    Returns:
        An array of shape (len(fingerprints), len(others)), each entry from 0 to `SIZE`.
    """
    left = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, 1, SIZE)
    right = np.frombuffer(b"".join(others), np.uint8).reshape(1, -1, SIZE)
    equal: NDArray[np.int64] = np.count_nonzero(left == right, axis=2)
    return equal


_BAND = 2
"""Bytes of a fingerprint in one band."""

SHARED_BANDS = 2
"""Bands that fingerprints have in common at least when they agree in 10 of 16 bytes: they differ in
at most 6 of the 8 pairs of bytes."""


def bands(site_id: int, fingerprint: bytes) -> list[int]:
    """Numbers of which two fingerprints of one site have some in common when they are alike.

    Those that agree in 10 of 16 bytes share `SHARED_BANDS` or more; unrelated ones share a given
    one by chance once in 65,536.
    """
    pairs = np.frombuffer(fingerprint, ">u2").astype(np.int64)
    numbers = pairs + (np.arange(len(pairs)) << 8 * _BAND) + (site_id << 8 * _BAND + 3)
    return [int(number) for number in numbers]
