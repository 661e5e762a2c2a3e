import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from moderation.db import Database
from moderation.domain import Status
from moderation.models import Delivery, Webhook
from moderation.outbox import deliveries
from moderation.outbox.deliveries import Lane, Outcome
from moderation.site_settings import history
from tests.support.comments import EMAIL, add_comment, add_site
from tests.support.web import csrf_token, first_site, sign_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

URL = "https://courier.example/hook"
PAGE = "/desk/sites/demo/webhooks"
EVERYTHING = ["comment.approved", "comment.held", "comment.rejected"]


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def send(client: FlaskClient, path: str = "", **fields: Any) -> Any:
    return client.post(f"{PAGE}{path}", data=fields | {"csrf_token": csrf_token(client, PAGE)})


def secret(response: Any) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', response.text)
    assert found is not None
    return html.unescape(found[1])


def webhook_rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Webhook.__table__).order_by(Webhook.id)))


def shown(client: FlaskClient) -> str:
    """The page as somebody reads it."""
    text = re.sub(r"<[^>]+>", " ", client.get(PAGE).text)
    return " ".join(html.unescape(text).split())


def answer(database: Database, site: int, status: int | None, problem: str = "") -> None:
    """Have the site's first webhook answer what is due."""
    lane = Lane(site, webhook_rows(database)[0].id)
    with database.write() as connection:
        taken = deliveries.take(connection, lane, limit=9)
        at = deliveries.now_ms()
        outcomes = [Outcome(one, at, took=1234, answer=status, problem=problem) for one in taken]
        deliveries.record(connection, outcomes)
    assert taken


def test_a_secret_is_shown_once_and_recorded_nowhere(
    admin: FlaskClient, database: Database
) -> None:
    response = send(admin, url=URL, types=EVERYTHING)
    key = secret(response)
    assert key.startswith("whsec_")
    assert response.headers["Cache-Control"] == "no-store"
    assert key not in admin.get(PAGE).text
    new = secret(send(admin, "/1/secret"))
    assert new != key
    (row,) = webhook_rows(database)
    assert (row.secret, row.earlier_secret, row.url) == (new, key, URL)
    assert "the earlier secret too, until" in shown(admin)
    with database.read() as connection:
        recorded = str(history(connection, first_site(admin), limit=9))
    assert URL in recorded
    assert "admin" in recorded
    assert "whsec_" not in recorded
    assert "a new one for https://courier.example/hook" in admin.get("/desk/sites/demo/").text


@pytest.mark.parametrize(
    ("url", "types", "field"),
    [
        ("", EVERYTHING, "url"),
        ("nowhere", EVERYTHING, "url"),
        ("ftp://courier.example", EVERYTHING, "url"),
        ("https://user:word@courier.example", EVERYTHING, "url"),
        ("https://courier.example/" + "x" * 500, EVERYTHING, "url"),
        (URL, [], "types"),
        (URL, ["comment.approved", "comment.eaten"], "types"),
        (URL, ["webhook.test"], "types"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_told_beside_its_field(
    admin: FlaskClient, database: Database, url: str, types: list[str], field: str
) -> None:
    response = send(admin, url=url, types=types)
    assert response.status_code == 422
    assert f'id="{field}-message"' in response.text
    assert webhook_rows(database) == []


def test_hostile_addresses_are_escaped(admin: FlaskClient) -> None:
    hostile = "https://courier.example/<script>alert('x')</script>\"&"
    send(admin, url=hostile, types=EVERYTHING)
    page = admin.get(PAGE).text
    assert "<script>alert" not in page
    assert hostile in html.unescape(page)


def test_messages_are_listed_with_what_came_of_them(admin: FlaskClient, database: Database) -> None:
    site = first_site(admin)
    send(admin, url=URL, types=EVERYTHING)
    assert send(admin, "/1/test").status_code == 303
    assert "webhook.test" in shown(admin)
    assert "On its way Not tried yet" in shown(admin)
    answer(database, site, 204)
    assert "Delivered Answered 204 after 1,234 ms" in shown(admin)
    assert "Works" in shown(admin)
    comment = add_comment(database, site, status=Status.APPROVED)
    answer(database, site, None, "no answer: ReadTimeoutError")
    text = shown(admin)
    assert "No answer: ReadTimeoutError after 1,234 ms" in text
    assert "Is tried again" in text
    assert "Its last message has not arrived" in text
    page = admin.get(PAGE).text
    assert f"/desk/comments/{comment}/history" in page
    assert EMAIL not in page


def test_what_was_given_up_is_sent_again_one_or_all(admin: FlaskClient, database: Database) -> None:
    site = first_site(admin)
    send(admin, url=URL, types=EVERYTHING)
    for _ in range(3):
        add_comment(database, site, status=Status.APPROVED)
    assert "Given up" not in shown(admin)
    with database.write() as connection:
        connection.execute(Delivery.__table__.update().values(state="dead", tries=20))  # type: ignore[attr-defined]
        (first, *_) = connection.scalars(select(Delivery.id).order_by(Delivery.id))
    assert "Given up (3)" in shown(admin)
    send(admin, "/redeliver", message=first)
    assert "1 message is sent again." in shown(admin)
    assert "Given up (2)" in shown(admin)
    send(admin, "/redeliver")
    assert "2 messages are sent again." in shown(admin)
    send(admin, "/redeliver")
    assert "Nothing is sent again" in shown(admin)


def test_who_answered_410_can_be_told_again_and_removed(
    admin: FlaskClient, database: Database
) -> None:
    site = first_site(admin)
    send(admin, url=URL, types=EVERYTHING)
    add_comment(database, site, status=Status.APPROVED)
    answer(database, site, 410)
    assert "Answered 410" in shown(admin)
    send(admin, "/1/revive")
    assert "is told nothing" not in shown(admin)
    send(admin, "/1/remove")
    assert webhook_rows(database) == []
    assert URL not in shown(admin)


def test_a_webhook_belongs_to_its_site(admin: FlaskClient, database: Database) -> None:
    send(admin, url=URL, types=EVERYTHING)
    add_site(database, "courier")
    token = csrf_token(admin, PAGE)
    for path in ("1/secret", "1/test", "1/revive", "1/remove"):
        response = admin.post(f"/desk/sites/courier/webhooks/{path}", data={"csrf_token": token})
        assert response.status_code == 404
    (row,) = webhook_rows(database)
    assert (row.earlier_secret, row.gone_at) == ("", None)
    assert admin.get("/desk/sites/nowhere/webhooks").status_code == 404
