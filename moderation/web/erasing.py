"""The administrators' page on which comments are erased, after a look at what that means."""

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, select

from moderation.clock import to_datetime
from moderation.desk import history
from moderation.domain import ActorKind
from moderation.errors import Conflict, NotFound
from moderation.models import Comment
from moderation.records import erasure
from moderation.review import Actor
from moderation.web.context import account, services
from moderation.web.desk.legible import pieces

blueprint = Blueprint("erasing", __name__, url_prefix="/desk/comments")


@blueprint.get("/<comment_id>/erase")
def confirm(comment_id: str) -> str:
    """What would be erased."""
    with services().database.read() as connection:
        found = history.of_comment(connection, comment_id, sites=account().sites)
        if found is None:
            raise NotFound("there is no such comment")
        ids, site_id = _of_author(connection, comment_id)
        names = erasure.names_of(connection, ids)
        examples = erasure.examples_named(connection, site_id, names)
    return render_template(
        "desk/erase.html",
        comment=found[0],
        of_author=len(ids),
        names=names,
        examples=len(examples),
        to_datetime=to_datetime,
        pieces=pieces,
    )


@blueprint.post("/<comment_id>/erase")
def erase(comment_id: str) -> ResponseReturnValue:
    """Erase the comment and, where that is asked for, all of its author's on the site."""
    whole = "author" in request.form
    with services().database.write() as connection:
        ids, site_id = _of_author(connection, comment_id)
        ids = ids if whole else [comment_id]
        names = erasure.names_of(connection, ids) if "examples" in request.form else []
        further = erasure.examples_named(connection, site_id, names)
        done = erasure.erase(connection, ids, actor=Actor(ActorKind.MODERATOR, account().name))
        if not done:
            raise Conflict("this comment is erased already")
        erasure.erase_examples(connection, further)
    what = f"{done:,} comment{'' if done == 1 else 's'}"
    also = f" and {len(further):,} examples" if further else ""
    flash(f"Erased: {what}{also}.", "done")
    return redirect(url_for("history.comment", comment_id=comment_id), HTTPStatus.SEE_OTHER)


def _of_author(connection: Connection, comment_id: str) -> tuple[list[str], int]:
    """What the comment's author wrote on its site, the comment included; and the site."""
    columns = (Comment.site_id, Comment.author_id)
    row = connection.execute(select(*columns).where(Comment.id == comment_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such comment")
    return erasure.of_author(connection, row.site_id, row.author_id), row.site_id
