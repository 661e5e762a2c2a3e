"""Labelled comments in a table: Jigsaw's two forms, and any CSV or JSON lines with a text and a
label."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from moderation.domain import ModeratorReason
from moderation.imports.errors import DamagedFile
from moderation.imports.records import PERSON, Imported, Raw, Skipped, Verdict, imported
from moderation.imports.rows import Row, rows
from moderation.imports.source import Source

NO_COLUMNS: Mapping[str, str] = MappingProxyType({})

_TOXIC = {
    "threat": ModeratorReason.THREAT,
    "identity_hate": ModeratorReason.HATE,
    "obscene": ModeratorReason.OBSCENE,
    "insult": ModeratorReason.ABUSE,
    "severe_toxic": ModeratorReason.ABUSE,
    "toxic": ModeratorReason.ABUSE,
}
"""Jigsaw's labels, what says most first."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "comment_text", "comment", "message", "body", "content"),
    "label": ("label", "reject", "unwanted", "target", "status", "is_spam", "toxicity"),
    "id": ("id", "comment_id"),
    "name": ("name", "author"),
    "email": ("email",),
    "website": ("website", "url"),
    "page": ("page", "link", "group"),
    "parent": ("parent", "parent_id"),
    "created": ("date", "created", "created_at", "created_date", "time"),
    "reason": ("reason",),
}
"""What a column is called, the first that is there."""

FIELDS = tuple(_NAMES)

_NO_LABEL = f"no column with a label: none is called {', '.join(_NAMES['label'])}"

_WORDS = {
    **dict.fromkeys(("approved", "approve", "published", "ham", "false", "no", "ok", "good"), 0.0),
    **dict.fromkeys(("rejected", "reject", "spam", "true", "yes", "deleted", "bad", "toxic"), 1.0),
}


def read(source: Source, columns: Mapping[str, str] = NO_COLUMNS) -> Iterator[Imported | Skipped]:
    """The labelled rows of a file.

    Args:
        columns: column by field (`FIELDS`), where it is not called by one of the usual names.

    Raises:
        DamagedFile: it has no column with a text, or cannot be read any further.
    """
    usable = False
    for found in rows(source):
        if isinstance(found, Skipped):
            yield found
            continue
        line, row = found
        if not usable:
            _check(row, columns)
            usable = True
        yield _comment(line, row, columns)


def _check(row: Row, columns: Mapping[str, str]) -> None:
    for field, name in columns.items():
        if name not in row:
            raise DamagedFile(f"it has no column {name!r} for {field}; it has {', '.join(row)}")
    if _column(row, "text", columns) is None:
        raise DamagedFile(f"it has no column with a text; its columns are {', '.join(row)}")


def _comment(line: int, row: Row, columns: Mapping[str, str]) -> Imported | Skipped:
    def of(field: str) -> str:
        name = _column(row, field, columns)
        return "" if name is None else row[name]

    verdict = _of_jigsaw(row) if set(_TOXIC) <= set(row) else _of_label(of("label"), of("reason"))
    if isinstance(verdict, str):
        unlabelled = _column(row, "label", columns) is None and not set(_TOXIC) <= set(row)
        return Skipped(_NO_LABEL if unlabelled else verdict, line)
    text, page, name, created = (of(field) for field in ("text", "page", "name", "created"))
    raw = Raw(
        line=line,
        text=text,
        origin_id=of("id") or _digest(text, page, name, created),
        name=name,
        email=of("email"),
        website=of("website"),
        page=page,
        parent=of("parent"),
        created=created,
    )
    return imported(raw, verdict)


def _column(row: Row, field: str, columns: Mapping[str, str]) -> str | None:
    if field in columns:
        return columns[field] if columns[field] in row else None
    return next((name for name in _NAMES[field] if name in row), None)


def _of_jigsaw(row: Row) -> Verdict | str:
    values = {name: _number(row[name]) for name in _TOXIC}
    if any(value == -1 for value in values.values()):
        return "not rated (-1)"
    rated = {name: value for name, value in values.items() if value is not None}
    if len(rated) < len(values) or not all(0 <= value <= 1 for value in rated.values()):
        return "a label is not a number from 0 to 1"
    worst = max(rated.values())
    reason = next((_TOXIC[name] for name in _TOXIC if rated[name] >= 0.5), "")
    return Verdict(worst, PERSON, reason)


def _of_label(label: str, reason: str) -> Verdict | str:
    word = label.strip().lower()
    if not word:
        return "no label"
    value = _WORDS.get(word, _number(word))
    if value == -1:
        return "not rated (-1)"
    if value is None or not 0 <= value <= 1:
        return "its label is neither a number from 0 to 1 nor a word for published or not"
    known = reason.strip().lower() if reason.strip().lower() in list(ModeratorReason) else ""
    if word == "spam":
        known = ModeratorReason.SPAM
    return Verdict(value, PERSON, known if value >= 0.5 else "")


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _digest(*parts: str) -> str:
    """What a comment without an id is known by when it comes again."""
    return hashlib.blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).hexdigest()
