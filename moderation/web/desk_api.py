"""The desk for programs: the same queue and decisions, with a moderator's token."""

from http import HTTPStatus

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import Connection

from moderation import alike, review
from moderation.desk import authors, cards, queue, remarks
from moderation.desk.desk_schemas import (
    AppliedOut,
    CardOut,
    ConflictProblem,
    CountOut,
    CountsOut,
    DecidedOut,
    DecisionIn,
    DecisionsIn,
    EmailOut,
    NoteIn,
    OutcomeOut,
    QueueAsked,
    QueuePage,
    ReaderOut,
    StandingIn,
)
from moderation.desk.reading import LEASE, Readers
from moderation.errors import Conflict, FieldError, InvalidInput, NotFound
from moderation.schemas import parse
from moderation.web.context import account, json_object, services

blueprint = Blueprint("desk_api", __name__, url_prefix="/v1")


@blueprint.get("/queue")
def waiting() -> ResponseReturnValue:
    """A page of the queue."""
    wanted = QueueAsked.parse(request.args, account().sites)
    with services().database.read() as connection:
        found = queue.page(connection, wanted, wanted.order, after=wanted.after, limit=wanted.limit)
        complete = cards.cards(connection, found.rows)
        counts = queue.counts(connection, wanted)
    readers = _readers().of([row.id for row in found.rows])
    return _json(
        QueuePage(
            comments=[CardOut.of(card, readers.get(card.row.id, "")) for card in complete],
            next=found.next,
            counts=CountsOut(**{tab: CountOut.of(count) for tab, count in counts.items()}),
        )
    )


@blueprint.get("/comments/<comment_id>/card")
def card(comment_id: str) -> ResponseReturnValue:
    """All that a moderator sees of a comment."""
    with services().database.read() as connection:
        row = _visible(connection, comment_id)
        (complete,) = cards.cards(connection, [row])
    return _json(CardOut.of(complete, _readers().of([comment_id]).get(comment_id, "")))


@blueprint.post("/comments/<comment_id>/decision")
def decide(comment_id: str) -> ResponseReturnValue:
    """Decide about a comment, or be told who decided first."""
    wish = parse(DecisionIn, json_object())
    with services().database.write() as connection:
        outcome = review.decide(
            connection,
            [(comment_id, wish.version)],
            to=wish.to,
            reason=wish.reason or "",
            moderator=account(),
        )
    if outcome.missing:
        raise NotFound("there is no such comment")
    if outcome.conflicts:
        return _conflict(outcome.conflicts[0])
    if not outcome.applied:
        raise Conflict("the comment has no such version")
    (made,) = outcome.applied
    return _json(AppliedOut(id=made.comment_id, status=made.to_status, version=made.version))


@blueprint.post("/decisions")
def decide_several() -> ResponseReturnValue:
    """Decide about several comments; what others decided meanwhile stays."""
    wish = parse(DecisionsIn, json_object())
    seen = [(one.id, one.version) for one in wish.comments]
    with services().database.write() as connection:
        if wish.similar_to:
            row = _visible(connection, wish.similar_to)
            found = queue.rows(connection, list(alike.like_comment(connection, row.id)))
            named = {comment_id for comment_id, _ in seen}
            seen += [(one.id, one.version) for one in found if one.id not in named]
        if not seen and not wish.similar_to:
            raise InvalidInput(FieldError("comments", "name at least one, or `similar_to`"))
        outcome = review.decide(
            connection, seen, to=wish.to, reason=wish.reason or "", moderator=account()
        )
    return _json(OutcomeOut.of(outcome))


@blueprint.post("/decisions/undo")
def undo() -> ResponseReturnValue:
    """Take your last decision back."""
    with services().database.write() as connection:
        outcome = review.undo(connection, moderator=account())
    return _json(OutcomeOut.of(outcome))


@blueprint.post("/comments/<comment_id>/notes")
def note(comment_id: str) -> ResponseReturnValue:
    """Write a note."""
    text = parse(NoteIn, json_object()).text
    with services().database.write() as connection:
        remarks.note(connection, comment_id=comment_id, text=text, moderator=account())
    return card(comment_id)


@blueprint.put("/comments/<comment_id>/author")
def author(comment_id: str) -> ResponseReturnValue:
    """Trust or block the author, or neither."""
    standing = parse(StandingIn, json_object()).standing
    with services().database.write() as connection:
        authors.set_standing(
            connection, comment_id=comment_id, standing=standing, moderator=account()
        )
    return card(comment_id)


@blueprint.post("/comments/<comment_id>/email")
def email(comment_id: str) -> ResponseReturnValue:
    """The sender's e-mail address; the look is recorded."""
    with services().database.write() as connection:
        address = remarks.email(connection, comment_id=comment_id, moderator=account())
    return _json(EmailOut(email=address))


@blueprint.put("/comments/<comment_id>/reader")
def read(comment_id: str) -> ResponseReturnValue:
    """Say that you are reading a comment."""
    with services().database.read() as connection:
        _visible(connection, comment_id)
    reader = _readers().claim(comment_id, account().name)
    return _json(ReaderOut(reader=reader, seconds=LEASE))


@blueprint.delete("/comments/<comment_id>/reader")
def leave(comment_id: str) -> ResponseReturnValue:
    """Say that you no longer read a comment."""
    with services().database.read() as connection:
        _visible(connection, comment_id)
    _readers().release(comment_id, account().name)
    return "", HTTPStatus.NO_CONTENT


def _visible(connection: Connection, comment_id: str) -> queue.Row:
    row = queue.row(connection, comment_id, account().sites)
    if row is None:
        raise NotFound("there is no such comment")
    return row


def _readers() -> Readers:
    return Readers(services().redis)


def _json(body: BaseModel) -> ResponseReturnValue:
    return jsonify(body.model_dump(mode="json"))


def _conflict(other: review.Decided) -> ResponseReturnValue:
    status = HTTPStatus.CONFLICT
    problem = ConflictProblem(
        title=status.phrase,
        status=status,
        detail=f"nothing was changed: {other}",
        decided=DecidedOut.of(other),
    )
    response = jsonify(problem.model_dump(mode="json"))
    response.content_type = "application/problem+json"
    return response, status
