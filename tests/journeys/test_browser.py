"""The pages in a real browser: reading, posting and moderating, with and without a script."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect
from rq import Worker
from rq.suspension import resume, suspend
from rq.worker import WorkerStatus

from moderation.policy import HEADS, SiteSettings
from moderation.queues import QueueName, queue
from moderation.rules import Rules
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.service import FRIENDLY, UNFRIENDLY, Client, Service

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 375, "height": 667}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}

EMBEDDING, OVERRIDE, POP = "\u202b", "\u202e", "\u202c"
MARKS = "\u0301\u0322\u0336\u0353" * 250
HOSTILE = (
    "Before <script>alert(1)</script><img src=x onerror=alert(2)> "
    "<a href='javascript:alert(3)'>link</a> {{ 7 * 6 }} "
    f"{OVERRIDE}drawkcab{POP} {EMBEDDING}x{POP} z{MARKS} after"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys, each of which opens a window of its own."""
    with running_browser() as browser:
        yield browser


def test_a_reader_posts_by_keyboard_and_sees_the_status_change_in_place(
    service: Service, browser: Browser
) -> None:
    with browser.window(service.url, **DESKTOP) as window, _workers_waiting(service) as go_on:
        page = window.page
        page.goto("/demo")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()

        _tab_to(page, "text")
        page.keyboard.type(FRIENDLY)
        for typed in ("Ines", "ines@example.org", ""):
            page.keyboard.press("Tab")
            page.keyboard.type(typed)
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")

        status = page.get_by_role("status")
        expect(status).to_have_text("Thank you. Your comment is being looked at …")
        page.evaluate("window.sameDocument = true")
        go_on()
        expect(status).to_have_text("Your comment is published.")
        assert page.evaluate("window.sameDocument")
        assert "ines@example.org" not in page.content()


def test_a_reader_without_a_script_reads_the_same_after_a_reload(
    service: Service, browser: Browser
) -> None:
    with (
        browser.window(service.url, java_script_enabled=False) as window,
        _workers_waiting(service) as go_on,
    ):
        page = window.page
        page.goto("/demo")
        _fill(page, text=UNFRIENDLY, name="Ted", email="ted@example.org")
        page.get_by_role("button", name="Post Comment").click()

        expect(page.get_by_role("status")).to_have_text(
            "Thank you. Your comment is being looked at …"
        )
        go_on()
        _reload_until(page, "Your comment is awaiting moderation.")
        assert UNFRIENDLY in page.inner_text("main")


def test_errors_come_back_beside_the_fields_with_what_was_typed(
    service: Service, browser: Browser
) -> None:
    with browser.window(service.url) as window:
        page = window.page
        page.goto("/demo")
        _fill(page, text="Typed <b>before</b>", email="no address", website="not a site")
        page.get_by_role("button", name="Post Comment").click()

        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("textbox", name="Comment")).to_have_value("Typed <b>before</b>")
        expect(page.get_by_label("Email")).to_have_value("no address")
        for label, message in (
            ("Name", "Name is required."),
            ("Email", "Email is not an e-mail address"),
            ("Website", "Website is not a web address"),
        ):
            field = page.get_by_label(label)
            assert field.get_attribute("aria-invalid") == "true"
            beside = page.locator(f"#{field.get_attribute('aria-describedby')}")
            expect(beside).to_contain_text(message)
            box, place = field.bounding_box(), beside.bounding_box()
            assert box
            assert place
            assert 0 <= place["y"] - (box["y"] + box["height"]) < 20

        _fill(page, text=FRIENDLY, name="Ada", email="ada@example.org", website="")
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("status")).to_have_text("Your comment is published.")


def test_a_reader_on_a_phone_sees_what_is_wrong_without_scrolling(
    service: Service, browser: Browser
) -> None:
    with browser.window(service.url, **PHONE, java_script_enabled=False) as window:
        page = window.page
        page.goto("/demo")
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("alert")).to_be_in_viewport()


def test_a_moderator_signs_in_and_approves(service: Service, browser: Browser) -> None:
    held = service.post_comment(page="/demo", text=UNFRIENDLY, name="Held and then let go")
    assert service.decision_on(held.json["id"]) == "held"
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        page.goto("/demo")
        expect(page.get_by_text("Held and then let go")).to_have_count(0)
        page.get_by_role("link", name="desk").click()
        _sign_in(page)

        card = page.get_by_role("article", name="Held and then let go")
        expect(card).to_contain_text("insult")
        expect(card.locator("mark").first).to_be_visible()
        card.get_by_role("button", name="Approve").click()

        expect(page.get_by_text("1 comment approved.")).to_be_visible()
        expect(card).to_have_count(0)
        page.get_by_role("link", name="Demo article").click()
        expect(page.get_by_text("Held and then let go")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [DESKTOP, PHONE | DARK],
    ids=["a wide window, light", "a phone, dark"],
)
def test_every_page_is_accessible_and_fits(
    service: Service, browser: Browser, options: dict[str, object]
) -> None:
    held = service.post_comment(page="/demo", text=UNFRIENDLY, website="https://ted.example")
    published = service.post_comment(page="/demo", name="Wally", website="https://w.example")
    assert service.decision_on(published.json["id"]) == "approved"
    assert service.decision_on(held.json["id"]) == "held"
    reply = service.post_comment(page="/demo", parent=published.json["id"], name="Y" * 100)
    assert service.decision_on(reply.json["id"]) == "approved"

    with browser.window(service.url, **options) as window:
        page = window.page
        for path in (
            "/demo",
            f"/demo?comment={held.json['id']}",
            f"/demo?comment={published.json['id']}",
            f"/v1/comments/{held.json['id']}",
            f"/v1/form?site=demo&page=/demo&comment={held.json['id']}",
            f"/v1/form?site=demo&page=/demo&parent={published.json['id']}",
            "/docs",
            "/nowhere",
            "/sign-in",
        ):
            page.goto(path)
            _check(window, path)

        page.goto("/demo")
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("alert")).to_be_visible()
        _check(window, "the form with errors")

        page.goto("/desk/")
        _fill(page, name="admin", password="not the password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        _check(window, "sign-in, refused")
        _sign_in(page)
        _check(window, "the desk")
        page.locator("summary").first.click()
        _check(window, "the desk with details")
        page.goto("/desk/?text=nowhere")
        expect(page.get_by_text("Nothing matches")).to_be_visible()
        _check(window, "the empty desk")


def test_a_hostile_comment_is_harmless_and_legible(service: Service, browser: Browser) -> None:
    fields = {"page": "/demo", "name": f"Mallory {MARKS[:90]}", "text": HOSTILE}
    moderator = Client(service.url)
    moderator.sign_in()
    with _everything_held(service):
        published, held = (service.post_comment(**fields).json["id"] for _ in range(2))
        assert service.decision_on(published) == service.decision_on(held) == "held"
    moderator.decide(published, "approved")

    with browser.window(service.url, **PHONE) as window:
        window.page.goto("/demo")
        _assert_harmless(window, window.page.locator(f"#comment-{published}"))
        window.page.goto("/desk/")
        _sign_in(window.page)
        _assert_harmless(window, window.page.get_by_role("article", name="Mallory"))


def _assert_harmless(window: Window, comment: Locator) -> None:
    """Its markup is text, its letters stand in their order, and its marks stay in their place."""
    expect(comment).to_have_count(1)
    expect(comment).to_contain_text("Before <script>alert(1)</script><img src=x onerror=alert(2)>")
    expect(comment).to_contain_text("{{ 7 * 6 }} drawkcab x")
    expect(comment).to_contain_text("after")
    assert comment.locator("script, img, a[href^=javascript]").count() == 0
    assert not window.scrolls_sideways()
    strips = _above_and_below(comment)
    before = [window.page.screenshot(clip=strip, full_page=True) for strip in strips]
    comment.evaluate("element => { element.style.visibility = 'hidden' }")
    assert [window.page.screenshot(clip=strip, full_page=True) for strip in strips] == before


def _above_and_below(element: Locator) -> list[FloatRect]:
    """The parts of the page that border on an element."""
    top, bottom, width = element.evaluate(
        """element => {
            const box = element.getBoundingClientRect();
            return [Math.floor(box.top + scrollY), Math.ceil(box.bottom + scrollY),
                document.body.clientWidth];
        }"""
    )
    start = max(0, top - 200)
    return [
        FloatRect(x=0, y=start, width=width, height=top - start),
        FloatRect(x=0, y=bottom, width=width, height=200),
    ]


@contextmanager
def _everything_held(service: Service) -> Iterator[None]:
    usual = SiteSettings(audit_share=0, rules=Rules(flood_comments=0, duplicate_hours=0))
    service.set_site(usual.model_copy(update={"thresholds": dict.fromkeys(HEADS, 0.0)}))
    try:
        yield
    finally:
        service.set_site(usual)


@contextmanager
def _workers_waiting(service: Service) -> Iterator[Callable[[], None]]:
    """No comment is decided until the function that this gives is called."""
    redis = service.redis()
    suspend(redis)
    try:
        # A worker that waits for a job already takes one more before it looks.
        service.post_comment(email="first@example.org")
        decide = queue(redis, QueueName.DECIDE)
        service.wait_for(
            lambda: all(w.get_state() == WorkerStatus.SUSPENDED for w in Worker.all(queue=decide))
        )
        yield lambda: resume(redis)
    finally:
        resume(redis)


def _tab_to(page: Page, field: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == field:
            return
    pytest.fail(f"the keyboard does not reach {field}")


def _fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)


def _sign_in(page: Page) -> None:
    sign_in(page)
    expect(page.get_by_role("navigation", name="Status")).to_be_visible()


def _reload_until(page: Page, words: str) -> None:
    for _ in range(100):
        page.reload()
        if words in page.inner_text("main"):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the page does not say {words!r}")


def _check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place
