"""What is asked about events over HTTP, and how they are answered."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from moderation.clock import to_datetime
from moderation.desk.history import EventFilter, EventRecord
from moderation.domain import ActorKind, EventKind, Status
from moderation.schemas import Line


def _none_if_blank(value: Any) -> Any:
    return None if value == "" else value


def _moment(value: Any, *, end: bool) -> Any:
    """The moment that a text names, in UTC where it names no zone; of a day, its begin or end."""
    if value in ("", None):
        return None
    text = str(value).strip()
    try:
        if len(text) <= len("2026-01-31"):
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            return datetime.combine(day, time(), UTC)
        moment = datetime.fromisoformat(text)
        # Arithmetic with what is hardly a time at all may fail only now.
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("has to be a day or a time: 2026-01-31 or 2026-01-31T12:00:00Z") from None


def _since(value: Any) -> Any:
    return _moment(value, end=False)


def _until(value: Any) -> Any:
    return _moment(value, end=True)


_TIME = WithJsonSchema({"type": "string", "format": "date-time"})
Since = Annotated[datetime | None, BeforeValidator(_since), _TIME]
Until = Annotated[datetime | None, BeforeValidator(_until), _TIME]


def _choice(values: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(value) for value in values]})


class EventQuery(BaseModel):
    """Which events; what is left out or empty narrows nothing."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    site: Line = Field("", max_length=64, description="Only of the site of this name.")
    moderator: Line = Field("", max_length=64, description="Only what this moderator did.")
    actor_kind: Annotated[ActorKind | None, BeforeValidator(_none_if_blank), _choice(ActorKind)] = (
        Field(None, description="Only what this kind of actor did.")
    )
    kind: Annotated[EventKind | None, BeforeValidator(_none_if_blank), _choice(EventKind)] = Field(
        None, description="Only events of this kind."
    )
    comment: Line = Field("", max_length=32, description="Only of the comment with this id.")
    since: Since = Field(
        None, description="Not before this time or day; UTC where it names no zone."
    )
    until: Until = Field(
        None, description="Before this time, or to the end of this day; UTC if no zone is named."
    )
    to: Annotated[Status | None, BeforeValidator(_none_if_blank), _choice(Status)] = Field(
        None, description="Only changes to this status."
    )
    reason: Line = Field("", max_length=64, description="Only changes for this reason.")

    def filter(self, sites: frozenset[int] | None) -> EventFilter:
        """The filter of these events on `sites`, which the caller has worked out from `site`."""
        return EventFilter(
            sites=sites,
            moderator=self.moderator,
            actor_kind=self.actor_kind,
            kind=self.kind,
            comment=self.comment,
            since=_ms(self.since),
            until=_ms(self.until),
            to=self.to,
            reason=self.reason,
        )


class EventsFollowed(EventQuery):
    """The query of `GET /v1/events`."""

    after: int = Field(
        0, ge=0, le=2**63 - 1, description="`next` of the answer before: only later events."
    )
    limit: int = Field(100, ge=1, le=1000, description="How many events at most.")


class EventOut(BaseModel):
    """Something that was done about a comment. It never carries an e-mail address."""

    id: int = Field(description="Grows from event to event.")
    at: datetime = Field(description="When it happened.")
    site: str = Field(description="The site's name.")
    page: str = Field(description="The page, as the site gave it.")
    comment: str = Field(description="The comment's id.")
    kind: EventKind = Field(
        description="`decision` and `undo` may change the status; a `note`, a `look` at the e-mail "
        "address and a change of the `author`'s standing leave it alone; an `erasure` rejects the "
        "comment and removes its text."
    )
    actor_kind: ActorKind = Field(description="What kind of actor it was.")
    actor: str = Field(description="The moderator's name, or the program's part.")
    from_status: Status = Field(description="Where the comment stood.")
    to_status: Status = Field(description="Where it stands since.")
    reason: str = Field(description="A rule, a reason of the classifier, or the moderator's.")
    model: str | None = Field(description="Version of the model; none for a person's decision.")
    evidence: dict[str, Any] = Field(
        description="What an automatic decision stood on: rules, probabilities, thresholds, words; "
        "the text of a note."
    )


class EventPage(BaseModel):
    """Some events, the oldest first."""

    events: list[EventOut] = Field(description="At most `limit` of them.")
    next: int = Field(
        description="Give it as `after`: at once while events come, later for those to come."
    )


def event_out(event: EventRecord) -> EventOut:
    """The event as the interface gives it."""
    return EventOut(
        id=event.id,
        at=to_datetime(event.at),
        site=event.site,
        page=event.page,
        comment=event.comment_id,
        kind=event.kind,
        actor_kind=event.actor_kind,
        actor=event.actor,
        from_status=event.from_status,
        to_status=event.to_status,
        reason=event.reason,
        model=event.model,
        evidence=event.evidence,
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
