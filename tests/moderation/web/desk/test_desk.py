import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.db import Database
from moderation.domain import Status
from moderation.policy import HEADS
from tests.support.comments import (
    EVIDENCE,
    add_comment,
    add_site,
    events_of,
    held_by_worker,
    row_of,
)
from tests.support.web import PASSWORD, add_moderator, csrf_token, first_site, sign_in

HOSTILE = "<script>alert('x')</script>\"&"
JSON = {"Accept": "application/json"}
EXPLAINED: dict[str, Any] = EVIDENCE | {
    "scores": dict.fromkeys(HEADS, 0.1) | {"reject": 0.7, "insult": 0.9, "toxic": 0.8},
    "thresholds": dict.fromkeys(HEADS, 0.5),
    "explanation": {"head": "insult", "spans": [[4, 7, 1.5], [8, 14, -0.5]]},
}


@pytest.fixture
def moderator(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


@pytest.fixture
def site(moderator: FlaskClient) -> int:
    return first_site(moderator)


def post(client: FlaskClient, path: str, *, headers: Any = None, **fields: Any) -> Any:
    form = {"csrf_token": csrf_token(client, "/desk/")} | fields
    return client.post(path, data=form, headers=headers)


def decide(client: FlaskClient, comment_id: str, **fields: Any) -> Any:
    form = {"to": "approved", "version": "1", "back": "/desk/?order=harm"} | fields
    return post(client, f"/desk/comments/{comment_id}/decision", **form)


def shown(client: FlaskClient, path: str = "/desk/") -> list[str]:
    """Ids of the cards on a page."""
    return re.findall(r'<article class="card" id="card-(\w+)"', client.get(path).text)


class TestQueue:
    def test_it_is_closed_to_who_did_not_sign_in(
        self, client: FlaskClient, database: Database
    ) -> None:
        comment_id = held_by_worker(database, first_site(client))
        assert client.get("/desk/").location == "/sign-in?next=/desk/"
        form = {"to": "approved", "version": "1"}
        answer = client.post(f"/desk/comments/{comment_id}/decision", data=form)
        assert answer.location.startswith("/sign-in")
        form["csrf_token"] = csrf_token(client, "/sign-in")
        response = client.post(f"/desk/comments/{comment_id}/decision", data=form)
        assert response.location == "/sign-in"
        assert row_of(database, comment_id).status == "held"

    def test_it_says_when_nothing_waits(self, moderator: FlaskClient) -> None:
        assert "Nothing waits for a decision." in moderator.get("/desk/").text
        assert "Nothing matches." in moderator.get("/desk/?text=nowhere").text

    def test_a_card_says_everything_at_a_glance(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        parent = add_comment(database, site, status=Status.APPROVED, name="Ada", text="A bridge?")
        text = "You old bridge, with a tram line that nobody ever mentions to the council."
        comment_id = held_by_worker(
            database, site, evidence=EXPLAINED, parent=parent, text=text, email="eve@example.org"
        )
        held_by_worker(database, site, text=text, email="eve@example.org")
        page = html.unescape(moderator.get("/desk/?order=oldest").text)
        card = page[page.index(f'id="card-{comment_id}"') :]
        assert '<mark title="speaks against it: +1.50">old</mark>' in card
        assert '<mark class="for" title="speaks for it: -0.50">bridge</mark>' in card
        assert (
            "<b>Held:</b> no approved comment of this author; insult 0.90, above 0.50; "
            "toxic 0.80, above 0.50; rejection 0.70, above 0.50"
        ) in card
        bars = re.findall(r'<th scope="row">([a-z ]+)</th>.*?<td>(.+?)</td>', card, re.DOTALL)
        assert bars[0] == ("insult", "0.90")
        assert "Answers" in card
        assert "A bridge?" in card
        assert "0 approved" in card
        assert "2 waiting" in card
        assert "and 1 similar" in card
        assert 'href="https://news.example/bridge"' in card
        assert 'value="abuse" selected' in card
        assert "eve@example.org" not in page

    def test_it_is_read_page_by_page(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        ids = [held_by_worker(database, site, age=100 - n) for n in range(21)]
        first = moderator.get("/desk/?order=oldest").text
        assert shown(moderator) == ids[:20]
        (address,) = re.findall(r'href="([^"]+)" rel="next"', first)
        assert shown(moderator, html.unescape(address)) == ids[20:]
        assert 'rel="next"' not in moderator.get(html.unescape(address)).text

    def test_the_order_that_was_chosen_is_kept(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        ids = [held_by_worker(database, site, age=age) for age in (9, 5, 1)]
        assert shown(moderator, "/desk/?order=newest") == ids[::-1]
        assert shown(moderator) == ids[::-1]
        assert shown(moderator, "/desk/?order=nonsense") == ids[::-1]

    def test_a_filter_is_shown_and_counted(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        german = held_by_worker(database, site, language="de")
        held_by_worker(database, site)
        text = moderator.get("/desk/?language=de&site=&text=").text
        assert "1 found" in text
        assert '<option value="de" selected>German</option>' in text
        assert shown(moderator, "/desk/?language=de") == [german]
        assert moderator.get("/desk/?score_from=9").status_code == 422

    def test_a_moderator_sees_the_own_sites_only(
        self, client: FlaskClient, database: Database
    ) -> None:
        site = add_site(database, "gazette")
        own = held_by_worker(database, site)
        other = held_by_worker(database, first_site(client))
        add_moderator(database, "mona", "gazette")
        sign_in(client, name="mona", password=PASSWORD)
        assert shown(client) == [own]
        assert client.get(f"/desk/comments/{other}").status_code == 404
        assert decide(client, other).status_code == 404
        assert "Waiting <span" in client.get("/desk/").text
        assert "demo" not in re.findall(r'<option value="(\w+)"', client.get("/desk/").text)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestHostileComments:
    def test_nothing_of_a_comment_is_taken_for_html(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        fields = dict.fromkeys(("name", "text", "website"), HOSTILE)
        rule = {"rule": "banned_word", "verdict": "reject", "detail": HOSTILE}
        held_by_worker(
            database, site, page=HOSTILE, evidence=EXPLAINED | {"rules": [rule]}, **fields
        )
        text = moderator.get("/desk/").text
        assert "<script>alert" not in text
        assert text.count("&lt;script&gt;") >= 5

    def test_a_website_is_no_link_and_a_page_only_on_the_web(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        held_by_worker(database, site, website="https://zoe.example", page="javascript:alert(1)")
        text = moderator.get("/desk/").text
        assert "https://zoe.example" in text
        assert 'href="https://zoe.example' not in text
        assert 'href="javascript:' not in text

    def test_what_is_invisible_is_labelled(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        held_by_worker(database, site, text="fr\u200bee \u202egnp")
        text = moderator.get("/desk/").text
        assert 'fr<span class="invisible" title="zero width space">ZWSP</span>ee' in text
        assert "\u202e" not in text


class TestDecision:
    @pytest.mark.parametrize(
        ("to", "reason", "said"),
        [
            ("approved", "", "1 comment approved."),
            ("rejected", "off_topic", "1 comment rejected as off topic."),
            ("held", "", "1 comment held."),
        ],
    )
    def test_a_moderator_decides(
        self,
        moderator: FlaskClient,
        database: Database,
        site: int,
        *,
        to: str,
        reason: str,
        said: str,
    ) -> None:
        comment_id = held_by_worker(database, site)
        response = decide(moderator, comment_id, to=to, reason=reason)
        assert (response.status_code, response.location) == (303, "/desk/?order=harm")
        row = row_of(database, comment_id)
        assert (row.status, row.reason, row.version) == (to, reason, 2)
        assert events_of(database, comment_id)[-1].actor == "admin"
        assert said in moderator.get("/desk/").text

    def test_a_reason_goes_with_a_rejection_only(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        decide(moderator, comment_id, reason="spam")
        assert row_of(database, comment_id).reason == ""

    def test_who_comes_second_is_told_and_changes_nothing(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        decide(moderator, comment_id, to="rejected", reason="hate")
        told = "Nothing was changed: admin has decided meanwhile: rejected (hate)."
        assert decide(moderator, comment_id).status_code == 303
        assert told in moderator.get("/desk/").text
        answer = decide(moderator, comment_id, headers=JSON)
        assert answer.get_json() == {"message": "", "refused": [told], "undo": False, "applied": []}
        assert row_of(database, comment_id).status == "rejected"

    def test_the_script_gets_what_was_done(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        assert decide(moderator, comment_id, headers=JSON).get_json() == {
            "message": "1 comment approved.",
            "refused": [],
            "undo": True,
            "applied": [{"id": comment_id, "version": 2, "status": "approved"}],
        }

    def test_all_similar_ones_are_decided_with_it(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        text = "Buy the finest harbour watches at {}, you will never find them cheaper."
        ids = [held_by_worker(database, site, text=text.format(n)) for n in ("noon", "night")]
        other = held_by_worker(database, site, text="Quite another matter, about the old ferry.")
        decide(moderator, ids[0], to="rejected", reason="spam", similar="yes")
        assert [row_of(database, i).status for i in (*ids, other)] == [
            "rejected",
            "rejected",
            "held",
        ]

    def test_those_that_are_selected_are_decided_together(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        ids = [held_by_worker(database, site) for _ in range(3)]
        seen = [f"{comment_id}:1" for comment_id in ids[:2]]
        answer = post(moderator, "/desk/decisions", seen=seen, to="rejected", reason="spam")
        assert answer.status_code == 303
        assert [row_of(database, i).status for i in ids] == ["rejected", "rejected", "held"]
        assert "2 comments rejected as spam." in moderator.get("/desk/").text
        post(moderator, "/desk/undo")
        assert [row_of(database, i).status for i in ids] == ["held", "held", "held"]
        assert "Taken back: 2 comments are where they were." in moderator.get("/desk/").text

    def test_nothing_to_take_back_is_said(self, moderator: FlaskClient) -> None:
        post(moderator, "/desk/undo")
        assert "There is no decision of yours to take back." in moderator.get("/desk/").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWrongDecisions:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"to": "pending"},
            {"to": ""},
            {"version": "x"},
            {"version": ""},
            {"version": "9" * 12},
            {"to": "rejected", "reason": ""},
            {"to": "rejected", "reason": "because"},
        ],
        ids=str,
    )
    def test_they_decide_nothing(
        self, moderator: FlaskClient, database: Database, site: int, wrong: dict[str, str]
    ) -> None:
        comment_id = held_by_worker(database, site)
        assert decide(moderator, comment_id, **wrong).status_code == 422
        assert row_of(database, comment_id).status == "held"

    def test_a_forged_form_decides_nothing(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        for token in ("", "forged"):
            assert decide(moderator, comment_id, csrf_token=token).status_code == 400
        assert row_of(database, comment_id).status == "held"

    def test_an_unknown_comment_is_not_found(self, moderator: FlaskClient) -> None:
        assert decide(moderator, "0" * 32).status_code == 404

    @pytest.mark.parametrize(
        "back", ["https://evil.example/desk/", "//evil.example", "/desk/\r\nX: y"]
    )
    def test_a_form_leads_back_to_the_desk_only(
        self, moderator: FlaskClient, database: Database, site: int, back: str
    ) -> None:
        comment_id = held_by_worker(database, site)
        assert decide(moderator, comment_id, back=back).location == "/desk/"

    def test_selecting_nothing_is_an_error(self, moderator: FlaskClient) -> None:
        assert post(moderator, "/desk/decisions", to="approved").status_code == 422
        assert post(moderator, "/desk/decisions", to="approved", seen="x").status_code == 422


class TestRemarks:
    def test_a_note_is_on_the_card_and_changes_no_status(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        path = f"/desk/comments/{comment_id}/notes"
        assert post(moderator, path, note="Ask <Ines> first.").status_code == 303
        assert "Ask &lt;Ines&gt; first." in moderator.get("/desk/").text
        assert row_of(database, comment_id).version == 1
        event = events_of(database, comment_id)[-1]
        assert (event.kind, event.from_status, event.to_status) == ("note", "held", "held")
        for wrong in ("", "  ", "x" * 1_001):
            assert post(moderator, path, note=wrong).status_code == 422

    def test_the_address_is_shown_on_demand_and_the_look_is_recorded(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site, email="eve@example.org")
        path = f"/desk/comments/{comment_id}"
        assert "eve@example.org" not in moderator.get(path).text
        answer = post(moderator, f"{path}/email")
        assert "eve@example.org" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        event = events_of(database, comment_id)[-1]
        assert (event.kind, event.actor, event.evidence) == ("look", "admin", {"field": "email"})
        assert "eve@example.org" not in moderator.get(path).text

    def test_an_author_is_trusted_blocked_and_neither(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        path = f"/desk/comments/{comment_id}/author"
        for standing in ("trusted", "blocked"):
            assert post(moderator, path, standing=standing).status_code == 303
            badge = f'<span class="badge {standing}">{standing}</span>'
            assert badge in moderator.get("/desk/").text
        post(moderator, path, standing="")
        assert 'class="badge' not in moderator.get("/desk/").text
        assert [event.kind for event in events_of(database, comment_id)[1:]] == ["author"] * 3
        assert post(moderator, path, standing="adored").status_code == 422


class TestPulse:
    def test_it_tells_what_changed_since_the_page_was_loaded(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        old = held_by_worker(database, site)
        (since,) = re.findall(r'data-since="(\d+)"', moderator.get("/desk/").text)
        path = f"/desk/pulse?since={since}&shown={old}:1"
        assert moderator.get(path).get_json()["arrived"] == []
        new = held_by_worker(database, site)
        decide(moderator, old)
        news = moderator.get(path).get_json()
        assert news["arrived"] == [new]
        assert news["decided"] == {old: "admin has decided meanwhile: approved"}
        assert news["counts"] == {"held": "1", "approved": "1", "rejected": "0", "all": "2"}
        again = moderator.get(f"/desk/pulse?since={news['since']}").get_json()
        assert again["arrived"] == []

    def test_nonsense_is_left_out(self, moderator: FlaskClient) -> None:
        answer = moderator.get("/desk/pulse?since=x&shown=,:,a:b,%F0%9F%98%80:1")
        assert answer.status_code == 200
        assert answer.get_json()["decided"] == {}

    def test_others_see_who_reads_what(
        self, moderator: FlaskClient, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        add_moderator(database, "mona", "demo")
        mona = moderator.application.test_client()
        sign_in(mona, name="mona", password=PASSWORD)
        path = f"/desk/comments/{comment_id}/reading"
        assert post(mona, path).get_json() == {"reader": ""}
        assert post(moderator, path).get_json() == {"reader": "mona"}
        assert "<bdi>mona</bdi> is reading this" in moderator.get("/desk/").text
        readers = f"/desk/pulse?shown={comment_id}:1"
        assert moderator.get(readers).get_json()["readers"] == {comment_id: "mona"}
        assert mona.get(readers).get_json()["readers"] == {}
        assert post(moderator, path, left="yes").status_code == 204
        assert post(moderator, path).get_json() == {"reader": "mona"}
        post(mona, path, left="yes")
        assert post(moderator, path).get_json() == {"reader": ""}
        assert post(moderator, f"/desk/comments/{'0' * 32}/reading").status_code == 404
