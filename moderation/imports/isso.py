"""Isso: its SQLite database, which may be anybody's file: read only, and nothing in it runs."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moderation.imports.errors import DamagedFile
from moderation.imports.records import STATE, Imported, Raw, Skipped, Verdict, imported
from moderation.imports.source import LONGEST, SQLITE, Source

_APPROVED = 1
_STANDS = {2: "nobody has decided about it there", 4: "deleted there: only its place is left"}

_COMMENTS = """
SELECT comments.id, comments.parent, comments.created, comments.mode, comments.remote_addr,
       comments.text, comments.author, comments.email, comments.website, threads.uri, threads.title
FROM comments LEFT JOIN threads ON threads.id = comments.tid ORDER BY comments.id
"""


def read(source: Source) -> Iterator[Imported | Skipped]:
    """The comments, with their numbers in place of lines.

    Raises:
        DamagedFile: it is no database of Isso, or damaged.
    """
    with tempfile.TemporaryDirectory(prefix="moderation-") as folder:
        # A copy: the archive unpacked, and nobody writes to it meanwhile.
        copy = Path(folder) / "isso.sqlite3"
        with copy.open("wb") as file:
            file.writelines(source.binary())
        try:
            with closing(_opened(copy)) as connection:
                for row in connection.execute(_COMMENTS):
                    yield _comment(row)
        except sqlite3.Error as error:
            raise DamagedFile(f"it cannot be read as a database of Isso: {error}") from None


def _opened(path: Path) -> sqlite3.Connection:
    with path.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            raise DamagedFile("it is no SQLite database")
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.text_factory = lambda data: data.decode("utf-8", errors="moderation.mark")
    kinds = dict(
        connection.execute(
            "SELECT name, type FROM sqlite_schema WHERE name IN ('comments', 'threads')"
        )
    )
    # A view of that name could be a query without an end.
    if kinds != {"comments": "table", "threads": "table"}:
        connection.close()
        raise DamagedFile("it is no database of Isso: it has no tables `comments` and `threads`")
    return connection


def _comment(row: tuple[Any, ...]) -> Imported | Skipped:
    number, parent, created, mode, address, text, author, email, website, uri, title = row
    line = number if isinstance(number, int) else 0
    if mode != _APPROVED:
        return Skipped(_STANDS.get(mode, "without a status"), line)
    raw = Raw(
        line=line,
        text=_string(text),
        origin_id=_string(number),
        name=_string(author),
        email=_string(email),
        website=_string(website),
        page=_string(uri),
        page_title=_string(title),
        parent=_string(parent),
        created=_string(created),
        ip=_string(address),
    )
    return imported(raw, Verdict(0.0, STATE))


def _string(value: Any) -> str:
    return "" if value is None else str(value)
