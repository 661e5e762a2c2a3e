"""Reads what other systems export: a reader for each format, and the one that fits a file."""

from moderation.imports.errors import DamagedFile
from moderation.imports.formats import READERS, Format, detect, read
from moderation.imports.records import Imported, Skipped, Verdict
from moderation.imports.source import Source

__all__ = [
    "READERS",
    "DamagedFile",
    "Format",
    "Imported",
    "Skipped",
    "Source",
    "Verdict",
    "detect",
    "read",
]
