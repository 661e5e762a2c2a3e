"""What a moderator does about a comment that leaves its status alone: events all the same."""

from typing import Any

from sqlalchemy import Connection, insert, select

from moderation.access.accounts import AccountRef
from moderation.clock import now_ms
from moderation.domain import ActorKind, EventKind
from moderation.errors import NotFound
from moderation.models import Comment, Event

NOTE_LENGTH = 1_000


def note(connection: Connection, *, comment_id: str, text: str, moderator: AccountRef) -> None:
    """Write a note for other moderators.

    Raises:
        NotFound: there is no such comment on the moderator's sites.
    """
    record(
        connection,
        comment_id=comment_id,
        kind=EventKind.NOTE,
        moderator=moderator,
        evidence={"note": text},
    )


def email(connection: Connection, *, comment_id: str, moderator: AccountRef) -> str:
    """The sender's e-mail address. The look is an event, which does not repeat the address.

    Raises:
        NotFound: there is no such comment on the moderator's sites.
    """
    found = record(
        connection,
        comment_id=comment_id,
        kind=EventKind.LOOK,
        moderator=moderator,
        evidence={"field": "email"},
    )
    address: str = found.email
    return address


def record(
    connection: Connection,
    *,
    comment_id: str,
    kind: EventKind,
    moderator: AccountRef,
    evidence: dict[str, Any],
) -> Any:
    """Write an event that changes no status; the comment's row.

    Raises:
        NotFound: there is no such comment on the moderator's sites.
    """
    columns = (Comment.id, Comment.site_id, Comment.author_id, Comment.status, Comment.email)
    row = connection.execute(select(*columns).where(Comment.id == comment_id)).one_or_none()
    if row is None or not (moderator.sites is None or row.site_id in moderator.sites):
        raise NotFound("there is no such comment")
    connection.execute(
        insert(Event).values(
            comment_id=comment_id,
            site_id=row.site_id,
            kind=kind,
            at=now_ms(),
            actor_kind=ActorKind.MODERATOR,
            actor=moderator.name,
            from_status=row.status,
            to_status=row.status,
            reason="",
            evidence=evidence,
        )
    )
    return row
