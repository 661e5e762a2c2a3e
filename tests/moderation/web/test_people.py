import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.access.accounts import id_of
from moderation.db import Database
from tests.support.comments import add_site
from tests.support.web import PASSWORD, add_moderator, csrf_token, moderator_token, sign_in

HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture
def admin(client: FlaskClient, database: Database) -> FlaskClient:
    add_site(database, "courier")
    sign_in(client)
    return client


def send(client: FlaskClient, path: str = "", **fields: Any) -> Any:
    token = csrf_token(client, "/desk/people")
    return client.post(f"/desk/people{path}", data=fields | {"csrf_token": token})


def number_of(database: Database, name: str) -> int:
    with database.read() as connection:
        return id_of(connection, name)


def shown_password(response: Any) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', response.text)
    assert found is not None
    return found[1]


def sees(client: FlaskClient, name: str) -> list[str]:
    answer = client.get("/v1/account", headers=moderator_token(client, name)).get_json()
    return [answer["role"], *answer["sites"]]


def test_somebody_new_signs_in_with_the_password_that_is_shown_once(
    admin: FlaskClient, app: Flask
) -> None:
    added = send(admin, name=" mona ", role="moderator", sites=["courier"])
    assert added.status_code == 200
    password = shown_password(added)
    assert password not in admin.get("/desk/people").text
    mona = app.test_client()
    assert sign_in(mona, name="mona", password=password).status_code == 303
    assert mona.get("/desk/people").status_code == 403
    assert sees(admin, "mona") == ["moderator", "courier"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "ADMIN"}, "This is taken: there is such an account already."),
        ({"name": ""}, "This is required, without control characters."),
        ({"sites": ["courier", "nowhere"]}, "This cannot be given: there is no site nowhere."),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_and_what_was_typed_stays(
    admin: FlaskClient, database: Database, fields: dict[str, Any], message: str
) -> None:
    wanted = {"name": "mona", "role": "administrator", "sites": ["courier"]} | fields
    if "sites" in fields:
        wanted["role"] = "moderator"
    response = send(admin, **wanted)
    assert response.status_code == 422
    assert message in response.text
    assert f'value="{wanted["role"]}" checked' in response.text
    assert 'value="courier" checked' in response.text
    assert "mona" not in admin.get("/desk/people").text


def test_a_role_has_to_be_one(admin: FlaskClient) -> None:
    assert send(admin, name="mona", role="emperor").status_code == 422


def test_role_and_sites_change_from_the_next_request_on(
    admin: FlaskClient, app: Flask, database: Database
) -> None:
    number = add_moderator(database, "mona", "courier")
    mona = app.test_client()
    sign_in(mona, name="mona", password=PASSWORD)
    send(admin, f"/{number}/role", role="administrator")
    assert mona.get("/desk/people").status_code == 200
    assert sees(admin, "mona") == ["administrator", "courier", "demo"]
    send(admin, f"/{number}/role", role="moderator", sites=["demo"])
    assert mona.get("/desk/people").status_code == 403
    assert sees(admin, "mona") == ["moderator", "demo"]


def test_a_new_password_is_made_for_who_forgot_it(
    admin: FlaskClient, app: Flask, database: Database
) -> None:
    number = add_moderator(database, "mona")
    mona = app.test_client()
    sign_in(mona, name="mona", password=PASSWORD)
    password = shown_password(send(admin, f"/{number}/password"))
    assert mona.get("/desk/account").status_code == 303
    assert sign_in(app.test_client(), name="mona", password=PASSWORD).status_code == 401
    assert sign_in(app.test_client(), name="mona", password=password).status_code == 303


def test_who_is_removed_is_out_at_once(admin: FlaskClient, app: Flask, database: Database) -> None:
    number = add_moderator(database, "mona", "courier")
    token = moderator_token(admin, "mona")
    mona = app.test_client()
    sign_in(mona, name="mona", password=PASSWORD)
    assert send(admin, f"/{number}/remove").status_code == 303
    assert mona.get("/desk/account").status_code == 303
    assert app.test_client().get("/v1/account", headers=token).status_code == 401
    assert admin.get(f"/desk/people/{number}").status_code == 404


def test_nobody_removes_the_own_account_or_the_last_administrator(
    admin: FlaskClient, database: Database
) -> None:
    number = number_of(database, "admin")
    own = send(admin, f"/{number}/remove")
    last = send(admin, f"/{number}/role", role="moderator")
    assert (own.status_code, last.status_code) == (409, 409)
    assert "this is your own account" in own.text
    assert "this is the last administrator" in last.text
    assert admin.get("/desk/people").status_code == 200


@pytest.mark.parametrize("path", ["/999", "/999/role", "/999/password", "/999/remove"])
def test_who_is_not_there_is_not_found(admin: FlaskClient, path: str) -> None:
    if path == "/999":
        assert admin.get("/desk/people/999").status_code == 404
    else:
        assert send(admin, path, role="moderator").status_code == 404


def test_a_name_is_text_on_every_page(admin: FlaskClient, database: Database) -> None:
    number = add_moderator(database, HOSTILE)
    for path in ("/desk/people", f"/desk/people/{number}"):
        page = admin.get(path).text
        assert HOSTILE not in page
        assert HOSTILE in html.unescape(page)
