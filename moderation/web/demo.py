"""An article with a comment form, to try the service on."""

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import select

from moderation.access.bootstrap import FIRST_SITE
from moderation.models import Comment
from moderation.web.context import services
from moderation.website import threads

blueprint = Blueprint("demo", __name__)

PAGE = "/demo"
TITLE = "The last ferry across the Ems"

_SHOWN = 100


@blueprint.get(PAGE)
def article() -> str:
    """The article, its published comments, and the one that its reader has just posted."""
    return render_template("demo.html", typed={}, messages={}, **context())


def context() -> dict[str, Any]:
    """What the article's template needs beside the form's fields."""
    site = services().sites.by_name(FIRST_SITE)
    posted_id = request.args.get("comment", "")
    own = select(Comment.id, Comment.name, Comment.text, Comment.status).where(
        Comment.id == posted_id
    )
    with services().database.read() as connection:
        posted = connection.execute(own).one_or_none() if posted_id else None
        page = (
            threads.published(connection, site_id=site.id, page=PAGE, after="", limit=_SHOWN)
            if site
            else None
        )
    return {
        "site": FIRST_SITE,
        "page": PAGE,
        "title": TITLE,
        "comments": page.comments if page else [],
        "posted": posted,
    }
