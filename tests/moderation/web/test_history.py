import csv
import html
import json
import re
from io import StringIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.access import accounts
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import authors, remarks
from moderation.domain import EventKind, Role, Standing, Status
from tests.support.comments import EMAIL, add_comment, add_site
from tests.support.events import HELD_BY_MACHINE, add_event
from tests.support.web import csrf_token, first_site, sign_in

AT = 1_700_000_000_000
MONA = AccountRef(9, "mona", Role.MODERATOR, None)

HOSTILE = "<script>alert('x')</script>\"&\u202e"

EVIDENCE = {
    "rules": [{"rule": "too_many_links", "verdict": "hold", "detail": "3 links, at most 2"}],
    "scores": {"reject": 0.7, "insult": 0.83, "spam": 0.1},
    "thresholds": {"reject": 0.8, "insult": 0.6, "spam": 0.5},
}


@pytest.fixture
def moderator(client: FlaskClient) -> FlaskClient:
    """The administrator, signed in."""
    sign_in(client)
    return client


@pytest.fixture
def of_blog(client: FlaskClient, database: Database) -> FlaskClient:
    """A moderator of the site "blog" alone, signed in."""
    add_site(database, "blog")
    with database.write() as connection:
        accounts.create_account(
            connection,
            name="bert",
            password="a password of bert's",
            role=Role.MODERATOR,
            sites=["blog"],
        )
    other = client.application.test_client()
    sign_in(other, name="bert", password="a password of bert's")
    return other


def steps(page: str) -> list[str]:
    """The sentences of the list of steps."""
    found = re.findall(r"<li[^>]*>\s*<p>(.*?)</p>", page, re.DOTALL)
    plain = (html.unescape(re.sub(r"<[^>]+>", "", one)) for one in found)
    return [re.sub(r"\s+", " ", one).rpartition(". ")[0].strip() for one in plain]


class TestOfAComment:
    def test_every_step_is_told_in_words(self, moderator: FlaskClient, database: Database) -> None:
        comment = add_comment(database, first_site(moderator))
        add_event(database, comment, at=AT, evidence=EVIDENCE, **HELD_BY_MACHINE)
        add_event(database, comment, at=AT, to=Status.REJECTED, reason="personal_data")
        add_event(database, comment, at=AT, to=Status.HELD, kind=EventKind.UNDO)
        with database.write() as connection:
            remarks.note(connection, comment_id=comment, text="Ask Nils.", moderator=MONA)
            remarks.email(connection, comment_id=comment, moderator=MONA)
            for standing in (Standing.TRUSTED, Standing.BLOCKED, None):
                authors.set_standing(
                    connection, comment_id=comment, standing=standing, moderator=MONA
                )
        page = moderator.get(f"/desk/comments/{comment}/history").text
        assert steps(page) == [
            "The service took it in",
            "The service held it",
            "mona rejected it; it was held before",
            "mona took a decision back: it is held again",
            "mona wrote a note",
            "mona looked at the e-mail address",
            "mona trusted its author",
            "mona blocked its author",
            "mona let the usual rules apply to its author again",
        ]
        grounds = re.findall(r'<li dir="auto">(.*?)</li>', page)
        assert grounds == [
            "3 links, at most 2",
            "insult 0.83, above 0.60",
            "personal data",
            "Ask Nils.",
        ]
        assert "model model-1" in page
        assert EMAIL not in page

    def test_what_it_says_is_never_taken_for_html(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        comment = add_comment(database, site, name=HOSTILE, text=HOSTILE, page=HOSTILE)
        add_event(database, comment, at=AT, to=Status.REJECTED, actor=HOSTILE, reason=HOSTILE)
        for path in (f"/desk/comments/{comment}/history", "/desk/history"):
            page = moderator.get(path).text
            assert "<script>alert" not in page
            assert page.count("&lt;script&gt;") >= 4
            assert 'class="invisible" title="right-to-left override"' in page

    def test_another_sites_comment_is_not_there(
        self, moderator: FlaskClient, of_blog: FlaskClient, database: Database
    ) -> None:
        comment = add_comment(database, first_site(moderator))
        assert moderator.get(f"/desk/comments/{comment}/history").status_code == 200
        assert of_blog.get(f"/desk/comments/{comment}/history").status_code == 404


class TestOfAll:
    def test_a_page_leads_to_the_next_and_keeps_the_filter(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        for _ in range(51):
            add_event(database, add_comment(database, site), at=AT, to=Status.APPROVED)
        add_event(database, add_comment(database, site), at=AT, to=Status.REJECTED)
        first = moderator.get("/desk/history?moderator=mona&to=approved").text
        assert "What <bdi>mona</bdi> did" in first
        assert len(steps(first)) == 50
        (older,) = re.findall(r'class="next" href="([^"]+)"', first)
        second = moderator.get(html.unescape(older)).text
        assert len(steps(second)) == 1
        assert 'class="next"' not in second

    def test_a_moderator_sees_the_own_sites_only(
        self, moderator: FlaskClient, of_blog: FlaskClient, database: Database
    ) -> None:
        add_event(database, add_comment(database, first_site(moderator)), at=AT, to=Status.APPROVED)
        assert len(steps(moderator.get("/desk/history").text)) == 1
        assert steps(of_blog.get("/desk/history").text) == []
        assert of_blog.get("/desk/history?site=demo").status_code == 422

    def test_a_wrong_filter_is_named(self, moderator: FlaskClient) -> None:
        answer = moderator.get("/desk/history?since=yesterday")
        assert answer.status_code == 422
        assert [error["field"] for error in answer.get_json()["errors"]] == ["since"]


def export(client: FlaskClient, form: str, **fields: str) -> Any:
    token = csrf_token(client, "/desk/history")
    return client.post("/desk/history/export", data={"form": form, "csrf_token": token} | fields)


class TestExport:
    def test_events_are_downloaded_as_csv(self, moderator: FlaskClient, database: Database) -> None:
        comment = add_comment(database, first_site(moderator), text="=HYPERLINK(1)", name="@mia")
        add_event(database, comment, at=AT, to=Status.REJECTED, reason="spam")
        answer = export(moderator, "csv", to="rejected")
        assert answer.mimetype == "text/csv"
        assert re.fullmatch(
            r'attachment; filename="events-[\d-]+\.csv"', answer.headers["Content-Disposition"]
        )
        (row,) = csv.DictReader(StringIO(answer.text.removeprefix("\ufeff")))
        assert (row["text"], row["name"], row["reason"]) == ("'=HYPERLINK(1)", "'@mia", "spam")
        assert EMAIL not in answer.text

    def test_events_are_downloaded_as_json_lines(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        for _ in range(450):
            add_event(database, add_comment(database, site), at=AT, to=Status.APPROVED)
        answer = export(moderator, "jsonl")
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert len({row["id"] for row in rows}) == len(rows) == 450
        assert EMAIL not in answer.text

    def test_the_filter_holds_for_the_export(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        for reason in ("spam", "hate"):
            add_event(
                database, add_comment(database, site), at=AT, to=Status.REJECTED, reason=reason
            )
        rows = export(moderator, "jsonl", reason="hate").text.splitlines()
        assert [json.loads(row)["reason"] for row in rows] == ["hate"]

    def test_an_administrator_may_ask_for_addresses_and_it_is_on_record(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        add_event(database, add_comment(database, first_site(moderator)), at=AT, to=Status.APPROVED)
        assert EMAIL in export(moderator, "jsonl", with_emails="on").text
        export(moderator, "csv", reason="spam")
        page = html.unescape(moderator.get("/desk/history").text)
        rows = re.findall(r"<td>admin</td><td>(\w+)</td>\s*<td>(.*?)</td>\s*<td>(\w+)</td>", page)
        assert rows == [("csv", "reason: spam", "no"), ("jsonl", "none", "yes")]

    def test_a_moderator_may_not(self, of_blog: FlaskClient) -> None:
        assert "with_emails" not in of_blog.get("/desk/history").text
        assert export(of_blog, "csv", with_emails="on").status_code == 403
        assert export(of_blog, "csv").status_code == 200
        # Who exported what is for administrators.
        assert "Latest exports" not in of_blog.get("/desk/history").text

    def test_a_moderator_exports_the_own_sites_only(
        self, moderator: FlaskClient, of_blog: FlaskClient, database: Database
    ) -> None:
        add_event(database, add_comment(database, first_site(moderator)), at=AT, to=Status.APPROVED)
        assert export(of_blog, "jsonl").text == ""

    def test_an_unknown_form_is_refused(self, moderator: FlaskClient) -> None:
        assert export(moderator, "xlsx").status_code == 422
