"""What comes in and goes out over the calls of a site's own program, besides comments."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from moderation.domain import ModeratorReason, Status
from moderation.schemas import (
    NAME_LENGTH,
    TEXT_LENGTH,
    WEBSITE_LENGTH,
    CommentState,
    Line,
    prose,
)
from moderation.website.feedback import ACTOR_LENGTH

SCORED_AT_ONCE = 100
"""Comments that one call may have scored."""

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _or_none(reason: object) -> object:
    return reason or None


_Reason = Annotated[ModeratorReason | None, BeforeValidator(_or_none)]


class FeedbackIn(BaseModel):
    """What somebody at the site decided about a comment there."""

    model_config = _STRICT

    status: Status = Field(description="`approved`, `rejected` or `held`.")
    reason: _Reason = Field(None, description="Why, if that is known.")
    by: Annotated[Line, AfterValidator(lambda name: name or "client")] = Field(
        "client", max_length=ACTOR_LENGTH, description="Who, by the name the desk shall show."
    )

    @field_validator("status")
    @classmethod
    def _can_be_wished(cls, status: Status) -> Status:
        if status is Status.PENDING:
            raise ValueError("has to be approved, rejected or held")
        return status


class ReportIn(BaseModel):
    """What a reader reported."""

    model_config = _STRICT

    reason: _Reason = Field(None, description="Why, if that is known.")
    by: Line = Field(
        "",
        max_length=ACTOR_LENGTH,
        description="What stands for the reader at your site, so that the same reader's reports of "
        "a comment are one. Only a digest of it is kept.",
    )


class CorrectedState(CommentState):
    """Where a comment stands after somebody at the site has decided."""

    version: int = Field(
        description="Rises with each change: a webhook's message with a smaller one is older news."
    )


class TextIn(BaseModel):
    """What is to be scored."""

    model_config = _STRICT

    text: Annotated[str, BeforeValidator(prose)] = Field(
        min_length=1, max_length=TEXT_LENGTH, description="The comment, as plain text."
    )
    name: Line = Field("", max_length=NAME_LENGTH, description="Its author's name.")
    website: Line = Field("", max_length=WEBSITE_LENGTH, description="Its author's web page.")


class ScoreIn(BaseModel):
    """The body of `POST /v1/score`: one `text`, or several `comments`."""

    model_config = _STRICT

    text: Annotated[str, BeforeValidator(prose)] = Field(
        "", max_length=TEXT_LENGTH, description="The comment, as plain text."
    )
    name: Line = Field("", max_length=NAME_LENGTH, description="Its author's name.")
    website: Line = Field("", max_length=WEBSITE_LENGTH, description="Its author's web page.")
    comments: list[TextIn] = Field(
        [],
        max_length=SCORED_AT_ONCE,
        validate_default=True,
        description="Several, in place of `text`.",
    )
    explain: bool = Field(False, description="Say which words weighed.")

    @field_validator("comments")
    @classmethod
    def _one_or_several(cls, comments: list[TextIn], info: ValidationInfo) -> list[TextIn]:
        if "text" in info.data and bool(info.data["text"]) == bool(comments):
            raise ValueError("has to be there, or `text` has to, and not both")
        return comments

    @property
    def texts(self) -> list[TextIn]:
        """All that is to be scored."""
        if self.comments:
            return self.comments
        return [TextIn(text=self.text, name=self.name, website=self.website)]


class SpanOut(BaseModel):
    """Characters of the text that weighed."""

    start: int = Field(
        description="The first one's place in code points, white space around the text aside."
    )
    end: int = Field(description="The place after the last one.")
    weight: float = Field(description="What it added to the log-odds of `head`.")


class WhyOut(BaseModel):
    """The words that weighed most."""

    head: str = Field(description="The probability that is explained.")
    spans: list[SpanOut] = Field(description="In the order of the text.")


class ScoreOut(BaseModel):
    """What the model says of one comment."""

    scores: dict[str, float] | None = Field(
        description="Probabilities; `reject`: that a moderator would not publish it. Null where "
        "the model failed."
    )
    able: bool = Field(
        description="Whether the model can judge such a text; if not, its figures mean nothing."
    )
    language: str = Field(description="ISO 639-1 code; empty where it is not known.")
    explanation: WhyOut | None = Field(None, description="Where `explain` asked for it.")


class ScoresOut(BaseModel):
    """What the model says of some comments."""

    model: str = Field(description="Its version.")
    scores: list[ScoreOut] = Field(description="One for each comment, in their order.")
