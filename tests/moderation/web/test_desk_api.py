from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.db import Database
from tests.support.comments import add_site, events_of, held_by_worker, row_of
from tests.support.web import add_moderator, first_site, moderator_token


@pytest.fixture
def token(client: FlaskClient) -> dict[str, str]:
    return moderator_token(client)


@pytest.fixture
def site(client: FlaskClient) -> int:
    return first_site(client)


def test_the_queue_is_read_page_by_page(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    ids = [held_by_worker(database, site, age=9 - n, email="eve@example.org") for n in range(3)]
    first = client.get("/v1/queue?order=oldest&limit=2", headers=token).get_json()
    assert [comment["id"] for comment in first["comments"]] == ids[:2]
    assert first["counts"]["held"] == {"number": 3, "more": False}
    path = f"/v1/queue?order=oldest&limit=2&after={first['next']}"
    second = client.get(path, headers=token).get_json()
    assert ([comment["id"] for comment in second["comments"]], second["next"]) == (ids[2:], None)
    assert "eve@example.org" not in str(first)


@pytest.mark.parametrize(
    ("query", "field"),
    [("order=best", "order"), ("limit=0", "limit"), ("after=x&order=harm", "after")],
)
def test_a_wrong_question_is_refused(
    client: FlaskClient, token: dict[str, str], query: str, field: str
) -> None:
    answer = client.get(f"/v1/queue?{query}", headers=token)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]


def test_a_decision_is_made_once(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    comment_id = held_by_worker(database, site)
    path = f"/v1/comments/{comment_id}/decision"
    card = client.get(f"/v1/comments/{comment_id}/card", headers=token).get_json()
    wish = {"to": "rejected", "reason": "personal_data", "version": card["version"]}
    answer = client.post(path, json=wish, headers=token)
    assert answer.get_json() == {"id": comment_id, "status": "rejected", "version": 2}
    add_moderator(database, "mona", "demo")
    second = client.post(
        path, json={"to": "approved", "version": 1}, headers=moderator_token(client, "mona")
    )
    problem = second.get_json()
    assert (second.status_code, second.content_type) == (409, "application/problem+json")
    assert problem["detail"] == (
        "nothing was changed: admin has decided meanwhile: rejected (personal data)"
    )
    assert (problem["decided"]["by"], problem["decided"]["status"]) == ("admin", "rejected")
    assert row_of(database, comment_id).status == "rejected"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"to": "rejected", "version": 1}, "reason"),
        ({"to": "rejected", "reason": "because", "version": 1}, "reason"),
        ({"to": "approved", "reason": "spam", "version": 1}, "reason"),
        ({"to": "pending", "version": 1}, "to"),
        ({"to": "approved"}, "version"),
        ({"to": "approved", "version": -1}, "version"),
        ({"to": "approved", "version": 1, "x": 1}, "x"),
    ],
    ids=str,
)
def test_a_wrong_decision_is_refused(
    client: FlaskClient,
    database: Database,
    token: dict[str, str],
    site: int,
    *,
    wish: dict[str, Any],
    field: str,
) -> None:
    comment_id = held_by_worker(database, site)
    answer = client.post(f"/v1/comments/{comment_id}/decision", json=wish, headers=token)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
    assert row_of(database, comment_id).status == "held"


def test_a_version_of_a_comment_that_nobody_decided_is_a_conflict(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    comment_id = held_by_worker(database, site)
    wish = {"to": "approved", "version": 5}
    answer = client.post(f"/v1/comments/{comment_id}/decision", json=wish, headers=token)
    assert (answer.status_code, answer.get_json()["decided"]["by"]) == (409, "worker")


def test_several_are_decided_and_taken_back(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    text = "Buy the finest harbour watches at {}, you will never find them cheaper."
    named, alike, similar = (
        held_by_worker(database, site, text=text.format(n)) for n in ("noon", "night", "dawn")
    )
    wish = {
        "to": "rejected",
        "reason": "spam",
        "comments": [{"id": named, "version": 1}, {"id": "0" * 32, "version": 1}],
        "similar_to": alike,
    }
    outcome = client.post("/v1/decisions", json=wish, headers=token).get_json()
    assert {one["id"] for one in outcome["applied"]} == {named, alike, similar}
    assert (outcome["conflicts"], outcome["missing"]) == ([], ["0" * 32])
    taken_back = client.post("/v1/decisions/undo", headers=token).get_json()
    assert {one["status"] for one in taken_back["applied"]} == {"held"}
    assert client.post("/v1/decisions/undo", headers=token).status_code == 404
    nothing = client.post("/v1/decisions", json={"to": "approved"}, headers=token)
    assert nothing.status_code == 422


def test_notes_standing_and_the_address(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    comment_id = held_by_worker(database, site, email="eve@example.org")
    path = f"/v1/comments/{comment_id}"
    card = client.post(f"{path}/notes", json={"text": "Ask\0 Ines."}, headers=token).get_json()
    assert [(note["by"], note["text"]) for note in card["notes"]] == [("admin", "Ask Ines.")]
    card = client.put(f"{path}/author", json={"standing": "blocked"}, headers=token).get_json()
    assert card["author"]["standing"] == "blocked"
    assert client.put(f"{path}/author", json={}, headers=token).status_code == 422
    assert client.post(f"{path}/email", headers=token).get_json() == {"email": "eve@example.org"}
    assert [event.kind for event in events_of(database, comment_id)[1:]] == [
        "note",
        "author",
        "look",
    ]


def test_a_comment_is_claimed_and_let_go(
    client: FlaskClient, database: Database, token: dict[str, str], site: int
) -> None:
    path = f"/v1/comments/{held_by_worker(database, site)}/reader"
    add_moderator(database, "mona", "demo")
    mona = moderator_token(client, "mona")
    assert client.put(path, headers=mona).get_json()["reader"] == "mona"
    assert client.put(path, headers=token).get_json()["reader"] == "mona"
    assert client.delete(path, headers=token).status_code == 204
    assert client.put(path, headers=mona).get_json() == {"reader": "mona", "seconds": 20}
    client.delete(path, headers=mona)
    assert client.put(path, headers=token).get_json()["reader"] == "admin"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_body_has_to_be_an_object(client: FlaskClient, token: dict[str, str]) -> None:
    answer = client.post("/v1/decisions", json=[1], headers=token)
    assert answer.status_code == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_of_another_site_is_seen_or_changed(
    client: FlaskClient, database: Database
) -> None:
    comment_id = held_by_worker(database, add_site(database, "gazette"))
    add_moderator(database, "mona", "demo")
    mona = moderator_token(client, "mona")
    assert client.get("/v1/queue", headers=mona).get_json()["comments"] == []
    path = f"/v1/comments/{comment_id}"
    wish = {"to": "approved", "version": 1}
    assert client.post(f"{path}/decision", json=wish, headers=mona).status_code == 404
    for method, call in (
        ("GET", "card"),
        ("POST", "email"),
        ("PUT", "reader"),
        ("DELETE", "reader"),
    ):
        assert client.open(f"{path}/{call}", method=method, headers=mona).status_code == 404
    several = {"to": "approved", "comments": [{"id": comment_id, "version": 1}]}
    outcome = client.post("/v1/decisions", json=several, headers=mona).get_json()
    assert outcome["missing"] == [comment_id]
    assert row_of(database, comment_id).status == "held"
