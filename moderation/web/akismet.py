"""Akismet's protocol, for sites whose programs speak it. See docs/protocols.md.

Clients look at the body of an answer and at nothing else, letter by letter, and some publish a
comment on anything that they do not expect: so each path has its own words for an error, and none
of them is `false`.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from moderation.clock import now_ms, to_datetime
from moderation.domain import ModeratorReason, Status
from moderation.errors import Overloaded
from moderation.ids import new_id
from moderation.learning import operating_points
from moderation.policy import decide
from moderation.rules import Facts
from moderation.sites import SiteRef
from moderation.web import problems
from moderation.web.context import services
from moderation.website import akismet, feedback
from moderation.website.akismet import Call, Figures

blueprint = Blueprint("akismet", __name__)

THANKS = "Thanks for making the web a better place."

WAITING = "held"
"""Neither `true` nor `false`: WordPress's plugin leaves the comment pending and asks again."""

# The plugin of WordPress, in the versions that were seen to do so.
_WORDPRESS = re.compile(r"WordPress/\S+ \| Akismet/(?:[5-9]|\d\d)\b")

_CHECK = "akismet.comment_check"
_BAD_KEY = "the key is not known here"
_MONTH_MAY_BE = re.compile(r"\d{4}-\d{2}")
_LARGEST_PAGE = 500

View = Callable[..., Response]


class Refused(Exception):  # noqa: N818 - names the situation
    """The call cannot be answered; the message says why."""


def _call(path: str, *methods: str) -> Callable[[View], View]:
    """Answer at `path`, also below the prefix that carries a key."""

    def register(view: View) -> View:
        for prefix in ("", "/k/<key>"):
            blueprint.add_url_rule(f"{prefix}{path}", view_func=view, methods=list(methods))
        return view

    return register


@_call("/1.1/verify-key", "POST")
def verify_key(key: str = "") -> Response:
    """Whether a key is one of a site here."""
    fields = _fields()
    _require(fields, "blog")
    # The plugin sends the new key as `key`, and the one it has stored as `api_key`.
    _site(fields, key, newest="key")
    return _text("valid")


@_call("/1.1/comment-check", "GET", "POST")
def comment_check(key: str = "") -> Response:
    """Decide a comment, store it, and say what came of it."""
    if request.method != "POST":
        # What a redirect makes of it. An answer without our headers would publish the comment.
        raise Refused("comment-check wants POST, at the address that it is not led away from")
    fields = _fields()
    site, used = _site(fields, key)
    _require(fields, "blog", "user_ip")
    call = Call.read(fields, slashed=_is_wordpress())
    if call.fixed is not None:
        return _verdict(site, call.fixed, new_id())
    if call.is_test:
        return _verdict(site, _judged(site, call), new_id())
    found = None
    with services().database.read() as connection:
        if call.is_recheck:
            found = call.sent.find(connection, site.id, **call.known)
        stored_as = call.sent.key(connection, site.id)
    if found is not None:
        return _verdict(site, Status(found.status), found.id)
    comment = call.comment(site.id, idempotency_key=stored_as, key=used)
    receipt = services().checks.check(comment, decision=call.decision)
    return _verdict(site, receipt.status, receipt.id)


@_call("/1.1/submit-spam", "POST")
def submit_spam(key: str = "") -> Response:
    """A comment that should not have been published."""
    return _correct(key, Status.REJECTED, ModeratorReason.SPAM)


@_call("/1.1/submit-ham", "POST")
def submit_ham(key: str = "") -> Response:
    """A comment that should have been."""
    return _correct(key, Status.APPROVED, "")


@_call("/1.2/usage-limit", "GET", "POST")
def usage_limit(key: str = "") -> Response:
    """How many comments were checked this month; there is no limit."""
    site, _ = _site(_fields(), key)
    used = _figures(site, *akismet.month(_this_month())).checks
    return jsonify({"limit": "none", "usage": used, "percentage": "0.00", "throttled": False})


@_call("/1.2/key-sites", "GET", "POST")
def key_sites(key: str = "") -> Response:
    """What came of the checks of a month, for the one site of this key."""
    fields = _fields()
    site, _ = _site(fields, key)
    name = str(fields.get("month") or _this_month())
    if not _MONTH_MAY_BE.fullmatch(name):
        raise Refused('"month" has to look like 2026-11')
    try:
        found = _figures(site, *akismet.month(name))
    except ValueError:
        raise Refused('"month" has to look like 2026-11') from None
    limit, offset = _number(fields, "limit", _LARGEST_PAGE), _number(fields, "offset", 0)
    rows = [_row(site, found)] if str(fields.get("filter") or "") in site.name else []
    shown = rows[offset : offset + limit]
    if fields.get("format") == "csv":
        return _csv(shown)
    return jsonify({name: shown, "limit": limit, "offset": offset, "total": len(rows)})


@_call("/1.1/get-subscription", "POST")
def get_subscription(key: str = "") -> Response:
    """What the plugin wants to know before it saves a key."""
    site, _ = _site(_fields(), key, newest="key")
    return jsonify(
        {
            "account_id": site.id,
            "account_name": site.name,
            "account_type": "self-hosted",
            "status": "active",
            "next_billing_date": False,
            "limit_reached": False,
        }
    )


@_call("/1.1/deactivate", "POST")
def deactivate(key: str = "") -> Response:
    """The plugin was switched off. The key goes on working: it is revoked at the desk."""
    _site(_fields(), key, newest="key")
    return _text("deactivated")


@_call("/1.1/get-stats", "POST")
def get_stats(key: str = "") -> Response:
    """Figures for the plugin's page, of six months or of all time."""
    fields = _fields()
    site, _ = _site(fields, key)
    now = now_ms()
    since = 0 if fields.get("from") == "all" else now - _SIX_MONTHS
    found = _figures(site, since, now + 1)
    return jsonify(
        {
            "spam": found.spam,
            "ham": found.ham,
            "missed_spam": found.missed_spam,
            "false_positives": found.false_positives,
            "accuracy": found.accuracy,
            # How long a person would have taken is not known here.
            "time_saved": 0,
        }
    )


@_call("/1.1/test", "GET", "POST")
def connection_test(key: str = "") -> Response:  # noqa: ARG001 - it may stand in the address
    """The service is there."""
    return _text("connected")


@_call("/1.2/compatible-plugins", "GET", "POST")
def compatible_plugins(key: str = "") -> Response:  # noqa: ARG001
    """Other plugins that the plugin could tell of: none."""
    return jsonify([])


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    return _error("invalid", str(error), HTTPStatus.OK)


@blueprint.errorhandler(Exception)
def _failed(error: Exception) -> Response:
    """Nothing that could be taken for an answer, whatever happened."""
    if isinstance(error, HTTPException):
        return _error("invalid", error.description or error.name, error.code or 500)
    if isinstance(error, Overloaded):
        refusal = _error("error", str(error), HTTPStatus.SERVICE_UNAVAILABLE)
        refusal.headers["Retry-After"] = str(error.seconds)
        return refusal
    problems.note(error)
    return _error("error", "this is our mistake", HTTPStatus.INTERNAL_SERVER_ERROR)


_SIX_MONTHS = 183 * 24 * 3600 * 1000


def _fields() -> dict[str, Any]:
    """What was sent: in the address, and as JSON or a form in the caller's own characters."""
    fields: dict[str, Any] = request.args.to_dict()
    if request.mimetype == "multipart/form-data":
        return fields | request.form.to_dict()
    if request.is_json:
        sent = request.get_json()
        if not isinstance(sent, dict):
            raise Refused("the body has to be an object")
        return fields | sent
    # Latin-1 stands for bytes as they are: only the fields say what they mean.
    raw = request.get_data().decode("latin-1")
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, encoding="latin-1", max_num_fields=_FIELDS)
    except ValueError:
        raise Refused("there are too many fields") from None
    named = {name: value.encode("latin-1") for name, value in pairs}
    charset = named.get("blog_charset", b"").decode(errors="replace")
    return fields | {name: _decoded(value, charset) for name, value in named.items()}


# WordPress's plugin sends along all that its server knows of the request.
_FIELDS = 1_000


def _decoded(value: bytes, charset: str) -> str:
    """Text in the charset that was named; where that is none or not the right one, in UTF-8, or as
    Perl's client sends it."""
    for name in (charset, "utf-8"):
        try:
            return value.decode(name or "utf-8")
        except (LookupError, UnicodeError):
            continue
    return value.decode("cp1252", errors="replace")


def _site(fields: Mapping[str, Any], in_path: str, *, newest: str = "") -> tuple[SiteRef, str]:
    """The site of the key, wherever that stands, and the key.

    `newest`: the field that counts where several keys were sent.
    """
    names = (newest, "api_key", "key")
    sent = next((str(fields[name]) for name in names if fields.get(name)), "")
    # Some put it into the Host header: KEY.rest.example.org.
    key = sent or in_path or request.host.partition(".")[0]
    site = services().sites.by_key(key)
    if site is None:
        raise Refused(_BAD_KEY)
    return site, key


def _require(fields: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not str(fields.get(name) or "").strip():
            raise Refused(f'empty "{name}" value')


def _judged(site: SiteRef, call: Call) -> Status:
    """What would become of a comment that is not stored."""
    if call.decision is not None:
        return call.decision.status
    try:
        scored = services().checks.score([call.document], site)
    except Overloaded:
        return Status.HELD
    facts = Facts(
        text=call.text,
        name=call.name,
        website=call.website,
        author_approved=True,
        earlier_from_sender=0,
        agreement=0,
    )
    (prediction,) = scored.predictions
    model = scored.classifier
    with services().database.read() as connection:
        points = operating_points.points(connection, site.id, site.settings)
    return decide(
        prediction,
        facts,
        site.settings,
        model=model.version,
        thresholds=model.thresholds,
        point=points.get(model.version),
    ).status


def _verdict(site: SiteRef, status: Status, guid: str) -> Response:
    headers = {"X-akismet-guid": guid}
    if status is Status.APPROVED:
        return _text("false", headers)
    if status is Status.REJECTED:
        if site.settings.akismet_discard:
            headers["X-akismet-pro-tip"] = "discard"
        return _text("true", headers)
    waits = site.settings.akismet_waits and _is_wordpress()
    return _text(WAITING if waits else "true", headers)


def _correct(key: str, to: Status, reason: str) -> Response:
    fields = _fields()
    site, _ = _site(fields, key)
    call = Call.read(fields, slashed=False)
    if call.is_test or call.fixed is not None:
        return _text(THANKS)
    with services().database.write() as connection:
        found = call.sent.find(connection, site.id, **call.known)
        if found is not None:
            feedback.correct(
                connection,
                site_id=site.id,
                comment_id=found.id,
                to=to,
                reason=reason,
                by=akismet.PROTOCOL,
            )
        elif call.text:
            feedback.teach(
                connection,
                site_id=site.id,
                origin=akismet.PROTOCOL,
                origin_id=call.sent.digest,
                text=call.text,
                unwanted=float(to is Status.REJECTED),
                reason=reason,
                page=call.page,
                name=call.name,
                website=call.website,
            )
    return _text(THANKS)


def _figures(site: SiteRef, since: int, until: int) -> Figures:
    with services().database.read() as connection:
        return akismet.figures(connection, site.id, since=since, until=until)


def _row(site: SiteRef, found: Figures) -> dict[str, Any]:
    """Clients expect the counts as text."""
    return {
        "site": site.name,
        "api_calls": str(found.checks),
        "spam": str(found.spam),
        "ham": str(found.ham),
        "missed_spam": str(found.missed_spam),
        "false_positives": str(found.false_positives),
        "is_revoked": False,
    }


def _csv(rows: list[dict[str, Any]]) -> Response:
    names = ("site", "api_calls", "spam", "ham", "missed_spam", "false_positives", "is_revoked")
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(rows)
    return Response(file.getvalue(), mimetype="text/csv")


def _number(fields: Mapping[str, Any], name: str, otherwise: int) -> int:
    text = str(fields.get(name) or "")
    return min(int(text[:9]), _LARGEST_PAGE) if text.isdecimal() else otherwise


def _this_month() -> str:
    return f"{to_datetime(now_ms()):%Y-%m}"


def _is_wordpress() -> bool:
    return _WORDPRESS.search(request.user_agent.string) is not None


def _text(body: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, HTTPStatus.OK, headers, mimetype="text/plain")


def _error(body: str, why: str, status: int) -> Response:
    response = Response(body, status, mimetype="text/plain")
    response.headers["X-akismet-debug-help"] = " ".join(why.split())
    if request.endpoint == _CHECK:
        # Without it the plugin of 2025 publishes the comment.
        response.headers["X-akismet-guid"] = new_id()
    return response
