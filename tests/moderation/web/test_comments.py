import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import update

from moderation.app import LARGEST_REQUEST
from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import LabelSource, Status
from moderation.learning import labels
from moderation.models import Site, SiteKey
from moderation.policy import SiteSettings
from moderation.sites import create_site, digest
from tests.support.comments import PAGE, add_comment, add_site, held_by_worker, row_of
from tests.support.jobs import waiting_ids
from tests.support.service import FRIENDLY, SITE_KEY
from tests.support.waiting import eventually
from tests.support.web import BROWSER, FIELDS, FORM, KEY, first_site

CLAIMED = {"ip": "203.0.113.7", "user_agent": "Claimed/1", "referrer": "https://claimed.example"}
SENT = {"User-Agent": "Real/1", "Referer": "https://real.example"}
HOSTILE = "<script>alert('x')</script>\"&"


def post(client: FlaskClient, **changes: Any) -> Any:
    return client.post("/v1/comments", json=FIELDS | changes, headers=KEY)


def post_form(client: FlaskClient, headers: dict[str, str] | None = None, **changes: str) -> Any:
    return client.post("/v1/comments", data=FORM | changes, headers=BROWSER | (headers or {}))


def listing(client: FlaskClient, **query: Any) -> Any:
    return client.get("/v1/comments", query_string={"page": PAGE} | query, headers=KEY)


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """The body of a problem details answer (RFC 9457)."""
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = response.get_json()
    assert body.keys() == {"type", "title", "status", "detail", "errors"}
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert response.status.endswith(body["title"].upper())
    return body


class TestPosting:
    def test_a_comment_is_accepted_and_can_be_followed(
        self, client: FlaskClient, database: Database, redis: Redis
    ) -> None:
        response = post(client)
        assert response.status_code == 202
        assert response.get_json().keys() == {"id", "status"}
        comment_id = response.get_json()["id"]
        assert response.get_json()["status"] == "pending"
        assert response.headers["Location"] == f"/v1/comments/{comment_id}"
        assert row_of(database, comment_id).text == FIELDS["text"]
        state = client.get(response.headers["Location"])
        assert state.status_code == 200
        assert state.get_json()["status"] == "pending"
        eventually(lambda: comment_id in waiting_ids(redis))

    def test_a_form_of_a_program_is_answered_as_json_is(self, client: FlaskClient) -> None:
        for form_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
            response = client.post("/v1/comments", data=FORM, content_type=form_type)
            assert response.status_code == 202

    def test_the_form_of_wordpress_is_understood(
        self, client: FlaskClient, database: Database
    ) -> None:
        form = {
            "comment_post_ID": "17",
            "comment_parent": "0",
            "author": "Zoë",
            "email": "zoe@example.org",
            "url": "zoe.example",
            "comment": "A tram line.",
            "site": "demo",
        }
        response = client.post("/v1/comments", data=form)
        row = row_of(database, response.get_json()["id"])
        assert (row.name, row.text, row.website) == ("Zoë", "A tram line.", "https://zoe.example")
        assert row.parent_id is None

    def test_a_repeated_key_gets_the_first_answer_again(self, client: FlaskClient) -> None:
        headers = KEY | {"Idempotency-Key": "k1"}
        first, again = (client.post("/v1/comments", json=FIELDS, headers=headers) for _ in range(2))
        assert (again.status_code, again.get_json()) == (202, first.get_json())
        other = client.post("/v1/comments", json=FIELDS | {"text": "Other"}, headers=headers)
        assert "Idempotency-Key" in assert_problem(other, 409)["detail"]

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("key", ["", "k" * 256], ids=["empty", "long"])
    def test_a_key_to_repeat_has_its_limits(self, client: FlaskClient, key: str) -> None:
        response = client.post("/v1/comments", json=FIELDS, headers=KEY | {"Idempotency-Key": key})
        (error,) = assert_problem(response, 422)["errors"]
        assert error["field"] == "Idempotency-Key"

    def test_an_answer_has_to_answer_something_published(
        self, client: FlaskClient, database: Database
    ) -> None:
        parent = add_comment(database, first_site(client), status=Status.APPROVED)
        response = post(client, parent=parent)
        assert row_of(database, response.get_json()["id"]).parent_id == parent
        (error,) = assert_problem(post(client, parent="\0no\ud800"), 422)["errors"]
        assert error == {"field": "parent", "detail": "is not a published comment of this page"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestRefusals:
    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"null"], ids=repr)
    def test_what_is_no_object_is_malformed(self, client: FlaskClient, body: bytes) -> None:
        response = client.post(
            "/v1/comments", data=body, headers=KEY, content_type="application/json"
        )
        assert_problem(response, 400)

    @pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", "Basic eDp5", "x"])
    def test_a_key_that_is_unknown(self, client: FlaskClient, authorization: str) -> None:
        headers = {"Authorization": authorization}
        response = client.post("/v1/comments", json=FORM, headers=headers)
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    def test_neither_a_key_nor_a_site(self, client: FlaskClient) -> None:
        assert_problem(client.post("/v1/comments", json=FIELDS), 401)

    def test_a_revoked_key(
        self, client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("moderation.sites._BELIEVED_FOR", 0.0)
        assert post(client).status_code == 202
        with database.write() as connection:
            revoked = update(SiteKey).where(SiteKey.digest == digest(SITE_KEY))
            connection.execute(revoked.values(revoked_at=now_ms()))
        assert_problem(post(client), 401)

    def test_a_site_that_is_unknown(self, client: FlaskClient) -> None:
        response = client.post("/v1/comments", json=FIELDS | {"site": "other"})
        (error,) = assert_problem(response, 422)["errors"]
        assert error == {"field": "site", "detail": "is not known here"}

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/x-www-form-urlencoded"]
    )
    def test_too_large_a_request(self, client: FlaskClient, content_type: str) -> None:
        response = client.post(
            "/v1/comments",
            data=b"text=" + b"x" * LARGEST_REQUEST,
            headers=KEY,
            content_type=content_type,
        )
        assert_problem(response, 413)

    def test_the_longest_comment_fits_however_it_is_sent(self, client: FlaskClient) -> None:
        text = "\N{PILE OF POO}" * 20_000
        assert post(client, text=text).status_code == 202
        assert post_form(client, text=text).status_code == 303

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
    def test_a_wrong_type(self, client: FlaskClient, content_type: str) -> None:
        response = client.post(
            "/v1/comments", data=b"text=x", headers=KEY, content_type=content_type
        )
        assert_problem(response, 415)

    def test_fields_that_are_wrong_have_an_entry_each(self, client: FlaskClient) -> None:
        response = post(client, name=" ", email="zoe@", website="javascript:x", ip="here")
        body = assert_problem(response, 422)
        assert [error["field"] for error in body["errors"]] == ["ip", "name", "email", "website"]
        assert all(error.keys() == {"field", "detail"} for error in body["errors"])
        assert "zoe@" not in response.text

    def test_another_method(self, client: FlaskClient) -> None:
        response = client.delete("/v1/comments")
        assert_problem(response, 405)
        assert "POST" in response.headers["Allow"]

    def test_nothing_was_stored(self, client: FlaskClient, database: Database) -> None:
        post(client, name="")
        client.post("/v1/comments", json=FIELDS)
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM comment").scalar_one() == 0

    def test_a_database_that_does_not_answer(self, client: FlaskClient, database: Database) -> None:
        post(client)
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE comment RENAME TO away")
        response = post(client)
        assert "nothing was stored" in assert_problem(response, 503)["detail"]
        assert int(response.headers["Retry-After"]) > 0

    def test_a_form_that_meets_it_comes_back_with_what_was_typed(
        self, client: FlaskClient, database: Database
    ) -> None:
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE comment RENAME TO away")
        response = post_form(client)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "nothing was stored, try again" in response.text
        assert FORM["text"] in response.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSender:
    def sender(self, database: Database, response: Any) -> tuple[str, str, str]:
        row = row_of(database, response.get_json()["id"])
        return (row.ip, row.user_agent, row.referrer)

    def test_a_server_with_the_key_is_believed(
        self, client: FlaskClient, database: Database
    ) -> None:
        response = client.post("/v1/comments", json=FIELDS | CLAIMED, headers=KEY | SENT)
        assert self.sender(database, response) == tuple(CLAIMED.values())

    def test_a_browser_speaks_for_itself(self, client: FlaskClient, database: Database) -> None:
        response = client.post("/v1/comments", json=FORM | CLAIMED, headers=SENT)
        assert self.sender(database, response) == ("127.0.0.1", "Real/1", "https://real.example")

    def test_what_a_browser_sends_is_cut(self, client: FlaskClient, database: Database) -> None:
        headers = {"User-Agent": "x" * 600, "Referer": "https://x.example/" + "x" * 2000}
        _, agent, referrer = self.sender(
            database, client.post("/v1/comments", json=FORM, headers=headers)
        )
        assert (len(agent), len(referrer)) == (500, 2000)

    def test_an_address_is_not_forged_by_a_header(
        self, client: FlaskClient, database: Database
    ) -> None:
        headers = {"X-Forwarded-For": "203.0.113.7"}
        response = client.post("/v1/comments", json=FORM, headers=headers)
        assert self.sender(database, response)[0] == "127.0.0.1"

    def test_a_proxy_that_names_no_address_is_not_believed(
        self, client: FlaskClient, database: Database
    ) -> None:
        strange = {"REMOTE_ADDR": "unknown, or whatever a client made its proxy say" * 2}
        response = client.post("/v1/comments", json=FORM, environ_overrides=strange)
        assert self.sender(database, response)[0] is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestBrowserForm:
    def test_a_browser_goes_back_to_its_page(self, client: FlaskClient) -> None:
        response = post_form(client, {"Origin": "https://news.example"})
        assert response.status_code == 303
        found = re.fullmatch(
            r"https://news\.example/bridge\?comment=(\w{32})#comment-\1",
            response.headers["Location"],
        )
        assert found is not None

    def test_a_query_of_the_page_is_kept_and_a_fragment_is_not(self, client: FlaskClient) -> None:
        page = "https://news.example/?p=1#top"
        location = post_form(client, {"Origin": "https://news.example"}, page=page).location
        assert location.startswith("https://news.example/?p=1&comment=")
        assert "#top" not in location

    def test_the_demo_article_is_a_page_like_others(self, client: FlaskClient) -> None:
        location = post_form(client, page="/demo").location
        assert re.fullmatch(r"/demo\?comment=(\w{32})#comment-\1", location)

    def test_an_origin_that_the_site_has_set_is_a_way_back(
        self, client: FlaskClient, database: Database
    ) -> None:
        add_site(database, "news", origins=("https://news.example",))
        response = post_form(client, site="news")
        assert response.location.startswith("https://news.example/bridge?comment=")

    @pytest.mark.parametrize(
        "page",
        [
            "https://evil.example/",
            "https://news.example@evil.example/",
            "https://news.example.evil.example/",
            "https://news.example\\@evil.example/",
            "https://news.example:8443/",
            "http://news.example/",
            "//evil.example/",
            "javascript:alert(1)",
            "/bridge",
            "17",
            "https://[::1",
        ],
    )
    def test_nobody_is_sent_to_a_page_they_did_not_come_from(
        self, client: FlaskClient, page: str
    ) -> None:
        for headers in ({}, {"Origin": "https://news.example"}):
            response = post_form(client, headers, page=page)
            assert response.status_code == 303
            assert re.fullmatch(r"/v1/comments/\w{32}", response.location)

    def test_without_a_way_back_a_page_tells_where_the_comment_stands(
        self, client: FlaskClient
    ) -> None:
        response = client.get(post_form(client, page="17").location, headers=BROWSER)
        assert response.mimetype == "text/html"
        assert 'data-status="pending"' in response.text

    @pytest.mark.parametrize("page", ["/demo", "https://news.example/bridge"])
    def test_a_form_with_mistakes_comes_back_with_what_was_typed(
        self, client: FlaskClient, page: str
    ) -> None:
        response = post_form(
            client, page=page, page_title="The bridge", name="", email="zoe@", website="none"
        )
        assert response.status_code == 422
        assert response.mimetype == "text/html"
        text = html.unescape(response.text)
        for message in (
            "Name is required.",
            "Email is not an e-mail address",
            "Website is not a web address",
        ):
            assert message in text
        assert re.search(r'name="email" type="email" value="zoe@"[^>]*aria-invalid="true"', text)
        assert f">\n{FORM['text']}</textarea>" in text
        assert f'name="page" value="{page}"' in text
        assert 'name="site" value="demo"' in text

    def test_messages_reach_the_fields_of_wordpress_too(self, client: FlaskClient) -> None:
        form = {"site": "demo", "comment_post_ID": "17", "author": "Zoë", "comment": "A tram"}
        response = client.post("/v1/comments", data=form, headers=BROWSER)
        text = html.unescape(response.text)
        assert "Email is required." in text
        assert 'name="name" type="text" value="Zoë"' in text
        assert ">\nA tram</textarea>" in text
        assert 'name="page" value="17"' in text

    def test_an_answer_stays_one_when_the_form_comes_back(
        self, client: FlaskClient, database: Database
    ) -> None:
        parent = add_comment(database, first_site(client), status=Status.APPROVED)
        response = post_form(client, parent=parent, name="")
        assert f'<input type="hidden" name="parent" value="{parent}">' in response.text
        # Where the parent is what is wrong, sending it again would not help.
        response = post_form(client, parent="0190f")
        assert response.status_code == 422
        assert 'name="parent"' not in response.text

    @pytest.mark.parametrize("page", ["/demo", HOSTILE])
    def test_what_was_typed_is_escaped(self, client: FlaskClient, page: str) -> None:
        fields = ("name", "email", "website", "text", "page_title", "parent")
        typed = dict.fromkeys(fields, HOSTILE)
        response = post_form(client, page=page, **typed)
        assert response.status_code == 422
        assert "<script>alert" not in response.text
        assert "&lt;script&gt;" in response.text

    def test_an_error_without_a_field_is_a_page_too(self, client: FlaskClient) -> None:
        response = post_form(client, site="")
        assert (response.status_code, response.mimetype) == (401, "text/html")
        assert "name the site in `site`" in html.unescape(response.text)


class TestStanding:
    def test_an_unknown_id_is_not_found(self, client: FlaskClient) -> None:
        for comment_id in ("0" * 32, "x", "%20", "é", "a" * 500, "%00", "a%00b"):
            assert_problem(client.get(f"/v1/comments/{comment_id}"), 404)

    @pytest.mark.parametrize("status", Status)
    def test_a_status_is_told_and_nothing_else(
        self, client: FlaskClient, database: Database, status: Status
    ) -> None:
        comment_id = add_comment(database, first_site(client), status=status)
        response = client.get(f"/v1/comments/{comment_id}")
        assert response.get_json().keys() == {"id", "status", "created_at"}
        assert response.get_json()["status"] == status
        assert response.headers["Cache-Control"] == "no-store"


class TestListing:
    def test_published_comments_are_listed(self, client: FlaskClient, database: Database) -> None:
        site = first_site(client)
        start = add_comment(database, site, status=Status.APPROVED)
        answer = add_comment(database, site, status=Status.APPROVED, parent=start)
        add_comment(database, site, status=Status.HELD)
        response = listing(client)
        assert response.status_code == 200
        body = response.get_json()
        assert body["next"] is None
        (comment,) = body["comments"]
        assert (comment["id"], comment["parent"]) == (start, None)
        (reply,) = comment["replies"]
        assert (reply["id"], reply["parent"]) == (answer, start)
        assert "zoe@example.org" not in response.text
        assert comment.keys() == {
            *("id", "parent", "name", "website", "text", "created_at", "replies")
        }

    def test_pages_follow_one_another(self, client: FlaskClient, database: Database) -> None:
        site = first_site(client)
        ids = [add_comment(database, site, status=Status.APPROVED, age=9 - n) for n in range(3)]
        first = listing(client, limit=2).get_json()
        second = listing(client, limit=2, after=first["next"]).get_json()
        assert [c["id"] for c in first["comments"] + second["comments"]] == ids
        assert second["next"] is None

    def test_what_has_not_changed_is_not_sent_again(
        self, client: FlaskClient, database: Database
    ) -> None:
        first = listing(client)
        headers = KEY | {"If-None-Match": first.headers["ETag"]}
        again = client.get("/v1/comments", query_string={"page": PAGE}, headers=headers)
        assert (again.status_code, again.data) == (304, b"")
        add_comment(database, first_site(client), status=Status.APPROVED)
        changed = client.get("/v1/comments", query_string={"page": PAGE}, headers=headers)
        assert changed.status_code == 200
        assert changed.headers["ETag"] != first.headers["ETag"]

    def test_a_site_sees_its_own_comments_only(
        self, client: FlaskClient, database: Database
    ) -> None:
        add_comment(database, first_site(client), status=Status.APPROVED)
        with database.write() as connection:
            create_site(connection, name="blog", key="blog-key-0123", settings=SiteSettings())
        query = {"page": PAGE, "site": "demo"}
        headers = {"Authorization": "Bearer blog-key-0123"}
        foreign = client.get("/v1/comments", query_string=query, headers=headers)
        assert foreign.get_json()["comments"] == []
        public = client.get("/v1/comments", query_string=query)
        assert len(public.get_json()["comments"]) == 1

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"page": ""}, "page"),
            ({"limit": "0"}, "limit"),
            ({"limit": "many"}, "limit"),
            ({"after": "a" * 33}, "after"),
        ],
        ids=str,
    )
    def test_a_wrong_query_is_named(
        self, client: FlaskClient, query: dict[str, str], field: str
    ) -> None:
        (error,) = assert_problem(listing(client, **query), 422)["errors"]
        assert error["field"] == field

    def test_a_nul_in_the_query_finds_nothing(self, client: FlaskClient) -> None:
        for query in ({"page": "/\0"}, {"after": "\0"}, {"site": "\0"}):
            assert_problem(listing(client, **query), 404)

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_key_or_a_site_is_needed(self, client: FlaskClient) -> None:
        assert_problem(client.get("/v1/comments?page=x"), 401)
        assert_problem(
            client.get("/v1/comments?page=x", headers={"Authorization": "Bearer x"}), 401
        )


class TestClosedDiscussions:
    @pytest.fixture(autouse=True)
    def _old_page(self, client: FlaskClient, database: Database) -> None:
        site = first_site(client)
        add_comment(database, site, status=Status.APPROVED, age=40 * 24 * 3_600_000)
        add_comment(database, site, page="/new", status=Status.APPROVED)

    def close(self, client: FlaskClient, database: Database, days: int | None) -> None:
        settings = SiteSettings(close_after_days=days).model_dump(mode="json")
        with database.write() as connection:
            connection.execute(update(Site).values(settings=settings))
        client.application.extensions["moderation"].sites._known.clear()

    def test_an_old_one_takes_no_more_and_says_so(
        self, client: FlaskClient, database: Database
    ) -> None:
        self.close(client, database, 30)
        problem = assert_problem(post(client), 403)
        assert problem["detail"] == "the discussion of this page is closed"
        assert listing(client).get_json()["closed"] is True
        assert len(listing(client).get_json()["comments"]) == 1

    def test_a_reader_with_a_browser_reads_it_and_keeps_what_was_typed(
        self, client: FlaskClient, database: Database
    ) -> None:
        self.close(client, database, 30)
        response = post_form(client)
        assert response.status_code == 403
        assert "the discussion of this page is closed" in response.text
        assert FORM["text"] in response.text

    @pytest.mark.parametrize(("days", "page"), [(30, "/new"), (30, "/never"), (50, PAGE)])
    def test_a_younger_one_is_open(
        self, client: FlaskClient, database: Database, days: int, page: str
    ) -> None:
        self.close(client, database, days)
        assert post(client, page=page).status_code == 202
        assert listing(client, page=page).get_json()["closed"] is False

    def test_none_is_closed_unless_the_site_wants_that(
        self, client: FlaskClient, database: Database
    ) -> None:
        self.close(client, database, None)
        assert post(client).status_code == 202
        assert listing(client).get_json()["closed"] is False


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWaitingForTheDecision:
    @pytest.mark.parametrize("prefer", ["wait", "wait=5", "respond-async, Wait = 5"])
    def test_who_prefers_to_wait_is_answered_with_the_decision(
        self, client: FlaskClient, database: Database, redis: Redis, prefer: str
    ) -> None:
        comment = FIELDS | {"text": FRIENDLY}
        response = client.post("/v1/comments", json=comment, headers=KEY | {"Prefer": prefer})
        assert response.status_code == 201
        assert response.headers["Preference-Applied"] == "wait"
        body = response.get_json()
        assert body["status"] == "approved"
        assert response.headers["Location"] == f"/v1/comments/{body['id']}"
        assert row_of(database, body["id"]).status == "approved"
        assert waiting_ids(redis) == set()

    @pytest.mark.usefixtures("client", "late_decisions")
    def test_what_cannot_be_decided_is_accepted_and_pending(self, client: FlaskClient) -> None:
        response = client.post("/v1/comments", json=FIELDS, headers=KEY | {"Prefer": "wait"})
        assert (response.status_code, response.get_json()["status"]) == (202, "pending")
        assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestFeedback:
    def test_what_somebody_at_the_site_decided_is_taken_over(
        self, client: FlaskClient, database: Database
    ) -> None:
        comment_id = add_comment(database, first_site(client), status=Status.HELD)
        said = {"status": "rejected", "reason": "spam", "by": "Zora"}
        response = client.post(f"/v1/comments/{comment_id}/feedback", json=said, headers=KEY)
        assert response.status_code == 200
        assert response.get_json()["status"] == "rejected"
        assert response.get_json().keys() == {"id", "status", "created_at", "version"}
        row = row_of(database, comment_id)
        assert (row.status, row.reason) == ("rejected", "spam")
        assert response.get_json()["version"] == row.version > 0

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({}, "status"),
            ({"status": "pending"}, "status"),
            ({"status": "rejected", "reason": "because"}, "reason"),
            ({"status": "rejected", "by": "x" * 65}, "by"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, client: FlaskClient, database: Database, said: dict[str, str], field: str
    ) -> None:
        comment_id = add_comment(database, first_site(client), status=Status.HELD)
        response = client.post(f"/v1/comments/{comment_id}/feedback", json=said, headers=KEY)
        problem = assert_problem(response, 422)
        assert [error["field"] for error in problem["errors"]] == [field]
        assert row_of(database, comment_id).status == "held"

    def test_it_wants_the_key_of_the_comments_site(
        self, client: FlaskClient, database: Database
    ) -> None:
        comment_id = add_comment(database, add_site(database, "other"), status=Status.HELD)
        said = {"status": "approved"}
        address = f"/v1/comments/{comment_id}/feedback"
        assert_problem(client.post(address, json=said, headers=KEY), 404)
        assert_problem(client.post(address, json=said), 401)
        other = {"Authorization": "Bearer other-key"}
        assert client.post(address, json=said, headers=other).status_code == 200

    def test_what_a_reader_reports_is_kept_and_moves_nothing(
        self, client: FlaskClient, database: Database
    ) -> None:
        comment_id = held_by_worker(database, first_site(client))
        address = f"/v1/comments/{comment_id}/reports"
        said = {"reason": "spam", "by": "reader@example.org"}
        assert_problem(client.post(address, json=said), 401)
        wrong = client.post(address, json={"reason": "because"}, headers=KEY)
        assert assert_problem(wrong, 422)["errors"][0]["field"] == "reason"
        response = client.post(address, json=said, headers=KEY)
        assert (response.status_code, response.get_json()["status"]) == (200, "held")
        with database.read() as connection:
            [(label, counts)] = labels.of_comment(connection, comment_id)
        assert (label.source, label.reason, counts) == (LabelSource.READER, "spam", True)
        assert "@" not in label.actor
