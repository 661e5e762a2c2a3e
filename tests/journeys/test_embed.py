"""Comments by the script tag, on pages of another origin with a strict Content-Security-Policy."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from moderation.clock import DAY
from moderation.domain import Status
from moderation.policy import SiteSettings
from moderation.rules import Rules
from moderation.sites import create_site
from moderation.website.threads import DEEPEST
from tests.support.browser import Browser, Window, running_browser
from tests.support.comments import add_comment
from tests.support.pages import Website, running_website
from tests.support.service import FRIENDLY, ROOT, UNFRIENDLY, Service

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE_IN_THE_DARK = {
    "viewport": {"width": 375, "height": 667},
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
    "reduced_motion": "reduce",
}
MARKS = "\u0301\u0322\u0336\u0353" * 100
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> {name} $& {{ 7 * 6 }}"
STYLE = ":root { background: Canvas; color: CanvasText; --comments-radius: 7px; }"
RULES = Rules(flood_comments=0, duplicate_hours=0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys, each of which opens a window of its own."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def website(service: Service) -> Iterator[Website]:
    """A website that the site `embed` lists, with the strictest policy that the script can do
    with."""
    with running_website() as website:
        website.policy = (
            f"default-src 'none'; script-src {service.url}; connect-src {service.url}; "
            "style-src 'self'; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'"
        )
        website.pages["/style.css"] = STYLE
        yield website


@pytest.fixture(scope="module")
def site(service: Service, website: Website) -> int:
    """The site `embed`; its id."""
    return add_site(service, "embed", origins=(website.origin,), rules=RULES)


def add_site(service: Service, name: str, **settings: object) -> int:
    database = service.database()
    with database.write() as connection:
        chosen = SiteSettings.model_validate(settings)
        site_id = create_site(connection, name=name, key=f"{name}-key-0123", settings=chosen)
    database.close()
    return site_id


def published(service: Service, site: int, page: str, count: int = 1, **fields: object) -> str:
    """Published comments of a page; the last one's id."""
    database = service.database()
    for _ in range(count):
        last = add_comment(database, site, page=page, status=Status.APPROVED, **fields)
    database.close()
    return last


def tag(service: Service, page: str, site: str = "embed", **attributes: str) -> str:
    """The script tag, with what stands in for it where there are no scripts."""
    more = "".join(f' data-{name}="{value}"' for name, value in attributes.items())
    return (
        f'<script src="{service.url}/embed.js" data-site="{site}" data-page="{page}"{more}>'
        f'</script><noscript><a href="{service.url}/v1/form?site={site}&amp;page={page}">'
        "Comments</a></noscript>"
    )


def document(*tags: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>The bridge</title>'
        '<link rel="stylesheet" href="/style.css">'
        f"<main><h1>The bridge</h1>{''.join(tags)}</main></html>"
    )


@contextmanager
def reading(
    browser: Browser, service: Service, website: Website, path: str, **options: object
) -> Iterator[Window]:
    """A window that shows a page of the website."""
    with browser.window(website.origin, service.url, **options) as window:
        window.page.goto(path)
        yield window


def fill(where: Page | Locator, **fields: str) -> None:
    for label, value in fields.items():
        where.get_by_label(label, exact=False).first.fill(value)


def forgive_failed_requests(window: Window) -> None:
    """The browser itself notes each answer with an error's status; nothing else may be there."""
    assert [c for c in window.complaints if not c.startswith("Failed to load resource")] == []
    window.complaints.clear()


def test_the_documents_name_every_word_that_a_site_may_translate() -> None:
    script = (ROOT / "moderation" / "static" / "embed.js").read_text()
    told = " ".join((ROOT / "docs" / "embedding.md").read_text().split())
    words = re.findall(r'(?:say|field)\("([^"]+)"', script)
    assert len(words) > 20
    assert [word for word in words if f"“{word}”" not in told] == []


@pytest.mark.usefixtures("site")
def test_a_reader_posts_by_keyboard_on_a_page_of_another_origin(
    service: Service, browser: Browser, website: Website
) -> None:
    website.pages["/keyboard"] = document(tag(service, "/keyboard"))
    with reading(browser, service, website, "/keyboard", **DESKTOP) as window:
        page = window.page
        expect(page.get_by_text("No comments yet.")).to_be_visible()
        expect(page.locator("form")).to_contain_text(
            "Your email address will not be published. Required fields are marked *"
        )
        for typed in (FRIENDLY, "Ines", "ines@example.org", ""):
            page.keyboard.press("Tab")
            page.keyboard.type(typed)
        page.keyboard.press("Tab")
        focused = "document.activeElement.shadowRoot.activeElement"
        assert page.evaluate(f"{focused}.textContent") == "Post Comment"
        assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
        page.keyboard.press("Enter")

        own = page.get_by_role("article")
        expect(own).to_contain_text("Your comment is published.")
        expect(page.get_by_role("status")).to_have_text("Your comment is published.")
        expect(page.get_by_label("Comment *")).to_have_value("")
        assert page.evaluate(f"{focused}.localName") == "article"
        assert window.accessibility_findings() == []
        page.reload()
        expect(page.get_by_role("article")).to_contain_text(FRIENDLY)
        assert "ines@example.org" not in page.evaluate("document.body.innerText")


@pytest.mark.parametrize(
    "options", [DESKTOP, PHONE_IN_THE_DARK], ids=["wide, light", "a phone, dark"]
)
def test_the_comments_are_accessible_and_fit_and_markup_is_text(
    service: Service, browser: Browser, website: Website, site: int, options: dict[str, object]
) -> None:
    path = f"/hostile-{len(options)}"
    first = published(service, site, path, name=f"Mallory {MARKS}"[:100], text=HOSTILE)
    for depth in range(DEEPEST + 2):
        first = published(service, site, path, parent=first, name="N" * 100, text=f"{depth} deep")
    published(service, site, path, website="https://w.example/<b>", text="x" * 500)
    website.pages[path] = document(tag(service, path))
    with reading(browser, service, website, path, **options) as window:
        page = window.page
        expect(page.get_by_role("article")).to_have_count(DEEPEST + 4)
        hostile = page.get_by_role("article").first
        expect(hostile.locator(".text")).to_have_text(HOSTILE)
        assert hostile.locator("script, img").count() == 0
        link = page.get_by_role("link", name="Zoë")
        assert link.get_attribute("rel") == "nofollow ugc noopener"
        # No answer is nested deeper than the service lists it.
        assert page.locator(" ".join(["ol"] * (DEEPEST + 2))).count() == 0
        assert window.accessibility_findings() == []
        assert not window.scrolls_sideways()
        colour = page.get_by_label("Comment *").evaluate("e => getComputedStyle(e).backgroundColor")
        assert (colour == "rgb(255, 255, 255)") == (options == DESKTOP)
        radius = page.get_by_label("Comment *").evaluate("e => getComputedStyle(e).borderRadius")
        assert radius == "7px"

        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_label("Comment *")).to_be_focused()
        for label in ("Comment", "Name", "Email"):
            wrong = page.get_by_label(f"{label} *")
            assert wrong.get_attribute("aria-invalid") == "true"
            beside = page.locator(f"#{wrong.get_attribute('aria-describedby')}")
            expect(beside).to_have_text(f"{label} is required.")
        expect(page.get_by_role("alert")).to_contain_text("please look at what is marked below")
        assert window.accessibility_findings() == []
        assert not window.scrolls_sideways()
        forgive_failed_requests(window)


def test_a_reader_answers_and_waits_for_the_moderator_also_after_a_reload(
    service: Service, browser: Browser, website: Website, site: int
) -> None:
    published(service, site, "/answer", text="The first one")
    website.pages["/answer"] = document(tag(service, "/answer"))
    with reading(browser, service, website, "/answer") as window:
        page = window.page
        page.get_by_role("button", name="Reply to Zoë").click()
        expect(page.get_by_role("heading", name="Reply to Zoë")).to_be_visible()
        page.get_by_role("button", name="Cancel reply").click()
        expect(page.get_by_role("heading", name="Leave a Reply")).to_be_visible()
        expect(page.get_by_role("button", name="Reply to Zoë")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Comment *")).to_be_focused()
        page.keyboard.type(UNFRIENDLY)
        fill(page, **{"Name *": "Ted", "Email *": "ted@example.org"})
        page.get_by_role("button", name="Post Comment").click()

        waiting = page.locator("li li article")
        expect(waiting).to_contain_text("Your comment is awaiting moderation.")
        expect(page.get_by_role("heading", name="Leave a Reply")).to_be_visible()
        page.reload()
        expect(page.locator("li li article")).to_contain_text("awaiting moderation")
        expect(page.locator("li li article")).to_contain_text(UNFRIENDLY)
        assert window.accessibility_findings() == []


@pytest.mark.usefixtures("site")
def test_a_draft_outlives_a_failure_and_is_sent_once(
    service: Service, browser: Browser, website: Website
) -> None:
    website.pages["/draft"] = document(tag(service, "/draft"))
    posts = "**/v1/comments?site=embed"
    with reading(browser, service, website, "/draft") as window:
        page = window.page
        fill(page, **{"Comment *": FRIENDLY, "Name *": "Ada", "Email *": "ada@example.org"})
        # It arrives, and its answer does not.
        page.route(posts, lambda route: (route.fetch(), route.abort()))
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("alert")).to_contain_text("the service cannot be reached")
        expect(page.get_by_label("Comment *")).to_have_value(FRIENDLY)
        forgive_failed_requests(window)

        page.unroute(posts)
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("article")).to_contain_text("Your comment is published.")
        page.reload()
        expect(page.get_by_role("article")).to_have_count(1)


def test_a_comment_that_came_without_a_name_is_shown_and_answered(
    service: Service, browser: Browser, website: Website, site: int
) -> None:
    published(service, site, "/nameless", name="", website="https://w.example/", text="From before")
    website.pages["/nameless"] = document(tag(service, "/nameless"))
    with reading(browser, service, website, "/nameless") as window:
        page = window.page
        expect(page.get_by_role("link", name="Anonymous")).to_be_visible()
        page.get_by_role("button", name="Reply to Anonymous").click()
        expect(page.get_by_role("heading", name="Reply to Anonymous")).to_be_visible()
        assert window.accessibility_findings() == []
        page.goto(f"{service.url}/v1/form?site=embed&page=/nameless")
        expect(page.get_by_role("link", name="Reply to Anonymous")).to_be_visible()


def test_two_discussions_stand_on_one_page_in_the_sites_own_words(
    service: Service, browser: Browser, website: Website, site: int
) -> None:
    published(service, site, "/one", text="Of the first page")
    published(service, site, "/two", text="Of the second page")
    words = json.dumps({"Leave a Reply": "Antworten", "Reply to {name}": "Antwort an {name}"})
    website.pages["/two"] = document(
        f'<script type="application/json" id="words">{words}</script><div id="below"></div>',
        tag(service, "/one"),
        tag(service, "/two", words="words", lang="de", target="#below", heading="3"),
    )
    with reading(browser, service, website, "/two") as window:
        page = window.page
        first, second = page.locator("main > section"), page.locator("#below > section")
        expect(first).to_contain_text("Of the first page")
        expect(second).to_contain_text("Of the second page")
        expect(first.get_by_role("heading", name="Leave a Reply", level=3)).to_be_visible()
        expect(second.get_by_role("heading", name="Antworten", level=4)).to_be_visible()
        expect(second.get_by_role("button", name="Antwort an Zoë")).to_be_visible()


def test_many_conversations_come_page_by_page(
    service: Service, browser: Browser, website: Website, site: int
) -> None:
    published(service, site, "/many", 52)
    website.pages["/many"] = document(tag(service, "/many"))
    with reading(browser, service, website, "/many") as window:
        articles = window.page.get_by_role("article")
        expect(articles).to_have_count(50)
        window.page.get_by_role("button", name="More comments").click()
        expect(articles).to_have_count(52)
        expect(articles.nth(50)).to_be_focused()
        expect(window.page.get_by_role("button", name="More comments")).to_be_hidden()


def test_a_closed_discussion_shows_no_form(
    service: Service, browser: Browser, website: Website
) -> None:
    closing = add_site(service, "closing", origins=(website.origin,), close_after_days=1)
    published(service, closing, "/closed", age=2 * DAY)
    website.pages["/closed"] = document(tag(service, "/closed", "closing"))
    with reading(browser, service, website, "/closed") as window:
        expect(window.page.get_by_text("Comments are closed.")).to_be_visible()
        expect(window.page.get_by_role("article")).to_have_count(1)
        assert window.page.get_by_role("button").count() == 0
        window.page.goto(f"{service.url}/v1/form?site=closing&page=/closed")
        expect(window.page.get_by_text("Comments are closed.")).to_be_visible()
        assert window.page.locator("form").count() == 0


def test_the_browser_works_where_the_site_wants_it(
    service: Service, browser: Browser, website: Website
) -> None:
    rules = {"proof_of_work": True, "only_our_forms": True}
    add_site(service, "working", origins=(website.origin,), rules=RULES.model_dump() | rules)
    website.pages["/work"] = document(tag(service, "/work", "working"))
    with reading(browser, service, website, "/work") as window:
        page = window.page
        fill(page, **{"Comment *": FRIENDLY, "Name *": "Ada", "Email *": "ada@example.org"})
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("article")).to_contain_text("Your comment is published.")


@pytest.mark.usefixtures("site")
def test_an_origin_that_is_not_listed_neither_reads_nor_posts(
    service: Service, browser: Browser, website: Website
) -> None:
    with running_website() as stranger, browser.window(stranger.origin, service.url) as window:
        stranger.policy = website.policy
        stranger.pages["/style.css"] = STYLE
        stranger.pages["/"] = document(tag(service, "/keyboard"))
        page = window.page
        page.goto("/")
        expect(page.get_by_text("The comments could not be loaded.")).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        assert page.locator("form").count() == 0
        posted = page.evaluate(
            """address => fetch(address, {method: "POST", body: "{}",
                headers: {"Content-Type": "application/json"}}).then(() => 1, () => 0)""",
            f"{service.url}/v1/comments?site=embed",
        )
        assert posted == 0
        assert [c for c in window.complaints if "CORS" not in c and "ERR_FAILED" not in c] == []
        window.complaints.clear()


@pytest.mark.usefixtures("site")
def test_a_plain_form_leads_back_to_its_page_also_after_errors(
    service: Service, browser: Browser, website: Website
) -> None:
    address = f"{website.origin}/form"
    fields = {"site": "embed", "page": address, "text": FRIENDLY, "name": "Ada", "email": "ada"}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="post" action="{service.url}/v1/comments">{inputs}'
    website.pages["/form"] = document(f"{form}<button>Send</button></form>")
    strict = website.policy
    website.policy = strict.replace("form-action 'none'; ", "")
    with reading(browser, service, website, "/form", java_script_enabled=False) as window:
        page = window.page
        page.get_by_role("button", name="Send").click()
        page.get_by_label("Email").fill("ada@example.org")
        page.get_by_role("button", name="Post Comment").click()
        page.wait_for_url(f"{address}?comment=*")
    website.policy = strict


@pytest.mark.usefixtures("site")
def test_a_reader_without_a_script_uses_a_page_of_ours(
    service: Service, browser: Browser, website: Website
) -> None:
    website.pages["/plain"] = document(tag(service, "/plain"))
    with reading(browser, service, website, "/plain", java_script_enabled=False) as window:
        page = window.page
        page.get_by_role("link", name="Comments").click()
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_text("Name is required.")).to_be_visible()
        fill(page, **{"Comment *": FRIENDLY, "Name *": "Ada", "Email *": "ada@example.org"})
        page.wait_for_timeout(3000)  # as long as a person takes at least
        page.get_by_role("button", name="Post Comment").click()
        expect(page.get_by_role("status")).to_be_visible()
        posted = page.url.partition("comment=")[2].partition("#")[0]
        assert service.decision_on(posted) == "approved"
        page.reload()
        page.get_by_role("link", name="Reply to Ada").click()
        expect(page.get_by_text("You answer a comment.")).to_be_visible()
        assert page.locator("input[name=parent]").input_value() == posted
