import gzip
import html
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

import moderation
from moderation.clock import DAY
from moderation.db import Database
from moderation.domain import Status, Trap
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.website import challenges
from moderation.website.challenges import WAIT
from tests.support.clock import Clock
from tests.support.comments import PAGE, add_comment, row_of
from tests.support.web import BROWSER, FIELDS, FORM, KEY, first_site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LISTED = "https://news.example"
STRANGER = "https://stranger.example"
SCRIPT = Path(moderation.__file__).parent / "static" / "embed.js"
# Bytes, compressed: what a page may be asked to load for its comments.
LARGEST_SCRIPT = 15_000


def set_site(database: Database, **settings: Any) -> None:
    chosen = SiteSettings.model_validate({"origins": [LISTED]} | settings)
    with database.write() as connection:
        connection.execute(update(Site).values(settings=chosen.model_dump(mode="json")))


@pytest.fixture(autouse=True)
def listed(app: Flask, database: Database) -> None:
    set_site(database)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(challenges, "now_ms", clock)
    return clock


def allowed(response: Any) -> str | None:
    """The origin that may read the answer."""
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    origin: str | None = response.headers.get("Access-Control-Allow-Origin")
    return origin


def test_the_script_is_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) <= LARGEST_SCRIPT


def test_the_script_is_served_at_a_short_address(client: FlaskClient) -> None:
    with client.get("/embed.js") as response:
        assert response.mimetype == "text/javascript"
        assert response.data == SCRIPT.read_bytes()


def test_the_script_makes_no_markup_and_runs_no_text() -> None:
    text = SCRIPT.read_text()
    calls = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(")
    assert [call for call in calls if call in text] == []


class TestOrigins:
    def answers(self, client: FlaskClient, origin: str, site: str = "demo") -> list[Any]:
        """Every answer that a page may ask for by script, also when it is refused."""
        headers = {"Origin": origin}
        posted = client.post(f"/v1/comments?site={site}", json=FIELDS, headers=headers)
        known = posted.get_json().get("id", "0" * 32)
        return [
            posted,
            client.post(f"/v1/comments?site={site}", json={}, headers=headers),
            client.options(f"/v1/comments?site={site}", headers=headers),
            client.get(f"/v1/comments?site={site}&page=/bridge", headers=headers),
            client.get(f"/v1/comments/{known}?site={site}", headers=headers),
            client.get(f"/v1/comments/{'0' * 32}?site={site}", headers=headers),
            client.get(f"/v1/challenge?site={site}", headers=headers),
        ]

    def test_a_listed_one_may_read_answers_and_errors(self, client: FlaskClient) -> None:
        answers = self.answers(client, LISTED)
        assert [a.status_code for a in answers] == [202, 422, 200, 200, 200, 404, 200]
        assert [allowed(a) for a in answers] == [LISTED] * 7

    @pytest.mark.parametrize(
        ("origin", "site"),
        [
            (STRANGER, "demo"),
            (LISTED.replace("https", "http"), "demo"),
            (f"{LISTED}:8443", "demo"),
            (f"{LISTED}.stranger.example", "demo"),
            ("null", "demo"),
            ("", "demo"),
            (LISTED, "nowhere"),
            (LISTED, ""),
        ],
    )
    def test_no_other_may(self, client: FlaskClient, origin: str, site: str) -> None:
        assert {allowed(a) for a in self.answers(client, origin, site)} == {None}

    def test_a_page_may_send_what_the_script_sends_and_no_key(self, client: FlaskClient) -> None:
        headers = client.options("/v1/comments?site=demo", headers={"Origin": LISTED}).headers
        assert headers["Access-Control-Allow-Headers"] == "Content-Type, Idempotency-Key"
        assert headers["Access-Control-Allow-Methods"] == "GET, POST"

    def test_the_site_of_the_address_counts(self, client: FlaskClient) -> None:
        response = client.post("/v1/comments?site=nowhere", json=FIELDS | {"site": "demo"})
        assert response.get_json()["errors"] == [{"field": "site", "detail": "is not known here"}]

    def test_other_pages_are_nobodys(self, client: FlaskClient) -> None:
        for path in ("/demo?site=demo", "/sign-in?site=demo", "/v1/form?site=demo&page=/x"):
            response = client.get(path, headers={"Origin": LISTED})
            assert "Access-Control-Allow-Origin" not in response.headers

    def test_who_has_the_answer_is_told_so(self, client: FlaskClient) -> None:
        address = "/v1/comments?site=demo&page=/bridge"
        etag = client.get(address).headers["ETag"]
        again = client.get(address, headers={"Origin": LISTED, "If-None-Match": etag})
        assert (again.status_code, allowed(again)) == (304, LISTED)


class TestTraps:
    def trap_of(self, client: FlaskClient, database: Database, **fields: Any) -> str:
        """The trap that a form with these fields falls into."""
        response = client.post("/v1/comments", json=FORM | fields)
        assert response.status_code == 202
        return str(row_of(database, response.get_json()["id"]).trap)

    def token(self, client: FlaskClient) -> str:
        response = client.get("/v1/challenge?site=demo")
        assert response.headers["Cache-Control"] == "no-store"
        answer = response.get_json()
        assert answer["altcha"] is None
        return str(answer["token"])

    def test_what_is_odd_is_stored_and_not_refused(
        self, client: FlaskClient, database: Database, clock: Clock
    ) -> None:
        assert self.trap_of(client, database) == Trap.NO_FORM
        assert self.trap_of(client, database, token=["no", "text"]) == Trap.NO_FORM
        assert self.trap_of(client, database, token="forged") == Trap.BAD_FORM
        assert self.trap_of(client, database, token=self.token(client)) == Trap.TOO_FAST
        assert self.trap_of(client, database, mail_subject="Pills") == Trap.HONEYPOT
        token = self.token(client)
        clock.ahead += WAIT
        assert self.trap_of(client, database, token=token) == Trap.NO_PROOF

    def test_a_mistake_in_another_field_does_not_use_a_token_up(
        self, client: FlaskClient, database: Database, clock: Clock
    ) -> None:
        token = self.token(client)
        clock.ahead += WAIT
        assert client.post("/v1/comments", json=FORM | {"token": token, "name": ""}).status_code
        assert self.trap_of(client, database, token=token) == Trap.NO_PROOF

    def test_what_comes_with_a_key_falls_into_none(
        self, client: FlaskClient, database: Database
    ) -> None:
        response = client.post("/v1/comments", json=FORM | {"mail_subject": "Pills"}, headers=KEY)
        assert row_of(database, response.get_json()["id"]).trap == ""

    def test_a_site_may_ask_for_work(self, client: FlaskClient, database: Database) -> None:
        set_site(database, rules={"proof_of_work": True})
        work = client.get("/v1/challenge?site=demo").get_json()["altcha"]
        assert work["parameters"]["algorithm"] == "PBKDF2/SHA-256"
        assert work["signature"]

    def test_a_challenge_is_a_known_sites(self, client: FlaskClient) -> None:
        for query in ("", "?site=", "?site=nowhere"):
            (error,) = client.get(f"/v1/challenge{query}").get_json()["errors"]
            assert error["field"] == "site"


class TestForm:
    def page(self, client: FlaskClient, **query: str) -> Any:
        return client.get("/v1/form", query_string={"site": "demo", "page": PAGE} | query)

    def send(self, client: FlaskClient, page: str, **typed: str) -> Any:
        """The answer to the page's form, with what was typed into it."""
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
        fields = {name: html.unescape(value) for name, value in hidden}
        return client.post("/v1/comments", data=fields | typed, headers=BROWSER)

    def test_a_reader_without_a_script_posts_and_is_led_back(
        self, client: FlaskClient, database: Database, clock: Clock
    ) -> None:
        parent = add_comment(database, first_site(client), status=Status.APPROVED, text="First")
        shown = self.page(client).text
        assert "First" in shown
        assert f'href="{PAGE}"' in shown
        link = re.search(r'href="(/v1/form[^"]*parent=[^"#]*)#reply"', shown)
        assert link
        form = client.get(html.unescape(link[1])).text
        clock.ahead += WAIT
        typed = {name: FIELDS[name] for name in ("name", "email", "text")}
        response = self.send(client, form, mail_subject="", **typed)
        assert response.status_code == 303
        row = row_of(database, re.search(r"comment=(\w+)", response.location)[1])  # type: ignore[index]
        assert (row.parent_id, row.trap) == (parent, Trap.NO_PROOF)
        back = client.get(response.location).text
        assert "Your comment is being looked at" in back
        assert FIELDS["text"] not in back

    def test_what_was_typed_comes_back_with_what_is_wrong(self, client: FlaskClient) -> None:
        form = self.page(client, title="The bridge").text
        again = self.send(client, form, text="Typed before", name="Zoë", email="none")
        assert again.status_code == 422
        for expected in ("Typed before", "Email is not an e-mail address", 'name="token"'):
            assert expected in again.text
        assert 'name="page_title" value="The bridge"' in again.text

    def test_a_closed_discussion_has_no_form(self, client: FlaskClient, database: Database) -> None:
        set_site(database, close_after_days=1)
        add_comment(database, first_site(client), status=Status.APPROVED, age=2 * DAY)
        page = self.page(client).text
        assert "Comments are closed." in page
        assert "<form" not in page
        assert "Reply" not in page

    def test_conversations_come_page_by_page(self, client: FlaskClient, database: Database) -> None:
        for _ in range(51):
            last = add_comment(database, first_site(client), status=Status.APPROVED)
        page = self.page(client).text
        assert last not in page
        (link,) = re.findall(r'href="([^"]+)">More comments', page)
        assert last in client.get(html.unescape(link)).text

    def test_nothing_of_the_address_is_taken_for_html_or_for_a_link(
        self, client: FlaskClient
    ) -> None:
        for page in ('"><script>alert(1)</script>', "javascript:alert(1)", f"{STRANGER}/x"):
            shown = self.page(client, page=page, title='"><b>', comment="<i>", parent="<i>").text
            assert not re.search(r"<script>|<b>|<i>|href=\"(javascript|https)", shown)

    @pytest.mark.parametrize("query", [{"site": "nowhere"}, {"page": ""}, {"page": "x" * 2001}])
    def test_a_wrong_address_is_told_so(self, client: FlaskClient, query: dict[str, str]) -> None:
        assert self.page(client, **query).status_code == 422
