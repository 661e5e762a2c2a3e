import itertools
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from moderation.access import accounts
from moderation.clock import MINUTE
from moderation.db import Database
from moderation.web import access
from tests.support.clock import Clock
from tests.support.web import (
    BROWSER,
    add_moderator,
    csrf_token,
    moderator_token,
    sign_in,
)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

IDLE = 480 * MINUTE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(access, "now_ms", clock)
    return clock


def is_in(client: FlaskClient) -> bool:
    return client.get("/desk/account").status_code == 200


class TestIdleSessions:
    def test_a_session_that_is_not_used_ends(self, client: FlaskClient, clock: Clock) -> None:
        sign_in(client)
        clock.ahead = IDLE - MINUTE
        other = client.application.test_client()
        sign_in(other)
        clock.ahead = IDLE + MINUTE
        assert not is_in(client)
        assert is_in(other)

    def test_a_session_that_is_used_goes_on(self, client: FlaskClient, clock: Clock) -> None:
        sign_in(client)
        for _ in range(5):
            clock.ahead += IDLE - MINUTE
            assert is_in(client)

    def test_what_a_page_asks_for_by_itself_does_not_count_as_use(
        self, client: FlaskClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(access, "BACKGROUND_ENDPOINTS", frozenset({"own_account.page"}))
        sign_in(client)
        clock.ahead = IDLE - MINUTE
        assert is_in(client)
        clock.ahead = IDLE + MINUTE
        assert not is_in(client)

    def test_the_session_is_not_written_by_every_answer(self, client: FlaskClient) -> None:
        sign_in(client)
        assert is_in(client)
        assert "Set-Cookie" not in client.get("/desk/account").headers

    def test_a_session_from_before_there_were_nonces_is_none(self, client: FlaskClient) -> None:
        with client.session_transaction() as session:
            session["account"] = 1
        assert not is_in(client)


class TestComingBack:
    def test_a_page_is_shown_again_with_its_query(self, client: FlaskClient, clock: Clock) -> None:
        sign_in(client)
        clock.ahead = IDLE + MINUTE
        response = client.get("/desk/?after=abc&x=1", headers=BROWSER)
        assert response.status_code == 303
        page = client.get(response.location).text
        assert "Your session has ended. Sign in to go on where you were." in page
        assert "was not done" not in page
        assert sign_in(client, address=response.location).location == "/desk/?after=abc&x=1"

    def test_who_pressed_a_button_comes_back_to_the_page_with_the_button(
        self, client: FlaskClient, clock: Clock
    ) -> None:
        sign_in(client)
        token = csrf_token(client, "/desk/sites")
        clock.ahead = IDLE + MINUTE
        response = client.post(
            "/desk/sites",
            data={"name": "courier", "csrf_token": token},
            headers={"Referer": "http://localhost/desk/sites?x=1"},
        )
        assert response.status_code == 303
        assert "What you did last was not done." in client.get(response.location).text
        assert sign_in(client, address=response.location).location == "/desk/sites?x=1"
        assert "courier" not in client.get("/desk/sites").text

    def test_who_signed_out_in_another_window_is_sent_to_sign_in_too(
        self, client: FlaskClient
    ) -> None:
        sign_in(client)
        token = csrf_token(client, "/desk/sites")
        client.post("/sign-out", data={"csrf_token": token})
        response = client.post("/desk/sites", data={"name": "courier", "csrf_token": token})
        assert (response.status_code, response.location) == (303, "/sign-in")

    def test_a_page_from_before_the_last_sign_in_says_what_to_do(self, client: FlaskClient) -> None:
        sign_in(client)
        token = csrf_token(client, "/desk/sites")
        sign_in(client)
        response = client.post("/desk/sites", data={"name": "courier", "csrf_token": token})
        assert response.status_code == 400
        assert "Nothing was done. Go back, load the page again" in response.text

    @pytest.mark.parametrize(
        "referrer", ["https://evil.example/desk/", "", "http://localhost:81/desk/", "nonsense"]
    )
    def test_nobody_is_sent_to_another_site(self, client: FlaskClient, referrer: str) -> None:
        client.application.config["WTF_CSRF_ENABLED"] = False
        response = client.post("/desk/sites", headers={"Referer": referrer})
        assert "next" not in parse_qs(urlsplit(response.location).query)

    def test_a_script_is_told_in_json(self, client: FlaskClient) -> None:
        response = client.get("/desk/", headers={"Accept": "application/json"})
        assert response.status_code == 401
        assert response.get_json()["detail"] == "your session has ended: sign in again"

    def test_who_was_never_in_is_not_told_of_a_session(self, client: FlaskClient) -> None:
        location = client.get("/desk/").location
        assert "has ended" not in client.get(location).text


class TestSessionNonce:
    @pytest.mark.parametrize("change", ["end_sessions", "set_password", "remove"])
    def test_it_ends_every_session_of_the_account_and_no_other(
        self, app: Flask, database: Database, change: str
    ) -> None:
        mona = add_moderator(database, "mona")
        add_moderator(database, "max")
        clients = {name: [app.test_client() for _ in range(2)] for name in ("mona", "max")}
        for name, client in itertools.chain.from_iterable(
            ((name, client) for client in both) for name, both in clients.items()
        ):
            sign_in(client, name=name, password="correct horse battery")
        arguments = ["another long password"] if change == "set_password" else []
        with database.write() as connection:
            getattr(accounts, change)(connection, mona, *arguments)
        assert [is_in(client) for client in clients["mona"]] == [False, False]
        assert [is_in(client) for client in clients["max"]] == [True, True]


class TestTokens:
    def test_a_token_says_whose_it_is_and_what_it_sees(
        self, client: FlaskClient, database: Database
    ) -> None:
        add_moderator(database, "mona", "demo")
        add_moderator(database, "max")
        answers = [
            client.get("/v1/account", headers=moderator_token(client, name)).get_json()
            for name in ("admin", "mona", "max")
        ]
        assert answers == [
            {"name": "admin", "role": "administrator", "sites": ["demo"]},
            {"name": "mona", "role": "moderator", "sites": ["demo"]},
            {"name": "max", "role": "moderator", "sites": []},
        ]

    def test_the_scheme_is_taken_in_any_case(self, client: FlaskClient) -> None:
        token = moderator_token(client)["Authorization"].removeprefix("Bearer ")
        headers = {"Authorization": f"bearer   {token} "}
        assert client.get("/v1/account", headers=headers).status_code == 200

    def test_a_token_is_no_site_key_and_a_site_key_no_token(self, client: FlaskClient) -> None:
        from tests.support.web import FIELDS, KEY

        assert client.get("/v1/account", headers=KEY).status_code == 401
        posted = client.post("/v1/comments", json=FIELDS, headers=moderator_token(client))
        assert posted.status_code == 401

    def test_a_token_outlives_the_sessions(self, client: FlaskClient, database: Database) -> None:
        token = moderator_token(client)
        with database.write() as connection:
            accounts.end_sessions(connection, accounts.id_of(connection, "admin"))
        assert client.get("/v1/account", headers=token).status_code == 200
