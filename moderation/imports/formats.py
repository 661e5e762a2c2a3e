"""Which reader reads what, and which format a file has, by what is in it."""

import csv
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from moderation.imports import disqus, isso, tables, wordpress
from moderation.imports.errors import DamagedFile
from moderation.imports.records import Imported, Skipped
from moderation.imports.source import Source
from moderation.schemas import line


class Format(StrEnum):
    """The formats; where a comment came from is remembered by the format's name."""

    WORDPRESS = "wordpress"
    """WordPress's export."""
    WP_LIST = "wp-list"
    """What `wp comment list` writes."""
    DISQUS = "disqus"
    ISSO = "isso"
    TABLE = "table"
    """CSV or JSON lines, Jigsaw's among them."""

    def origin(self, file: str) -> str:
        """Where its comments come from: the system, of which two files tell of the same comments;
        of a table its own name."""
        if self is Format.WP_LIST:
            return str(Format.WORDPRESS)
        if self is not Format.TABLE:
            return str(self)
        return line(file.removesuffix(".gz").rpartition(".")[0] or file)[:ORIGIN_LENGTH] or "table"


ORIGIN_LENGTH = 64


READERS: Mapping[Format, Callable[[Source], Iterator[Imported | Skipped]]] = {
    Format.WORDPRESS: wordpress.read_export,
    Format.WP_LIST: wordpress.read_list,
    Format.DISQUS: disqus.read,
    Format.ISSO: isso.read,
    Format.TABLE: tables.read,
}


def detect(source: Source) -> Format:
    """The format of a file.

    Raises:
        DamagedFile: it is none of them.
    """
    if source.is_sqlite:
        return Format.ISSO
    beginning = source.beginning.lstrip()
    if beginning.startswith("<"):
        return _of_xml(beginning)
    if beginning.startswith(("[", "{")):
        return Format.WP_LIST if "comment_approved" in beginning else Format.TABLE
    header = beginning.partition("\n")[0]
    try:
        names = {name.strip(' "\r').lower() for name in next(csv.reader([header]), [])}
    except csv.Error:
        names = set()
    if "comment_approved" in names:
        return Format.WP_LIST
    if any(mark in header for mark in ",;\t"):
        return Format.TABLE
    raise DamagedFile("its format is not known: it is neither XML, JSON, CSV nor SQLite")


def read(
    source: Source, form: Format, columns: Mapping[str, str] = tables.NO_COLUMNS
) -> Iterator[Imported | Skipped]:
    """The comments of a file.

    Raises:
        DamagedFile: it cannot be read, or not any further; what was read before has been given.
    """
    return tables.read(source, columns) if form is Format.TABLE else READERS[form](source)


def _of_xml(beginning: str) -> Format:
    if "<disqus" in beginning:
        return Format.DISQUS
    if "<rss" in beginning:
        return Format.WORDPRESS
    raise DamagedFile("it is XML, but neither WordPress's nor of Disqus")
