from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.access import accounts, tokens
from moderation.clock import HOUR, now_ms
from moderation.db import Database
from moderation.desk.event_schemas import EventsFollowed
from moderation.domain import Role, Status
from moderation.web.reference import openapi
from tests.support.comments import EMAIL, add_comment, add_site
from tests.support.events import HELD_BY_MACHINE, add_event
from tests.support.web import first_site


@pytest.fixture
def token(client: FlaskClient, database: Database) -> str:
    """A token of the administrator's."""
    with database.write() as connection:
        account = accounts.id_of(connection, "admin")
        return tokens.create(connection, account_id=account, label="follows events")


@pytest.fixture
def token_of_blog(database: Database) -> str:
    """A token of a moderator of the site "blog" alone."""
    add_site(database, "blog")
    with database.write() as connection:
        account = accounts.create_account(
            connection,
            name="bert",
            password="a password of bert's",
            role=Role.MODERATOR,
            sites=["blog"],
        )
        return tokens.create(connection, account_id=account, label="follows events")


def ask(client: FlaskClient, token: str, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return client.get("/v1/events", query_string=query, headers=headers)


def test_it_wants_a_moderators_token(client: FlaskClient, token: str) -> None:
    assert client.get("/v1/events").status_code == 401
    assert ask(client, "no token").status_code == 401
    assert ask(client, token).status_code == 200


def test_events_are_followed_from_cursor_to_cursor(
    client: FlaskClient, token: str, database: Database
) -> None:
    site = first_site(client)
    past = now_ms() - HOUR
    ids = [
        add_event(database, add_comment(database, site), at=past + n, to=Status.APPROVED)
        for n in range(5)
    ]
    assert ask(client, token, after=ids[4]).get_json() == {"events": [], "next": ids[4]}
    seen, cursor = [], 0
    while events := (page := ask(client, token, after=cursor, limit=2).get_json())["events"]:
        seen += [event["id"] for event in events]
        cursor = page["next"]
    assert seen == ids
    later = add_event(database, add_comment(database, site), at=past, to=Status.REJECTED)
    assert [e["id"] for e in ask(client, token, after=cursor).get_json()["events"]] == [later]


def test_an_event_says_what_happened_and_no_address(
    client: FlaskClient, token: str, database: Database
) -> None:
    comment = add_comment(database, first_site(client))
    event_id = add_event(
        database, comment, at=1_700_000_000_000, evidence={"rules": []}, **HELD_BY_MACHINE
    )
    answer = ask(client, token)
    assert answer.get_json()["events"] == [
        {
            "id": event_id,
            "at": "2023-11-14T22:13:20Z",
            "site": "demo",
            "page": "https://news.example/bridge",
            "comment": comment,
            "kind": "decision",
            "actor_kind": "worker",
            "actor": "worker",
            "from_status": "pending",
            "to_status": "held",
            "reason": "insult",
            "model": "model-1",
            "evidence": {"rules": []},
        }
    ]
    assert EMAIL not in answer.text


def test_an_answer_has_what_is_documented(
    client: FlaskClient, token: str, database: Database
) -> None:
    add_event(database, add_comment(database, first_site(client)), at=1, to=Status.APPROVED)
    answer = ask(client, token).get_json()
    schemas = openapi()["components"]["schemas"]
    assert answer.keys() == schemas["EventPage"]["properties"].keys()
    assert answer["events"][0].keys() == schemas["EventOut"]["properties"].keys()
    parameters = openapi()["paths"]["/v1/events"]["get"]["parameters"]
    assert {p["name"] for p in parameters} == EventsFollowed.model_fields.keys()
    assert all(p["schema"]["type"] for p in parameters)


def test_a_moderators_token_opens_the_own_sites_only(
    client: FlaskClient, token: str, token_of_blog: str, database: Database
) -> None:
    add_event(database, add_comment(database, first_site(client)), at=1, to=Status.APPROVED)
    assert len(ask(client, token).get_json()["events"]) == 1
    assert ask(client, token_of_blog).get_json()["events"] == []
    assert ask(client, token_of_blog, site="demo").status_code == 422


@pytest.mark.parametrize("field", ["after", "limit", "since", "kind"])
def test_a_wrong_parameter_is_named(client: FlaskClient, token: str, field: str) -> None:
    answer = ask(client, token, **{field: "nonsense"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]
