"""Akismet's protocol, letter by letter; tests/clients has the clients themselves."""

import re
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from moderation.clock import now_ms, to_datetime
from moderation.db import Database
from moderation.domain import Status
from moderation.models import Callback, Comment, Example, Label, Site
from moderation.review import Change, set_status
from tests.support.comments import MODERATOR, row_of
from tests.support.service import FRIENDLY, SITE_KEY, UNFRIENDLY
from tests.support.web import first_site

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("ready"),
]

PLUGIN_2022 = "WordPress/6.1.1 | Akismet/5.0.2"
PLUGIN_2025 = "WordPress/6.8 | Akismet/5.5"
OTHERS = ("Akismet Node.js/1.0", "akismet-python", "Ruby/3.3 | Rakismet/1.5", "")

BLOG = "https://news.example/"
GOOD = {
    "api_key": SITE_KEY,
    "blog": BLOG,
    "user_ip": "203.0.113.7",
    "user_agent": "Firefox",
    "permalink": "https://news.example/bridge",
    "comment_type": "comment",
    "comment_author": "Zoë",
    "comment_author_email": "zoe@example.org",
    "comment_content": FRIENDLY,
}
BAD = GOOD | {"comment_content": UNFRIENDLY, "comment_author": "Eve"}
THANKS = "Thanks for making the web a better place."

CALLS = (
    ("/1.1/verify-key", "POST"),
    ("/1.1/comment-check", "POST"),
    ("/1.1/submit-spam", "POST"),
    ("/1.1/submit-ham", "POST"),
    ("/1.2/usage-limit", "GET"),
    ("/1.2/key-sites", "GET"),
    ("/1.1/get-subscription", "POST"),
    ("/1.1/deactivate", "POST"),
    ("/1.1/get-stats", "POST"),
)


def call(
    client: FlaskClient, path: str, fields: dict[str, Any], agent: str = "", **more: Any
) -> Any:
    return client.post(path, data=fields, headers={"User-Agent": agent} | more)


def check(client: FlaskClient, fields: dict[str, Any], agent: str = "") -> Any:
    response = call(client, "/1.1/comment-check", fields, agent)
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-akismet-guid"])
    return response


def verdict(client: FlaskClient, fields: dict[str, Any], agent: str = "") -> str:
    return str(check(client, fields, agent).text)


def comments(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Comment.__table__).order_by(Comment.id)))


def labels(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Label.__table__).order_by(Label.id)))


def set_site(client: FlaskClient, database: Database, **settings: Any) -> None:
    with database.write() as connection:
        connection.execute(update(Site).values(settings=settings))
    client.application.extensions["moderation"].sites._known.clear()


class TestKeys:
    def test_a_key_is_valid_or_not(self, client: FlaskClient) -> None:
        response = call(client, "/1.1/verify-key", {"key": SITE_KEY, "blog": BLOG})
        assert (response.data, response.content_type) == (b"valid", "text/plain; charset=utf-8")
        assert not [name for name, _ in response.headers if name.startswith("X-akismet")]
        response = call(client, "/1.1/verify-key", {"key": "0123456789ab", "blog": BLOG})
        assert response.data == b"invalid"
        assert response.headers["X-akismet-debug-help"]

    @pytest.mark.parametrize(
        ("prefix", "fields", "headers"),
        [
            ("", {"api_key": SITE_KEY}, {}),
            ("", {"key": SITE_KEY}, {}),
            ("", {}, {"Host": f"{SITE_KEY}.rest.example.org"}),
            (f"/k/{SITE_KEY}", {}, {}),
        ],
        ids=["api_key", "key", "host", "path"],
    )
    def test_a_key_may_stand_in_four_places_on_every_path(
        self, client: FlaskClient, prefix: str, fields: dict[str, str], headers: dict[str, str]
    ) -> None:
        for path, method in CALLS:
            sent = {name: GOOD[name] for name in GOOD if name != "api_key"} | fields
            where = {"query_string": sent} if method == "GET" else {"data": sent}
            response = client.open(prefix + path, method=method, headers=headers, **where)
            assert response.status_code == 200, path
            assert "X-akismet-debug-help" not in response.headers, path
            assert response.text not in ("invalid", "error"), path

    @pytest.mark.parametrize("key", ["", "0123456789ab"])
    def test_without_a_good_key_every_path_says_invalid_and_why(
        self, client: FlaskClient, database: Database, key: str
    ) -> None:
        for path, method in CALLS:
            sent = GOOD | {"api_key": key}
            where = {"query_string": sent} if method == "GET" else {"data": sent}
            response = client.open(path, method=method, **where)
            assert (response.status_code, response.data) == (200, b"invalid"), path
            assert response.headers["X-akismet-debug-help"], path
            assert ("X-akismet-guid" in response.headers) == (path == "/1.1/comment-check")
        assert comments(database) == []

    @pytest.mark.parametrize("path", ["verify-key", "get-subscription", "deactivate"])
    def test_of_two_keys_the_new_one_counts_where_a_key_is_saved(
        self, client: FlaskClient, path: str
    ) -> None:
        new = {"key": SITE_KEY, "api_key": "0123456789ab", "blog": BLOG}
        assert call(client, f"/1.1/{path}", new).text != "invalid"
        old = {"key": "0123456789ab", "api_key": SITE_KEY, "blog": BLOG}
        assert call(client, f"/1.1/{path}", old).text == "invalid"


class TestChecks:
    def test_a_comment_is_stored_and_answered_by_its_decision(
        self, client: FlaskClient, database: Database
    ) -> None:
        assert check(client, GOOD).data == b"false"
        assert check(client, BAD).data == b"true"
        good, bad = comments(database)
        assert (good.status, bad.status) == ("approved", "held")
        assert (good.name, good.email, good.ip) == ("Zoë", "zoe@example.org", "203.0.113.7")
        assert good.text == FRIENDLY

    @pytest.mark.parametrize("missing", ["blog", "user_ip"])
    def test_what_is_missing_is_named(
        self, client: FlaskClient, database: Database, missing: str
    ) -> None:
        response = check(client, GOOD | {missing: ""})
        assert response.data == b"invalid"
        assert missing in response.headers["X-akismet-debug-help"]
        assert comments(database) == []

    def test_on_success_there_is_nothing_but_the_guid(self, client: FlaskClient) -> None:
        for fields in (GOOD, BAD):
            response = check(client, fields)
            names = [name for name, _ in response.headers if name.lower().startswith("x-akismet")]
            assert names == ["X-akismet-guid"]

    def test_every_answer_has_a_guid_of_its_own(self, client: FlaskClient) -> None:
        sent = (GOOD, BAD, GOOD | {"is_test": "1"}, GOOD | {"blog": ""}, GOOD | {"api_key": "x"})
        assert len({check(client, one).headers["X-akismet-guid"] for one in sent}) == len(sent)

    @pytest.mark.parametrize("agent", [PLUGIN_2022, PLUGIN_2025, *OTHERS])
    def test_held_is_spam_for_every_client(self, client: FlaskClient, agent: str) -> None:
        assert verdict(client, BAD, agent) == "true"

    def test_held_is_neither_where_the_site_and_its_client_wait(
        self, client: FlaskClient, database: Database
    ) -> None:
        set_site(client, database, akismet_waits=True)
        for agent in (PLUGIN_2022, PLUGIN_2025):
            response = check(client, BAD | {"user_ip": f"203.0.113.{len(agent)}"}, agent)
            assert response.text not in ("true", "false")
            assert "X-akismet-recheck-after" not in response.headers
        for agent in OTHERS:
            assert verdict(client, BAD, agent) == "true"

    def test_discarding_is_proposed_only_where_the_site_wants_it(
        self, client: FlaskClient, database: Database
    ) -> None:
        banned = {"rules": {"banned_words": ["casino"]}}
        set_site(client, database, **banned)
        fields = GOOD | {"comment_content": "The best casino in town, where everybody wins."}
        response = check(client, fields)
        assert (response.text, response.headers.get("X-akismet-pro-tip")) == ("true", None)
        set_site(client, database, **banned, akismet_discard=True)
        response = check(client, fields)
        assert (response.text, response.headers.get("X-akismet-pro-tip")) == ("true", "discard")
        for other in (GOOD, BAD):
            assert "X-akismet-pro-tip" not in check(client, other).headers

    @pytest.mark.parametrize(
        ("changes", "answer"),
        [
            ({"comment_author": "akismet-guaranteed-spam"}, "true"),
            ({"comment_author_email": "akismet-guaranteed-spam@example.com"}, "true"),
            ({"comment_author": "viagra-test-123"}, "true"),
            ({"user_role": "administrator", "comment_content": UNFRIENDLY}, "false"),
            ({"is_test": "1"}, "false"),
            ({"is_test": "true", "comment_content": UNFRIENDLY}, "true"),
            ({"is_test": "1", "user_role": "administrator"}, "false"),
            ({"hidden": "http://spam.example", "honeypot_field_name": "hidden"}, "true"),
            ({"hidden": "", "honeypot_field_name": "hidden"}, "false"),
            ({"user_role": "subscriber", "comment_content": UNFRIENDLY}, "true"),
        ],
        ids=str,
    )
    def test_what_clients_test_with(
        self, client: FlaskClient, database: Database, changes: dict[str, str], answer: str
    ) -> None:
        assert verdict(client, GOOD | changes) == answer
        said = str(changes)
        is_test = any(word in said for word in ("is_test", "akismet-guaranteed", "viagra"))
        assert len(comments(database)) == (not is_test)

    def test_a_test_teaches_nothing(self, client: FlaskClient, database: Database) -> None:
        for fields in (GOOD | {"is_test": "1"}, GOOD | {"comment_author": "viagra-test-123"}):
            for path in ("submit-spam", "submit-ham"):
                assert call(client, f"/1.1/{path}", fields).text == THANKS
        assert labels(database) == []

    @pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252", "UTF-8", "nonsense", ""])
    def test_text_comes_in_the_charset_that_is_named(
        self, client: FlaskClient, database: Database, charset: str
    ) -> None:
        coded = "latin-1" if charset in ("ISO-8859-1", "windows-1252", "") else "utf-8"
        body = urlencode({**GOOD, "blog_charset": charset}, encoding=coded)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        client.post("/1.1/comment-check", data=body, headers=form)
        (stored,) = comments(database)
        assert stored.name == "Zoë"

    def test_empty_values_come_without_an_equals_sign(
        self, client: FlaskClient, database: Database
    ) -> None:
        pairs = "&".join(f"{name}={quote_plus(value)}" for name, value in GOOD.items())
        body = f"{pairs}&comment_author_url&comment_context[0]&POST_x=1&HTTP_HOST=news.example"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/1.1/comment-check", data=body, headers=form).text == "false"
        (stored,) = comments(database)
        assert stored.website == ""

    @pytest.mark.parametrize(
        "changes",
        [
            {"comment_author_email": ""},
            {"comment_author_email": "no address", "comment_author_url": "javascript:alert(1)"},
            {"user_ip": "somewhere"},
            {"permalink": "", "comment_author": ""},
            {"permalink": "https://news.example/" + "ü" * 2000, "comment_author": "x" * 300},
            {"comment_content": "x \0y" + "\ud800".encode("utf-8", "replace").decode()},
        ],
        ids=["no address", "odd ones", "odd ip", "hardly anything", "too long", "nul"],
    )
    def test_odd_fields_are_no_reason_not_to_look(
        self, client: FlaskClient, database: Database, changes: dict[str, str]
    ) -> None:
        assert verdict(client, GOOD | changes) in ("true", "false")
        assert len(comments(database)) == 1

    def test_those_without_an_address_are_different_people(
        self, client: FlaskClient, database: Database
    ) -> None:
        set_site(client, database, rules={"hold_first_comment": True})
        texts = (FRIENDLY, "Thank you, I did not know that the landing was built so early.")
        for text in texts:
            fields = GOOD | {"comment_author_email": "", "comment_content": text}
            assert verdict(client, fields) == "true"
            stored = comments(database)[-1]
            change = Change(comment_id=stored.id, to=Status.APPROVED, reason="")
            with database.write() as connection:
                set_status(connection, [change], actor=MODERATOR)
        assert len({row.author_id for row in comments(database)}) == 2

    def test_an_empty_comment_is_held(self, client: FlaskClient, database: Database) -> None:
        assert verdict(client, GOOD | {"comment_content": ""}) == "true"
        (stored,) = comments(database)
        assert stored.status == "held"

    def test_a_call_that_is_sent_again_is_about_the_same_comment(
        self, client: FlaskClient, database: Database
    ) -> None:
        guids = {check(client, BAD).headers["X-akismet-guid"] for _ in range(3)}
        (stored,) = comments(database)
        assert guids == {stored.id}
        check(client, BAD | {"user_ip": "203.0.113.8"})
        assert len(comments(database)) == 2

    def test_a_recheck_is_answered_as_the_moderators_decided(
        self, client: FlaskClient, database: Database
    ) -> None:
        slashed = BAD | {
            "comment_author": "O\\'Hara",
            "comment_content": f"It\\'s so. {UNFRIENDLY}",
        }
        assert verdict(client, slashed, PLUGIN_2022) == "true"
        (stored,) = comments(database)
        assert (stored.name, stored.text[:5]) == ("O'Hara", "It's ")
        change = Change(comment_id=stored.id, to=Status.APPROVED, reason="")
        with database.write() as connection:
            set_status(connection, [change], actor=MODERATOR)
        again = slashed | {
            "comment_author": "O'Hara",
            "comment_content": f"It's so. {UNFRIENDLY}",
            "recheck_reason": "recheck",
            "user_agent": "another",
        }
        response = check(client, again, PLUGIN_2022)
        assert (response.text, response.headers["X-akismet-guid"]) == ("false", stored.id)
        assert len(comments(database)) == 1

    def test_a_callback_is_kept_with_the_comment(
        self, client: FlaskClient, database: Database
    ) -> None:
        address = "https://news.example/wp-json/akismet/v1/webhook"
        guid = check(client, BAD | {"callback": address}).headers["X-akismet-guid"]
        check(client, GOOD | {"callback": "javascript:alert(1)"})
        with database.read() as connection:
            (kept,) = connection.execute(select(Callback.__table__)).all()
        assert kept == (guid, address, SITE_KEY, guid)

    def test_whatever_goes_wrong_nothing_is_taken_for_a_verdict(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr("moderation.website.checks.Checks.check", fail)
        response = call(client, "/1.1/comment-check", GOOD)
        assert response.text not in ("true", "false")
        assert response.mimetype == "text/plain"
        assert response.headers["X-akismet-guid"]
        response = call(client, "/1.1/comment-check", GOOD | {"comment_content": "x" * 300_000})
        assert response.text not in ("true", "false")
        assert response.headers["X-akismet-guid"]

    @pytest.mark.usefixtures("client", "late_decisions")
    def test_a_comment_that_could_not_be_decided_is_held(self, client: FlaskClient) -> None:
        assert verdict(client, GOOD) == "true"


class TestCorrections:
    def test_a_correction_changes_the_comment_that_was_checked_and_is_a_label(
        self, client: FlaskClient, database: Database
    ) -> None:
        slashed = GOOD | {"comment_content": f"It\\'s so: {FRIENDLY}"}
        assert verdict(client, slashed, PLUGIN_2022) == "false"
        plain = GOOD | {"comment_content": f"It's so: {FRIENDLY}", "user_ip": "198.51.100.1"}
        for _ in range(3):
            response = call(client, "/1.1/submit-spam", plain, PLUGIN_2022)
            assert (response.data, response.mimetype) == (THANKS.encode(), "text/plain")
        (stored,) = comments(database)
        assert (stored.status, stored.reason) == ("rejected", "spam")
        (label,) = labels(database)
        assert (label.source, label.actor, label.unwanted) == ("client", "akismet", 1.0)
        assert label.comment_id == stored.id
        assert call(client, "/1.1/submit-ham", plain, PLUGIN_2022).text == THANKS
        assert row_of(database, stored.id).status == "approved"

    def test_a_correction_may_be_json_and_without_a_blog(
        self, client: FlaskClient, database: Database
    ) -> None:
        verdict(client, BAD)
        sent = {name: value for name, value in BAD.items() if name != "blog"}
        response = client.post("/1.1/submit-ham", json=sent)
        assert (response.text, response.mimetype) == (THANKS, "text/plain")
        assert comments(database)[0].status == "approved"

    def test_what_was_never_checked_becomes_an_example_with_a_label(
        self, client: FlaskClient, database: Database
    ) -> None:
        for path in ("submit-spam", "submit-ham"):
            assert call(client, f"/1.1/{path}", GOOD).text == THANKS
        assert comments(database) == []
        with database.read() as connection:
            (example,) = connection.execute(select(Example.__table__)).all()
        assert (example.origin, example.text, example.name) == ("akismet", FRIENDLY, "Zoë")
        assert [(row.example_id, row.unwanted) for row in labels(database)] == [
            (example.id, 1.0),
            (example.id, 0.0),
        ]


class TestFigures:
    def test_they_are_counted_from_what_happened(
        self, client: FlaskClient, database: Database
    ) -> None:
        first_site(client)
        for fields in (GOOD, BAD, GOOD | {"comment_content": "Where can I find this report now?"}):
            check(client, fields)
        call(client, "/1.1/submit-spam", GOOD)
        call(client, "/1.1/submit-ham", BAD)
        usage = client.get("/1.2/usage-limit", query_string={"api_key": SITE_KEY}).get_json()
        assert usage == {"limit": "none", "usage": 3, "percentage": "0.00", "throttled": False}
        this = f"{to_datetime(now_ms()):%Y-%m}"
        with database.read() as connection:
            spam = connection.scalar(
                select(func.count()).select_from(Comment).where(Comment.score.is_not(None))
            )
        assert spam == 3
        listed = client.get(f"/k/{SITE_KEY}/1.2/key-sites").get_json()
        assert listed.keys() == {this, "limit", "offset", "total"}
        (row,) = listed[this]
        assert row == {
            "site": "demo",
            "api_calls": "3",
            "spam": row["spam"],
            "ham": row["ham"],
            "missed_spam": "1",
            "false_positives": "1",
            "is_revoked": False,
        }
        assert int(row["spam"]) + int(row["ham"]) == 3
        stats = call(client, "/1.1/get-stats", {"key": SITE_KEY, "blog": BLOG, "from": "all"})
        assert stats.get_json()["missed_spam"] == 1
        assert stats.get_json()["accuracy"] == 33.33

    def test_a_month_without_checks_is_empty_and_one_that_is_none_is_refused(
        self, client: FlaskClient
    ) -> None:
        def ask(**query: str) -> Any:
            return client.get("/1.2/key-sites", query_string={"api_key": SITE_KEY} | query)

        assert ask(month="2020-02").get_json()["2020-02"][0]["api_calls"] == "0"
        assert ask(month="2020-02", filter="other").get_json()["total"] == 0
        assert ask(month="2020-02", offset="1").get_json()["2020-02"] == []
        assert ask(month="2020-02", format="csv").text.splitlines()[1].startswith("demo,0,0")
        for wrong in ("2020", "2020-13", "february"):
            assert ask(month=wrong).text == "invalid"


def test_the_plugins_settings_page_is_served(client: FlaskClient) -> None:
    found = call(client, "/1.1/get-subscription", {"key": SITE_KEY, "blog": BLOG}).get_json()
    assert found["status"] == "active"
    assert {"account_id", "account_type", "account_name", "next_billing_date"} < found.keys()
    assert client.get("/1.1/test").data == b"connected"
    assert call(client, "/1.1/deactivate", {"key": SITE_KEY, "blog": BLOG}).data == b"deactivated"
    assert client.get("/1.2/compatible-plugins").get_json() == []


def test_what_cannot_be_stored_is_answered_so_that_no_client_publishes_it(
    client: FlaskClient, database: Database
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON comment BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    response = call(client, "/1.1/comment-check", GOOD)
    assert (response.status_code, response.text) == (503, "error")
    assert int(response.headers["Retry-After"]) > 0
    assert "nothing was stored" in response.headers["X-akismet-debug-help"]
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-akismet-guid"])


def test_a_decision_that_cannot_be_written_leaves_a_comment_that_waits(
    client: FlaskClient, database: Database
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE event RENAME TO away")
    assert verdict(client, GOOD) == "true"
    (comment,) = comments(database)
    assert comment.status == "pending"


@pytest.mark.parametrize("way", ["get", "head"])
def test_a_check_that_a_redirect_has_made_a_get_is_refused_in_the_clients_words(
    client: FlaskClient, database: Database, way: str
) -> None:
    response = getattr(client, way)("/1.1/comment-check", query_string=GOOD)
    assert response.text == ("invalid" if way == "get" else "")
    assert "POST" in response.headers["X-akismet-debug-help"]
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-akismet-guid"])
    assert comments(database) == []
