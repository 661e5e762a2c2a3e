import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from moderation.app import create_app
from moderation.config import Settings
from moderation.db import Database
from moderation.policy import SiteSettings
from moderation.site_settings import history, save, secret_of, site_named
from moderation.web.site_form import FIELDS, Kind, shown
from tests.support.decisions import settle
from tests.support.web import FIELDS as COMMENT
from tests.support.web import csrf_token, first_site, sign_in

HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def stored(database: Database, name: str = "demo") -> SiteSettings:
    with database.read() as connection:
        return site_named(connection, name).settings


def send(client: FlaskClient, path: str, **fields: Any) -> Any:
    token = csrf_token(client, "/desk/sites")
    return client.post(f"/desk/sites{path}", data=fields | {"csrf_token": token})


def preview(client: FlaskClient, settings: SiteSettings | None = None, **changes: str) -> Any:
    fields = {
        name: value
        for name, value in shown(settings or SiteSettings()).items()
        if FIELDS[name].kind is not Kind.CHECKBOX or value
    }
    names = {name.replace("__", "."): value for name, value in changes.items()}
    return send(client, "/demo/preview", **(fields | names))


def proposal(response: Any) -> str:
    found = re.search(r'name="proposal" value="([^"]+)"', response.text)
    assert found is not None
    return html.unescape(found[1])


def secret(response: Any) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', response.text)
    assert found is not None
    return found[1]


class TestSites:
    def test_every_page_of_a_site_leads_to_the_others(self, admin: FlaskClient) -> None:
        places = {f"/desk/sites/demo/{place}" for place in ("", "thresholds", "models", "keys")}
        places.add("/desk/sites/demo/webhooks")
        assert places <= set(re.findall(r'href="([^"]+)"', admin.get("/desk/sites").text))
        for place in places:
            trail = re.search(r'<nav class="trail".*?</nav>', admin.get(place).text, re.DOTALL)
            assert trail is not None
            links = re.findall(r'href="([^"]+)"( aria-current="page")?', trail[0])
            assert {link for link, _ in links} == {"/desk/sites", *places}
            assert [link for link, is_current in links if is_current] == [place]

    def test_a_new_site_has_a_key_that_is_shown_once_and_works(self, admin: FlaskClient) -> None:
        response = send(admin, "", name="courier")
        key = secret(response)
        assert response.headers["Cache-Control"] == "no-store"
        assert key not in admin.get("/desk/sites/courier/keys").text
        headers = {"Authorization": f"Bearer {key}"}
        assert admin.post("/v1/comments", json=COMMENT, headers=headers).status_code == 202
        assert "courier" in admin.get("/desk/sites").text

    @pytest.mark.parametrize("name", ["demo", "", "a/b", HOSTILE, "x\0y"], ids=repr)
    def test_a_name_that_cannot_be_one_is_refused_beside_its_field(
        self, admin: FlaskClient, name: str
    ) -> None:
        response = send(admin, "", name=name)
        assert response.status_code == 422
        assert 'aria-describedby="name-help name-message"' in response.text
        assert HOSTILE not in response.text

    def test_a_site_that_is_not_there_is_not_found(self, admin: FlaskClient) -> None:
        for path in ("/courier/", "/courier/keys"):
            assert admin.get(f"/desk/sites{path}").status_code == 404
        for path in ("/courier/keys", "/courier/preview", "/courier/save"):
            assert send(admin, path).status_code == 404


class TestKeys:
    def test_a_key_may_have_the_form_that_akismets_clients_take(self, admin: FlaskClient) -> None:
        key = secret(send(admin, "/demo/keys", akismet=""))
        assert re.fullmatch("[0-9a-f]{12}", key)

    def test_a_further_key_works_until_it_is_revoked(
        self, admin: FlaskClient, settings: Settings
    ) -> None:
        key = secret(send(admin, "/demo/keys"))
        page = admin.get("/desk/sites/demo/keys").text
        assert key not in page
        assert f"…{key[-4:]}" in page
        headers = {"Authorization": f"Bearer {key}"}
        assert admin.get("/v1/comments?page=/x", headers=headers).status_code == 200
        row = page[page.index(f"…{key[-4:]}") :]
        revoke = re.search(r"/demo/keys/\w+/revoke", row)
        assert revoke is not None
        assert send(admin, revoke[0]).status_code == 303
        # This process may believe in the key for some seconds; another one does not.
        another = create_app(settings)
        client = another.test_client()
        assert client.get("/v1/comments?page=/x", headers=headers).status_code == 401
        another.extensions["moderation"].database.close()
        assert "Revoked" in admin.get("/desk/sites/demo/keys").text
        assert send(admin, revoke[0]).status_code == 404


class TestCoral:
    def test_its_secret_is_taken_over_and_never_shown(
        self, admin: FlaskClient, database: Database
    ) -> None:
        assert "Coral’s calls are refused" in admin.get("/desk/sites/demo/keys").text
        assert send(admin, "/demo/coral", secret="too short").status_code == 422
        assert send(admin, "/demo/coral", secret=" a-secret-of-corals ").status_code == 303
        with database.read() as connection:
            assert secret_of(connection, first_site(admin), "coral") == "a-secret-of-corals"
        page = admin.get("/desk/sites/demo/keys").text
        assert "A secret is set" in page
        assert "a-secret-of-corals" not in page + admin.get("/desk/sites/demo/").text
        assert send(admin, "/demo/coral", secret="").status_code == 303
        with database.read() as connection:
            assert secret_of(connection, first_site(admin), "coral") is None
        assert send(admin, "/nowhere/coral", secret="").status_code == 404


class TestSettings:
    def test_a_change_is_tried_shown_saved_and_recorded(
        self, admin: FlaskClient, database: Database
    ) -> None:
        site = first_site(admin)
        settle(database, site, text=f"Hello {HOSTILE}", insult=0.3)
        settle(database, site, text="Another", insult=0.2)
        shown_first = preview(admin, thresholds__insult="0.25")
        assert shown_first.status_code == 200
        text = html.unescape(shown_first.text)
        assert "Of the last 2 automatic decisions" in text
        assert "1 held instead of approved" in text
        assert "insult 0.30, threshold 0.25" in text
        assert f"Hello {HOSTILE}" in text
        assert HOSTILE not in shown_first.text
        assert stored(database) == SiteSettings()

        saved = send(admin, "/demo/save", proposal=proposal(shown_first))
        assert (saved.status_code, saved.location) == (303, "/desk/sites/demo/")
        assert stored(database) == SiteSettings(thresholds={"insult": 0.25})
        page = html.unescape(admin.get("/desk/sites/demo/").text)
        assert "Saved." in page
        assert "<b>Thresholds: Insult</b>:\n<i>the model’s own</i> → <bdi>0.25</bdi>" in page
        with database.read() as connection:
            assert [entry.actor for entry in history(connection, site, limit=9)] == ["admin"]

    def test_exactly_what_was_shown_is_saved(self, admin: FlaskClient, database: Database) -> None:
        token = proposal(preview(admin, rules__max_links="7"))
        send(admin, "/demo/save", proposal=token, **{"rules.max_links": "99"})
        assert stored(database).rules.max_links == 7

    @pytest.mark.parametrize("token", ["", "forged", "WzEsICIiLCB7fV0.forged"])
    def test_what_was_never_shown_is_not_saved(
        self, admin: FlaskClient, database: Database, token: str
    ) -> None:
        send(admin, "/demo/save", proposal=token)
        assert "Nothing was saved" in admin.get("/desk/sites/demo/").text
        assert stored(database) == SiteSettings()

    def test_what_was_shown_for_one_site_is_not_saved_for_another(
        self, admin: FlaskClient, database: Database
    ) -> None:
        send(admin, "", name="courier")
        token = proposal(preview(admin, rules__max_links="7"))
        send(admin, "/courier/save", proposal=token)
        assert stored(database, "courier") == SiteSettings()

    def test_nothing_is_saved_over_a_change_that_was_not_seen(
        self, admin: FlaskClient, database: Database
    ) -> None:
        token = proposal(preview(admin, rules__max_links="7"))
        other = SiteSettings(reject_above=0.9)
        with database.write() as connection:
            save(connection, name="demo", before=SiteSettings(), after=other, actor="ada")
        send(admin, "/demo/save", proposal=token)
        page = admin.get("/desk/sites/demo/").text
        assert "Nothing was saved: somebody else has changed the settings meanwhile." in page
        assert stored(database) == other

    def test_what_is_wrong_stands_beside_its_field_with_what_was_typed(
        self, admin: FlaskClient, database: Database
    ) -> None:
        response = preview(admin, thresholds__insult="2", origins=HOSTILE, rules__max_links="9")
        assert response.status_code == 422
        wrong = re.findall(r'id="([\w.]+)"[^>]*aria-invalid="true"', response.text)
        assert wrong == ["thresholds.insult", "origins"]
        for name in wrong:
            assert f'id="{name}-message"' in response.text
            assert f'href="#{name}"' in response.text
        assert 'name="rules.max_links" value="9"' in response.text
        assert 'name="proposal"' not in response.text
        assert HOSTILE not in response.text
        assert stored(database) == SiteSettings()

    def test_no_change_is_no_change(self, admin: FlaskClient) -> None:
        response = preview(admin)
        assert "You have changed nothing." in response.text
        assert 'name="proposal"' not in response.text

    def test_a_site_without_decisions_can_be_set_all_the_same(
        self, admin: FlaskClient, database: Database
    ) -> None:
        response = preview(admin, rules__banned_words="casino*\nbuy now")
        assert "nothing to try it on" in response.text
        send(admin, "/demo/save", proposal=proposal(response))
        assert stored(database).rules.banned_words == ("casino*", "buy now")

    def test_the_models_own_thresholds_are_told(self, admin: FlaskClient) -> None:
        assert admin.get("/desk/sites/demo/").text.count("The model’s own: 0.") == 8

    @pytest.mark.usefixtures("app")
    def test_where_the_model_is_elsewhere_the_page_works_without(self, settings: Settings) -> None:
        other = create_app(settings.model_copy(update={"model": settings.home / "none"}))
        client = other.test_client()
        sign_in(client)
        page = client.get("/desk/sites/demo/")
        assert page.status_code == 200
        assert "The model’s own" not in page.text.replace("the model’s own threshold", "")
        assert preview(client, thresholds__spam="0.5").status_code == 200
        other.extensions["moderation"].database.close()
