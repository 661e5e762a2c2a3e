"""The form of a site's settings: its fields in plain words, and the way from what was typed to
settings or to a message beside each field that is wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, nan
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from moderation.addresses import web_address
from moderation.classifier.prediction import REJECT, Reason
from moderation.errors import FieldError, InvalidInput
from moderation.policy import HEADS, SiteSettings


class Kind(StrEnum):
    """How a setting is typed."""

    NUMBER = "number"
    """A whole number."""
    OPTIONAL_NUMBER = "optional number"
    PROBABILITY = "probability"
    """Or nothing."""
    CHECKBOX = "checkbox"
    LINES = "lines"
    """One entry a line."""
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """A setting, and what it is called in the form."""

    name: str
    """Its path in `SiteSettings`, with dots."""
    label: str
    help: str
    kind: Kind
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together."""

    title: str
    help: str
    fields: tuple[Field, ...]


_HEAD_LABELS = {
    REJECT: "Any reason",
    Reason.TOXIC: "Toxic",
    Reason.SEVERE_TOXIC: "Severely toxic",
    Reason.OBSCENE: "Obscene",
    Reason.THREAT: "Threat",
    Reason.INSULT: "Insult",
    Reason.IDENTITY_ATTACK: "Attack on a group",
    Reason.SPAM: "Spam",
}


def _threshold(head: str) -> Field:
    return Field(f"thresholds.{head}", _HEAD_LABELS[head], "", Kind.PROBABILITY)


GROUPS = (
    Group(
        "Thresholds",
        "A comment is held when one of these probabilities is reached: a lower threshold holds "
        "more. Leave a field empty for the model’s own threshold. Where the site has a goal, "
        "what follows from it takes the place of the model’s own.",
        (
            *(_threshold(head) for head in HEADS),
            Field(
                "reject_above",
                "Reject without a moderator",
                "Rejects, instead of holding, what moderators would reject with this probability. "
                "Empty: a moderator looks at everything.",
                Kind.PROBABILITY,
            ),
        ),
    ),
    Group(
        "Words",
        "One word or phrase on each line, in any case. A * at the end matches any ending: casino* "
        "also finds casinos. Text, name and website of a comment are searched.",
        (
            Field(
                "rules.banned_words", "Reject comments with", "Nobody looks at them.", Kind.LINES
            ),
            Field("rules.suspect_words", "Hold comments with", "A moderator decides.", Kind.LINES),
        ),
    ),
    Group(
        "Rules",
        "",
        (
            Field(
                "rules.hold_first_comment",
                "Hold the first comments of an author",
                "Until one of them is approved.",
                Kind.CHECKBOX,
            ),
            Field("rules.max_links", "Links allowed", "A comment with more is held.", Kind.NUMBER),
            Field(
                "rules.duplicate_hours",
                "Hold what repeats a comment of the last",
                "Word for word or nearly. 0: repeats are not held.",
                Kind.NUMBER,
                "hours",
            ),
            Field(
                "rules.flood_comments",
                "Comments of one sender at a time",
                "What an author or address posts beyond that is held. 0: no limit.",
                Kind.NUMBER,
            ),
            Field(
                "rules.flood_seconds",
                "“At a time” means within",
                "",
                Kind.NUMBER,
                "seconds",
            ),
            Field(
                "rules.max_length",
                "Longest comment",
                "A longer one is held.",
                Kind.NUMBER,
                "characters",
            ),
            Field(
                "rules.only_our_forms",
                "Hold what a browser sends from other forms than ours",
                "For websites that use the script tag only. What comes with the website’s key is "
                "not concerned.",
                Kind.CHECKBOX,
            ),
            Field(
                "rules.proof_of_work",
                "Let browsers work for each comment",
                "The reader’s device calculates for a second or so while the comment is being "
                "written, which makes mass posting expensive. What comes without it is held, also "
                "from readers without JavaScript.",
                Kind.CHECKBOX,
            ),
        ),
    ),
    Group(
        "Pages",
        "",
        (
            Field(
                "close_after_days",
                "Close a discussion after",
                "Counted from the page’s first comment; later ones are refused. Empty: never.",
                Kind.OPTIONAL_NUMBER,
                "days",
            ),
            Field(
                "origins",
                "Addresses of the website",
                "One on each line, such as https://courier.example. Their pages may "
                "show comments by the script tag, and a reader who posted there is sent back.",
                Kind.LINES,
            ),
            Field(
                "site_feed",
                "Offer a feed of the comments on all pages",
                "Whoever knows the website’s name can then read every published comment, with the "
                "addresses of pages that are linked nowhere. A page’s own feed is always there.",
                Kind.CHECKBOX,
            ),
        ),
    ),
    Group(
        "Audit",
        "How often the service publishes what it should not is known only if somebody looks at "
        "some of it. They stand in the queue among the held ones, and nothing tells which they "
        "are.",
        (
            Field(
                "audit_share",
                "Share of what is published by itself that is looked at",
                "From 0 to 1; 0: none. Empty: 0.01.",
                Kind.PROBABILITY,
            ),
            Field(
                "blind_share",
                "Share of held comments shown without what the service found",
                "Those to be looked at are shown so, and these hide them. Empty: 0.25.",
                Kind.PROBABILITY,
            ),
        ),
    ),
    Group(
        "Learning",
        "The site’s own model learns from what its moderators decide. A new one is compared with "
        "the present one on later decisions before it may take its place.",
        (
            Field(
                "retrain_after_labels",
                "Train anew after",
                "Empty: not by their number.",
                Kind.OPTIONAL_NUMBER,
                "new labels",
            ),
            Field(
                "retrain_every_days",
                "Train anew every",
                "If there are new labels. Empty: not by time.",
                Kind.OPTIONAL_NUMBER,
                "days",
            ),
            Field(
                "promote_automatically",
                "Let a recommended model decide at once",
                "Otherwise somebody promotes it.",
                Kind.CHECKBOX,
            ),
        ),
    ),
    Group(
        "Akismet",
        "For sites that ask over Akismet’s protocol. A held comment is called spam there, unless "
        "the client is known to keep it waiting: many know nothing between yes and no.",
        (
            Field(
                "akismet_waits",
                "Keep held comments waiting in WordPress",
                "WordPress’s Akismet plugin leaves them pending and asks again. Other clients are "
                "told spam as before.",
                Kind.CHECKBOX,
            ),
            Field(
                "akismet_discard",
                "Let clients drop rejected comments",
                "Some delete them unseen, so that nobody there can correct a mistake.",
                Kind.CHECKBOX,
            ),
        ),
    ),
    Group(
        "Notice",
        "Somebody is told when held comments wait for too long, when the audit shows that too much "
        "is published that should not be, and when comments look different to the model than they "
        "did; and again when that is over: once for each change, and once an hour at most.",
        (
            Field(
                "notify_url",
                "Web address to tell",
                "It gets a small JSON message by POST, without any comment in it. Empty: nobody is "
                "told.",
                Kind.TEXT,
            ),
            Field(
                "notify_after_minutes",
                "When the oldest held comment has waited",
                "",
                Kind.NUMBER,
                "minutes",
            ),
        ),
    ),
)

GOALS = Group(
    "Goals",
    "The thresholds follow from what people decided, so that the goal is met with a certainty of "
    "95 %. The less they have decided, the more is held.",
    (
        Field(
            "approve_precision",
            "Of what is approved automatically, right should be at least",
            "From 0.5 to below 1, such as 0.99. Empty: no goal; the settings’ thresholds count.",
            Kind.PROBABILITY,
        ),
        Field(
            "reject_precision",
            "Of what is rejected automatically, right should be at least",
            "Such as 0.995. Empty: no goal; what the settings say of rejecting counts.",
            Kind.PROBABILITY,
        ),
        Field(
            "imports_complete",
            "Imported comments count too",
            "Tick it if what was imported is all that the old system was sent, not a selection.",
            Kind.CHECKBOX,
        ),
    ),
)
"""On a page of their own, with what follows from them."""

FIELDS = {field.name: field for group in GROUPS for field in group.fields}


GOAL_FIELDS = {field.name: field for field in GOALS.fields}

Fields = Mapping[str, Field]


def shown(settings: SiteSettings, fields: Fields = FIELDS) -> dict[str, Any]:
    """The settings as the form shows them: text by field, or whether a box is ticked."""
    stored = settings.model_dump(mode="json")
    return {name: _as_text(_at(stored, name)) for name in fields}


def typed(form: MultiDict[str, str], fields: Fields = FIELDS) -> dict[str, Any]:
    """The same of what was sent, to show it again."""
    return {
        name: name in form if field.kind is Kind.CHECKBOX else form.get(name, "")
        for name, field in fields.items()
    }


def parse(
    form: MultiDict[str, str], present: SiteSettings, fields: Fields = FIELDS
) -> SiteSettings:
    """The settings that were typed; those without a field stay as they are at present.

    Raises:
        InvalidInput: an entry for each field that is wrong.
    """
    parts = {name.split(".")[0] for name in fields}
    values: dict[str, Any] = present.model_dump(mode="json", exclude=parts)
    values |= {part: {} for part in ("rules", "thresholds") if part in parts}
    errors = []
    for name, field in fields.items():
        try:
            value = _value(field, form)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
            continue
        parent, _, last = name.rpartition(".")
        # Nothing is typed where the default is not wanted; of a threshold, where the model's is.
        if value is not None or not parent:
            (values[parent] if parent else values)[last] = value
    try:
        settings = SiteSettings.model_validate(values)
    except ValidationError as error:
        wrong = {e.field for e in errors}
        found = (_field_error(e) for e in error.errors(include_url=False, include_input=False))
        errors += [e for e in found if e.field not in wrong]
    if errors:
        order = list(fields)
        raise InvalidInput(*sorted(errors, key=lambda e: order.index(e.field)))
    return settings


def label(name: str) -> str:
    """A setting in words, for the record of changes."""
    if name == "key":
        return "Key"
    if name == "site":
        return "Site"
    if name.startswith("webhook"):
        return name.capitalize()
    if name == "coral secret":
        return "Coral’s secret"
    field = (FIELDS | GOAL_FIELDS).get(name)
    if field is None:
        return name
    group = next(group for group in (*GROUPS, GOALS) if field in group.fields)
    return f"{group.title}: {field.label}" if name.startswith("thresholds.") else field.label


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if value is None:
        return ""
    return "\n".join(value) if isinstance(value, list) else str(value)


def _at(values: Mapping[str, Any], name: str) -> Any:
    parent, _, last = name.rpartition(".")
    return (values[parent] if parent else values).get(last)


def _value(field: Field, form: MultiDict[str, str]) -> Any:
    """What was typed into a field; None for nothing.

    Raises:
        ValueError: it cannot be read; the message says what is wanted.
    """
    if field.kind is Kind.CHECKBOX:
        return field.name in form
    text = form.get(field.name, "")
    if field.kind is Kind.LINES:
        lines = list(dict.fromkeys(filter(None, map(_printable, text.splitlines()))))
        return _addresses(lines) if field.name == "origins" else _words(lines)
    text = _printable(text)
    if field.name == "notify_url":
        return web_address(text) if text else ""
    if not text:
        if field.kind is Kind.NUMBER:
            raise ValueError("is required")
        return None
    if field.kind is Kind.PROBABILITY:
        return _number(text)
    if not text.isdecimal():
        raise ValueError("has to be a whole number")
    return int(text[:_DIGITS])


# More than any limit has; Python refuses to read thousands of digits.
_DIGITS = 12


def _number(text: str) -> float:
    try:
        # The decimal comma of many countries.
        number = float(text.replace(",", "."))
    except ValueError:
        number = nan
    if not isfinite(number):
        raise ValueError("has to be a number from 0 to 1, such as 0.75")
    return number


def _words(lines: Iterable[str]) -> list[str]:
    words = list(lines)
    for word in words:
        if not any(map(str.isalnum, word)):
            raise ValueError(f"has an entry without a letter or digit: {word}")
    return words


def _addresses(lines: Iterable[str]) -> list[str]:
    origins = []
    for line in lines:
        parts = urlsplit(web_address(line))
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"has an address that is more than scheme and host: {line}")
        origins.append(f"{parts.scheme}://{parts.netloc}")
    return origins


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()


def _field_error(entry: ErrorDetails) -> FieldError:
    # An entry of a list is named by its list, which is where the form shows the message.
    path = [str(part) for part in entry["loc"] if isinstance(part, str) and part != "[key]"]
    limits = entry.get("ctx", {})
    match entry["type"]:
        case "greater_than_equal":
            detail = f"has to be {limits['ge']:,g} or more"
        case "less_than":
            detail = f"has to be less than {limits['lt']:,g}"
        case "less_than_equal":
            detail = f"has to be {int(limits['le']):,} or less"
        case "string_too_long":
            detail = f"is too long: at most {limits['max_length']:,} characters"
        case _:
            detail = entry["msg"].removeprefix("Value error, ")
    return FieldError(".".join(path), detail)
