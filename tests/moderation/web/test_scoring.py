from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from moderation.db import Database
from moderation.models import Comment
from moderation.policy import HEADS
from moderation.website.client_schemas import SCORED_AT_ONCE
from tests.support.service import FRIENDLY, UNFRIENDLY
from tests.support.web import KEY

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("ready"),
]


def score(client: FlaskClient, body: Any, headers: dict[str, str] = KEY) -> Any:
    return client.post("/v1/score", json=body, headers=headers)


def test_one_text_gets_a_probability_for_each_head_and_is_not_stored(
    client: FlaskClient, database: Database
) -> None:
    body = score(client, {"text": UNFRIENDLY}).get_json()
    (found,) = body["scores"]
    assert set(found["scores"]) == set(HEADS)
    assert found["scores"]["insult"] > 0.5
    assert (found["able"], found["language"], found["explanation"]) == (True, "en", None)
    assert body["model"]
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Comment)) == 0


def test_several_are_scored_in_their_order_and_explained(client: FlaskClient) -> None:
    texts = [{"text": FRIENDLY}, {"text": UNFRIENDLY, "name": "Eve"}]
    kind, rude = score(client, {"comments": texts, "explain": True}).get_json()["scores"]
    assert kind["scores"]["reject"] < rude["scores"]["reject"]
    words = [UNFRIENDLY[s["start"] : s["end"]] for s in rude["explanation"]["spans"]]
    assert any("idiot" in word for word in words)


def test_a_text_beyond_the_model_is_said_to_be_so(client: FlaskClient) -> None:
    text = "Das ist eine Frage, die man in diesem Lande noch lange stellen wird."
    (found,) = score(client, {"text": text}).get_json()["scores"]
    assert (found["able"], found["language"]) == (False, "de")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "comments"),
        ({"text": "   "}, "comments"),
        ({"text": FRIENDLY, "comments": [{"text": FRIENDLY}]}, "comments"),
        ({"comments": [{"text": FRIENDLY}] * (SCORED_AT_ONCE + 1)}, "comments"),
        ({"text": "x" * 20_001}, "text"),
        ({"text": FRIENDLY, "explain": "perhaps"}, "explain"),
        ({"text": FRIENDLY, "e-mail": "zoe@example.org"}, "e-mail"),
    ],
)
def test_what_is_wrong_is_named(client: FlaskClient, body: Any, field: str) -> None:
    answer = score(client, body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_it_wants_a_sites_key(client: FlaskClient, headers: dict[str, str]) -> None:
    assert score(client, {"text": FRIENDLY}, headers).status_code == 401
