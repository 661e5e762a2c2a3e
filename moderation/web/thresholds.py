"""The administrators' page of a site's goals: what follows from them, and the trade behind them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from sqlalchemy import Connection

from moderation import site_settings
from moderation.classifier.prediction import REJECT
from moderation.clock import to_datetime
from moderation.desk import rehearsal
from moderation.desk.rehearsal import Rehearsal
from moderation.errors import InvalidInput
from moderation.learning import goals, labels, operating_points
from moderation.learning.goals import Evidence, Trade
from moderation.policy import OperatingPoint, SiteSettings
from moderation.queues import enqueue_weigh
from moderation.schemas import parse
from moderation.sites import SiteRef
from moderation.web import site_form
from moderation.web.context import account, services
from moderation.web.plots import Data, Plot, Series, count_words, nice_top, trend
from moderation.web.sites import own_thresholds

blueprint = Blueprint("thresholds", __name__, url_prefix="/desk/sites/<name>/thresholds")

# Intervals of a handful of labels reach up to a thousand in a thousand, and would hide the rest.
_MOST_SHOWN = 200.0


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    below: float | None = Field(None, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Step:
    """A place along the curve."""

    below: str
    """The threshold, as it is typed."""
    x: float
    """Where the plots have it."""
    words: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The threshold that is looked at."""

    step: int
    trade: Trade
    goal: float | None
    """The strictest goal that it is shown to meet."""
    rehearsal: Rehearsal


@blueprint.get("")
def page(name: str) -> str:
    """The goals of a site, what follows from them, and what another threshold would bring."""
    wanted = parse(_Query, request.args.to_dict())
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
        values = site_form.shown(site.settings, site_form.GOAL_FIELDS)
        return _page(connection, site, values, wanted.below)


@blueprint.post("")
def save(name: str) -> ResponseReturnValue:
    """Set the goals; the thresholds follow at once, and the labels are weighed again."""
    with services().database.write() as connection:
        site = site_settings.site_named(connection, name, locked=True)
        try:
            wanted = site_form.parse(request.form, site.settings, site_form.GOAL_FIELDS)
        except InvalidInput as error:
            messages = {e.field: e.detail for e in error.errors}
            values = site_form.typed(request.form, site_form.GOAL_FIELDS)
            shown = _page(connection, site, values, None, messages)
            return shown, HTTPStatus.UNPROCESSABLE_ENTITY
        site_settings.save(
            connection, name=name, before=site.settings, after=wanted, actor=account().name
        )
    # The sweep has it done where Redis is not there.
    with suppress(RedisError):
        enqueue_weigh(services().redis, site.id)
    flash("Saved. Every comment is decided by these goals from now on.", "done")
    return redirect(url_for(".page", name=name), HTTPStatus.SEE_OTHER)


@blueprint.post("/weigh")
def weigh(name: str) -> ResponseReturnValue:
    """Have the labels weighed again by a worker."""
    with services().database.read() as connection:
        site = site_settings.site_named(connection, name)
    try:
        enqueue_weigh(services().redis, site.id)
    except RedisError:
        flash("It cannot be asked for at the moment: Redis does not answer.", "error")
    else:
        flash("A worker weighs them: load the page again in a moment.", "done")
    return redirect(url_for(".page", name=name), HTTPStatus.SEE_OTHER)


def _page(
    connection: Connection,
    site: SiteRef,
    values: Mapping[str, Any],
    below: float | None,
    messages: Mapping[str, str] | None = None,
) -> str:
    own = own_thresholds(site)
    model = next(iter(own), "")
    found = operating_points.evidence(connection, site_id=site.id, model=model)
    point = operating_points.points(connection, site.id, site.settings).get(model)
    trades, rejecting = goals.trades(found[0]) if found else ([], [])
    if below is None:
        below = (point and point.approve_below) or own.get(model, {}).get(REJECT, 0.5)
    return render_template(
        "desk/thresholds.html",
        site=site,
        model=model,
        group=site_form.GOALS,
        values=values,
        messages=messages or {},
        label=site_form.label,
        labels=labels.count_since(connection, site.id),
        weighed=found and {"labels": found[0].labels, "at": to_datetime(found[1])},
        point=point,
        in_effect=_at(trades, point and point.approve_below),
        rejecting=_at(rejecting, point and point.reject_from),
        steps=_steps(trades),
        plots=_plots(trades, _APPROVING),
        rejecting_plots=_plots(rejecting[::-1], _REJECTING),
        chosen=_chosen(connection, site, found[0], trades, below) if found and trades else None,
        percent=percent,
        per_thousand=per_thousand,
    )


def _at(trades: Sequence[Trade], threshold: float | None) -> Trade | None:
    return next((trade for trade in trades if trade.threshold == threshold), None)


def _chosen(
    connection: Connection,
    site: SiteRef,
    evidence: Evidence,
    trades: Sequence[Trade],
    below: float,
) -> Chosen:
    step = min(range(len(trades)), key=lambda place: abs(trades[place].threshold - below))
    trade = trades[step]
    points = operating_points.points(connection, site.id, site.settings)

    def proposed(model: str) -> OperatingPoint:
        now = points.get(model)
        return OperatingPoint(trade.threshold, now.reject_from if now else None)

    found = rehearsal.rehearse(
        connection,
        site.id,
        present=site.settings,
        proposed=_with_a_goal(site.settings),
        thresholds=own_thresholds(site),
        point=points.get,
        proposed_point=proposed,
    )
    return Chosen(step, trade, goals.strictest(evidence, trade.threshold), found)


def _with_a_goal(settings: SiteSettings) -> SiteSettings:
    """So that the threshold that is looked at counts; which goal it is does not matter."""
    return settings.model_copy(update={"approve_precision": settings.approve_precision or 0.5})


def _steps(trades: Sequence[Trade]) -> list[Step]:
    width = 100 / max(len(trades), 1)
    return [
        Step(
            f"{trade.threshold:.4f}",
            round((place + 0.5) * width, 2),
            f"Approving below {trade.threshold:.3f}: {percent(1 - trade.share)} held; of 1,000 "
            f"approved, {per_thousand(trade.errors)} would be wrong "
            f"({per_thousand(trade.low)} to {per_thousand(trade.high)}).",
        )
        for place, trade in enumerate(trades)
    ]


class _Side(NamedTuple):
    """How the plots of approving, or of rejecting, are called."""

    title: str
    note: str
    kind: str
    share: Callable[[Trade], float]
    """What is drawn of the comments."""
    wrong: str
    wrong_note: str
    axis: str


_APPROVING = _Side(
    "Held",
    "Share of the comments on which a person would have to decide, by the threshold below which "
    "the service approves.",
    "held",
    lambda trade: 1 - trade.share,
    "Wrong, of 1,000 approved",
    "Expected number that people would have rejected",
    "Below",
)

_REJECTING = _Side(
    "Rejected",
    "Share of the comments that nobody would have to decide on, by the threshold from which the "
    "service rejects.",
    "rejected",
    lambda trade: trade.share,
    "Wrong, of 1,000 rejected",
    "Expected number that people would have approved",
    "From",
)


def _plots(trades: Sequence[Trade], side: _Side) -> list[Plot]:
    places = [f"{trade.threshold:.3f}" for trade in trades]
    wrong = [1_000 * trade.errors for trade in trades]
    ranges = [
        (min(1_000 * trade.low, _MOST_SHOWN), min(1_000 * trade.high, _MOST_SHOWN))
        for trade in trades
    ]
    top = nice_top(min(max(high for _, high in ranges), _MOST_SHOWN)) if trades else None
    cut = ", cut at 200" if top == _MOST_SHOWN else ""
    shares = [Series(side.kind, side.title.lower(), [side.share(trade) for trade in trades])]
    errors = [Series("main", "wrong", [min(one, _MOST_SHOWN) for one in wrong], ranges)]
    return [
        trend(Data(side.title, side.note, places, shares, axis=side.axis), top=1, words=percent),
        trend(
            Data(
                side.wrong,
                f"{side.wrong_note}; boxes are 95 % intervals{cut}.",
                places,
                errors,
                axis=side.axis,
            ),
            top=top,
            words=count_words,
        ),
    ]


def percent(share: float) -> str:
    """A share in words, with a digit more where there is not much to see."""
    digits = 1 if 0 < share < 0.1 or 0.9 < share < 1 else 0
    return f"{100 * share:.{digits}f}\u00a0%"


def per_thousand(share: float) -> str:
    """How many of a thousand, in words."""
    number = 1_000 * share
    return f"{number:.1f}" if 0 < number < 10 else f"{number:.0f}"
