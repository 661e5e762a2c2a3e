import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import FieldError, InvalidInput
from moderation.schemas import CommentSubmission, PublishedQuery, line, parse

FIELDS = {"page": "/bridge", "name": "Zoë", "email": "zoe@example.org", "text": "A tram line."}


def submission(**fields: Any) -> CommentSubmission:
    return parse(CommentSubmission, FIELDS | fields)


def errors(**fields: Any) -> dict[str, str]:
    """What is wrong with the fields, by field."""
    with pytest.raises(InvalidInput) as caught:
        submission(**fields)
    return {error.field: error.detail for error in caught.value.errors}


def outcome(**fields: Any) -> CommentSubmission | InvalidInput:
    try:
        return submission(**fields)
    except InvalidInput as error:
        return error


def test_the_least_that_has_to_be_sent() -> None:
    given = parse(CommentSubmission, FIELDS)
    assert (given.website, given.parent, given.page_title, given.site) == ("", None, "", "")
    assert (given.ip, given.user_agent, given.referrer) == (None, "", "")


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(CommentSubmission, {})
    assert caught.value.errors == tuple(FieldError(name, "is required") for name in FIELDS)


def test_no_character_without_width_stays() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    without = "".join(c for c in every if unicodedata.category(c) in ("Cc", "Cf", "Cs"))
    assert line(f"a{without}b") == "a\u200c\u200db"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "empty",
    [
        "",
        "   ",
        "\r\n\t ",
        "\u200b\ufeff",
        "\u200d\u200c",
        "\u200c \u200d",
        "\u200e",
        "\u3164",
        "\0",
    ],
)
def test_what_is_empty_after_trimming_is_missing(field: str, empty: str) -> None:
    assert errors(**{field: empty}) == {field: "is required"}


@pytest.mark.parametrize(
    "name",
    ["Zoë", "Łukasz O’Neill-Żak", "王小明", "نوشین", "क्‍षमा", "مریم‌السادات", "X Æ A-12", "👩‍🚀"],
)
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    assert submission(name=name).name == name


def test_a_sign_that_is_newer_than_our_unicode_can_be_seen() -> None:
    assert submission(text="\U0001faff").text == "\U0001faff"


def test_a_name_is_one_line_without_space_around_it() -> None:
    assert submission(name="  Zoë \r\n\t Example ").name == "Zoë  Example"


def test_composed_and_decomposed_letters_are_one() -> None:
    assert submission(name="Zoe\u0308").name == "Zo\u00eb"
    assert submission(name="Zoe\u200b\u0308").name == "Zo\u00eb"


def test_lines_of_a_text_are_kept_and_counted_once() -> None:
    assert submission(text=" One\r\ntwo\rthree\n\n\tfour ").text == "One\ntwo\nthree\n\n\tfour"


@pytest.mark.parametrize(
    ("field", "limit", "unit"),
    [("name", 100, "n"), ("text", 20_000, "漢"), ("site", 64, "s"), ("parent", 32, "a")],
)
def test_a_field_may_be_as_long_as_its_limit_and_no_longer(
    field: str, limit: int, unit: str
) -> None:
    assert getattr(submission(**{field: unit * limit}), field) == unit * limit
    assert errors(**{field: unit * (limit + 1)}) == {
        field: f"is too long: at most {limit:,} characters"
    }


def test_a_page_is_measured_in_bytes() -> None:
    assert submission(page="é" * 1000).page == "é" * 1000
    assert errors(page="é" * 1000 + "e") == {"page": "is too long: at most 2,000 bytes"}


@pytest.mark.parametrize(
    ("field", "limit"), [("page_title", 300), ("user_agent", 500), ("referrer", 2000)]
)
def test_what_nobody_would_miss_is_cut(field: str, limit: int) -> None:
    assert getattr(submission(**{field: "x" * (limit + 1)}), field) == "x" * limit


def test_the_names_of_wordpress_are_understood() -> None:
    given = parse(
        CommentSubmission,
        {
            "comment_post_ID": 17,
            "author": "Zoë",
            "email": "zoe@example.org",
            "comment": "A tram line.",
            "url": "https://zoe.example",
            "comment_parent": "0",
        },
    )
    assert (given.page, given.name, given.text) == ("17", "Zoë", "A tram line.")
    assert (given.website, given.parent) == ("https://zoe.example", None)


def test_an_error_names_the_field_as_the_sender_did() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(CommentSubmission, {"author": "", "url": "no site"} | FIELDS | {"name": ""})
    assert [error.field for error in caught.value.errors] == ["name", "url"]
    assert CommentSubmission.field_of("author") == "name"
    assert CommentSubmission.field_of("url") == "website"
    assert CommentSubmission.field_of("email") == "email"
    assert CommentSubmission.field_of("unknown") == "unknown"


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("zoe@example.org", "zoe@example.org"),
        ("Zoe+news@EXAMPLE.org", "Zoe+news@example.org"),
        (" o’neill@example.org ", "o’neill@example.org"),
        ("zoë@exämple.org", "zoë@exämple.org"),
        ("zoe@xn--exmple-cua.org", "zoe@exämple.org"),
    ],
)
def test_real_addresses_are_taken(email: str, kept: str) -> None:
    assert submission(email=email).email == kept


@pytest.mark.parametrize(
    "email",
    [
        "zoe",
        "zoe@",
        "@example.org",
        "zoe@localhost",
        "zoe@@example.org",
        "zoe doe@example.org",
        "zoe..doe@example.org",
        "zoe@example.org, doe@example.org",
        "zoe@[127.0.0.1]",
        "Zoë <zoe@example.org>",
    ],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert errors(email=email)["email"].startswith("is not an e-mail address: ")


@given(
    st.tuples(
        st.text("abcdefXYZ.'\"<>(),;: \\", min_size=4, max_size=30),
        st.sampled_from(["@", "@@", "", " @ "]),
        st.text("abcdefXYZ.-_'\" ", min_size=4, max_size=30),
    ).map("qqqq".join)
)
def test_an_error_never_repeats_the_address(email: str) -> None:
    found = outcome(email=email)
    if isinstance(found, InvalidInput):
        assert "qqqq" not in str(found)
        assert "qqqq" not in repr(found.errors)
        assert found.__cause__ is None


@pytest.mark.parametrize(
    ("website", "kept"),
    [
        ("example.org:8080/me", "https://example.org:8080/me"),
        ("", ""),
        ("https://zoe.example/about?me=1#top", "https://zoe.example/about?me=1#top"),
        ("HTTP://zoe.example", "HTTP://zoe.example"),
        ("zoe.example", "https://zoe.example"),
        ("www.zoe.example/~zoe", "https://www.zoe.example/~zoe"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_a_website_is_a_web_address_with_its_scheme(website: str, kept: str) -> None:
    assert submission(website=website).website == kept


def test_a_website_with_its_scheme_is_no_longer_than_the_limit() -> None:
    address = "zoe.example/" + "x" * (500 - len("https://zoe.example/"))
    assert submission(website=address).website == f"https://{address}"
    assert errors(website=address + "x") == {"website": "is too long: at most 500 characters"}
    assert errors(website="x" * 501) == {"website": "is too long: at most 500 characters"}


@pytest.mark.parametrize(
    "website",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "JavaScript://zoe.example/%0aalert(1)",
        "data:text/html,hello",
        "mailto:zoe@example.org",
        "//zoe.example",
        "https://",
        "https://zoe",
        "https://[::1",
        "https://zoe.example/a b",
        "none",
    ],
)
def test_a_website_that_is_none_is_refused(website: str) -> None:
    assert errors(website=website) == {
        "website": "is not a web address: it should look like https://example.org"
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("", None), ("0", None), ("0190f", "0190f"), (None, None)],
)
def test_a_parent_of_nought_is_none(sent: object, kept: str | None) -> None:
    assert submission(parent=sent).parent == kept


def test_numbers_stand_for_their_digits() -> None:
    given = submission(page=17, parent=0, name=42)
    assert (given.page, given.parent, given.name) == ("17", None, "42")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", None),
        (None, None),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:0DB8::0:7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_ip_address_is_kept_in_its_normal_form(sent: str | None, kept: str | None) -> None:
    assert submission(ip=sent).ip == kept


@pytest.mark.parametrize("ip", ["203.0.113.256", "203.0.113.7:443", "unknown", "0x7f000001"])
def test_what_is_no_ip_address_is_refused(ip: str) -> None:
    assert errors(ip=ip) == {"ip": "is not an IP address"}


@pytest.mark.parametrize("field", ["name", "text", "website", "parent", "ip", "page"])
@pytest.mark.parametrize("value", [["x"], {"x": 1}, True])
def test_a_field_has_to_be_text(field: str, value: object) -> None:
    assert errors(**{field: value}) == {field: "has to be text"}


def test_nul_and_lone_surrogates_are_dropped() -> None:
    given = submission(name="Z\0o\ud800ë", text="A\0 tram\udfff line", page="/a\0\ud83d")
    assert (given.name, given.text, given.page) == ("Zoë", "A tram line", "/a")


def test_overrides_of_the_direction_are_dropped_and_marks_in_prose_are_kept() -> None:
    assert submission(name="Zo\u202eë\u2066").name == "Zoë"
    text = "שלום\u200f! \u202eevil\u202c \u2067x\u2069"
    assert submission(text=text).text == "שלום\u200f! evil x"


def test_what_is_not_known_is_ignored() -> None:
    assert submission(status="approved", id="1").model_dump().keys().isdisjoint({"status", "id"})


anything = st.one_of(
    st.text(),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Mn", "Zs", "Ll"]), max_size=20),
)


@given(st.fixed_dictionaries(dict.fromkeys(["name", "text", "page", "page_title"], anything)))
def test_any_text_is_taken_clean_or_its_field_is_named(fields: dict[str, str]) -> None:
    given = outcome(**fields)
    if isinstance(given, InvalidInput):
        assert {error.field for error in given.errors} <= fields.keys()
        return
    for value in (given.name, given.text, given.page, given.page_title):
        value.encode()
        assert {c for c in value if unicodedata.category(c) == "Cc"} <= set("\n\t")
        assert value == value.strip()
    assert "\n" not in given.name


@given(st.sampled_from(["website", "parent", "ip", "site", "referrer"]), anything)
def test_any_other_field_is_taken_clean_or_named(field: str, value: str) -> None:
    given = outcome(**{field: value})
    if isinstance(given, InvalidInput):
        assert {error.field for error in given.errors} == {field}
        return
    kept = getattr(given, field) or ""
    kept.encode()
    assert not {c for c in kept if unicodedata.category(c) == "Cc"}


def test_a_query_has_its_limits() -> None:
    assert parse(PublishedQuery, {"page": "/bridge"}).limit == 50
    assert parse(PublishedQuery, {"page": "/bridge", "limit": "200"}).limit == 200
    for wrong in ({"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"after": "a" * 33}):
        with pytest.raises(InvalidInput) as caught:
            parse(PublishedQuery, {"page": "/bridge"} | wrong)
        assert [error.field for error in caught.value.errors] == list(wrong)
