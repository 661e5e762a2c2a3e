"""The moderators' pages: what is held, and why; approve or reject it."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from moderation import policy, review
from moderation.classifier.prediction import REJECT, Reason
from moderation.clock import to_datetime
from moderation.domain import Status
from moderation.errors import Conflict, FieldError, InvalidInput
from moderation.web.context import account, services

blueprint = Blueprint("review", __name__, url_prefix="/desk")

_PAGE = 20
_DECISIONS = (Status.APPROVED, Status.REJECTED)

_HEAD_WORDS = {
    REJECT: "like what moderators reject",
    Reason.TOXIC: "toxic",
    Reason.SEVERE_TOXIC: "severely toxic",
    Reason.OBSCENE: "obscene",
    Reason.THREAT: "a threat",
    Reason.INSULT: "an insult",
    Reason.IDENTITY_ATTACK: "an attack on a group",
    Reason.SPAM: "spam",
}

_REASON_WORDS = {
    policy.SCORER_UNAVAILABLE: "no classifier was available",
    policy.SCORER_FAILED: "the classifier failed on it",
    policy.NOT_ABLE_TO_JUDGE: "the classifier is not able to judge it",
    policy.UNDECIDED: "it could not be decided after several tries",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a comment's text; `weight` is positive where it spoke against the comment."""

    text: str
    weight: float = 0.0


@blueprint.get("/")
def held() -> str:
    """The comments that wait for a decision."""
    after = request.args.get("after", "")
    with services().database.read() as connection:
        comments = review.held(connection, after=after, limit=_PAGE + 1, account=account())
        counts = review.counts(connection, account())
    shown = comments[:_PAGE]
    return render_template(
        "desk/held.html",
        comments=shown,
        counts=counts,
        after=after,
        next_after=shown[-1].id if len(comments) > _PAGE else None,
        why=why,
        segments=segments,
        head_words=_HEAD_WORDS,
        to_datetime=to_datetime,
    )


@blueprint.post("/comments/<comment_id>/decision")
def decide(comment_id: str) -> ResponseReturnValue:
    """A moderator's decision."""
    try:
        to = Status(request.form.get("to", ""))
        version = int(request.form.get("version", ""))
    except ValueError:
        raise InvalidInput(FieldError("to", "has to be approved or rejected")) from None
    if to not in _DECISIONS:
        raise InvalidInput(FieldError("to", "has to be approved or rejected"))
    try:
        with services().database.write() as connection:
            review.moderate(
                connection,
                comment_id=comment_id,
                to=to,
                reason="",
                seen_version=version,
                moderator=account().name,
                account=account(),
            )
    except Conflict as conflict:
        flash(f"Nothing was changed: {conflict}.", "error")
    else:
        flash(f"The comment is {to}.", "done")
    return redirect(url_for(".held", after=request.args.get("after", "")), HTTPStatus.SEE_OTHER)


def why(comment: review.HeldComment) -> list[str]:
    """The reasons for holding a comment, in words, what decided first."""
    evidence = comment.evidence
    words = [rule["detail"] for rule in evidence.get("rules", [])]
    if comment.reason in _REASON_WORDS:
        words.append(_REASON_WORDS[comment.reason])
    scores, limits = evidence.get("scores", {}), evidence.get("thresholds", {})
    above = [head for head in scores if scores[head] >= limits[head]]
    # The head that decided comes first, the others by probability.
    above.sort(key=lambda head: (head != comment.reason, -scores[head]))
    words += [
        f"{_HEAD_WORDS[head]}: {scores[head]:.2f}, threshold {limits[head]:.2f}" for head in above
    ]
    return words


def segments(text: str, explanation: dict[str, Any] | None) -> Iterator[Segment]:
    """The text cut at the spans that weighed, in order and complete."""
    place = 0
    for start, end, weight in (explanation or {}).get("spans", []):
        if start > place:
            yield Segment(text[place:start])
        yield Segment(text[start:end], weight)
        place = end
    if place < len(text):
        yield Segment(text[place:])
