import logging
from html import escape
from http import HTTPStatus
from typing import NoReturn

import pytest
from flask import Flask, abort, redirect, request
from flask.testing import FlaskClient

from moderation.access.bootstrap import FIRST_SITE
from moderation.db import Database
from moderation.errors import Conflict, NotFound, Overloaded
from tests.support.web import BROWSER, FIELDS, KEY, PASSWORD, add_moderator, sign_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def failing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an application with a bug, which shows what was sent in its message."""

    def submit() -> NoReturn:
        raise RuntimeError(f"cannot handle {request.get_data()!r}")

    monkeypatch.setitem(app.view_functions, "comments.submit", submit)
    return app.test_client()


def test_a_bug_is_a_problem_that_tells_nothing(failing: FlaskClient) -> None:
    response = failing.post("/v1/comments", json=FIELDS, headers=KEY)
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.get_json()["title"] == "Internal Server Error"
    assert "RuntimeError" not in response.text
    assert "zoe@example.org" not in response.text


def test_a_bug_is_noted_with_its_place_and_nothing_that_was_sent(
    failing: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    failing.post("/v1/comments", json=FIELDS, headers=KEY)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "RuntimeError at " in record.getMessage()
    assert f"{__file__}:" in record.getMessage()
    for sent in FIELDS.values():
        assert sent not in caplog.text


def test_a_bug_is_a_page_for_people(failing: FlaskClient) -> None:
    response = failing.post("/v1/comments", data=FIELDS, headers=BROWSER)
    assert (response.status_code, response.mimetype) == (500, "text/html")
    assert "This is our mistake" in response.text


@pytest.mark.parametrize(
    ("address", "heading"),
    [("/desk/comments/0", "There is nothing here"), ("/desk/people", "This is not open to you")],
)
def test_a_page_tells_what_is_wrong_in_plain_words_and_below_the_desks_menu(
    client: FlaskClient, database: Database, address: str, heading: str
) -> None:
    add_moderator(database, "mona", FIRST_SITE)
    sign_in(client, name="mona", password=PASSWORD)
    page = client.get(address, headers=BROWSER).text
    assert f"<h1>{heading}</h1>" in page
    assert f"<title>{heading} · Moderation</title>" in page
    assert 'aria-label="Desk"' in page


def test_a_readers_page_of_an_error_leads_back_to_the_page_before(client: FlaskClient) -> None:
    page = "https://news.example/bridge?a=1&b=2"
    too_much = client.post(
        "/v1/comments",
        data={"text": "x" * 3_000_000},
        headers=BROWSER | {"Referer": page},
    )
    assert too_much.status_code == 413
    assert "More was sent than is taken at once." in too_much.text
    assert f'href="{escape(page)}"' in too_much.text
    told = client.get("/nothing", headers=BROWSER | {"Referer": "javascript:alert(1)"}).text
    assert "javascript:" not in told


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no such thing"), HTTPStatus.NOT_FOUND),
        (Conflict("changed"), HTTPStatus.CONFLICT),
        (Overloaded("busy"), HTTPStatus.SERVICE_UNAVAILABLE),
    ],
    ids=repr,
)
def test_errors_of_the_services_have_their_status(
    app: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception, status: HTTPStatus
) -> None:
    def raises() -> NoReturn:
        raise error

    monkeypatch.setitem(app.view_functions, "reference.document", raises)
    response = app.test_client().get("/openapi.json")
    assert response.status_code == response.get_json()["status"] == status
    assert response.get_json()["detail"].startswith(str(error))


def test_a_redirection_is_no_problem(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = redirect("/docs")
    monkeypatch.setitem(app.view_functions, "reference.document", lambda: abort(elsewhere))
    response = app.test_client().get("/openapi.json")
    assert (response.status_code, response.location) == (302, "/docs")


def test_a_page_that_is_not_there(client: FlaskClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert response.get_json()["detail"] == "there is nothing at this address"
    page = client.get("/nowhere", headers=BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "To the demo article" in page.text


def test_from_an_error_at_the_desk_the_way_leads_back_to_the_queue(client: FlaskClient) -> None:
    page = client.get("/desk/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert 'href="/desk/"' in page.text


@pytest.mark.parametrize("body", [b'{"name": zoe@example.org}', b'{"name": "Zo\xeb"}', b""])
@pytest.mark.parametrize("path", ["/v1/comments", "/v1/score"])
def test_a_body_that_is_no_json_is_told_so(client: FlaskClient, path: str, body: bytes) -> None:
    response = client.post(path, data=body, headers=KEY, content_type="application/json")
    assert (response.status_code, response.get_json()["detail"]) == (400, "the body is not JSON")


def test_pages_allow_nothing_from_elsewhere(client: FlaskClient) -> None:
    headers = client.get("/demo", headers=BROWSER).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/openapi.json").headers["X-Content-Type-Options"] == "nosniff"
