"""What comes in and goes out over HTTP: the same models validate, answer and document."""

import ipaddress
import re
import unicodedata
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from moderation.domain import Role, Status
from moderation.errors import FieldError, InvalidInput

NAME_LENGTH = 100
TEXT_LENGTH = 20_000
WEBSITE_LENGTH = 500
PAGE_BYTES = 2_000

# Zero-width joiners shape names in Persian, Hindi and others, and join emoji.
_JOINERS = "\u200c\u200d"
# Categories of what shows nothing by itself: controls, formats, marks, spaces.
_BLANK = frozenset({"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp"})
# Letters and symbols by their category, and blank all the same: Hangul fillers, Braille's blank.
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"
# What stands before the port, as in "example.org:8080", is no scheme.
_WEBSITE_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)


# Control characters, surrogates, and what has no width: a text must not look like another one.
# Unicode has them in these ranges alone; to look at all the others would take each process that
# starts a tenth of a second.
_INVISIBLE = {
    code: None
    for code in chain(range(0x20000), range(0xE0000, 0xE1000))
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs")
}
# Left-to-right and right-to-left marks are part of correct Hebrew and Arabic; embeddings and
# overrides are not.
_PROSE_KEEPS = _JOINERS + "\n\t\N{SOFT HYPHEN}\u200e\u200f\u061c"
_NOT_IN_LINE = {code: drop for code, drop in _INVISIBLE.items() if chr(code) not in _JOINERS}
_NOT_IN_PROSE = {code: drop for code, drop in _INVISIBLE.items() if chr(code) not in _PROSE_KEEPS}


def _plain(value: Any, *, without: dict[int, None]) -> Any:
    """Unicode in its composed form, trimmed, without the characters in `without`; empty if there is
    nothing to see in it."""
    if not isinstance(value, str):
        return value
    kept = value.translate(without)
    if not kept.isascii():
        kept = unicodedata.normalize("NFC", kept)
    return kept.strip() if any(map(_shows, kept)) else ""


def _shows(character: str) -> bool:
    return character not in _FILLERS and unicodedata.category(character) not in _BLANK


def line(value: Any) -> Any:
    """A text of one line, without what is invisible; anything that is no text as it is."""
    return _plain(value, without=_NOT_IN_LINE)


def prose(value: Any) -> Any:
    """Text of several lines without what is invisible; anything that is no text as it is."""
    if isinstance(value, str) and "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return _plain(value, without=_NOT_IN_PROSE)


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        # The library's own words quote parts of the address; a message may end up in a log.
        raise ValueError("is not an e-mail address: it should look like name@example.org") from None


def web_address(value: str) -> str:
    """The address of a web page, its scheme filled in; ValueError for anything else but nothing."""
    if not value:
        return value
    url = value if _WEBSITE_SCHEME.match(value) else f"https://{value}"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and "." in (parts.hostname or "")
    except ValueError:
        sound = False
    if not sound or any(c.isspace() for c in url):
        raise ValueError("is not a web address: it should look like https://example.org")
    if len(url) > WEBSITE_LENGTH:
        raise ValueError(f"is too long: at most {WEBSITE_LENGTH} characters")
    return url


def _page(value: str) -> str:
    # PostgreSQL's indexes take no longer value.
    if len(value.encode()) > PAGE_BYTES:
        raise ValueError(f"is too long: at most {PAGE_BYTES:,} bytes")
    return value


def ip_address(value: str) -> str:
    """The IP address, without a zone; ValueError for anything else."""
    try:
        # A zone ("%eth0") means something on the sender's machine only.
        return str(ipaddress.ip_address(value)).partition("%")[0]
    except ValueError:
        raise ValueError("is not an IP address") from None


def _none_if_empty(value: Any) -> Any:
    # WordPress's form says "0" where a comment answers no other.
    kept = line(value)
    return None if kept in ("", "0", 0) else kept


def _at_most(length: int) -> AfterValidator:
    """Cuts what nobody would mind to see cut, where a refusal would lose a comment."""
    return AfterValidator(lambda value: value[:length])


Line = Annotated[str, BeforeValidator(line)]
OptionalText = Annotated[str | None, BeforeValidator(_none_if_empty)]


class CommentIn(BaseModel):
    """A reader's comment. The field names of WordPress's own form are understood too."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)

    page: Annotated[Line, AfterValidator(_page)] = Field(
        min_length=1,
        description="The article's address, or its id on your site.",
        validation_alias=AliasChoices("page", "comment_post_ID"),
        examples=["https://news.example/2026/harbour-bridge"],
    )
    name: Line = Field(
        min_length=1,
        max_length=NAME_LENGTH,
        description="The reader's name, in any script.",
        validation_alias=AliasChoices("name", "author"),
        examples=["Zoë"],
    )
    email: Annotated[Line, AfterValidator(_email)] = Field(
        min_length=1,
        max_length=254,
        description="The reader's e-mail address. It is never published.",
        examples=["zoe@example.org"],
    )
    text: Annotated[str, BeforeValidator(prose)] = Field(
        min_length=1,
        max_length=TEXT_LENGTH,
        description="What the reader wrote, as plain text.",
        validation_alias=AliasChoices("text", "comment"),
        examples=["The old bridge had a tram line, which nobody mentions."],
    )
    website: Annotated[Line, AfterValidator(web_address)] = Field(
        "",
        max_length=WEBSITE_LENGTH,
        description="The reader's own web page.",
        validation_alias=AliasChoices("website", "url"),
    )
    parent: OptionalText = Field(
        None,
        max_length=32,
        description="The id of the published comment that this one answers.",
        validation_alias=AliasChoices("parent", "comment_parent"),
    )
    page_title: Annotated[Line, _at_most(300)] = Field("", description="The article's title.")


class SenderIn(BaseModel):
    """What the site knows of the sender. Only believed when it comes with the site's key."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    ip: Annotated[OptionalText, AfterValidator(lambda v: v if v is None else ip_address(v))] = (
        Field(None, description="The reader's IP address.", examples=["203.0.113.7"])
    )
    user_agent: Annotated[Line, _at_most(500)] = Field("", description="The reader's browser.")
    referrer: Annotated[Line, _at_most(2000)] = Field("", description="Where the reader came from.")


def _text_or_nothing(value: Any) -> str:
    # Nobody could correct what they do not see: what is no text is as good as nothing.
    return value if isinstance(value, str) else ""


Unseen = Annotated[str, BeforeValidator(_text_or_nothing)]


class FormTraces(BaseModel):
    """What a form of ours adds. Not looked at when the site's key is sent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    token: Unseen = Field("", description="From `/v1/challenge`, for one comment.")
    altcha: Unseen = Field("", description="ALTCHA's payload: the challenge and its solution.")
    mail_subject: Unseen = Field("", description="Hidden from people: leave it empty.")


class CommentSubmission(CommentIn, SenderIn, FormTraces):
    """The body of `POST /v1/comments`."""

    site: Line = Field(
        "",
        max_length=64,
        description="Your site's public name, where no key is sent: in a form on a page.",
    )

    @classmethod
    def field_of(cls, name: str) -> str:
        """Our name of a field that was sent by one of its names."""
        for field, info in cls.model_fields.items():
            alias = info.validation_alias
            if isinstance(alias, AliasChoices) and name in alias.choices:
                return field
        return name


class CommentReceipt(BaseModel):
    """The answer to a stored comment."""

    id: str = Field(description="Unguessable; whoever has it may ask for the status.")
    status: Status = Field(description="Where it stands: `pending`, unless the post was repeated.")


class CommentState(BaseModel):
    """Where a comment stands, for who posted it."""

    id: str = Field(description="As the answer to the post gave it.")
    status: Status = Field(description="`held` waits for a moderator; only `approved` is public.")
    created_at: datetime = Field(description="When it was stored.")


class PublishedQuery(BaseModel):
    """The query of `GET /v1/comments`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    page: Annotated[Line, AfterValidator(_page)] = Field(
        min_length=1, description="As it was given when posting."
    )
    site: Line = Field("", max_length=64, description="Your site's name, where no key is sent.")
    after: Line = Field("", max_length=32, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="How many conversations.")


class SiteQuery(BaseModel):
    """A query that names a site and nothing else."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    site: Line = Field(min_length=1, max_length=64, description="Your site's name.")


class FormQuery(SiteQuery):
    """The query of `/v1/form`."""

    page: Annotated[Line, AfterValidator(_page)] = Field(
        min_length=1, description="As it is given when posting."
    )
    title: Annotated[Line, _at_most(300)] = Field("", description="The article's title.")
    parent: Line = Field("", max_length=32, description="The comment to answer.")
    after: Line = Field("", max_length=32, description="The last conversation that was shown.")
    comment: Line = Field("", max_length=32, description="The comment that was just posted.")


class AltchaParameters(BaseModel):
    """What to work on. Find a counter for which PBKDF2 of the nonce with the counter behind it (32
    bits, the highest byte first) begins with the prefix. All bytes are in hexadecimal."""

    algorithm: str = Field(description="`PBKDF2/SHA-256`.")
    nonce: str = Field(description="The first part of the password.")
    salt: str = Field(description="The salt.")
    cost: int = Field(description="Iterations.")
    keyLength: int = Field(description="Bytes to derive.")  # noqa: N815 - ALTCHA's own name
    keyPrefix: str = Field(description="How the derived bytes have to begin.")  # noqa: N815
    expiresAt: int = Field(description="Seconds since 1970.")  # noqa: N815
    data: dict[str, str] = Field(description="What it is for.")


class AltchaChallenge(BaseModel):
    """A challenge of ALTCHA, version 2: https://altcha.org."""

    parameters: AltchaParameters = Field(description="What to work on.")
    signature: str = Field(description="Ours: send it back with the parameters as they are.")


class FormChallenge(BaseModel):
    """What a form needs before it may be sent."""

    token: str = Field(description="Send it as `token`; it is good for one comment.")
    wait_ms: int = Field(description="What is sent sooner than that is held.")
    lasts_ms: int = Field(description="What is sent later than that is held.")
    altcha: AltchaChallenge | None = Field(description="Work, if the site asks for it.")


class FeedQuery(BaseModel):
    """What may be asked about a feed."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    page: Annotated[Line, AfterValidator(_page)] = Field(
        "", description="The page, as it was given when posting; none: all of the site's."
    )
    limit: int = Field(50, ge=1, le=200, description="How many comments.")


class FeedAuthor(BaseModel):
    """Who wrote a comment."""

    name: str = Field(description="The reader's name.")
    url: str = Field("", description="The reader's own web page, if there is one.")


class FeedItem(BaseModel):
    """A published comment. It never carries an e-mail address."""

    id: str = Field(description="The comment's id.")
    url: str = Field("", description="Where it is read, if the site names its pages by address.")
    title: str = Field(description="The reader's name and the page's title.")
    content_text: str = Field(description="Plain text: escape it before you put it into a page.")
    date_published: datetime = Field(description="When it was stored.")
    authors: list[FeedAuthor] = Field(description="Always one.")


class JsonFeed(BaseModel):
    """JSON Feed 1.1: https://www.jsonfeed.org/version/1.1/."""

    version: str = Field(description="The version of the format.")
    title: str = Field(description="What the comments are about.")
    home_page_url: str = Field("", description="The page, if it is named by its address.")
    feed_url: str = Field(description="The feed's own address.")
    items: list[FeedItem] = Field(description="The latest comments, the newest first.")


class PublicComment(BaseModel):
    """A published comment. It never carries an e-mail address."""

    id: str = Field(description="Give it as `parent` to answer this comment.")
    parent: str | None = Field(description="The comment it answers, if that one is published.")
    name: str = Field(description="The reader's name: escape it before you put it into a page.")
    website: str = Field(description="The reader's own web page, http or https; or empty.")
    text: str = Field(description="Plain text: escape it before you put it into a page.")
    created_at: datetime = Field(description="When it was stored.")
    replies: list["PublicComment"] = Field(description="Its answers, the oldest first.")


class CommentPage(BaseModel):
    """Some of a page's conversations, oldest first."""

    comments: list[PublicComment] = Field(description="The comments that start a conversation.")
    next: str | None = Field(description="Give it as `after` to get the next ones.")
    closed: bool = Field(False, description="The page takes no more comments: hide your form.")


class ChangedComment(BaseModel):
    """What a webhook is told of a comment. It never carries an e-mail address."""

    id: str = Field(description="The comment's id.")
    page: str = Field(description="The page, as it was given when posting.")
    status: Status = Field(description="Where it stands now.")
    previous: Status = Field(description="Where it stood.")
    reason: str = Field(description="A rule, a head of the model, or a moderator's reason.")
    by: str = Field(description="`service` or `moderator`.")
    version: int = Field(description="Counts its changes: ignore one lower than you know.")


class WebhookMessage(BaseModel):
    """What a webhook is sent, signed as Standard Webhooks describes."""

    type: str = Field(description="`comment.approved`, `comment.held` or `comment.rejected`.")
    timestamp: datetime = Field(description="When it happened.")
    data: ChangedComment = Field(description="What happened.")


class AccountState(BaseModel):
    """The account that a token acts for."""

    name: str = Field(description="It stands beside everything that is decided with the token.")
    role: Role = Field(description="An `administrator` sees every site.")
    sites: list[str] = Field(description="Names of the sites whose comments it sees.")


class ProblemField(BaseModel):
    """One wrong field."""

    field: str = Field(description="Its name, as it was sent.")
    detail: str = Field(description="What is wrong with it; never what was sent.")


class Problem(BaseModel):
    """Problem details as RFC 9457 describes them."""

    type: str = Field("about:blank", description="Always `about:blank`: the status says it.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field("", description="What happened, for a person.")
    errors: list[ProblemField] = Field([], description="One entry for each wrong field.")


_Schema = TypeVar("_Schema", bound=BaseModel)


def parse(schema: type[_Schema], fields: dict[str, Any]) -> _Schema:
    """Validate `fields`.

    Raises:
        InvalidInput: one entry for each field that is wrong, none of which repeats what was sent.
    """
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise InvalidInput(*(_field_error(entry) for entry in found)) from None


def _field_error(entry: ErrorDetails) -> FieldError:
    field = str(entry["loc"][0]) if entry["loc"] else ""
    limits = entry.get("ctx", {})
    match entry["type"]:
        case "missing" | "string_too_short":
            detail = "is required"
        case "string_too_long":
            detail = f"is too long: at most {limits['max_length']:,} characters"
        case "string_type":
            detail = "has to be text"
        case _:
            detail = entry["msg"].removeprefix("Value error, ")
    return FieldError(field, detail)
