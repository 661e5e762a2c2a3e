"""A moderator's day at the desk, in a real browser: by keyboard, by mouse, by touch, without a
script, together with a colleague, and with a session that ends in the middle."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from moderation.access.accounts import create_account
from moderation.clock import to_datetime
from moderation.db import Database
from moderation.domain import Role
from moderation.models import Base, Site
from moderation.policy import HEADS, SiteSettings
from moderation.rules import Rules
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.comments import events_of, held_by_worker, row_of
from tests.support.service import ADMIN_PASSWORD, FRIENDLY, Service, running_service
from tests.support.waiting import eventually

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}

COLLEAGUE_PASSWORD = "a password for mona"

TEXTS = (
    "Nobody asked the ferryman, of course, and the council could not care less.",
    "You are a fool, and your boat is a disgrace to the whole harbour.",
    "What a pathetic speech. The mayor should read his own report before he talks.",
    "The museum can keep its bees; I want to know who paid for the paint.",
)
# Tables that a journey finds as the service's start has left them.
STAYS = {"site", "site_key", "account", "membership"}

MARKS = "\u0301\u0322\u0336\u0353" * 2_500


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of these journeys' own, with two moderators."""
    with running_service(tmp_path_factory.mktemp("desk") / "home") as service:
        database = service.database()
        with database.write() as connection:
            create_account(
                connection,
                name="mona",
                password=COLLEAGUE_PASSWORD,
                role=Role.ADMINISTRATOR,
            )
        database.close()
        yield service


@pytest.fixture
def database(desk: Service) -> Iterator[Database]:
    """The service's database, where nothing waits any more."""
    database = desk.database()
    with database.write() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in STAYS:
                connection.execute(table.delete())
    yield database
    database.close()


def hold(database: Database, *texts: str, **columns: Any) -> list[str]:
    """Comments that the worker has held, the oldest first; their ids."""
    with database.read() as connection:
        site: int = connection.exec_driver_sql(f"SELECT id FROM {Site.__tablename__}").scalar_one()
    return [
        held_by_worker(database, site, text=text, age=1_000 * (len(texts) - n), **columns)
        for n, text in enumerate(texts)
    ]


@contextmanager
def at_the_desk(
    desk: Service,
    browser: Browser,
    *,
    name: str = "admin",
    password: str = ADMIN_PASSWORD,
    path: str = "/desk/?order=oldest",
    **options: Any,
) -> Iterator[Window]:
    """A window of a moderator who has signed in and sees the queue."""
    with browser.window(desk.url, **(options or DESKTOP)) as window:
        window.page.goto("/sign-in")
        sign_in(window.page, name, password)
        window.page.goto(path)
        expect(window.page.get_by_role("navigation", name="Status")).to_be_visible()
        yield window


def card(page: Page, comment_id: str) -> Locator:
    return page.locator(f"#card-{comment_id}")


def current(page: Page) -> Locator:
    return page.locator(".card.current")


def expect_current(page: Page, comment_id: str) -> None:
    expect(current(page)).to_have_attribute("data-id", comment_id)


def expect_status(database: Database, **statuses: str) -> None:
    """Wait until each comment stands where it should."""
    eventually(
        lambda: all(row_of(database, i[1:]).status == status for i, status in statuses.items())
    )


def statuses(*pairs: tuple[str, str]) -> dict[str, str]:
    """Comments' ids as names of arguments."""
    return {f"_{comment_id}": status for comment_id, status in pairs}


def said(page: Page) -> Locator:
    return page.locator("[data-said]")


def settled(page: Page, **clip: Any) -> bytes:
    """A picture of what no longer changes: two in a row are the same."""
    pictures = [page.screenshot(**clip)]

    def is_the_same() -> bool:
        pictures.append(page.screenshot(**clip))
        return pictures[-1] == pictures[-2]

    eventually(is_the_same)
    return pictures[-1]


def check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place


def test_a_moderator_decides_by_keyboard_alone(
    desk: Service, browser: Browser, database: Database
) -> None:
    first, second, third, fourth = hold(database, *TEXTS)
    with at_the_desk(desk, browser) as window:
        page = window.page
        expect_current(page, first)
        page.keyboard.press("j")
        expect_current(page, second)
        page.keyboard.press("k")
        expect_current(page, first)

        page.keyboard.press("f")
        expect(card(page, first)).to_have_count(0)
        expect(said(page)).to_have_text("1 comment approved.")
        expect_current(page, second)
        assert page.evaluate("document.activeElement.dataset.id") == second
        page.keyboard.press("d")
        expect(said(page)).to_have_text("1 comment rejected as abuse.")
        page.keyboard.press("7")
        expect(said(page)).to_have_text("1 comment rejected as off topic.")
        expect_status(
            database,
            **statuses((first, "approved"), (second, "rejected"), (third, "rejected")),
        )
        expect_current(page, fourth)
        page.keyboard.press("h")
        expect(said(page)).to_have_text("1 comment held.")
        expect(card(page, fourth)).to_be_visible()

        page.keyboard.press("z")
        expect(said(page)).to_have_text("Taken back: 1 comment is where it was.")
        page.keyboard.press("z")
        expect(card(page, third)).to_be_visible()
        expect_current(page, third)
        expect_status(database, **statuses((third, "held")))
        # What came back can be decided again.
        page.keyboard.press("f")
        expect_status(database, **statuses((third, "approved")))


def test_keys_are_explained_and_leave_typing_alone(
    desk: Service, browser: Browser, database: Database
) -> None:
    (only,) = hold(database, TEXTS[0])
    with at_the_desk(desk, browser) as window:
        page = window.page
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        check(window, "the keys")
        page.get_by_label("Keys are on").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("f")
        page.reload()
        page.keyboard.press("f")
        expect(card(page, only)).to_be_visible()
        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Keys are on").check()
        page.get_by_role("button", name="Close").click()

        page.keyboard.press("/")
        page.keyboard.type("fdhz")
        expect(page.get_by_label("Text or name")).to_have_value("fdhz")
        expect(card(page, only)).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        check(window, "nothing found")
        assert row_of(database, only).status == "held"


def test_several_are_selected_and_decided_together(
    desk: Service, browser: Browser, database: Database
) -> None:
    first, second, third, fourth = hold(database, *TEXTS)
    with at_the_desk(desk, browser) as window:
        page = window.page
        expect(page.locator("#bulk")).to_be_hidden()
        page.keyboard.press("x")
        card(page, third).locator("label.select").click()
        expect(page.get_by_text("2 selected:")).to_be_visible()
        check(window, "two are selected")
        page.locator("#bulk-reason").select_option("advertising")
        page.locator("#bulk").get_by_role("button", name="Reject").click()
        expect(said(page)).to_have_text("2 comments rejected as advertising.")
        for gone in (first, third):
            expect(card(page, gone)).to_have_count(0)
        expect_status(database, **statuses((first, "rejected"), (third, "rejected")))
        page.get_by_role("button", name="Undo").click()
        expect(said(page)).to_have_text("Taken back: 2 comments are where they were.")
        assert [one.get_attribute("data-id") for one in page.locator(".card").all()] == [
            first,
            second,
            third,
            fourth,
        ]


def test_all_that_resemble_a_comment_are_decided_with_it(
    desk: Service, browser: Browser, database: Database
) -> None:
    text = "Buy the finest harbour watches at {}, you will never find them any cheaper."
    *offers, other = hold(database, *map(text.format, ("noon", "night", "dawn")), TEXTS[0])
    with at_the_desk(desk, browser) as window:
        page = window.page
        expect(current(page)).to_contain_text("and 2 similar")
        current(page).get_by_role("link", name="show them").click()
        expect(page.locator(".card")).to_have_count(3)
        page.go_back()
        page.keyboard.press("s")
        page.keyboard.press("1")
        expect(said(page)).to_have_text("3 comments rejected as spam.")
        expect(page.locator(".card")).to_have_count(1)
        expect_current(page, other)
        for offer in offers:
            assert row_of(database, offer).reason == "spam"


def test_two_moderators_do_not_read_or_overwrite_the_same_comment(
    desk: Service, browser: Browser, database: Database
) -> None:
    first, second, *_ = hold(database, *TEXTS)
    with (
        at_the_desk(desk, browser, name="mona", password=COLLEAGUE_PASSWORD) as hers,
        at_the_desk(desk, browser) as window,
    ):
        mona, page = hers.page, window.page
        mona.keyboard.press("j")
        expect_current(mona, second)
        expect(card(page, second)).to_contain_text("mona is reading this")
        # The next card is one that nobody reads.
        page.keyboard.press("f")
        expect(card(page, first)).to_have_count(0)
        expect(current(page)).not_to_have_attribute("data-id", second)
        expect(card(mona, first)).to_contain_text("admin has decided meanwhile")

        page.keyboard.press("k")
        expect_current(page, second)
        mona.keyboard.press("d")
        expect(said(mona)).to_have_text("1 comment rejected as abuse.")
        expect_status(database, **statuses((second, "rejected")))
        page.keyboard.press("f")
        expect(page.get_by_role("alert")).to_have_text(
            "Nothing was changed: mona has decided meanwhile: rejected (abuse)."
        )
        expect(card(page, second)).to_have_count(0)
        assert [event.actor for event in events_of(database, second)] == ["worker", "mona"]


def test_a_note_leads_back_to_the_comment_it_is_about(
    desk: Service, browser: Browser, database: Database
) -> None:
    *_, third = hold(database, *TEXTS[:3])
    with at_the_desk(desk, browser) as window:
        page = window.page
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect_current(page, third)
        page.keyboard.press("n")
        page.keyboard.type("Who is this?")
        page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect_current(page, third)
        expect(current(page)).to_be_focused()
        expect(current(page).get_by_role("list", name="Notes")).to_contain_text("Who is this?")


def test_times_are_in_the_moderators_own_zone_also_on_cards_that_come_in_later(
    desk: Service, browser: Browser, database: Database
) -> None:
    ids = hold(database, *(f"Comment number {n} about the boats." for n in range(21)))
    written = to_datetime(row_of(database, ids[-1]).created_at)
    there = written.astimezone(ZoneInfo("Asia/Kathmandu"))
    zone = {"timezone_id": "Asia/Kathmandu"}
    with at_the_desk(desk, browser, **DESKTOP, **zone) as window:
        page = window.page
        expect(card(page, ids[-1])).to_have_count(0)
        for comment_id in ids[:15]:
            expect_current(page, comment_id)
            page.keyboard.press("f")
        time = card(page, ids[-1]).locator("header time")
        expect(time).to_have_text(f"{there:%-d %b %Y, %H:%M}")
        expect(time).to_have_attribute("title", f"{written:%-d %b %Y, %H:%M UTC}")
        page.goto(f"/desk/comments/{ids[-1]}/history")
        expect(page.locator("time").first).to_have_text(f"{there:%-d %b %Y, %H:%M:%S}")


def test_arrivals_are_announced_without_moving_what_is_read(
    desk: Service, browser: Browser, database: Database
) -> None:
    (first,) = hold(database, TEXTS[0])
    with at_the_desk(desk, browser, path="/desk/?order=newest") as window:
        page = window.page
        before = card(page, first).bounding_box()
        arrivals = hold(database, *TEXTS[1:3])
        news = page.get_by_role("link", name="2 new: show")
        expect(news).to_be_visible(timeout=15_000)
        after = card(page, first).bounding_box()
        assert before is not None
        assert after is not None
        assert (after["x"], after["width"]) == (before["x"], before["width"])
        assert page.locator(".card").count() == 1
        check(window, "arrivals")
        news.click()
        for comment_id in arrivals:
            expect(card(page, comment_id)).to_be_visible()


def test_the_next_page_comes_before_the_cards_run_out(
    desk: Service, browser: Browser, database: Database
) -> None:
    ids = hold(
        database, *(f"Comment number {n} about the harbour and the ferry." for n in range(24))
    )
    with at_the_desk(desk, browser) as window:
        page = window.page
        expect(page.locator(".card")).to_have_count(20)
        for comment_id in ids[:18]:
            expect_current(page, comment_id)
            page.keyboard.press("f")
        for comment_id in ids[18:]:
            expect(card(page, comment_id)).to_be_visible()
        expect(page.locator(".card")).to_have_count(6)
        expect(page.get_by_role("link", name="Next page")).to_have_count(0)


def test_a_session_that_ends_in_the_middle_loses_nothing(
    desk: Service, browser: Browser, database: Database
) -> None:
    first, second, *_ = hold(database, *TEXTS)
    with at_the_desk(desk, browser) as window:
        page = window.page
        page.context.clear_cookies()
        page.keyboard.press("f")
        alert = page.get_by_role("alert")
        expect(alert).to_have_text(
            "Your session has ended: nothing was changed, and nothing here is lost. "
            "Sign in in a new window, then go on here."
        )
        expect(alert.locator("> *")).to_have_count(1)  # one sentence, not a column for each part
        expect(card(page, first)).to_be_visible()
        expect_current(page, first)
        assert row_of(database, first).status == "held"
        check(window, "the session has ended")
        with page.context.expect_page() as opened:
            alert.get_by_role("link").click()
        other = opened.value
        sign_in(other)
        expect(other.get_by_role("navigation", name="Status")).to_be_visible()
        other.close()

        page.keyboard.press("f")
        expect(said(page)).to_have_text("1 comment approved.")
        expect_status(database, **statuses((first, "approved")))
        expect_current(page, second)
        # The browser notes each refusal by itself.
        assert all("Failed to load resource" in words for words in window.complaints)
        window.complaints.clear()


def test_a_service_that_is_away_loses_nothing(
    desk: Service, browser: Browser, database: Database
) -> None:
    (only,) = hold(database, TEXTS[0])
    with at_the_desk(desk, browser) as window:
        page = window.page
        page.route("**/decision", lambda route: route.abort())
        page.keyboard.press("f")
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        expect(card(page, only)).to_be_visible()
        page.unroute("**/decision")
        page.keyboard.press("f")
        expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()
        expect_status(database, **statuses((only, "approved")))
        # The browser notes by itself what the test did to it.
        window.complaints.clear()


def test_deciding_works_without_a_script(
    desk: Service, browser: Browser, database: Database
) -> None:
    first, second, third, fourth = hold(database, *TEXTS)
    with at_the_desk(desk, browser, java_script_enabled=False, **DESKTOP) as window:
        page = window.page
        card(page, first).get_by_role("button", name="Approve").click()
        expect(page.get_by_text("1 comment approved.")).to_be_visible()
        expect(card(page, first)).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(card(page, first)).to_be_visible()
        card(page, first).get_by_label("Reason to reject").select_option("hate")
        card(page, first).get_by_role("button", name="Reject").click()
        expect(page.get_by_text("1 comment rejected as hate.")).to_be_visible()

        for comment_id in (second, third):
            card(page, comment_id).locator("input[name=seen]").check()
        page.locator("#bulk").get_by_role("button", name="Approve").click()
        expect(page.get_by_text("2 comments approved.")).to_be_visible()
        expect_status(
            database,
            **statuses((first, "rejected"), (second, "approved"), (fourth, "held")),
        )
        card(page, fourth).get_by_text("Note, author, e-mail").click()
        card(page, fourth).get_by_label("Note for other moderators").fill("Ask Ines.")
        card(page, fourth).get_by_role("button", name="Keep the note").click()
        expect(card(page, fourth)).to_contain_text("Ask Ines.")
        card(page, fourth).get_by_text("Note, author, e-mail").click()
        card(page, fourth).get_by_role("button", name="Show the e-mail address").click()
        expect(page.get_by_text("zoe@example.org")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [DESKTOP, PHONE | DARK],
    ids=["wide", "a phone, dark"],
)
def test_every_page_of_the_desk_is_accessible_and_fits(
    desk: Service, browser: Browser, database: Database, options: dict[str, Any]
) -> None:
    parent, *_ = hold(database, *TEXTS)
    hold(database, "The ferry was never late. " * 80, name="Y" * 100, parent=parent)
    with at_the_desk(desk, browser, **options) as window:
        page = window.page
        check(window, "the queue")
        page.locator(".filters > summary").click()
        for more in page.locator(".more > summary, .parent > summary").all():
            more.click()
        check(window, "all is open")
        page.goto("/desk/?status=all&reason=insult&author=x")
        check(window, "a filter")
        page.goto(f"/desk/comments/{parent}")
        check(window, "one comment")


def test_probabilities_stand_beside_the_text_where_there_is_room(
    desk: Service, browser: Browser, database: Database
) -> None:
    hold(database, TEXTS[0])
    for options, is_beside in ((DESKTOP, True), (PHONE, False)):
        with at_the_desk(desk, browser, **options) as window:
            text = window.page.locator(".card .said").first.bounding_box()
            bars = window.page.locator(".card .bars").first.bounding_box()
            assert text is not None
            assert bars is not None
            assert (bars["x"] >= text["x"] + text["width"]) is is_beside


def test_a_thumb_hits_every_target(desk: Service, browser: Browser, database: Database) -> None:
    text = "Buy the finest harbour watches at {}, you will never find them any cheaper."
    hold(database, *map(text.format, ("noon", "night")), *TEXTS)
    with at_the_desk(desk, browser, **PHONE) as window:
        page = window.page
        page.locator(".filters > summary").click()
        page.locator(".more > summary").first.click()
        small = page.evaluate(
            """() => [...document.querySelectorAll(
                    'button, select, summary, textarea, input:not([type=hidden]), a')]
                .filter(element => element.checkVisibility())
                .map(element => element.type === 'checkbox' ? element.closest('label') : element)
                .filter(element => element.getBoundingClientRect().height < 44
                    && !element.matches('.skip'))
                .map(element => element.outerHTML)"""
        )
        assert small == []
        card(page, page.locator(".card").first.get_attribute("data-id") or "").get_by_role(
            "button", name="Approve"
        ).tap()
        expect(said(page)).to_have_text("1 comment approved.")
        page.get_by_role("button", name="Undo").tap()
        expect(said(page)).to_have_text("Taken back: 1 comment is where it was.")


def test_a_hostile_comment_is_harmless_and_legible(
    desk: Service, browser: Browser, database: Database, tmp_path: Path
) -> None:
    hostile, neighbour = hold(
        database,
        "Before <script>alert(1)</script><img src=x onerror=alert(2)> "
        f"\u202edrawkcab\u202c fr\u200bee z{MARKS} after {{{{ 7 * 6 }}}}",
        TEXTS[0],
        name=f"Mallory \u202egnp.exe{MARKS[:40]}",
    )
    for options in (DESKTOP, PHONE | DARK):
        with at_the_desk(desk, browser, **options) as window:
            page = window.page
            shown = card(page, hostile)
            expect(shown).to_contain_text(
                "Before <script>alert(1)</script><img src=x onerror=alert(2)>"
            )
            for label in ("RLO", "PDF", "ZWSP", "+9,996 marks"):
                expect(shown.locator(".invisible", has_text=label).first).to_be_visible()
            expect(shown).to_contain_text("after {{ 7 * 6 }}")
            assert shown.locator("script, img").count() == 0
            # The letters of the override stand in the order in which they were written.
            text = shown.locator("div.text").inner_text()
            assert re.search(r"RLO\s*drawkcab\s*PDF", text)
            # Its marks stay in their place: without it, nothing beside it looks different.
            box = card(page, neighbour).bounding_box()
            assert box is not None
            page.evaluate(
                "document.querySelectorAll('.current').forEach(e => e.classList.remove('current'))"
            )
            clip: Any = {"clip": box, "full_page": True, "animations": "disabled"}
            before = settled(page, **clip)
            shown.evaluate("element => { element.style.visibility = 'hidden' }")
            assert settled(page, **clip) == before
            shown.evaluate("element => { element.style.visibility = '' }")
            check(window, "a hostile comment")
            page.screenshot(path=tmp_path / "hostile.png")


def test_what_is_published_and_drawn_is_rejected_like_any_other_and_the_estimate_moves(
    desk: Service, browser: Browser, database: Database
) -> None:
    everything_passes = SiteSettings(
        audit_share=1,
        blind_share=1,
        thresholds=dict.fromkeys(HEADS, 1.0),
        rules=Rules(suspect_words=("zeppelin",), flood_comments=0, duplicate_hours=0),
    )
    desk.set_site(everything_passes)
    held = desk.post_comment(text=f"{FRIENDLY} By zeppelin?").json["id"]
    assert desk.decision_on(held) == "held"
    drawn = desk.post_comment(text=FRIENDLY, email="eve@example.org", name="Eve").json["id"]
    assert desk.decision_on(drawn) == "approved"
    assert desk.published() == [drawn]

    with at_the_desk(desk, browser) as window:
        page = window.page
        expect(page.locator("[data-tab=held]")).to_have_text("Waiting 2")
        for comment_id in (held, drawn):
            why = card(page, comment_id).locator(".why")
            expect(why).to_have_text(
                "Waiting: what the service found is shown once you have decided"
            )
            expect(card(page, comment_id).locator("mark, .bars")).to_have_count(0)
        check(window, "cards that do not tell")
        page.goto(f"/desk/comments/{drawn}/history")
        expect(page.locator(".steps > li")).to_have_count(1)
        page.goto("/desk/?order=oldest")

        page.keyboard.press("j")
        expect_current(page, drawn)
        page.keyboard.press("d")
        expect_status(database, **statuses((drawn, "rejected")))
        assert desk.published() == []
        page.keyboard.press("z")
        expect_status(database, **statuses((drawn, "approved")))
        assert desk.published() == [drawn]
        page.goto("/desk/?order=newest")
        expect_current(page, drawn)
        page.keyboard.press("d")
        expect_status(database, **statuses((drawn, "rejected")))
        assert desk.published() == []

        page.goto(f"/desk/comments/{drawn}")
        expect(card(page, drawn).locator(".bars")).to_be_visible()
        page.goto("/desk/numbers")
        row = page.get_by_role("region", name="What is published by itself").get_by_role("row")
        expect(row.nth(1)).to_contain_text("100\u00a0%")
        assert row.nth(1).get_by_role("cell").all_inner_texts()[:4] == ["1", "0", "1", "1"]
        check(window, "the numbers of the audit")
