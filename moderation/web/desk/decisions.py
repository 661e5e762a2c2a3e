"""What a moderator decides and does, as forms: they work without a script, and answer a script in
JSON."""

from http import HTTPStatus

from flask import flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from moderation import alike, review
from moderation.desk import authors, queue, remarks
from moderation.domain import ModeratorReason, Standing, Status
from moderation.errors import FieldError, InvalidInput, NotFound
from moderation.review import Outcome
from moderation.web.context import account, services
from moderation.web.desk import words
from moderation.web.desk.blueprint import blueprint
from moderation.web.desk.queue import readers, show


@blueprint.post("/comments/<comment_id>/decision")
def decide(comment_id: str) -> ResponseReturnValue:
    """Decide about a comment and, where that is asked for, about all that resemble it."""
    to, reason = _decision()
    seen = [(comment_id, _version(request.form.get("version", "")))]
    with services().database.write() as connection:
        if "similar" in request.form:
            seen += _similar(connection, comment_id)
        outcome = review.decide(connection, seen, to=to, reason=reason, moderator=account())
    if comment_id in outcome.missing:
        raise NotFound("there is no such comment")
    readers().release(comment_id, account().name)
    return _answer(outcome, words.decided(to, reason, len(outcome.applied)))


@blueprint.post("/decisions")
def decide_several() -> ResponseReturnValue:
    """Decide about the comments that are selected."""
    to, reason = _decision()
    seen = [_seen(value) for value in request.form.getlist("seen")]
    if not seen:
        raise InvalidInput(FieldError("seen", "select at least one comment"))
    with services().database.write() as connection:
        outcome = review.decide(connection, seen, to=to, reason=reason, moderator=account())
    return _answer(outcome, words.decided(to, reason, len(outcome.applied)))


@blueprint.post("/undo")
def undo() -> ResponseReturnValue:
    """Take the moderator's last decision back."""
    try:
        with services().database.write() as connection:
            outcome = review.undo(connection, moderator=account())
    except NotFound as nothing:
        return _answer(Outcome(), f"{nothing}".capitalize() + ".", undo=False)
    number = len(outcome.applied)
    what = "comment is where it was" if number == 1 else "comments are where they were"
    return _answer(outcome, f"Taken back: {number:,} {what}.", undo=False)


@blueprint.post("/comments/<comment_id>/notes")
def note(comment_id: str) -> ResponseReturnValue:
    """Write a note."""
    text = request.form.get("note", "").replace("\r\n", "\n").replace("\0", "").strip()
    if not 0 < len(text) <= remarks.NOTE_LENGTH:
        raise InvalidInput(
            FieldError("note", f"is required, and has at most {remarks.NOTE_LENGTH:,} characters")
        )
    with services().database.write() as connection:
        remarks.note(connection, comment_id=comment_id, text=text, moderator=account())
    flash("The note is kept.", "done")
    return _back(comment_id)


@blueprint.post("/comments/<comment_id>/email")
def email(comment_id: str) -> ResponseReturnValue:
    """Show the sender's e-mail address; the look is an event."""
    with services().database.write() as connection:
        address = remarks.email(connection, comment_id=comment_id, moderator=account())
    return show(comment_id, email=address)


@blueprint.post("/comments/<comment_id>/author")
def author(comment_id: str) -> ResponseReturnValue:
    """Trust or block the author, or neither."""
    asked = request.form.get("standing", "")
    try:
        standing = Standing(asked) if asked else None
    except ValueError:
        raise InvalidInput(FieldError("standing", "has to be trusted, blocked or empty")) from None
    with services().database.write() as connection:
        authors.set_standing(
            connection, comment_id=comment_id, standing=standing, moderator=account()
        )
    flash(f"The author is {standing or 'treated as usual'} from now on.", "done")
    return _back(comment_id)


@blueprint.post("/comments/<comment_id>/reading")
def reading(comment_id: str) -> ResponseReturnValue:
    """Say that the moderator reads this comment, or no longer does."""
    with services().database.read() as connection:
        if queue.row(connection, comment_id, account().sites) is None:
            raise NotFound("there is no such comment")
    name = account().name
    if "left" in request.form:
        readers().release(comment_id, name)
        return "", HTTPStatus.NO_CONTENT
    reader = readers().claim(comment_id, name)
    return jsonify(reader="" if reader == name else reader)


def _decision() -> tuple[Status, str]:
    """Where the form wants the comments to go, and why."""
    wanted = request.form.get("to", "")
    if wanted not in (Status.APPROVED, Status.REJECTED, Status.HELD):
        raise InvalidInput(FieldError("to", "has to be approved, rejected or held"))
    to = Status(wanted)
    if to is not Status.REJECTED:
        return to, ""
    reason = request.form.get("reason", "")
    if reason not in list(ModeratorReason):
        raise InvalidInput(FieldError("reason", f"has to be one of {', '.join(ModeratorReason)}"))
    return to, reason


def _version(value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise InvalidInput(FieldError("version", "has to be the number that came with the comment"))
    return int(value)


def _seen(value: str) -> tuple[str, int]:
    comment_id, _, version = value.partition(":")
    return comment_id, _version(version)


def _similar(connection: Connection, comment_id: str) -> list[tuple[str, int]]:
    found = queue.rows(connection, list(alike.like_comment(connection, comment_id)))
    return [(row.id, row.version) for row in found if row.id != comment_id]


def _answer(outcome: Outcome, message: str, *, undo: bool = True) -> ResponseReturnValue:
    """What was done and what was not: JSON for the script, the page again for a browser."""
    refused = [words.conflict(other) for other in outcome.conflicts]
    if request.accept_mimetypes.best == "application/json":
        return jsonify(
            message=message if outcome.applied or not refused else "",
            refused=refused,
            undo=undo and bool(outcome.applied),
            applied=[
                {"id": one.comment_id, "version": one.version, "status": one.to_status}
                for one in outcome.applied
            ],
        )
    if outcome.applied or not refused:
        flash(message, "undo" if undo else "done")
    for words_of_refusal in refused[:3]:
        flash(words_of_refusal, "error")
    return _back()


def _back(comment_id: str = "") -> ResponseReturnValue:
    """To the page the form was on, and there to the comment's card."""
    back = request.form.get("back", "")
    ours = back.startswith(url_for("desk.page")) and back.isprintable()
    card = f"#card-{comment_id}" if comment_id else ""
    return redirect((back if ours else url_for("desk.page")) + card, HTTPStatus.SEE_OTHER)
