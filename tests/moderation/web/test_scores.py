import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.db import Database
from moderation.desk import scores
from moderation.domain import Status
from tests.support.comments import add_comment, row_of
from tests.support.events import HELD_BY_MACHINE, add_event
from tests.support.web import first_site, sign_in

RANGE = {"score_from": "0.5", "score_to": "0.6"}


@pytest.fixture
def moderator(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def hold(database: Database, site: int, score: float | None = 0.55, **columns: Any) -> str:
    comment = add_comment(database, site, score=score, **columns)
    add_event(database, comment, at=1_700_000_000_000, **HELD_BY_MACHINE)
    return comment


def hidden_fields(page: str) -> dict[str, str]:
    form = page[page.index('action="/desk/scores/decide"') :]
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    }


def confirm(client: FlaskClient, **changes: str) -> dict[str, str]:
    """The fields of the form that asks once more."""
    query = RANGE | {"to": "rejected", "why": "spam"} | changes
    answer = client.get("/desk/scores/confirm", query_string=query)
    assert answer.status_code == 200
    return hidden_fields(answer.text)


def decide(client: FlaskClient, fields: dict[str, str]) -> tuple[Any, str]:
    """The answer to the form, and what the page after it says."""
    answer = client.post("/desk/scores/decide", data=fields)
    assert answer.status_code == 303
    page = client.get(answer.location).text
    (notice,) = re.findall(r'class="notice done" role="status">(.*?)<', page, re.DOTALL)
    return answer, notice.strip()


class TestHistogram:
    def test_it_shows_held_comments_by_score(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        for score in (0.123, 0.55, 0.551, None):
            hold(database, site, score)
        page = moderator.get("/desk/scores").text
        (bins,) = re.findall(r'data-bins="([^"]+)"', page)
        counts = [int(count) for count in html.unescape(bins).strip("[]").split(",")]
        assert (counts[12], counts[55], sum(counts)) == (1, 2, 3)
        assert "3 held comments" in page
        assert "1 without a score" in page
        assert "No range is chosen" in page

    def test_a_range_is_counted_and_sampled(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        for number in range(12):
            hold(database, site, 0.5 + number / 200, text=f"Comment <{number}>")
        page = moderator.get("/desk/scores", query_string=RANGE).text
        assert "12 comments from 0.50 to 0.60" in page
        assert len(set(re.findall(r"Comment &lt;\d+&gt;", page))) == 10
        assert '/desk/?score_from=0.5&amp;score_to=0.6"' in page

    def test_the_ends_may_come_in_any_order(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        hold(database, first_site(moderator))
        swapped = {"score_from": "0.6", "score_to": "0.5"}
        page = moderator.get("/desk/scores", query_string=swapped).text
        assert "1 comment from 0.50 to 0.60" in page

    @pytest.mark.parametrize("field", ["score_from", "score_to"])
    @pytest.mark.parametrize("value", ["2", "-1", "nan", "x"])
    def test_a_wrong_end_is_named(self, moderator: FlaskClient, field: str, value: str) -> None:
        answer = moderator.get("/desk/scores", query_string={field: value})
        assert [error["field"] for error in answer.get_json()["errors"]] == [field]

    def test_empty_fields_choose_nothing(self, moderator: FlaskClient) -> None:
        page = moderator.get("/desk/scores?site=&reason=&score_from=&score_to=")
        assert page.status_code == 200
        assert "No held comment has a score." in page.text


class TestDeciding:
    def test_the_number_is_confirmed_and_all_of_it_decided(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        ids = [hold(database, site) for _ in range(3)]
        outside = hold(database, site, 0.7)
        fields = confirm(moderator)
        assert fields["count"] == "3"
        assert {row_of(database, i).status for i in ids} == {"held"}
        answer, said = decide(moderator, fields)
        assert said == "3 comments are rejected."
        assert answer.location == "/desk/scores?score_from=0.5&score_to=0.6"
        rows = [row_of(database, i) for i in ids]
        assert {(row.status, row.reason) for row in rows} == {("rejected", "spam")}
        assert row_of(database, outside).status == "held"

    def test_what_others_decided_is_counted_and_left(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        site = first_site(moderator)
        hold(database, site)
        theirs = hold(database, site)
        fields = confirm(moderator, to="approved", why="")
        add_event(database, theirs, at=1_700_000_100_000, to=Status.REJECTED, actor="nils")
        late = hold(database, site)
        _, said = decide(moderator, fields)
        assert said == ("1 comment is approved. 1 was decided by others meanwhile and left alone.")
        assert row_of(database, theirs).status == "rejected"
        assert row_of(database, late).status == "held"

    def test_more_than_the_most_at_once_is_asked_for_again(
        self, moderator: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scores, "MOST_AT_ONCE", 2)
        site = first_site(moderator)
        for _ in range(3):
            hold(database, site)
        answer, said = decide(moderator, confirm(moderator))
        assert said == "2 comments are rejected. 1 more waits: go on below."
        fields = hidden_fields(moderator.get(answer.location).text)
        assert (fields["count"], fields["to"], fields["why"]) == ("1", "rejected", "spam")
        assert decide(moderator, fields)[1] == "1 comment is rejected."

    def test_it_can_be_taken_back(self, moderator: FlaskClient, database: Database) -> None:
        ids = [hold(database, first_site(moderator)) for _ in range(3)]
        fields = confirm(moderator)
        moderator.post("/desk/scores/decide", data=fields)
        moderator.post("/desk/undo", data={"csrf_token": fields["csrf_token"]})
        assert {row_of(database, i).status for i in ids} == {"held"}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("to", "held"),
            ("to", ""),
            ("why", "no reason"),
            ("count", "x"),
            ("count", "²"),
            ("marker", str(2**63)),
            ("score_from", ""),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_decided(
        self, moderator: FlaskClient, database: Database, field: str, value: str
    ) -> None:
        comment = hold(database, first_site(moderator))
        answer = moderator.post("/desk/scores/decide", data=confirm(moderator) | {field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.get_json()["errors"]] == [field]
        assert row_of(database, comment).status == "held"
