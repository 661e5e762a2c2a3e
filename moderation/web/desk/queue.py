"""The queue, one comment by itself, and what has changed since a page was loaded."""

from collections.abc import Mapping
from typing import Any

from flask import jsonify, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from sqlalchemy import Connection, select

from moderation import review
from moderation.clock import to_datetime
from moderation.desk import cards, queue
from moderation.desk.queue import Order, QueueFilter, Tab
from moderation.desk.reading import Readers
from moderation.domain import ModeratorReason
from moderation.errors import NotFound
from moderation.models import Site
from moderation.web.context import account, services
from moderation.web.desk import words
from moderation.web.desk.blueprint import blueprint
from moderation.web.desk.legible import pieces

PAGE_SIZE = 20

# Arrivals that are told apart; more are "100+".
_ARRIVALS = 100


@blueprint.get("/")
def page() -> str:
    """A page of the queue."""
    wanted = wanted_comments(request.args)
    order = _order(wanted.status)
    after = request.args.get("after", "")
    with services().database.read() as connection:
        found = queue.page(connection, wanted, order, after=after, limit=PAGE_SIZE)
        context = {
            "cards": cards.cards(connection, found.rows),
            "counts": queue.counts(connection, wanted),
            "since": queue.latest_event(connection),
            "choices": words.choices(_site_names(connection)),
        }
    return render_template(
        "desk/queue.html",
        **context,
        wanted=wanted,
        order=order,
        orders=queue.orders(wanted.status),
        next=found.next,
        matching=found.matching,
        first=not after,
        readers=_other_readers([row.id for row in found.rows]),
        **_vocabulary(),
    )


@blueprint.get("/comments/<comment_id>")
def comment(comment_id: str) -> str:
    """One comment by itself."""
    return show(comment_id)


@blueprint.get("/pulse")
def pulse() -> ResponseReturnValue:
    """What has changed since a page was loaded: arrivals, who reads what, what others decided.

    It brings a new token for the page's forms too, which they need after a new sign-in.
    """
    wanted = wanted_comments(request.args)
    since = request.args.get("since", 0, type=int)
    shown = _shown_versions(request.args.get("shown", ""))
    with services().database.read() as connection:
        news = queue.arrivals(connection, wanted, since=since, at_most=_ARRIVALS)
        changed = review.latest(connection, shown) if shown else {}
        counts = queue.counts(connection, wanted)
    return jsonify(
        since=news.marker,
        arrived=[comment_id for comment_id in news.ids if comment_id not in shown],
        readers=_other_readers(list(shown)),
        decided={
            comment_id: str(other)
            for comment_id, other in changed.items()
            if other.version != shown[comment_id]
        },
        counts={tab: str(count) for tab, count in counts.items()},
        token=generate_csrf(),
    )


def wanted_comments(args: Mapping[str, str]) -> QueueFilter:
    """The filter of a request, within what the moderator may see."""
    return QueueFilter.parse(args, account().sites)


def show(comment_id: str, *, email: str = "") -> str:
    """The page of one comment, with the e-mail address where it was asked for."""
    with services().database.read() as connection:
        row = queue.row(connection, comment_id, account().sites)
        if row is None:
            raise NotFound("there is no such comment")
        (card,) = cards.cards(connection, [row])
    return render_template(
        "desk/comment.html",
        card=card,
        email=email,
        readers=_other_readers([comment_id]),
        **_vocabulary(),
    )


def readers() -> Readers:
    """The leases of the service's Redis."""
    return Readers(services().redis)


def _order(tab: Tab) -> Order:
    """The order that is asked for or, for held comments, was asked for the last time."""
    usual = queue.orders(tab)[0]
    asked = request.args.get("order", "")
    if tab is not Tab.HELD:
        return Order(asked) if asked in queue.orders(tab) else usual
    if asked in queue.orders(tab):
        session["order"] = asked
    return Order(session.get("order", usual))


def _site_names(connection: Connection) -> list[str]:
    query = select(Site.name).where(account().sees_in(Site.id)).order_by(Site.name)
    return list(connection.scalars(query))


def _other_readers(comment_ids: list[str]) -> dict[str, str]:
    own = account().name
    return {
        comment_id: name for comment_id, name in readers().of(comment_ids).items() if name != own
    }


def _shown_versions(shown: str) -> dict[str, int]:
    """Id and version of each comment on the screen, as the page's script sends them."""
    pairs = (entry.partition(":") for entry in shown.split(",")[:200])
    return {comment_id: int(version) for comment_id, _, version in pairs if version.isdecimal()}


def _vocabulary() -> dict[str, Any]:
    return {
        "words": words,
        "pieces": pieces,
        "reasons": list(ModeratorReason),
        "to_datetime": to_datetime,
        "Tab": Tab,
    }
