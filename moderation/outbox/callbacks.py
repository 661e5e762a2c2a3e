"""Calls back to Akismet clients: what became of a comment that they were told to wait for.

The form is the one that WordPress's plugin understands, and goes through the outbox.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from moderation.domain import Status
from moderation.models import Callback, Comment
from moderation.outbox import deliveries

TYPE = "akismet.callback"


def tell(connection: Connection, decided: Mapping[str, Status]) -> None:
    """Have those clients told that asked about one of these comments, and wait for an answer.

    Args:
        decided: where each comment stands now: approved or rejected.
    """
    query = (
        select(Comment.site_id, Callback.comment_id, Callback.url, Callback.key, Callback.guid)
        .join(Comment, Comment.id == Callback.comment_id)
        .where(Callback.comment_id.in_(decided))
    )
    for row in connection.execute(query).all():
        is_spam = decided[row.comment_id] is Status.REJECTED
        deliveries.enqueue_form(
            connection,
            site_id=row.site_id,
            url=row.url,
            type=TYPE,
            comment_id=row.comment_id,
            fields={
                "key": row.key,
                "endpoint": "comment-check",
                "comments[0][guid]": row.guid,
                "comments[0][result]": "true" if is_spam else "false",
            },
        )
