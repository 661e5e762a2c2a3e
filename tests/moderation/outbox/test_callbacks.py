"""Akismet clients hear what became of a comment that they were told to wait for."""

from urllib.parse import parse_qsl

import pytest
from sqlalchemy import insert, select

from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.models import Callback, Delivery
from moderation.review import Actor, Change, set_status
from tests.support.comments import MODERATOR, WORKER, add_comment, add_site

CLIENT = Actor(ActorKind.CLIENT, "akismet")
URL = "https://blog.example/wp-json/akismet/v1/webhook"


@pytest.fixture
def asked(database: Database) -> str:
    """A comment about which a client asked, and was told to wait."""
    comment_id = add_comment(database, add_site(database))
    with database.write() as connection:
        values = {"comment_id": comment_id, "url": URL, "key": "0123456789ab", "guid": comment_id}
        connection.execute(insert(Callback).values(**values))
    move(database, comment_id, Status.HELD, WORKER)
    return comment_id


def move(database: Database, comment_id: str, to: Status, actor: Actor) -> None:
    with database.write() as connection:
        set_status(connection, [Change(comment_id=comment_id, to=to, reason="")], actor=actor)


def forms(database: Database) -> list[dict[str, str]]:
    with database.read() as connection:
        rows = connection.execute(select(Delivery.url, Delivery.body)).all()
    assert {row.url for row in rows} <= {URL}
    return [dict(parse_qsl(row.body)) for row in rows]


@pytest.mark.parametrize(("to", "result"), [(Status.APPROVED, "false"), (Status.REJECTED, "true")])
def test_a_moderators_decision_is_told(
    database: Database, asked: str, to: Status, result: str
) -> None:
    move(database, asked, to, MODERATOR)
    assert forms(database) == [
        {
            "key": "0123456789ab",
            "endpoint": "comment-check",
            "comments[0][guid]": asked,
            "comments[0][result]": result,
        }
    ]


def test_the_first_decision_is_the_answer_and_not_told_again(
    database: Database, asked: str
) -> None:
    assert forms(database) == []


def test_what_the_client_said_itself_is_not_told_it(database: Database, asked: str) -> None:
    move(database, asked, Status.REJECTED, CLIENT)
    assert forms(database) == []


def test_nobody_is_told_of_what_nobody_asked_about(database: Database) -> None:
    comment_id = add_comment(database, add_site(database), status=Status.HELD)
    move(database, comment_id, Status.APPROVED, MODERATOR)
    assert forms(database) == []
