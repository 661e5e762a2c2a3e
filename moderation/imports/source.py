"""A file to import: unpacked, decoded, and watched for how far it has been read.

What is not in the file's encoding does not stop it: a mark stands in its place, by which readers
know the comment and its line.
"""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from moderation.imports.errors import DamagedFile

MARK = "\ufdd0"
"""Stands where bytes could not be decoded: no character, and none of any file's own."""

LARGEST = 64 * 2**30
"""Bytes of an unpacked file that are read at most: a small archive can hold any number of them."""

LONGEST = 16 * 2**20
"""Characters of one line, or one record, at most: more is no comment."""

SQLITE = b"SQLite format 3\0"

_CHUNK = 64 * 1024
_GZIP = b"\x1f\x8b"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")

# What no XML file may contain and many a comment does; as blanks they hurt in no other file either.
_CONTROLS = {code: " " for code in range(32) if chr(code) not in "\t\n\r"}
_CONTROLS |= dict.fromkeys((0xFFFE, 0xFFFF), " ")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error("moderation.mark", _mark)


class Source:
    """A file on the disk, compressed with gzip or not.

    Args:
        encoding: of its text; None: what its first bytes say, UTF-8 if they say nothing.

    Raises:
        DamagedFile: there is no such file, it is empty, or nobody knows the encoding.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self._read = 0
        try:
            self._size = path.stat().st_size
            with path.open("rb") as packed, closing(_unpacked(packed)) as file:
                self.head = file.read(4096)
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedFile(f"it cannot be read: {_why(error)}") from None
        if not self.head:
            raise DamagedFile("it is empty")
        self.encoding = encoding or self._encoding()
        try:
            codecs.lookup(self.encoding)
            "".encode(self.encoding)
        except LookupError:
            raise DamagedFile(f"its encoding {self.encoding!r} is not known") from None

    @property
    def share(self) -> float:
        """How much of it has been read, from 0 to 1."""
        return min(1.0, self._read / max(self._size, 1))

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a database."""
        return self.head.startswith(SQLITE)

    @property
    def beginning(self) -> str:
        """Its first characters."""
        return self.head.decode(self.encoding, errors="replace").lstrip("\ufeff")

    def binary(self) -> Iterator[bytes]:
        """Its bytes, unpacked.

        Raises:
            DamagedFile: it ends in the middle, or is larger than `LARGEST`.
        """
        total = 0
        try:
            with self.path.open("rb") as packed, closing(_unpacked(packed)) as file:
                while chunk := file.read1(_CHUNK):
                    total += len(chunk)
                    self._read = packed.tell()
                    if total > LARGEST:
                        raise DamagedFile(f"it is larger than {LARGEST // 2**30} GB when unpacked")
                    yield chunk
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedFile(f"it cannot be read any further: {_why(error)}") from None

    def text(self) -> Iterator[str]:
        """Its characters, in pieces of any length; a `MARK` for what cannot be decoded."""
        decoder = codecs.getincrementaldecoder(self.encoding)("moderation.mark")
        for chunk in self.binary():
            if piece := decoder.decode(chunk):
                yield piece.translate(_CONTROLS)
        if piece := decoder.decode(b"", final=True):
            yield piece.translate(_CONTROLS)

    def lines(self) -> Iterator[str]:
        """Its lines, with their ends as they are; only line feeds end one."""
        rest = io.StringIO()
        for piece in self.text():
            first, *others = piece.split("\n")
            rest.write(first)
            for other in others:
                yield rest.getvalue() + "\n"
                rest = io.StringIO()
                rest.write(other)
            if rest.tell() > LONGEST:
                raise DamagedFile(f"a line is longer than {LONGEST:,} characters")
        if last := rest.getvalue():
            yield last

    def _encoding(self) -> str:
        for bom, name in _BOMS:
            if self.head.startswith(bom):
                return name
        declared = _DECLARED.match(self.head)
        name = declared[1].decode() if declared else "utf-8"
        # A declaration that can be read byte by byte is not in UTF-16, whatever it says.
        return "utf-8" if name.lower().startswith("utf-16") else name


def _unpacked(file: io.BufferedReader) -> gzip.GzipFile | io.BufferedReader:
    compressed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if compressed else file


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
