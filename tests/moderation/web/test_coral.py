import hashlib
import hmac
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from moderation import site_settings
from moderation.db import Database
from moderation.models import Comment
from tests.support.service import FRIENDLY, SITE_KEY, UNFRIENDLY

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("ready"),
]

SECRET = "a-signing-secret-of-coral"


@pytest.fixture(autouse=True)
def _secret(client: FlaskClient, database: Database) -> None:
    set_secret(database, SECRET)


def set_secret(database: Database, secret: str) -> None:
    with database.write() as connection:
        site_settings.set_secret(
            connection, name="demo", purpose="coral", secret=secret, actor="admin"
        )


def asked(text: str, **comment: Any) -> dict[str, Any]:
    return {
        "action": "NEW",
        "comment": {"body": f"<div>{text}</div>", "parentID": None} | comment,
        "author": {"id": "author-1", "role": "COMMENTER"},
        "story": {"id": "story-1", "url": "https://news.example/bridge"},
        "site": {"id": "site-1"},
        "tenantID": "tenant-1",
        "tenantDomain": "coral.example",
    }


def signature(body: bytes, secret: str = SECRET) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def ask(client: FlaskClient, body: Any, signed: str | None = None, site: str = "demo") -> Any:
    raw = json.dumps(body).encode()
    headers = {
        "X-Coral-Signature": signature(raw) if signed is None else signed,
        "Content-Type": "application/json",
    }
    return client.post(f"/coral/{site}", data=raw, headers=headers)


def comments(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Comment.__table__).order_by(Comment.id)))


def test_a_comment_is_stored_and_answered_by_its_decision(
    client: FlaskClient, database: Database
) -> None:
    assert ask(client, asked(FRIENDLY)).get_json() == {"status": "NONE"}
    assert ask(client, asked(UNFRIENDLY)).get_json() == {
        "status": "SYSTEM_WITHHELD",
        "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}],
    }
    kind, rude = comments(database)
    assert (kind.text, kind.status, rude.status) == (FRIENDLY, "approved", "held")
    assert kind.author_id == rude.author_id
    assert kind.email == ""


def test_a_call_sent_again_is_about_the_same_comment(
    client: FlaskClient, database: Database
) -> None:
    for _ in range(3):
        ask(client, asked(UNFRIENDLY))
    assert len(comments(database)) == 1


def test_corals_moderators_correct_it_over_perspective(
    client: FlaskClient, database: Database
) -> None:
    ask(client, asked(UNFRIENDLY))
    said = {
        "comment": {"text": UNFRIENDLY},
        "attributeScores": {"SEVERE_TOXICITY": {"summaryScore": {"value": 0}}},
        "clientToken": "comment:some-id-of-coral",
    }
    client.post(f"/v1alpha1/comments:suggestscore?key={SITE_KEY}", json=said)
    (stored,) = comments(database)
    assert stored.status == "approved"


@pytest.mark.parametrize(
    "signed", ["", "sha256=", "sha256=0", signature(b"another body"), "sha1=abc", "é"]
)
def test_what_is_not_signed_is_refused(
    client: FlaskClient, database: Database, signed: str
) -> None:
    assert ask(client, asked(FRIENDLY), signed).status_code == 401
    assert comments(database) == []


def test_of_several_signatures_one_is_enough(client: FlaskClient) -> None:
    body = asked(FRIENDLY)
    raw = json.dumps(body).encode()
    both = f"{signature(raw, 'an-older-secret-of-coral')},{signature(raw)}"
    assert ask(client, body, both).status_code == 200


def test_without_a_secret_or_a_site_nothing_is_answered(
    client: FlaskClient, database: Database
) -> None:
    assert ask(client, asked(FRIENDLY), site="nowhere").status_code == 401
    set_secret(database, "")
    assert ask(client, asked(FRIENDLY)).status_code == 401
    assert (
        ask(
            client, asked(FRIENDLY), signature(json.dumps(asked(FRIENDLY)).encode(), "")
        ).status_code
        == 401
    )


@pytest.mark.parametrize("body", [[], {}, {"comment": None}, {"comment": {"body": None}}])
def test_what_cannot_be_read_is_withheld(client: FlaskClient, body: Any) -> None:
    assert ask(client, body).get_json()["status"] == "SYSTEM_WITHHELD"


def test_a_comment_that_could_not_be_decided_is_withheld(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.checks.PATIENCE", 0.0)
    assert ask(client, asked(FRIENDLY)).get_json()["status"] == "SYSTEM_WITHHELD"


def test_the_secret_is_not_in_the_record_of_changes(database: Database) -> None:
    with database.read() as connection:
        site = site_settings.site_named(connection, "demo")
        recorded = site_settings.history(connection, site.id, limit=9)
    assert SECRET not in str(recorded)
    assert recorded[0].changes[0]["after"] == f"…{SECRET[-4:]}"
