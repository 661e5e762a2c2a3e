"""What Coral's external moderation phase asks, and how it is answered. Pure."""

import hashlib
import hmac
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moderation.classifier.prediction import REJECT, Reason
from moderation.domain import ModeratorReason, Status
from moderation.schemas import PAGE_BYTES, line, prose
from moderation.submissions import NewComment
from moderation.website.perspective import CORAL
from moderation.website.sent import Sent

PROTOCOL = CORAL

_SCHEME = "sha256="

# What Coral's editor writes: blocks end lines, other tags are only looks.
_LINE_ENDS = re.compile(r"<br\s*/?>|</(?:p|div|li|blockquote)\s*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")

_STATUSES = {
    Status.APPROVED: "NONE",
    Status.REJECTED: "REJECTED",
    Status.HELD: "SYSTEM_WITHHELD",
    Status.PENDING: "SYSTEM_WITHHELD",
}
"""`NONE` is published; `SYSTEM_WITHHELD` waits for Coral's moderators."""

_FLAGS = {
    Reason.SPAM: "COMMENT_DETECTED_SPAM",
    ModeratorReason.ADVERTISING: "COMMENT_DETECTED_SPAM",
    "too_many_links": "COMMENT_DETECTED_SPAM",
    Reason.TOXIC: "COMMENT_DETECTED_TOXIC",
    Reason.SEVERE_TOXIC: "COMMENT_DETECTED_TOXIC",
    Reason.OBSCENE: "COMMENT_DETECTED_TOXIC",
    Reason.THREAT: "COMMENT_DETECTED_TOXIC",
    Reason.INSULT: "COMMENT_DETECTED_TOXIC",
    Reason.IDENTITY_ATTACK: "COMMENT_DETECTED_TOXIC",
    REJECT: "COMMENT_DETECTED_TOXIC",
}


def is_signed(body: bytes, signatures: str, secret: str) -> bool:
    """Whether one of the signatures in Coral's header is that of the raw body."""
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return any(
        hmac.compare_digest(one.strip().encode(), f"{_SCHEME}{wanted}".encode())
        for one in signatures.split(",")
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A comment that Coral asks about."""

    text: str
    page: str
    author: str
    parent: str

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Asked":
        """Whatever is missing is empty: a comment that is hard to read is checked all the same."""
        comment, author, story = (_part(body, name) for name in ("comment", "author", "story"))
        page = line(_text(story, "url") or _text(story, "id"))
        return cls(
            text=_readable(_text(comment, "body")),
            page=page.encode()[:PAGE_BYTES].decode(errors="ignore") or PROTOCOL,
            author=line(_text(author, "id"))[:200],
            parent=line(_text(comment, "parentID")),
        )

    @property
    def sent(self) -> Sent:
        """By what it is recognized when Coral's moderators speak of it."""
        return Sent(PROTOCOL, self.text, (self.page, self.author, self.parent))

    def comment(self, site_id: int, *, idempotency_key: str) -> NewComment:
        """What is stored. Coral tells neither name nor address, but who it is."""
        return NewComment(
            site_id=site_id,
            page=self.page,
            page_title="",
            parent_id=None,
            name="",
            email="",
            website="",
            text=self.text,
            ip=None,
            user_agent="",
            referrer="",
            idempotency_key=idempotency_key,
            author=f"{PROTOCOL}:{self.author}" if self.author else "",
        )


def answer(status: Status, reason: str) -> dict[str, Any]:
    """What Coral is told. `reason`: why the comment stands there (see `models.Comment`)."""
    told: dict[str, Any] = {"status": _STATUSES[status]}
    flag = _FLAGS.get(reason)
    if status is not Status.APPROVED and flag:
        told["actions"] = [{"actionType": "FLAG", "reason": flag}]
    return told


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    return part if isinstance(part, dict) else {}


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _readable(body: str) -> str:
    """Coral's HTML as plain text."""
    text = html.unescape(_TAG.sub("", _LINE_ENDS.sub("\n", body)))
    read: str = prose(text)
    return read
