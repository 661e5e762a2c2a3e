import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from moderation.access.guessing import FREE_OF_NAME
from moderation.app import create_app
from moderation.config import Settings
from moderation.db import Database
from moderation.errors import in_words
from moderation.models import Account, SignInFailures
from tests.support.service import ADMIN_PASSWORD
from tests.support.web import BROWSER, PASSWORD, add_moderator, csrf_token, sign_in


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSignIn:
    def test_who_signs_in_comes_to_the_desk_and_stays(self, client: FlaskClient) -> None:
        response = sign_in(client)
        assert (response.status_code, response.location) == (303, "/desk/")
        assert client.get("/desk/").status_code == 200
        assert client.get("/desk/").headers["Cache-Control"] == "no-store"

    def test_space_around_the_name_does_not_matter(self, client: FlaskClient) -> None:
        assert sign_in(client, name=" admin ").status_code == 303

    @pytest.mark.parametrize(
        "wrong",
        [{"password": "wrong"}, {"name": "nobody"}, {"password": ""}, {"name": ""}],
        ids=str,
    )
    def test_a_wrong_name_or_password_is_refused_without_saying_which(
        self, client: FlaskClient, wrong: dict[str, str]
    ) -> None:
        response = sign_in(client, **wrong)
        assert response.status_code == 401
        assert "Name or password is not right." in response.text
        assert ADMIN_PASSWORD not in response.text
        assert client.get("/desk/").status_code == 303

    def test_what_was_typed_as_the_name_is_escaped(self, client: FlaskClient) -> None:
        response = sign_in(client, name='"><script>alert(1)</script>')
        assert "<script>alert" not in response.text

    def test_a_form_without_its_token_is_refused(self, client: FlaskClient) -> None:
        for token in ("", "forged"):
            response = sign_in(client, csrf_token=token)
            assert response.status_code == 400
        assert client.get("/desk/").status_code == 303

    def test_the_session_cannot_be_read_by_scripts_or_sent_from_elsewhere(
        self, client: FlaskClient
    ) -> None:
        cookie = sign_in(client).headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie

    def test_a_forged_session_is_nobody(self, client: FlaskClient) -> None:
        client.set_cookie("moderation", "eyJhY2NvdW50IjoxfQ.aaaaaa.forged")
        assert client.get("/desk/").status_code == 303

    def test_an_account_that_is_gone_is_signed_out(
        self, client: FlaskClient, database: Database
    ) -> None:
        sign_in(client)
        with database.write() as connection:
            connection.execute(Account.__table__.delete())
        assert client.get("/desk/").status_code == 303


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestNextPage:
    def test_who_is_sent_to_sign_in_comes_back_to_the_page(self, client: FlaskClient) -> None:
        response = client.get("/desk/", headers=BROWSER)
        assert (response.status_code, response.location) == (303, "/sign-in?next=/desk/")
        assert sign_in(client, address=response.location).location == "/desk/"

    @pytest.mark.parametrize("wanted", ["/", "/docs", "/demo?comment=1"])
    def test_a_page_of_ours_is_taken(self, client: FlaskClient, wanted: str) -> None:
        response = self.signed_in(client, wanted)
        assert response.location == wanted

    @pytest.mark.parametrize(
        "wanted",
        [
            "",
            "desk",
            "https://evil.example/",
            "//evil.example/",
            "///evil.example/",
            "/\\evil.example/",
            "/\t/evil.example/",
            "/\n/evil.example/",
            "/\r\\evil.example/",
            "\t//evil.example/",
            " //evil.example/",
            "javascript:alert(1)",
        ],
        ids=repr,
    )
    def test_anything_else_leads_to_the_desk(self, client: FlaskClient, wanted: str) -> None:
        assert self.signed_in(client, wanted).location == "/desk/"

    def signed_in(self, client: FlaskClient, wanted: str) -> object:
        token = csrf_token(client, "/sign-in")
        return client.post(
            "/sign-in",
            query_string={"next": wanted},
            data={"name": "admin", "password": ADMIN_PASSWORD, "csrf_token": token},
        )


def test_a_name_with_a_nul_is_nobody(client: FlaskClient) -> None:
    assert sign_in(client, name="no\0body").status_code == 401


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSignOut:
    def test_who_signs_out_has_to_sign_in_again(self, client: FlaskClient) -> None:
        sign_in(client)
        response = client.post("/sign-out", data={"csrf_token": csrf_token(client, "/desk/")})
        assert (response.status_code, response.location) == (303, "/sign-in")
        assert client.get("/desk/").status_code == 303

    def test_nobody_is_signed_out_by_another_site(self, client: FlaskClient) -> None:
        sign_in(client)
        assert client.post("/sign-out").status_code == 400
        assert client.get("/sign-out").status_code == 405
        assert client.get("/desk/").status_code == 200


class TestGuessing:
    @pytest.fixture
    def guessed(self, client: FlaskClient) -> FlaskClient:
        """Somebody has guessed as often as is free."""
        for _ in range(FREE_OF_NAME):
            assert sign_in(client, password="wrong").status_code == 401
        return client

    def test_who_guesses_has_to_wait_and_is_told_how_long(self, guessed: FlaskClient) -> None:
        for password in ("wrong", ADMIN_PASSWORD):
            response = sign_in(guessed, password=password)
            assert response.status_code == 429
            seconds = int(response.headers["Retry-After"])
            assert 1 <= seconds <= 5
            assert f"Wait {in_words(seconds)}, then try again." in response.text
            assert guessed.get("/desk/").status_code == 303

    def test_the_right_password_gets_in_after_the_wait(
        self, guessed: FlaskClient, database: Database
    ) -> None:
        assert sign_in(guessed).status_code == 429
        with database.write() as connection:
            connection.execute(update(SignInFailures).values(last_at=SignInFailures.last_at - 6000))
        assert sign_in(guessed).status_code == 303
        assert sign_in(guessed, password="wrong").status_code == 401

    @pytest.mark.usefixtures("guessed")
    def test_other_web_processes_know_of_it(self, settings: Settings) -> None:
        another = create_app(settings)
        assert sign_in(another.test_client()).status_code == 429
        another.extensions["moderation"].database.close()

    def test_a_browser_that_the_account_has_used_is_not_slowed_down_by_others(
        self, client: FlaskClient, app: Flask
    ) -> None:
        sign_in(client)
        client.post("/sign-out", data={"csrf_token": csrf_token(client, "/desk/")})
        stranger = app.test_client()
        for _ in range(FREE_OF_NAME):
            sign_in(stranger, password="wrong")
        assert sign_in(stranger).status_code == 429
        assert sign_in(client).status_code == 303

    def test_the_browser_is_known_by_a_signed_cookie_for_its_own_account(
        self, client: FlaskClient, app: Flask, database: Database
    ) -> None:
        add_moderator(database, "mona")
        sign_in(client, name="mona", password=PASSWORD)
        for _ in range(FREE_OF_NAME):
            sign_in(app.test_client(), password="wrong")
        assert sign_in(client).status_code == 429
        forger = app.test_client()
        forger.set_cookie("moderation_device", "WyJ4IiwiYWRtaW4iXQ.forged", path="/sign-in")
        assert sign_in(forger).status_code == 429

    def test_the_cookie_of_a_known_browser_goes_nowhere_else(self, client: FlaskClient) -> None:
        cookies = sign_in(client).headers.getlist("Set-Cookie")
        (cookie,) = [one for one in cookies if one.startswith("moderation_device=")]
        assert {"HttpOnly", "Path=/sign-in", "SameSite=Lax"} <= set(cookie.split("; "))

    def test_nobody_gets_in_when_failures_cannot_be_counted(
        self, app: Flask, database: Database
    ) -> None:
        app.testing = False
        app.config["PROPAGATE_EXCEPTIONS"] = False
        with database.write() as connection:
            connection.execute(text("DROP TABLE sign_in_failures"))
        client = app.test_client()
        assert sign_in(client).status_code == 500
        assert client.get("/desk/").status_code == 303
