"""The histogram of held comments' probabilities, and deciding a range of it at once."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from moderation.clock import to_datetime
from moderation.desk import scores
from moderation.desk.queue import QueueFilter, Tab
from moderation.domain import ModeratorReason, Status
from moderation.errors import FieldError, InvalidInput
from moderation.policy import HEADS
from moderation.sites import names
from moderation.web import sentences
from moderation.web.context import account, services, sites_named
from moderation.web.desk.legible import pieces

blueprint = Blueprint("scores", __name__, url_prefix="/desk/scores")

_SAMPLE = 10
_DECISIONS = frozenset({Status.APPROVED, Status.REJECTED})
_REASONS = frozenset(ModeratorReason)
_BIGGEST = 2**63 - 1


@blueprint.get("")
def page() -> str:
    """The histogram, and what is in the range, if one is chosen."""
    with services().database.read() as connection:
        wanted = _wanted(connection, request.args)
        sites = names(connection, account().sites)
        spread = scores.spread(connection, wanted)
        chosen = _is_range(wanted)
        within = scores.in_range(connection, wanted, sample=_SAMPLE) if chosen else None
    return render_template(
        "desk/scores.html",
        sites=sites.values(),
        heads=HEADS if wanted.reason in ("", *HEADS) else (*HEADS, wanted.reason),
        wanted=wanted,
        spread=spread,
        top=max(spread.bins),
        tenths=[sum(spread.bins[start : start + 10]) for start in range(0, scores.BINS, 10)],
        within=within,
        reasons=ModeratorReason,
        words=sentences,
        to_datetime=to_datetime,
        pieces=pieces,
    )


@blueprint.get("/confirm")
def confirm() -> str:
    """How many would be decided, before they are."""
    to, reason = _decision(request.args)
    with services().database.read() as connection:
        wanted = _range(connection, request.args)
        within = scores.in_range(connection, wanted, sample=0)
    return render_template(
        "desk/scores_confirm.html",
        wanted=wanted,
        within=within,
        to=to,
        reason=reason,
        verb={Status.APPROVED: "Approve", Status.REJECTED: "Reject"}[to],
        words=sentences,
        most=scores.MOST_AT_ONCE,
    )


@blueprint.post("/decide")
def decide() -> ResponseReturnValue:
    """Decide what was counted, as long as nobody else has."""
    to, reason = _decision(request.form)
    counted, marker = _number("count"), _number("marker")
    with services().database.read() as connection:
        wanted = _range(connection, request.form)
    outcome = scores.decide(
        services().database, wanted, to=to, reason=reason, moderator=account(), marker=marker
    )
    others = max(0, counted - outcome.decided - outcome.left)
    flash(_told(outcome, to, others), "undo" if outcome.decided else "done")
    if outcome.left:
        args = wanted.args(to=to, why=reason)
        return redirect(url_for(".confirm", **args), HTTPStatus.SEE_OTHER)
    return redirect(url_for(".page", **wanted.args()), HTTPStatus.SEE_OTHER)


def _told(outcome: scores.Outcome, to: Status, others: int) -> str:
    said = f"{outcome.decided:,} {'comment is' if outcome.decided == 1 else 'comments are'} {to}."
    if others:
        was = "was" if others == 1 else "were"
        said += f" {others:,} {was} decided by others meanwhile and left alone."
    if outcome.left:
        said += f" {outcome.left:,} more {'waits' if outcome.left == 1 else 'wait'}: go on below."
    return said


def _wanted(connection: Any, args: Any) -> QueueFilter:
    """The held comments that are asked for, on the account's sites."""
    known = {
        name: args[name] for name in ("site", "reason", "score_from", "score_to") if name in args
    }
    wanted = QueueFilter.parse(known | {"status": Tab.HELD}, account().sites)
    sites_named(connection, wanted.site)  # a site of the account's, or an error that says so
    if wanted.score_from is not None and wanted.score_to is not None:
        low, high = sorted((wanted.score_from, wanted.score_to))
        return wanted.model_copy(update={"score_from": low, "score_to": high})
    return wanted


def _is_range(wanted: QueueFilter) -> bool:
    return wanted.score_from is not None and wanted.score_to is not None


def _range(connection: Any, args: Any) -> QueueFilter:
    """The same, where a range has to be named."""
    wanted = _wanted(connection, args)
    if not _is_range(wanted):
        raise InvalidInput(FieldError("score_from", "is required, as score_to"))
    return wanted


def _decision(args: Any) -> tuple[Status, str]:
    """The status to give, and the reason of a rejection."""
    to, reason = args.get("to", ""), args.get("why", "")
    if to not in _DECISIONS:
        raise InvalidInput(FieldError("to", "has to be approved or rejected"))
    if to == Status.APPROVED:
        return Status.APPROVED, ""
    if reason not in _REASONS:
        raise InvalidInput(FieldError("why", f"has to be one of {', '.join(ModeratorReason)}"))
    return Status.REJECTED, str(reason)


def _number(name: str) -> int:
    sent = request.form.get(name, "")
    if not (sent.isascii() and sent.isdigit() and int(sent[:20]) <= _BIGGEST):
        raise InvalidInput(FieldError(name, "has to be a whole number"))
    return int(sent)
