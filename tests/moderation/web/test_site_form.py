from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from moderation.errors import InvalidInput
from moderation.policy import HEADS, SiteSettings
from moderation.rules import Facts, consult
from moderation.site_settings import differences
from moderation.web.site_form import FIELDS, GROUPS, Kind, label, parse, shown, typed

EVERYTHING = SiteSettings.model_validate(
    {
        "rules": {
            "banned_words": ["casino*", "buy now"],
            "suspect_words": ["boat"],
            "max_links": 0,
            "hold_first_comment": True,
            "duplicate_hours": 1,
            "flood_comments": 2,
            "flood_seconds": 3,
            "max_length": 4,
            "only_our_forms": True,
            "proof_of_work": True,
        },
        "thresholds": dict.fromkeys(HEADS, 0.25),
        "reject_above": 0.9,
        "origins": ["https://courier.example", "http://courier.example:8080"],
        "close_after_days": 30,
        "site_feed": True,
        "audit_share": 0.02,
        "blind_share": 0.5,
        "akismet_waits": True,
        "akismet_discard": True,
        "notify_url": "https://hooks.example/x?y=z",
        "notify_after_minutes": 15,
        "retrain_after_labels": None,
        "retrain_every_days": 7,
        "promote_automatically": True,
    }
)


def sent(settings: SiteSettings, **changes: str) -> MultiDict[str, str]:
    """What a browser sends of the form."""
    fields = {
        name: "on" if value is True else value
        for name, value in shown(settings).items()
        if FIELDS[name].kind is not Kind.CHECKBOX or value
    }
    return MultiDict(fields | changes)


def wrong(**changes: str) -> dict[str, str]:
    """Messages by field."""
    names = {name.replace("__", "."): value for name, value in changes.items()}
    with pytest.raises(InvalidInput) as refused:
        parse(sent(SiteSettings(), **names), SiteSettings())
    return {error.field: error.detail for error in refused.value.errors}


def test_the_form_has_every_setting() -> None:
    stored = EVERYTHING.model_dump(mode="json")
    changed = {entry["setting"] for entry in differences(SiteSettings(), EVERYTHING)}
    assert changed == FIELDS.keys()
    assert all(label(name) != name for name in FIELDS)
    assert stored


@pytest.mark.parametrize("settings", [SiteSettings(), EVERYTHING], ids=["default", "everything"])
def test_what_is_shown_and_sent_back_is_the_same_settings(settings: SiteSettings) -> None:
    assert parse(sent(settings), settings) == settings
    assert typed(sent(settings)) == shown(settings)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("rules__max_links", "many", "has to be a whole number"),
        ("rules__max_links", "-1", "has to be a whole number"),
        ("rules__max_links", "2.5", "has to be a whole number"),
        ("rules__max_links", "", "is required"),
        ("rules__max_length", "0", "has to be 1 or more"),
        ("rules__flood_seconds", "0", "has to be 1 or more"),
        ("thresholds__insult", "1.5", "has to be 1 or less"),
        ("thresholds__insult", "-0.1", "has to be 0 or more"),
        ("thresholds__insult", "high", "has to be a number from 0 to 1, such as 0.75"),
        ("thresholds__insult", "nan", "has to be a number from 0 to 1"),
        ("reject_above", "inf", "has to be a number from 0 to 1"),
        ("rules__duplicate_hours", "9" * 30, "has to be 100,000 or less"),
        ("close_after_days", "0", "has to be 1 or more"),
        ("close_after_days", "99999", "has to be 36,500 or less"),
        ("notify_after_minutes", "0", "has to be 1 or more"),
        ("notify_url", "hooks.example", "has to look like https://"),
        ("notify_url", "ftp://hooks.example", "has to look like https://"),
        ("notify_url", "https://user:word@hooks.example", "has to look like https://"),
        ("notify_url", "https://hooks.example/" + "x" * 500, "is too long: at most 500"),
        ("origins", "https://courier.example/page", "more than scheme and host"),
        ("origins", "courier", "has to look like https://"),
        ("rules__banned_words", "good\n***", "without a letter or digit: ***"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_wanted(field: str, value: str, complaint: str) -> None:
    messages = wrong(**{field: value})
    assert list(messages) == [field.replace("__", ".")]
    assert complaint in messages[field.replace("__", ".")]


def test_everything_that_is_wrong_is_named_at_once_in_the_order_of_the_form() -> None:
    messages = wrong(
        rules__max_links="x", thresholds__spam="2", notify_url="x", rules__suspect_words="*"
    )
    assert list(messages) == [
        "thresholds.spam",
        "rules.suspect_words",
        "rules.max_links",
        "notify_url",
    ]


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [
        ("thresholds.insult", " 0,75 ", 0.75),
        ("thresholds.insult", "1", 1.0),
        ("rules.banned_words", "a\r\n\r\n  b \na", ("a", "b")),
        ("rules.max_links", "٣", 3),
        ("origins", "https://courier.example/", ("https://courier.example",)),
    ],
)
def test_small_differences_in_typing_do_not_matter(field: str, value: str, meant: Any) -> None:
    settings = parse(sent(SiteSettings(), **{field: value}), SiteSettings())
    parent, _, last = field.rpartition(".")
    found = getattr(settings, parent) if parent else settings
    assert (found[last] if isinstance(found, dict) else getattr(found, last)) == meant


ANY_FORM = st.dictionaries(st.sampled_from(list(FIELDS)), st.text(max_size=80))


def parsed(form: MultiDict[str, str]) -> tuple[SiteSettings | None, dict[str, str]]:
    """Settings or messages by field."""
    try:
        return parse(form, SiteSettings()), {}
    except InvalidInput as error:
        return None, {e.field: e.detail for e in error.errors}


@given(ANY_FORM)
def test_whatever_is_typed_is_settings_or_messages_beside_fields(form: dict[str, str]) -> None:
    settings, messages = parsed(MultiDict(form))
    if settings is None:
        assert messages
        assert messages.keys() <= FIELDS.keys()
        assert all(messages.values())
    else:
        assert parse(sent(settings), settings) == settings
        assert SiteSettings.model_validate(settings.model_dump(mode="json")) == settings


@given(st.text(max_size=200))
def test_whatever_is_typed_as_words_can_be_searched_for(words: str) -> None:
    settings, messages = parsed(sent(SiteSettings(), **{"rules.banned_words": words}))
    if settings is None:
        assert messages.keys() == {"rules.banned_words"}
        return
    assert all(map(str.isprintable, settings.rules.banned_words))
    facts = Facts("A text", "Zoë", "", author_approved=True, earlier_from_sender=0, agreement=0)
    consult(facts, settings.rules)


def test_every_group_explains_itself() -> None:
    assert [group.title for group in GROUPS] == [
        "Thresholds",
        "Words",
        "Rules",
        "Pages",
        "Audit",
        "Learning",
        "Akismet",
        "Notice",
    ]
