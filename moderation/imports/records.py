"""What a reader makes of a file: comments, and what is none."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from moderation.imports.source import MARK
from moderation.schemas import NAME_LENGTH, PAGE_BYTES, TEXT_LENGTH, WEBSITE_LENGTH, line, prose

PERSON = 1.0
"""Strength of a person's own verdict: Akismet's `akismet_user_result`, a label of a data set."""
STATE = 0.8
"""Of where a comment stood in the old system, which does not say who put it there."""
WEAK = 0.3
"""Of a machine's verdict, and of a removal that may have had any reason: trash, deletion."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a file that does not come in."""

    reason: str
    line: int
    """Line in the file, or number of the row where a format has no lines."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the file says of a comment: from 0 (published) to 1, how far that can be relied upon,
    and a `domain.ModeratorReason` where one is known."""

    unwanted: float
    strength: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A comment of another system, made to fit our columns."""

    origin_id: str
    line: int
    text: str
    verdict: Verdict
    name: str = ""
    email: str = ""
    website: str = ""
    page: str = ""
    page_title: str = ""
    parent: str = ""
    """`origin_id` of the comment it answers."""
    created_at: int | None = None
    """Milliseconds since 1970."""
    ip: str | None = None
    user_agent: str = ""


@dataclass(slots=True, kw_only=True)
class Raw:
    """A comment's fields as the file has them; `text` is plain already."""

    line: int
    text: str
    origin_id: str = ""
    name: str = ""
    email: str = ""
    website: str = ""
    page: str = ""
    page_title: str = ""
    parent: str = ""
    created: str = ""
    ip: str = ""
    user_agent: str = ""


ORIGIN_ID_LENGTH = 180

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_WEB = re.compile(r"https?://[^\s/]+\.[^\s]*", re.IGNORECASE)


def imported(raw: Raw, verdict: Verdict) -> Imported | Skipped:
    """The comment, made to fit; what cannot be made to fit is skipped or, where nobody would miss
    it, left empty."""
    fields = (raw.text, raw.name, raw.email, raw.website, raw.page, raw.page_title)
    if any(MARK in field for field in fields):
        return Skipped("its characters do not fit the file's encoding", raw.line)
    text = prose(raw.text)
    if not text:
        return Skipped("no text", raw.line)
    if len(text) > TEXT_LENGTH:
        return Skipped(f"longer than {TEXT_LENGTH:,} characters", raw.line)
    if len(raw.origin_id) > ORIGIN_ID_LENGTH:
        return Skipped(f"an id of more than {ORIGIN_ID_LENGTH} characters", raw.line)
    page = line(raw.page)
    if len(page.encode()) > PAGE_BYTES:
        return Skipped(f"a page's address of more than {PAGE_BYTES:,} bytes", raw.line)
    return Imported(
        origin_id=line(raw.origin_id),
        line=raw.line,
        text=text,
        verdict=verdict,
        name=line(raw.name)[:NAME_LENGTH],
        email=_email(line(raw.email)),
        website=_website(line(raw.website)),
        page=page,
        page_title=line(raw.page_title)[:300],
        parent=line(raw.parent),
        created_at=moment(line(raw.created)),
        ip=_ip(line(raw.ip)),
        user_agent=line(raw.user_agent)[:500],
    )


def moment(value: str) -> int | None:
    """Milliseconds since 1970 of a time as exports write it, UTC where it names no zone: ISO 8601,
    RFC 2822, or seconds since 1970; None for what is none of these."""
    if not value or value.startswith("0000"):
        return None
    try:
        if re.fullmatch(r"\d{9,10}(\.\d+)?", value):
            return round(float(value) * 1_000)
        found = _parsed(value)
        stamp = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    # Before the web there were no comments on it, and an id takes no later time than its 48 bits.
    return round(stamp * 1_000) if 0 <= stamp < 2**37 else None


def _parsed(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return parsedate_to_datetime(value)


def _email(value: str) -> str:
    return value if len(value) <= 254 and _ADDRESS.fullmatch(value) else ""


def _website(value: str) -> str:
    return value if len(value) <= WEBSITE_LENGTH and _WEB.fullmatch(value) else ""


def _ip(value: str) -> str | None:
    try:
        return str(ipaddress.ip_address(value)).partition("%")[0]
    except ValueError:
        return None
