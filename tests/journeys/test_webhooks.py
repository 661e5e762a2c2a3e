"""A site that is told of decisions, and the page where an administrator sees it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import standardwebhooks
from playwright.sync_api import expect

from moderation.outbox import webhooks
from tests.journeys.test_desk_accounts import DARK, DESKTOP, PHONE
from tests.support.browser import Browser, running_browser, sign_in
from tests.support.receiver import Receiver, running_receiver
from tests.support.service import FRIENDLY, SITE_KEY, UNFRIENDLY, Client, Service
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def test_a_site_is_told_of_every_decision_and_the_desk_shows_it(
    service: Service, browser: Browser, receiver: Receiver
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/desk/sites/demo/webhooks")
        sign_in(page)
        page.get_by_label("Web address").fill(f"{receiver.url}/hook")
        page.get_by_role("button", name="Add webhook").click()
        secret = page.locator("code.secret").inner_text()
        assert window.accessibility_findings() == []

        def told() -> list[Any]:
            verify = standardwebhooks.Webhook(secret).verify
            bodies = [verify(m.body, dict(m.headers)) for m in receiver.messages]
            return [(b["type"], b["data"].get("id"), b["data"].get("by")) for b in bodies]

        good = service.post_comment(text=FRIENDLY).json["id"]
        bad = service.post_comment(text=UNFRIENDLY).json["id"]
        service.wait_for(lambda: len(receiver.messages) >= 2)
        moderator = Client(service.url)
        moderator.sign_in()
        assert moderator.decide(bad, "approved").status == 303
        service.wait_for(lambda: len(receiver.messages) >= 3)
        assert set(told()) == {
            ("comment.approved", good, "service"),
            ("comment.held", bad, "service"),
            ("comment.approved", bad, "moderator"),
        }

        receiver.status = 500
        page.get_by_role("button", name=f"Send a test: {receiver.url}/hook").click()
        expect(page.get_by_text("A test message is on its way")).to_be_visible()
        service.wait_for(lambda: len(receiver.messages) >= 4)

        def is_shown() -> bool:
            page.goto("/desk/sites/demo/webhooks")
            return page.get_by_text("Answered 500").count() > 0

        # The answer is written down a moment after it was given.
        eventually(is_shown)
        expect(page.get_by_text("Answered 200").first).to_be_visible()
    look(service, browser)
    database = service.database()
    with database.write() as connection:
        for one in webhooks.endpoints(connection, 1):
            if one.url.startswith(receiver.url):
                webhooks.remove(connection, webhook_id=one.id)
    database.close()


def test_an_akismet_client_is_called_back_when_a_moderator_decides(
    service: Service, receiver: Receiver
) -> None:
    fields = {
        "api_key": SITE_KEY,
        "blog": "https://news.example/",
        "user_ip": "198.51.100.20",
        "comment_author": "Held until somebody calls back",
        "comment_content": UNFRIENDLY,
        "callback": f"{receiver.url}/akismet",
    }
    answer = service.client.submit("/1.1/comment-check", fields)
    assert answer.text == "true"
    moderator = Client(service.url)
    moderator.sign_in()
    assert moderator.decide(answer.headers["X-akismet-guid"], "approved").status == 303
    service.wait_for(lambda: bool(receiver.messages))
    (message,) = receiver.messages
    assert message.path == "/akismet"
    assert dict(parse_qsl(message.body.decode())) == {
        "key": SITE_KEY,
        "endpoint": "comment-check",
        "comments[0][guid]": answer.headers["X-akismet-guid"],
        "comments[0][result]": "false",
    }


def look(service: Service, browser: Browser) -> None:
    """The page as it is now, wide, and on a phone in the dark."""
    for options in (PHONE | DARK, DESKTOP):
        with browser.window(service.url, **options) as window:
            window.page.goto("/desk/sites/demo/webhooks")
            sign_in(window.page)
            expect(window.page.get_by_role("heading", name="Latest messages")).to_be_visible()
            assert window.accessibility_findings() == []
            assert not window.scrolls_sideways()
