"""What an Akismet client says of a comment, and the figures that its owner asks for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from moderation.classifier.prediction import Document
from moderation.domain import ActorKind, EventKind, LabelSource, Selection, Status
from moderation.ids import floor_id
from moderation.models import Comment, Event, Label
from moderation.policy import Decision
from moderation.schemas import NAME_LENGTH, PAGE_BYTES, ip_address, line, prose, web_address
from moderation.submissions import NewCallback, NewComment
from moderation.website.sent import Sent

PROTOCOL = "akismet"

HONEYPOT = "honeypot"
SITE_ADMINISTRATOR = "site_administrator"

_TEST_NAMES = frozenset({"akismet-guaranteed-spam", "viagra-test-123"})
_TEST_ADDRESS = "akismet-guaranteed-spam@example.com"

# What `addslashes` has put before quotes, backslashes and NUL.
_SLASHED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """A comment as a client describes it, cleaned and cut: what cannot be stored as it is would
    otherwise be a comment that nobody checks."""

    text: str
    name: str
    email: str
    website: str
    page: str
    ip: str | None
    user_agent: str
    referrer: str
    kind: str
    date: str
    is_test: bool
    is_recheck: bool
    from_administrator: bool
    fell_into_honeypot: bool
    callback: str

    @classmethod
    def read(cls, fields: Mapping[str, Any], *, slashed: bool) -> "Call":
        """`slashed`: whether the client sends text with backslashes before quotes."""

        def given(name: str) -> str:
            value = fields.get(name)
            text = str(value) if isinstance(value, (str, int, float)) else ""
            return _SLASHED.sub(r"\1", text) if slashed else text

        trap = given("honeypot_field_name")
        return cls(
            text=prose(given("comment_content")),
            name=line(given("comment_author"))[:NAME_LENGTH],
            email=line(given("comment_author_email"))[:254],
            website=_sound(web_address, line(given("comment_author_url"))) or "",
            page=_page(line(given("permalink")) or line(given("blog"))),
            ip=_sound(ip_address, line(given("user_ip"))),
            user_agent=line(given("user_agent"))[:500],
            referrer=line(given("referrer"))[:2000],
            kind=line(given("comment_type")),
            date=line(given("comment_date_gmt")),
            is_test=given("is_test").strip().lower() in ("1", "true"),
            is_recheck=bool(given("recheck_reason").strip()),
            from_administrator=given("user_role").strip() == "administrator",
            fell_into_honeypot=bool(trap and given(trap).strip()),
            callback=_callback(line(given("callback"))),
        )

    @property
    def document(self) -> Document:
        """What the classifier may look at."""
        return Document(self.text, self.name, self.website)

    @property
    def sent(self) -> Sent:
        """By what it is recognized."""
        about = (self.name, self.email, self.website, self.page, self.ip or "", self.kind)
        return Sent(PROTOCOL, self.text, (*about, self.date))

    @property
    def known(self) -> dict[str, str]:
        """What else tells it from others with the same text."""
        # Not the website, whose scheme many write in their own way.
        return {"name": self.name, "email": self.email, "page": self.page}

    @property
    def fixed(self) -> Status | None:
        """The answer that clients' own tests expect, whatever the text."""
        if self.name in _TEST_NAMES or self.email.lower() == _TEST_ADDRESS:
            return Status.REJECTED
        if self.from_administrator and self.is_test:
            return Status.APPROVED
        return None

    @property
    def decision(self) -> Decision | None:
        """What is clear without looking at the text."""
        if self.fell_into_honeypot:
            return _by_rule(
                Status.REJECTED, HONEYPOT, "a field that only programs see was filled in"
            )
        if self.from_administrator:
            return _by_rule(
                Status.APPROVED, SITE_ADMINISTRATOR, "written by an administrator of the site"
            )
        return None

    def comment(self, site_id: int, *, idempotency_key: str, key: str) -> NewComment:
        """What is stored. `key`: the site key that the call came with."""
        return NewComment(
            site_id=site_id,
            page=self.page,
            page_title="",
            parent_id=None,
            name=self.name,
            email=self.email,
            website=self.website,
            text=self.text,
            ip=self.ip,
            user_agent=self.user_agent,
            referrer=self.referrer,
            idempotency_key=idempotency_key,
            callback=NewCallback(self.callback, key) if self.callback else None,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a site's checks in some time, counted."""

    spam: int
    ham: int
    missed_spam: int
    false_positives: int

    @property
    def checks(self) -> int:
        """How many comments were checked."""
        return self.spam + self.ham

    @property
    def accuracy(self) -> float:
        """Percent of the checks that nobody corrected; 100 where there were none."""
        wrong = min(self.missed_spam + self.false_positives, self.checks)
        return round(100 * (1 - wrong / self.checks), 2) if self.checks else 100.0


def figures(connection: Connection, site_id: int, *, since: int, until: int) -> Figures:
    """Of the checks and corrections that came from `since` and before `until`, in milliseconds
    since 1970."""
    checked = (
        select(Event.to_status, func.count())
        .join(Comment, Comment.id == Event.comment_id)
        .where(
            Comment.site_id == site_id,
            Comment.id >= floor_id(since),
            Comment.id < floor_id(until),
            Comment.idempotency_key >= f"{PROTOCOL}-",
            Comment.idempotency_key < f"{PROTOCOL}-g",
            Event.actor_kind == ActorKind.WORKER,
            Event.kind == EventKind.DECISION,
        )
        .group_by(Event.to_status)
    )
    corrected = (
        select(Label.unwanted, func.count())
        .where(
            Label.site_id == site_id,
            Label.source == LabelSource.CLIENT,
            Label.actor == PROTOCOL,
            Label.at >= since,
            Label.at < until,
        )
        .group_by(Label.unwanted)
    )
    # Only what contradicts the answer that was given.
    missed = corrected.where(Label.unwanted == 1, Label.selection == Selection.PUBLISHED)
    false = corrected.where(Label.unwanted == 0, Label.selection != Selection.PUBLISHED)
    answers = {row[0]: row[1] for row in connection.execute(checked)}
    return Figures(
        spam=sum(count for status, count in answers.items() if status != Status.APPROVED),
        ham=answers.get(Status.APPROVED, 0),
        missed_spam=sum(row[1] for row in connection.execute(missed)),
        false_positives=sum(row[1] for row in connection.execute(false)),
    )


def month(name: str) -> tuple[int, int]:
    """Beginning and end of a month such as "2026-11", in milliseconds since 1970.

    Raises:
        ValueError: it is none.
    """
    first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    later = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return round(first.timestamp() * 1000), round(later.timestamp() * 1000)


def _by_rule(status: Status, rule: str, detail: str) -> Decision:
    verdict = "reject" if status is Status.REJECTED else "approve"
    rules = [{"rule": rule, "verdict": verdict, "detail": detail}]
    return Decision(status, rule, evidence={"rules": rules})


def _sound(check: Callable[[str], str], value: str) -> str | None:
    try:
        return check(value)
    except ValueError:
        return None


def _page(value: str) -> str:
    return value.encode()[:PAGE_BYTES].decode(errors="ignore") or PROTOCOL


def _callback(value: str) -> str:
    return value if value.startswith(("http://", "https://")) and len(value) <= 2000 else ""
