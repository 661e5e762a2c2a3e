"""What happened, in plain words."""

from collections.abc import Mapping
from typing import Any

from moderation.clock import DAY, HOUR, MINUTE, SECOND
from moderation.desk.history import EventRecord
from moderation.domain import PEOPLE, ActorKind, EventKind, Standing, Status
from moderation.web.desk import words

_REASONS: Mapping[str, str] = {
    **{str(head): text for head, text in words.HEADS.items()},
    **words.RULES,
    **words.FAILURES,
    **words.OTHER_REASONS,
}

_DID = {
    Status.APPROVED: "approved it",
    Status.HELD: "held it",
    Status.REJECTED: "rejected it",
}

_STANDINGS = {
    Standing.TRUSTED: "trusted its author",
    Standing.BLOCKED: "blocked its author",
}

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def reason_words(reason: str) -> str:
    """A reason of the model, of a rule or of a moderator."""
    return _REASONS.get(reason, words.spoken(reason))


def actor_words(event: EventRecord) -> str:
    """Who or what did it."""
    if event.actor_kind is ActorKind.IMPORT:
        return f"The import from {event.actor}"
    if event.actor_kind is ActorKind.CLIENT:
        return f"{event.actor}, at the site,"
    return event.actor if event.actor_kind in PEOPLE else "The service"


_ALWAYS = {
    EventKind.NOTE: "wrote a note",
    EventKind.LOOK: "looked at the e-mail address",
    EventKind.ERASURE: "erased it",
}


def deed(event: EventRecord) -> str:
    """What was done, for a sentence that begins with who did it."""
    if event.kind in _ALWAYS:
        return _ALWAYS[event.kind]
    if event.kind is EventKind.AUTHOR:
        return _STANDINGS.get(
            event.evidence.get("standing", ""), "let the usual rules apply to its author again"
        )
    if event.kind is EventKind.UNDO:
        return f"took a decision back: it is {event.to_status} again"
    if event.kind is EventKind.RESCORE:
        again = event.to_status is event.from_status
        return "scored it again: " + ("it stays held" if again else f"it is {event.to_status}")
    before = "" if event.from_status is Status.PENDING else f"; it was {event.from_status} before"
    return _DID.get(event.to_status, f"made it {event.to_status}") + before


def grounds(event: EventRecord) -> list[str]:
    """What the step stood on, what decided first: rules, probabilities, a moderator's reason."""
    if event.kind is EventKind.NOTE:
        note = event.evidence.get("note")
        return [] if note is None else [str(note)]
    if event.kind is EventKind.ERASURE:
        return []
    found = [str(rule["detail"]) for rule in event.evidence.get("rules", [])]
    above = _above(event)
    rules = {rule["rule"] for rule in event.evidence.get("rules", [])}
    if event.reason and event.reason not in {*rules, *(head for head, _ in above)}:
        found.append(reason_words(event.reason))
    return found + [text for _, text in above]


def _above(event: EventRecord) -> list[tuple[str, str]]:
    scores: Mapping[str, Any] = event.evidence.get("scores", {})
    limits: Mapping[str, Any] = event.evidence.get("thresholds", {})
    above = [head for head in scores if scores[head] >= limits.get(head, 1)]
    # The head that decided comes first, the others by probability.
    above.sort(key=lambda head: (head != event.reason, -scores[head]))
    return [
        (head, f"{reason_words(head)} {scores[head]:.2f}, above {limits[head]:.2f}")
        for head in above
    ]


def duration(ms: int | None) -> str:
    """A time in its two largest units: "3 h 20 min"; a dash for none."""
    if ms is None:
        return "–"
    if ms < SECOND:
        return "under 1 s"
    parts = []
    for size, unit in _UNITS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def percent(value: float | None) -> str:
    """A share as a percentage, with a digit more where there is not much to see."""
    if value is None:
        return "–"
    value = round(value, 6)
    digits = 1 if 0 < value < 0.1 or 0.9 < value < 1 else 0
    return f"{100 * value:.{digits}f}\u00a0%"
