import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.access.guessing import FREE_OF_NAME
from moderation.db import Database
from tests.support.service import ADMIN_PASSWORD
from tests.support.web import PASSWORD, add_moderator, csrf_token, sign_in

NEW = "a new and longer password"


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def send(client: FlaskClient, path: str, **fields: str) -> Any:
    token = csrf_token(client, "/desk/account")
    return client.post(f"/desk/account/{path}", data=fields | {"csrf_token": token})


def change(client: FlaskClient, **fields: str) -> Any:
    return send(
        client, "password", **({"current": ADMIN_PASSWORD, "new": NEW, "again": NEW} | fields)
    )


class TestPassword:
    def test_it_is_changed_and_the_other_sessions_end(self, admin: FlaskClient, app: Flask) -> None:
        elsewhere = app.test_client()
        sign_in(elsewhere)
        response = change(admin)
        assert (response.status_code, response.location) == (303, "/desk/account")
        assert "The password is changed." in admin.get("/desk/account").text
        assert elsewhere.get("/desk/account").status_code == 303
        assert sign_in(app.test_client()).status_code == 401
        assert sign_in(app.test_client(), password=NEW).status_code == 303

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"current": "wrong"}, "This is not right."),
            ({"again": "something else"}, "This is not the same as the new password."),
            ({"new": "short", "again": "short"}, "This needs at least 12 characters."),
            ({"new": "x" * 1001, "again": "x" * 1001}, "This is too long: at most 1,000"),
        ],
        ids=["current", "again", "short", "long"],
    )
    def test_what_is_wrong_stands_beside_its_field_and_nothing_changes(
        self, admin: FlaskClient, app: Flask, fields: dict[str, str], message: str
    ) -> None:
        response = change(admin, **fields)
        assert response.status_code == 422
        assert message in response.text
        (wrong,) = re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true"', response.text)
        assert wrong in fields
        assert f'id="{wrong}-message"' in response.text
        assert NEW not in response.text
        assert sign_in(app.test_client()).status_code == 303

    def test_the_present_password_cannot_be_guessed_either(self, admin: FlaskClient) -> None:
        for _ in range(FREE_OF_NAME):
            assert change(admin, current="wrong").status_code == 422
        response = change(admin)
        assert response.status_code == 429
        assert "too many failed tries" in response.text
        assert int(response.headers["Retry-After"]) <= 5


def test_signing_out_everywhere_ends_every_session(admin: FlaskClient, app: Flask) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere)
    response = send(admin, "sessions/end")
    assert (response.status_code, response.location) == (303, "/sign-in")
    assert "You are signed out everywhere." in admin.get("/sign-in").text
    assert [c.get("/desk/account").status_code for c in (admin, elsewhere)] == [303, 303]
    assert sign_in(admin).status_code == 303


class TestTokens:
    def test_one_is_shown_once_works_and_is_revoked(self, admin: FlaskClient) -> None:
        created = send(admin, "tokens", label="export at night")
        found = re.search(r'<code class="secret">([^<]+)</code>', created.text)
        assert found is not None
        assert created.headers["Cache-Control"] == "no-store"
        headers = {"Authorization": f"Bearer {found[1]}"}
        assert admin.get("/v1/account", headers=headers).get_json()["name"] == "admin"
        later = admin.get("/desk/account").text
        assert found[1] not in later
        assert "export at night" in later

        revoke = re.search(r'action="/desk/account/(tokens/\w+/revoke)"', later)
        assert revoke is not None
        assert send(admin, revoke[1]).status_code == 303
        assert admin.get("/v1/account", headers=headers).status_code == 401
        assert "You have none." in admin.get("/desk/account").text

    def test_it_needs_a_purpose(self, admin: FlaskClient) -> None:
        response = send(admin, "tokens", label=" ")
        assert response.status_code == 422
        assert "This has to have 1 to 64 characters." in response.text

    def test_nobody_sees_or_revokes_those_of_others(
        self, admin: FlaskClient, app: Flask, database: Database
    ) -> None:
        send(admin, "tokens", label="of the admin")
        revoke = re.search(r"tokens/\w+/revoke", admin.get("/desk/account").text)
        assert revoke is not None
        add_moderator(database, "mona")
        mona = app.test_client()
        sign_in(mona, name="mona", password=PASSWORD)
        assert "of the admin" not in mona.get("/desk/account").text
        assert send(mona, revoke[0]).status_code == 404
        assert "of the admin" in admin.get("/desk/account").text


def test_who_has_no_site_yet_is_told(app: Flask, database: Database) -> None:
    add_moderator(database, "mona")
    mona = app.test_client()
    sign_in(mona, name="mona", password=PASSWORD)
    assert "You see no site yet" in mona.get("/desk/account").text
