import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from moderation import policy
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.policy import HEADS
from moderation.review import Actor, Change, HeldComment, set_status
from moderation.web.review import segments, why
from tests.support.comments import add_comment, events_of, row_of
from tests.support.web import BROWSER, csrf_token, first_site, sign_in

HOSTILE = "<script>alert('x')</script>\"&"
EVIDENCE: dict[str, Any] = {
    "rules": [],
    "able": True,
    "scores": dict.fromkeys(HEADS, 0.1) | {"reject": 0.7, "insult": 0.9, "toxic": 0.8},
    "thresholds": dict.fromkeys(HEADS, 0.5),
    "explanation": {"head": "insult", "spans": [[4, 7, 1.5], [8, 14, -0.5]]},
}


def hold(
    database: Database, site: int, *, evidence: dict[str, Any] = EVIDENCE, **columns: Any
) -> str:
    """A comment that the worker has held; its id."""
    comment_id = add_comment(database, site, **columns)
    with database.write() as connection:
        change = Change(
            comment_id=comment_id,
            to=Status.HELD,
            reason="insult",
            model="model-1",
            score=0.7,
            evidence=evidence,
        )
        set_status(connection, [change], actor=Actor(ActorKind.WORKER, "worker"))
    return comment_id


@pytest.fixture
def moderator(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def decide(client: FlaskClient, comment_id: str, *, to: str = "approved", **fields: str) -> Any:
    form = {"to": to, "version": "1", "csrf_token": csrf_token(client, "/desk/")} | fields
    return client.post(f"/desk/comments/{comment_id}/decision", data=form)


class TestDesk:
    def test_it_is_closed_to_who_did_not_sign_in(
        self, client: FlaskClient, database: Database
    ) -> None:
        comment_id = hold(database, first_site(client))
        assert client.get("/desk/").location == "/sign-in?next=/desk/"
        form = {"to": "approved", "version": "1"}
        response = client.post(f"/desk/comments/{comment_id}/decision", data=form)
        # Not back to the decision, which a browser would ask for with GET.
        assert response.location == "/sign-in"
        assert row_of(database, comment_id).status == "held"

    def test_it_says_when_nothing_waits(self, moderator: FlaskClient) -> None:
        assert "Nothing waits for a decision." in moderator.get("/desk/").text

    def test_a_held_comment_is_shown_with_its_reasons(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        hold(database, first_site(moderator), text="You old bridge, with a tram line.")
        text = html.unescape(moderator.get("/desk/").text)
        # What decided comes first, the others by their probability.
        (reasons,) = re.findall(r'<div class="why">(.+?)</div>', text, re.DOTALL)
        assert re.findall(r"<li>(.+)</li>", reasons) == [
            "an insult: 0.90, threshold 0.50",
            "toxic: 0.80, threshold 0.50",
            "like what moderators reject: 0.70, threshold 0.50",
        ]
        assert '<mark title="speaks against it: +1.50">old</mark>' in text
        assert '<mark class="for" title="speaks for it: -0.50">bridge</mark>' in text
        assert "Model model-1" in text
        assert "zoe@example.org" not in text

    def test_it_is_read_page_by_page(self, moderator: FlaskClient, database: Database) -> None:
        site = first_site(moderator)
        ids = [hold(database, site, age=100 - n) for n in range(21)]
        first = moderator.get("/desk/").text
        assert re.findall(r'id="by-(\w+)"', first) == ids[:20]
        (address,) = re.findall(r'class="next" href="([^"]+)"', first)
        second = moderator.get(html.unescape(address)).text
        assert re.findall(r'id="by-(\w+)"', second) == ids[20:]
        assert 'class="next"' not in second


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestHostileComments:
    def test_nothing_of_a_comment_is_taken_for_html(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        fields = dict.fromkeys(("name", "text", "website"), HOSTILE)
        rule = {"rule": "banned_word", "verdict": "reject", "detail": HOSTILE}
        evidence = EVIDENCE | {"rules": [rule]}
        hold(database, first_site(moderator), page=HOSTILE, evidence=evidence, **fields)
        text = moderator.get("/desk/").text
        assert "<script>alert" not in text
        assert text.count("&lt;script&gt;") == 4

    def test_a_website_is_no_link_at_the_desk(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        hold(database, first_site(moderator), website="https://zoe.example")
        text = moderator.get("/desk/").text
        assert "https://zoe.example" in text
        assert 'href="https://zoe.example' not in text


class TestDecision:
    @pytest.mark.parametrize("to", ["approved", "rejected"])
    def test_a_moderator_decides(self, moderator: FlaskClient, database: Database, to: str) -> None:
        comment_id = hold(database, first_site(moderator))
        response = decide(moderator, comment_id, to=to)
        assert (response.status_code, response.location) == (303, "/desk/?after=")
        row = row_of(database, comment_id)
        assert (row.status, row.version) == (to, 2)
        latest = events_of(database, comment_id)[-1]
        assert (latest.actor_kind, latest.actor) == ("moderator", "admin")
        page = moderator.get("/desk/").text
        assert f"The comment is {to}." in page
        assert comment_id not in page

    def test_who_comes_second_is_told_and_changes_nothing(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        comment_id = hold(database, first_site(moderator))
        with database.write() as connection:
            change = Change(comment_id=comment_id, to=Status.REJECTED, reason="")
            set_status(connection, [change], actor=Actor(ActorKind.MODERATOR, "nils"))
        assert decide(moderator, comment_id).status_code == 303
        assert "Nothing was changed: nils has decided meanwhile: rejected." in (
            moderator.get("/desk/").text
        )
        assert row_of(database, comment_id).status == "rejected"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWrongDecisions:
    def test_a_forged_form_decides_nothing(
        self, moderator: FlaskClient, database: Database
    ) -> None:
        comment_id = hold(database, first_site(moderator))
        for token in ("", "forged"):
            assert decide(moderator, comment_id, csrf_token=token).status_code == 400
        assert row_of(database, comment_id).status == "held"

    @pytest.mark.parametrize(
        "wrong",
        [{"to": "pending"}, {"to": "held"}, {"to": ""}, {"version": "x"}, {"version": ""}],
        ids=str,
    )
    def test_a_decision_is_to_approve_or_to_reject_what_was_seen(
        self, moderator: FlaskClient, database: Database, wrong: dict[str, str]
    ) -> None:
        comment_id = hold(database, first_site(moderator))
        assert decide(moderator, comment_id, **wrong).status_code == 422
        assert row_of(database, comment_id).status == "held"

    def test_an_unknown_comment_is_not_found(self, moderator: FlaskClient) -> None:
        assert decide(moderator, "0" * 32).status_code == 404

    def test_an_error_at_the_desk_is_a_page(self, moderator: FlaskClient) -> None:
        response = moderator.get("/desk/nowhere", headers=BROWSER)
        assert (response.status_code, response.mimetype) == (404, "text/html")


def held_comment(reason: str, evidence: dict[str, Any]) -> HeldComment:
    return HeldComment("1", 1, "news", "/", "", "Zoë", "", "Text", 0, reason, None, None, evidence)


@pytest.mark.parametrize(
    ("reason", "evidence", "words"),
    [
        # Every reason for which there is no probability has words of its own.
        (policy.SCORER_UNAVAILABLE, {"rules": []}, ["no classifier was available"]),
        (policy.SCORER_FAILED, {"rules": []}, ["the classifier failed on it"]),
        (policy.NOT_ABLE_TO_JUDGE, {}, ["the classifier is not able to judge it"]),
        (policy.UNDECIDED, {}, ["it could not be decided after several tries"]),
        # Rules come before them, in the order in which they weigh.
        (
            policy.SCORER_FAILED,
            {"rules": [{"detail": "one"}, {"detail": "two"}]},
            ["one", "two", "the classifier failed on it"],
        ),
        # A moderator's decision has nothing to explain.
        ("", {}, []),
    ],
    ids=str,
)
def test_why_a_comment_is_held_is_put_into_words(
    reason: str, evidence: dict[str, Any], words: list[str]
) -> None:
    assert why(held_comment(reason, evidence)) == words


@pytest.mark.parametrize("head", HEADS)
def test_every_head_has_words(head: str) -> None:
    evidence = {"scores": {head: 0.5}, "thresholds": {head: 0.5}}
    (words,) = why(held_comment(head, evidence))
    assert words.endswith(": 0.50, threshold 0.50")


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=12, unique=True))
def test_segments_put_together_are_the_text(text: str, cuts: list[int]) -> None:
    places = sorted(cut for cut in cuts if cut <= len(text))
    spans = [[start, end, 1.0] for start, end in zip(places[::2], places[1::2], strict=False)]
    pieces = list(segments(text, {"spans": spans}))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.weight] == [text[a:b] for a, b, _ in spans]
    assert all(piece.text for piece in pieces)


def test_a_text_without_an_explanation_is_one_piece() -> None:
    assert [piece.text for piece in segments("A tram line.", None)] == ["A tram line."]
