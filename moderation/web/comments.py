"""The website's side: comments come in, published ones go out."""

from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urldefrag, urlencode

from flask import Blueprint, Response, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection, select
from werkzeug.exceptions import UnsupportedMediaType

from moderation.addresses import origin_of
from moderation.clock import to_datetime
from moderation.domain import Status
from moderation.errors import (
    Closed,
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
    Overloaded,
    Unauthorized,
)
from moderation.models import Comment
from moderation.schemas import (
    CommentReceipt,
    CommentState,
    CommentSubmission,
    PublishedQuery,
    SenderIn,
    parse,
)
from moderation.sites import SiteRef
from moderation.submissions import NewComment
from moderation.web import demo, forms
from moderation.web.conditional import conditional
from moderation.web.context import json_object, services, wants_html
from moderation.web.keys import keyed_site
from moderation.website import feedback, threads
from moderation.website.client_schemas import CorrectedState, FeedbackIn, ReportIn
from moderation.website.freshness import Moment

blueprint = Blueprint("comments", __name__, url_prefix="/v1/comments")

_Refusal = InvalidInput | Closed | Conflict | Overloaded

_STATUS_OF = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    Closed: HTTPStatus.FORBIDDEN,
    Conflict: HTTPStatus.CONFLICT,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
}

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@blueprint.post("")
def submit() -> ResponseReturnValue:
    """Store a comment; it is decided in a moment."""
    from_browser = request.mimetype in _FORMS and wants_html()
    fields = _sent_fields()
    try:
        submission = parse(CommentSubmission, fields)
        site = _site(submission.site)
        _refuse_if_closed(site, submission.page)
        comment, waits = _new_comment(submission, site), _prefers_to_wait()
        receipt = (
            services().checks.check(comment) if waits else services().submissions.submit(comment)
        )
    except (InvalidInput, Closed, Conflict, Overloaded) as error:
        if from_browser:
            return _form_again(fields, error)
        raise
    location = f"{request.path}/{receipt.id}"
    if from_browser:
        return redirect(
            _way_back(fields, submission.page, site, receipt.id) or location, HTTPStatus.SEE_OTHER
        )
    body = CommentReceipt(id=receipt.id, status=receipt.status).model_dump_json()
    headers = {"Location": location, "Content-Type": "application/json"}
    if not waits or receipt.status is Status.PENDING:
        return Response(body, HTTPStatus.ACCEPTED, headers)
    return Response(body, HTTPStatus.CREATED, headers | {"Preference-Applied": "wait"})


@blueprint.post("/<comment_id>/feedback")
def give_feedback(comment_id: str) -> ResponseReturnValue:
    """Take over what somebody at the site decided about a comment there."""
    site = keyed_site()
    said = parse(FeedbackIn, json_object())
    with services().database.write() as connection:
        feedback.correct(
            connection,
            site_id=site.id,
            comment_id=comment_id,
            to=said.status,
            reason=said.reason or "",
            by=said.by,
        )
    return _answer_with(_standing(comment_id, CorrectedState))


@blueprint.post("/<comment_id>/reports")
def report(comment_id: str) -> ResponseReturnValue:
    """Keep that a reader reported a comment; it stays where it stands."""
    site = keyed_site()
    said = parse(ReportIn, json_object())
    with services().database.write() as connection:
        feedback.report(
            connection,
            site_id=site.id,
            comment_id=comment_id,
            reason=said.reason or "",
            by=said.by,
        )
    return _answer_with(_standing(comment_id, CommentState))


@blueprint.get("/<comment_id>")
def state(comment_id: str) -> ResponseReturnValue:
    """Where a comment stands; whoever knows its id may ask."""
    found = _standing(comment_id, CommentState)
    return render_template("state.html", comment=found) if wants_html() else _answer_with(found)


_State = TypeVar("_State", bound=CommentState)


def _standing(comment_id: str, kind: type[_State]) -> _State:
    query = select(Comment.id, Comment.status, Comment.created_at, Comment.version).where(
        Comment.id == comment_id
    )
    with services().database.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("there is no such comment")
    return kind.model_validate(row._asdict() | {"created_at": to_datetime(row.created_at)})


def _answer_with(found: CommentState) -> ResponseReturnValue:
    return jsonify(found.model_dump(mode="json")), {"Cache-Control": "no-store"}


@blueprint.get("")
def published() -> ResponseReturnValue:
    """The published comments of a page."""
    query = parse(PublishedQuery, request.args.to_dict())
    site = _site(query.site)

    def build(connection: Connection, _: Moment) -> Response:
        page = threads.published(
            connection, site_id=site.id, page=query.page, after=query.after, limit=query.limit
        )
        page.closed = threads.is_closed(
            connection,
            site_id=site.id,
            page=query.page,
            after_days=site.settings.close_after_days,
        )
        return jsonify(page.model_dump(mode="json"))

    return conditional(site.id, build)


def _sent_fields() -> dict[str, Any]:
    fields = request.form.to_dict() if request.mimetype in _FORMS else _sent_json()
    # A browser was told by the address whether its page may post: nothing else may count.
    return fields | {"site": request.args["site"]} if "site" in request.args else fields


def _sent_json() -> dict[str, Any]:
    if not request.is_json:
        raise UnsupportedMediaType("send application/json or an HTML form")
    return json_object()


def _site(name: str) -> SiteRef:
    """The site that the request's key or, without a key, its `site` field names."""
    if request.headers.get("Authorization"):
        return keyed_site()
    if not name:
        raise Unauthorized("send your site's key as a bearer token, or name the site in `site`")
    site = services().sites.by_name(name)
    if site is None:
        raise InvalidInput(FieldError("site", "is not known here"))
    return site


def _refuse_if_closed(site: SiteRef, page: str) -> None:
    days = site.settings.close_after_days
    if days is None:
        return
    with services().database.read() as connection:
        if threads.is_closed(connection, site_id=site.id, page=page, after_days=days):
            raise Closed("the discussion of this page is closed")


def _new_comment(submission: CommentSubmission, site: SiteRef) -> NewComment:
    # Only a server with the key may speak for somebody else; a browser speaks for itself.
    if "Authorization" in request.headers:
        sender = (submission.ip, submission.user_agent, submission.referrer)
        trap = None
    else:
        trap = services().challenges.trap(
            site.id,
            token=submission.token,
            altcha=submission.altcha,
            honeypot=submission.mail_subject,
        )
        browser = request.user_agent.string[:500]
        sender = (_address(), browser, (request.referrer or "")[:2000])
    ip, user_agent, referrer = sender
    return NewComment(
        site_id=site.id,
        page=submission.page,
        page_title=submission.page_title,
        parent_id=submission.parent,
        name=submission.name,
        email=submission.email,
        website=submission.website,
        text=submission.text,
        ip=ip,
        user_agent=user_agent,
        referrer=referrer,
        idempotency_key=_idempotency_key(),
        trap=trap or "",
    )


def _address() -> str | None:
    """The browser's IP address, unless a proxy said something that is none."""
    try:
        return parse(SenderIn, {"ip": request.remote_addr}).ip
    except InvalidInput:
        return None


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= 255:
        raise InvalidInput(FieldError("Idempotency-Key", "has to have 1 to 255 characters"))
    return key


def _prefers_to_wait() -> bool:
    """Whether the sender wants the decision as the answer: `Prefer: wait` (RFC 7240)."""
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return any(one.partition("=")[0].strip() == "wait" for one in preferences)


def _way_back(fields: dict[str, Any], page: str, site: SiteRef, comment_id: str) -> str | None:
    """The address to send a browser back to: the page it posted from, never any page at all."""
    if fields.get("back") == "form":
        address = forms.form_address(fields | {"site": site.name, "page": page})
    elif page == demo.PAGE:
        address = url_for("demo.article")
    elif origin_of(page) in {*site.settings.origins, request.headers.get("Origin", "")}:
        address = urldefrag(page).url
    else:
        return None
    separator = "&" if "?" in address else "?"
    return f"{address}{separator}{urlencode({'comment': comment_id})}#comment-{comment_id}"


def _form_page(typed: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The template of the page that the form stood on, and what it needs."""
    site = services().sites.by_name(typed.get("site", ""))
    if typed.get("back") == "form" and site and typed.get("page"):
        return "form.html", forms.form_context(site, typed)
    if typed.get("page") == demo.PAGE:
        return "demo.html", demo.context()
    return "reply.html", {}


def _form_again(
    fields: dict[str, Any], error: InvalidInput | Closed | Conflict | Overloaded
) -> Response:
    """The reader's page again, with what was typed and what is wrong with it."""
    wrong_fields = error.errors if isinstance(error, InvalidInput) else ()
    messages = {CommentSubmission.field_of(e.field): e.detail for e in wrong_fields}
    typed = {CommentSubmission.field_of(name): value for name, value in fields.items()}
    template, context = _form_page(typed)
    site = services().sites.by_name(typed.get("site", ""))
    if site and (origin := origin_of(typed.get("page", ""))) in site.settings.origins:
        g.origin_after_form = f" {origin}"
    failure = "" if wrong_fields else str(error)
    page = render_template(template, typed=typed, messages=messages, failure=failure, **context)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Overloaded) else {}
    return Response(page, _STATUS_OF[type(error)], headers)
