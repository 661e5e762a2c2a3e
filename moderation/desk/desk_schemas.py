"""What comes in and goes out over the API of moderators' desk."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from moderation.clock import to_datetime
from moderation.desk.cards import Card
from moderation.desk.queue import Count, Order, QueueFilter
from moderation.desk.remarks import NOTE_LENGTH
from moderation.domain import ModeratorReason, Standing, Status
from moderation.review import Decided, Outcome
from moderation.schemas import Line, Problem, prose

MOST_AT_ONCE = 1_000
"""Comments that one call may decide about."""

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class QueueAsked(QueueFilter):
    """The query of `GET /v1/queue`."""

    order: Order = Field(
        Order.UNCERTAINTY,
        description="`uncertainty` and `harm`, of held comments only; `oldest` or `newest`.",
    )
    after: Line = Field("", max_length=64, description="`next` of the page before.")
    limit: int = Field(20, ge=1, le=100, description="How many comments.")


class CountOut(BaseModel):
    """How many comments there are."""

    number: int = Field(description="Counted up to 10,000.")
    more: bool = Field(description="Whether there are more.")

    @classmethod
    def of(cls, count: Count) -> Self:
        """Made from a count."""
        return cls(number=count.number, more=count.more)


class CountsOut(BaseModel):
    """How many comments there are in each tab of the desk."""

    held: CountOut = Field(description="They wait for a moderator.")
    approved: CountOut = Field(description="They are published.")
    rejected: CountOut = Field(description="They are not published.")
    all: CountOut = Field(description="All of these, and those that are not decided yet.")


class AuthorOut(BaseModel):
    """How an author fared on the site."""

    id: str = Field(description="The same for one e-mail address on one site, and not the address.")
    approved: int = Field(description="Comments that are published, counted up to 100.")
    rejected: int = Field(description="Comments that were rejected, counted up to 100.")
    held: int = Field(description="Comments that wait, counted up to 100.")
    standing: Standing | None = Field(description="Whether moderators trust or block the author.")


class ParentOut(BaseModel):
    """The comment that is answered."""

    name: str = Field(description="Its author's name.")
    text: str = Field(description="Its text.")


class NoteOut(BaseModel):
    """A moderator's note."""

    by: str = Field(description="Who wrote it.")
    at: datetime = Field(description="When.")
    text: str = Field(description="What.")


class CardOut(BaseModel):
    """A comment as moderators see it. It carries no e-mail address."""

    id: str = Field(description="The comment's id.")
    version: int = Field(description="Send it with your decision.")
    status: Status = Field(
        description="Where it stands; `held`: it waits for a moderator, whether or not it is "
        "published meanwhile."
    )
    blind: bool = Field(
        description="Whether what the service found (`reason`, `score`, `model`, `scores`, "
        "`thresholds`, `rules`) is kept back until somebody has decided."
    )
    reason: str = Field(description="Why it stands there.")
    site: str = Field(description="The site's name.")
    page: str = Field(description="The page's address, as the site gives it.")
    title: str = Field(description="The page's title.")
    name: str = Field(description="The author's name.")
    website: str = Field(description="The author's own page; or empty.")
    text: str = Field(description="Plain text: escape it before you put it into a page.")
    language: str = Field(description="ISO 639-1 code; empty where it is not known.")
    created_at: datetime = Field(description="When it was stored.")
    parent: ParentOut | None = Field(description="The comment it answers.")
    author: AuthorOut = Field(description="How its author fared on the site.")
    similar: CountOut = Field(description="Other held comments that resemble it, up to 100.")
    score: float | None = Field(description="Probability that a moderator would reject it.")
    model: str | None = Field(description="Version of the model that scored it.")
    scores: dict[str, float] = Field(description="The probability of each reason.")
    thresholds: dict[str, float] = Field(description="From which probability each reason holds.")
    rules: list[str] = Field(description="What the site's rules said about it.")
    notes: list[NoteOut] = Field(description="What moderators wrote about it.")
    reader: str = Field(description="The moderator who is reading it now; or empty.")

    @classmethod
    def of(cls, card: Card, reader: str) -> Self:
        """Made from a card."""
        row, evidence = card.row, card.evidence
        blind = row.is_blind
        return cls(
            id=row.id,
            version=row.version,
            status=Status.HELD if blind else row.status,
            blind=blind,
            reason="" if blind else row.reason,
            site=row.site,
            page=row.page,
            title=row.title,
            name=row.name,
            website=row.website,
            text=row.text,
            language=row.language,
            created_at=to_datetime(row.created_at),
            parent=card.parent and ParentOut(name=card.parent.name, text=card.parent.text),
            author=AuthorOut(
                id=row.author_id,
                approved=card.author.approved,
                rejected=card.author.rejected,
                held=card.author.held,
                standing=card.author.standing,
            ),
            similar=CountOut.of(card.similar),
            score=None if blind else row.score,
            model=card.model,
            scores=evidence.get("scores", {}),
            thresholds=evidence.get("thresholds", {}),
            rules=[rule["detail"] for rule in evidence.get("rules", [])],
            notes=[
                NoteOut(by=note.by, at=to_datetime(note.at), text=note.text) for note in card.notes
            ],
            reader=reader,
        )


class QueuePage(BaseModel):
    """Some of the queue."""

    comments: list[CardOut] = Field(description="In the order asked for.")
    next: str | None = Field(description="Give it as `after` to get the next ones.")
    counts: CountsOut = Field(description="How many comments of the sites asked for stand where.")


class _Wish(BaseModel):
    model_config = _STRICT

    to: Status = Field(description="`approved`, `rejected` or `held`.")
    reason: ModeratorReason | None = Field(
        None, validate_default=True, description="Of a rejection, and of nothing else."
    )

    @field_validator("to")
    @classmethod
    def _can_be_wished(cls, to: Status) -> Status:
        if to is Status.PENDING:
            raise ValueError("has to be approved, rejected or held")
        return to

    @field_validator("reason")
    @classmethod
    def _goes_with_a_rejection(
        cls, reason: ModeratorReason | None, info: ValidationInfo
    ) -> ModeratorReason | None:
        rejects = info.data.get("to") is Status.REJECTED
        if rejects and reason is None:
            raise ValueError(f"has to be one of {', '.join(ModeratorReason)}")
        if reason is not None and not rejects and "to" in info.data:
            raise ValueError("goes with a rejection only")
        return reason


class DecisionIn(_Wish):
    """A decision about one comment."""

    version: int = Field(ge=0, description="The comment's version that you looked at.")


class SeenIn(BaseModel):
    """A comment as it was looked at."""

    model_config = _STRICT

    id: Line = Field(max_length=32, description="The comment's id.")
    version: int = Field(ge=0, description="Its version that you looked at.")


class DecisionsIn(_Wish):
    """A decision about several comments."""

    comments: list[SeenIn] = Field(
        [], max_length=MOST_AT_ONCE, description="The comments, in the versions you looked at."
    )
    similar_to: Line = Field(
        "",
        max_length=32,
        description="Id of a comment: decide about all held ones that resemble it, too.",
    )


class AppliedOut(BaseModel):
    """A change that was made."""

    id: str = Field(description="The comment's id.")
    status: Status = Field(description="Where it stands now.")
    version: int = Field(description="Its version now.")


class DecidedOut(BaseModel):
    """What somebody else decided meanwhile."""

    id: str = Field(description="The comment's id.")
    by: str = Field(description="Who decided.")
    status: Status = Field(description="Where the comment stands.")
    reason: str = Field(description="Why.")
    at: datetime = Field(description="When.")
    version: int = Field(description="The comment's version now.")

    @classmethod
    def of(cls, decided: Decided) -> Self:
        """Made from what was found."""
        return cls(
            id=decided.comment_id,
            by=decided.by,
            status=decided.status,
            reason=decided.reason,
            at=to_datetime(decided.at),
            version=decided.version,
        )


class OutcomeOut(BaseModel):
    """What became of a decision about several comments."""

    applied: list[AppliedOut] = Field(description="What was changed.")
    conflicts: list[DecidedOut] = Field(description="What was not, because somebody else decided.")
    missing: list[str] = Field(description="Ids that are not there, or not on your sites.")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Made from an outcome."""
        return cls(
            applied=[
                AppliedOut(id=one.comment_id, status=one.to_status, version=one.version)
                for one in outcome.applied
            ],
            conflicts=[DecidedOut.of(other) for other in outcome.conflicts],
            missing=list(outcome.missing),
        )


class ConflictProblem(Problem):
    """Problem details of a decision that came second."""

    decided: DecidedOut = Field(description="Who decided what.")


class NoteIn(BaseModel):
    """A note for other moderators."""

    model_config = _STRICT

    text: Annotated[str, BeforeValidator(prose)] = Field(
        min_length=1, max_length=NOTE_LENGTH, description="What to remember."
    )


class StandingIn(BaseModel):
    """What to think of an author from now on."""

    model_config = _STRICT

    standing: Standing | None = Field(
        description="`trusted`: the model does not hold their comments; `blocked`: their comments "
        "are rejected; null: as for everybody."
    )


class EmailOut(BaseModel):
    """The address of who sent a comment."""

    email: str = Field(description="Never published. That you looked is in the history.")


class ReaderOut(BaseModel):
    """Who is reading a comment."""

    reader: str = Field(description="You, or who was first.")
    seconds: int = Field(description="How long, if it is not renewed.")
