"""Accounts and settings in a real browser: who comes in, and what administrators change."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, update

from moderation.access.guessing import FREE_OF_NAME
from moderation.clock import MINUTE
from moderation.db import Database
from moderation.models import SignInFailures
from moderation.policy import HEADS, SiteSettings
from moderation.rules import Rules
from moderation.site_settings import site_named
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.service import UNFRIENDLY, Client, Service
from tests.support.web import PASSWORD, add_moderator

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys, each of which opens a window of its own."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def database(service: Service) -> Iterator[Database]:
    """The service's database, in which nobody has failed to sign in yet."""
    database = service.database()
    with database.write() as connection:
        connection.execute(delete(SignInFailures))
    yield database
    database.close()


@pytest.fixture
def mona(database: Database, request: pytest.FixtureRequest) -> str:
    """The name of a moderator of the first site who is new to each test."""
    name = f"mona {request.node.name}"[:64]
    add_moderator(database, name, "demo")
    return name


def test_who_guesses_has_to_wait_and_gets_in_with_the_right_password_then(
    service: Service, browser: Browser, database: Database, mona: str
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/desk/account")
        for _ in range(FREE_OF_NAME):
            sign_in(page, mona, "not the password")
            expect(page.get_by_role("alert")).to_have_text("Name or password is not right.")
        # The first wait is over before a machine with much to do comes to the next try.
        _change_failures(database, count=SignInFailures.count + 3)
        sign_in(page, mona, PASSWORD)
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(re.compile(r"Too many failed tries\. Wait \d+ seconds"))
        _check(window, "sign-in, too soon")
        _change_failures(database, last_at=SignInFailures.last_at - MINUTE)
        sign_in(page, mona, PASSWORD)
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_session_that_ends_in_the_middle_leads_back_to_where_one_was(
    service: Service, browser: Browser, mona: str
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/desk/account?from=somewhere")
        sign_in(page, mona, PASSWORD)
        page.get_by_label("A new token for").fill("what I was typing")
        _end_sessions(service, mona)
        page.get_by_role("button", name="Create token").click()

        expect(page.get_by_role("status")).to_contain_text("Your session has ended.")
        expect(page.get_by_role("status")).to_contain_text("What you did last was not done.")
        _check(window, "sign-in, after a session")
        sign_in(page, mona, PASSWORD)
        expect(page).to_have_url(f"{service.url}/desk/account?from=somewhere")
        expect(page.get_by_text("You have none.")).to_be_visible()


def test_a_new_password_takes_the_place_of_the_old_one(
    service: Service, browser: Browser, mona: str
) -> None:
    new = "four words make a password"
    with browser.window(service.url) as window, browser.window(service.url) as other:
        for page in (window.page, other.page):
            page.goto("/desk/account")
            sign_in(page, mona, PASSWORD)
        page = window.page
        for label, typed in (
            ("Present password", PASSWORD),
            ("New password", new),
            ("New password again", new),
        ):
            page.get_by_label(label, exact=True).fill(typed)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("status")).to_contain_text("The password is changed.")

        other.page.reload()
        sign_in(other.page, mona, PASSWORD)
        expect(other.page.get_by_role("alert")).to_be_visible()
        sign_in(other.page, mona, new)
        expect(other.page.get_by_role("heading", name="Your account")).to_be_visible()


def test_signing_out_everywhere_ends_the_sessions_of_all_browsers(
    service: Service, browser: Browser, mona: str
) -> None:
    with browser.window(service.url) as window, browser.window(service.url) as other:
        for page in (window.page, other.page):
            page.goto("/desk/account")
            sign_in(page, mona, PASSWORD)
        window.page.get_by_role("button", name="Sign out everywhere").click()
        expect(window.page.get_by_role("status")).to_have_text("You are signed out everywhere.")
        other.page.reload()
        expect(other.page.get_by_role("status")).to_contain_text("Your session has ended.")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(
    service: Service, browser: Browser, mona: str
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/desk/account")
        sign_in(page, mona, PASSWORD)
        page.get_by_label("A new token for").fill("export at night")
        page.keyboard.press("Enter")
        token = page.locator("code.secret").inner_text()
        _check(window, "the account with a new token")
        headers = {"Authorization": f"Bearer {token}"}
        answer = service.request("GET", "/v1/account", headers=headers)
        assert answer.json == {"name": mona, "role": "moderator", "sites": ["demo"]}

        page.goto("/desk/account")
        assert token not in page.content()
        page.get_by_role("button", name="Revoke the token for export at night").click()
        expect(page.get_by_role("status")).to_contain_text("The token is revoked")
        assert service.request("GET", "/v1/account", headers=headers).status == 401


def test_settings_are_tried_shown_saved_and_undone(
    service: Service, browser: Browser, database: Database
) -> None:
    usual = SiteSettings(audit_share=0, rules=Rules(flood_comments=0, duplicate_hours=0))
    service.set_site(usual)
    held = service.post_comment(text=UNFRIENDLY, name="Held by its threshold").json["id"]
    assert service.decision_on(held) == "held"
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/desk/sites/demo/")
        sign_in(page)
        for head in HEADS:
            page.locator(f"[id='thresholds.{head}']").fill("1")
        page.get_by_label("Reject comments with").fill("idiot*\nturnip")
        page.get_by_role("button", name="Show what it would have done").click()

        shown = page.get_by_role("region", name="What this change would have done")
        expect(shown).to_contain_text("rejected instead of held")
        expect(shown).to_contain_text("has the banned word “idiot”")
        expect(shown).to_contain_text("Held by its threshold")
        _check(window, "the settings, tried")
        assert _settings(database) == usual

        shown.get_by_role("button", name="Save this change").click()
        expect(page.get_by_role("status")).to_contain_text("Saved.")
        saved = _settings(database)
        assert saved.thresholds == dict.fromkeys(HEADS, 1.0)
        assert saved.rules.banned_words == ("idiot*", "turnip")
        changes = page.get_by_role("region", name="Who changed what")
        expect(changes).to_contain_text("Reject comments with: added idiot*, turnip")
        rude = service.post_comment(text=UNFRIENDLY, email="x@example.org").json["id"]
        service.wait_for(lambda: service.status_of(rude) == "rejected")
    service.set_site(usual)


def test_an_administrator_adds_a_site_and_a_moderator_for_it(
    service: Service, browser: Browser, database: Database
) -> None:
    with browser.window(service.url, **PHONE) as window, browser.window(service.url) as other:
        page = window.page
        page.goto("/desk/sites")
        sign_in(page)
        page.get_by_label("Name").fill("gazette")
        page.get_by_role("button", name="Add site").click()
        key = page.locator("code.secret").inner_text()
        assert service.post_comment(key=key).status == 202

        page.get_by_role("link", name="People").click()
        page.get_by_label("Name").fill("gabi")
        page.get_by_label("gazette").check()
        page.get_by_role("button", name="Add").click()
        password = page.locator("code.secret").inner_text()

        other.page.goto("/desk/account")
        sign_in(other.page, "gabi", password)
        expect(other.page.get_by_text("gabi, moderator.")).to_be_visible()
        expect(other.page.get_by_role("link", name="Sites")).to_have_count(0)
        other.page.goto("/desk/people")
        expect(other.page.get_by_role("heading", name="This is not open to you")).to_be_visible()

        page.get_by_role("link", name="Change gabi").click()
        page.get_by_role("button", name="Remove gabi").click()
        expect(page.get_by_role("status")).to_contain_text("The account is removed.")
        other.page.goto("/desk/account")
        expect(other.page.get_by_role("heading", name="Moderators’ desk")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [DESKTOP, PHONE | DARK],
    ids=["wide", "a phone, dark"],
)
def test_every_page_is_accessible_and_fits(
    service: Service, browser: Browser, database: Database, mona: str, options: dict[str, object]
) -> None:
    with browser.window(service.url, **options) as window:
        page = window.page
        page.goto("/desk/account")
        sign_in(page)
        for path in (
            "/desk/account",
            "/desk/people",
            "/desk/sites",
            "/desk/sites/demo/keys",
            "/desk/sites/demo/",
            "/docs",
        ):
            page.goto(path)
            _check(window, path)
        page.goto("/desk/account")
        page.get_by_label("Present password").fill("wrong")
        page.get_by_label("New password", exact=True).fill("x")
        page.get_by_label("New password again").fill("y")
        page.get_by_role("button", name="Change password").click()
        expect(page.locator("#current-message")).to_be_visible()
        _check(window, "the account, with an error")
        page.goto("/desk/people")
        page.get_by_role("link", name=f"Change {mona}").click()
        expect(page.get_by_role("heading", name="Role and sites")).to_be_visible()
        _check(window, "a person")
        page.goto("/desk/sites/demo/")
        page.locator("[id='rules.max_links']").fill("many")
        page.locator("[id='notify_url']").fill("nowhere")
        page.get_by_role("button", name="Show what").click()
        expect(page.get_by_role("alert")).to_be_visible()
        _check(window, "the settings, with errors")


def test_it_all_works_without_a_script(service: Service, browser: Browser, mona: str) -> None:
    with browser.window(service.url, java_script_enabled=False) as window:
        page = window.page
        page.goto("/desk/sites/demo/")
        sign_in(page)
        page.locator("[id='rules.max_links']").fill("3")
        page.get_by_role("button", name="Show what").click()
        expect(page.get_by_role("button", name="Save this change")).to_be_visible()
        page.get_by_role("link", name="Discard it").click()
        expect(page.locator("[id='rules.max_links']")).to_have_value("2")


def _settings(database: Database) -> SiteSettings:
    with database.read() as connection:
        return site_named(connection, "demo").settings


def _change_failures(database: Database, **columns: Any) -> None:
    with database.write() as connection:
        connection.execute(update(SignInFailures).values(columns))


def _end_sessions(service: Service, name: str) -> None:
    """As the same person does from another browser."""
    other = Client(service.url)
    fields = {"name": name, "password": PASSWORD}
    other.submit("/sign-in", fields | {"csrf_token": other._token("/sign-in")})
    ended = other.submit(
        "/desk/account/sessions/end", {"csrf_token": other._token("/desk/account")}
    )
    assert (ended.status, ended.headers["Location"]) == (303, "/sign-in")


def _check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place
