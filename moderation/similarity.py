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
_FUNCTIONS = np.array([pow(_GOLDEN, k + 7, 1 << 64) for k in range(SIZE)], dtype=np.uint64)


# The same for ASCII alone, which most texts are, in a thirtieth of the time.
_ASCII = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)) * 2


def normalize(text: str) -> str:
    """The text as a reader hears it: no case, no punctuation, compatibility forms unified."""
    if text.isascii():
        plain = text.encode().translate(_ASCII)
        # Taking the words apart and joining them would make an object of each.
        while b"  " in plain:
            plain = plain.replace(b"  ", b" ")
        return plain.strip().decode()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", folded).strip()


def fingerprint(text: str) -> bytes:
    """The fingerprint of `text`: `SIZE` bytes."""
    return fingerprints([normalize(text)])[0]


def fingerprints(normalized: Sequence[str]) -> list[bytes]:
    """The fingerprints of texts that are normalized already, all at once."""
    encoded = [text.encode().ljust(_SHINGLE) for text in normalized]
    if not encoded:
        return []
    hashes = _hashes(np.frombuffer(b"".join(encoded), np.uint8))
    # Each text's shingles, and then those that reach into the next text, which are passed over.
    ends = np.cumsum([len(data) for data in encoded])
    places = np.column_stack([ends - [len(data) for data in encoded], ends - _SHINGLE + 1])
    bounds = places.ravel()[:-1]
    smallest = np.empty((len(encoded), SIZE), np.uint8)
    for number, function in enumerate(_FUNCTIONS):
        smallest[:, number] = np.minimum.reduceat(hashes * function, bounds)[::2].astype(np.uint8)
    return [row.tobytes() for row in smallest]


def agreement(fingerprints: Sequence[bytes], others: Sequence[bytes]) -> NDArray[np.uint8]:
    """In how many of `SIZE` bytes each fingerprint agrees with each other one.

    Returns:
        An array of shape (len(fingerprints), len(others)), each entry from 0 to `SIZE`.
    """
    left = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(-1, SIZE)
    right = np.frombuffer(b"".join(others), np.uint8).reshape(-1, SIZE)
    equal = np.zeros((len(left), len(right)), np.uint8)
    same = np.empty(equal.shape, np.bool_)
    for one, other in zip(left.T, np.ascontiguousarray(right.T), strict=True):
        np.equal(one[:, None], other, out=same)
        # As bytes: numbers and flags are not added without a conversion.
        equal += same.view(np.uint8)
    return equal


BAND = 2
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
    numbers = pairs + (np.arange(len(pairs)) << 8 * BAND) + (site_id << 8 * BAND + 3)
    return [int(number) for number in numbers]


def _hashes(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """One for each shingle of the bytes."""
    count = len(data) - _SHINGLE + 1
    hashes = np.zeros(count, np.uint64)
    for place, power in enumerate(_POWERS):
        hashes += data[place : place + count] * power
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX[0]
    return (hashes ^ (hashes >> np.uint64(27))) * _MIX[1]
