"""What a page needs that shows comments and their form without code of its own: the script, the
challenge for its form, and the same as a page of ours for readers without JavaScript."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from moderation.addresses import origin_of
from moderation.errors import FieldError, InvalidInput
from moderation.models import Comment
from moderation.schemas import AltchaChallenge, FormChallenge, FormQuery, SiteQuery, parse
from moderation.sites import SiteRef
from moderation.web.context import services
from moderation.website import threads
from moderation.website.challenges import LASTS, WAIT

blueprint = Blueprint("forms", __name__)


@blueprint.get("/embed.js")
def script() -> Response:
    """The script for pages of other origins, at an address that is short and stays."""
    return current_app.send_static_file("embed.js")


@blueprint.get("/v1/challenge")
def challenge() -> ResponseReturnValue:
    """A challenge for a form of the site."""
    site = site_named(parse(SiteQuery, request.args.to_dict()).site)
    made = services().challenges.make(site.id, proof_of_work=site.settings.rules.proof_of_work)
    answer = FormChallenge(
        token=made.token,
        wait_ms=WAIT,
        lasts_ms=LASTS,
        altcha=AltchaChallenge.model_validate(made.altcha) if made.altcha else None,
    )
    return jsonify(answer.model_dump(mode="json")), {"Cache-Control": "no-store"}


@blueprint.get("/v1/form")
def form() -> ResponseReturnValue:
    """A page's published comments and the form of a reply, without a script."""
    query = parse(FormQuery, request.args.to_dict())
    typed = {"site": query.site, "page": query.page, "page_title": query.title}
    typed |= {"parent": query.parent, "back": "form"}
    context = form_context(site_named(query.site), typed, after=query.after)
    page = render_template(
        "form.html", typed=typed, messages={}, posted=_posted(query.comment), **context
    )
    return page, {"Cache-Control": "no-store"}


def form_context(site: SiteRef, typed: dict[str, Any], *, after: str = "") -> dict[str, Any]:
    """What the form's page needs beside the form's fields.

    Args:
        typed: the fields as they came; `site` and `page` are what they should be.
        after: the last conversation of the page before.
    """
    page = typed["page"]
    with services().database.read() as connection:
        found = threads.published(connection, site_id=site.id, page=page, after=after, limit=50)
        closed = threads.is_closed(
            connection, site_id=site.id, page=page, after_days=site.settings.close_after_days
        )
    here = form_address(typed)
    return {
        "comments": found.comments,
        "closed": closed,
        # Only an address that the site vouches for becomes a link.
        "article": page if origin_of(page) in site.settings.origins else "",
        "here": here,
        "next": f"{here}&{urlencode({'after': found.next})}" if found.next else "",
        "token": services().challenges.make(site.id, proof_of_work=False).token,
    }


def form_address(typed: dict[str, Any]) -> str:
    """The address of the form's page, to which more may be added with `&`."""
    values = {"site": typed["site"], "page": typed["page"], "title": typed.get("page_title", "")}
    return url_for("forms.form", **values)


def site_named(name: str) -> SiteRef:
    """The site of this public name.

    Raises:
        InvalidInput: there is none.
    """
    site = services().sites.by_name(name)
    if site is None:
        raise InvalidInput(FieldError("site", "is not known here"))
    return site


def _posted(comment_id: str) -> Any:
    if not comment_id:
        return None
    # Not its text: whoever got a link would see what nobody has approved, on our address.
    own = select(Comment.id, Comment.status).where(Comment.id == comment_id)
    with services().database.read() as connection:
        return connection.execute(own).one_or_none()
