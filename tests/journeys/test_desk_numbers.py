"""History, numbers and scores in a real browser: by mouse, by keyboard, without a script."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from moderation.clock import DAY, HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.models import Comment, Site
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.comments import add_comment
from tests.support.events import HELD_BY_MACHINE, add_event
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}

SECRET = "hidden.address@postbox.example"
HOSTILE = (
    "Before <script>alert(1)</script><img src=x onerror=alert(2)> \u202edrawkcab\u202c \u200b z"
    + "\u0301\u0322\u0336" * 500
    + " after"
)
EVIDENCE = {
    "rules": [],
    "scores": {"reject": 0.7, "insult": 0.83},
    "thresholds": {"reject": 0.8, "insult": 0.6},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys, each of which opens a window of its own."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with some days behind it, on which held comments have many scores."""
    with running_service(tmp_path_factory.mktemp("numbers") / "home") as service:
        database = service.database()
        for number in range(60):
            _past_comment(database, number)
        database.close()
        yield service


@pytest.fixture
def database(service: Service) -> Iterator[Database]:
    database = service.database()
    yield database
    database.close()


def _site(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(Site.id).where(Site.name == "demo")).scalar_one())


def _past_comment(database: Database, number: int) -> None:
    """A comment that was held or approved some days ago; many are decided since."""
    at = now_ms() - number % 12 * DAY - 2 * HOUR
    text = HOSTILE if number == 7 else f"Comment number {number} about the old bridge."
    comment = add_comment(database, _site(database), text=text, score=number / 100, email=SECRET)
    if number % 3:
        add_event(database, comment, at=at, evidence=EVIDENCE, **HELD_BY_MACHINE)
        to = Status.REJECTED if number % 2 else Status.APPROVED
        add_event(database, comment, at=at + 20 * MINUTE, to=to)
    else:
        passed = {"by": ActorKind.WORKER, "to": Status.APPROVED, "model": "model-1"}
        add_event(database, comment, at=at, reason="below_thresholds", **passed)


def _hold(database: Database, *scores: float) -> list[str]:
    """Comments that are held, with these scores."""
    found = []
    for score in scores:
        text = f"A held comment with the score {score}."
        comment = add_comment(database, _site(database), text=text, score=score, email=SECRET)
        add_event(database, comment, at=now_ms() - HOUR, evidence=EVIDENCE, **HELD_BY_MACHINE)
        found.append(comment)
    return found


def _statuses(database: Database, ids: list[str]) -> list[str]:
    with database.read() as connection:
        rows = connection.execute(select(Comment.id, Comment.status).where(Comment.id.in_(ids)))
        found = {row.id: row.status for row in rows}
    return [found[comment_id] for comment_id in ids]


def test_a_range_is_dragged_and_all_of_it_rejected(
    service: Service, browser: Browser, database: Database
) -> None:
    inside, outside = _hold(database, 0.905, 0.915, 0.925), _hold(database, 0.955)
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        _open(page, "/desk/scores")
        _drag(page, 0.902, 0.928)
        expect(page.locator("#preview")).to_have_text("3 from 0.90 to 0.93")
        expect(page.get_by_role("heading", name="3 comments from 0.90 to 0.93")).to_be_visible()
        expect(page.get_by_role("spinbutton", name="From")).to_have_value("0.90")
        expect(page.locator(".sample")).to_contain_text("A held comment with the score 0.915.")
        _check(window, "a range")
        page.get_by_label("Reason").select_option("hate")
        page.get_by_role("button", name="Reject all").click()

        expect(page.get_by_role("heading", name="Reject 3 comments?")).to_be_visible()
        _check(window, "the confirmation")
        assert set(_statuses(database, inside)) == {"held"}
        # A colleague is faster with one of them.
        add_event(database, inside[0], at=now_ms(), to=Status.APPROVED, actor="nils")
        page.get_by_role("button", name="Reject 3 comments").click()

        expect(page.get_by_role("status").first).to_contain_text(
            "2 comments are rejected. 1 was decided by others meanwhile and left alone."
        )
        assert _statuses(database, inside) == ["approved", "rejected", "rejected"]
        assert _statuses(database, outside) == ["held"]
        page.get_by_role("button", name="Undo").click()
        eventually(lambda: _statuses(database, inside) == ["approved", "held", "held"])


def test_a_range_is_typed_and_decided_by_keyboard_alone(
    service: Service, browser: Browser, database: Database
) -> None:
    inside = _hold(database, 0.805, 0.815)
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        _open(page, "/desk/scores")
        page.get_by_label("From").focus()
        page.keyboard.type("0.80")
        page.keyboard.press("Tab")
        page.keyboard.type("0.82")
        # The fields ask by themselves too: it is the page that the form leads to that counts.
        page.evaluate("document.body.id = 'before'")
        page.keyboard.press("Enter")
        expect(page.locator("#before")).to_have_count(0)
        expect(page.get_by_role("heading", name="2 comments from 0.80 to 0.82")).to_be_visible()
        page.get_by_role("button", name="Approve all").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Approve 2 comments").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("2 comments are approved.")
        assert set(_statuses(database, inside)) == {"approved"}


def test_a_range_is_decided_without_a_script(
    service: Service, browser: Browser, database: Database
) -> None:
    inside = _hold(database, 0.705)
    with browser.window(service.url, java_script_enabled=False) as window:
        page = window.page
        _open(page, "/desk/scores")
        page.get_by_label("From").fill("0.70")
        page.get_by_label("To").fill("0.71")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="Read them in the queue").click()
        expect(page.get_by_text("with the score 0.705")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Reject all").click()
        page.get_by_role("button", name="Reject 1 comment").click()
        expect(page.get_by_role("status").first).to_contain_text("1 comment is rejected.")
        assert _statuses(database, inside) == ["rejected"]


def test_a_finger_drags_over_the_histogram(
    service: Service, browser: Browser, database: Database
) -> None:
    _hold(database, 0.605, 0.615)
    with browser.window(service.url, **PHONE | DARK) as window:
        page = window.page
        _open(page, "/desk/scores")
        touch = page.context.new_cdp_session(page)
        page.locator("#histogram").scroll_into_view_if_needed()
        x, y, width = _plot(page)

        def at(value: float) -> list[dict[str, float]]:
            return [{"x": x + width * value, "y": y}]

        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at(0.601)})
        for value in (0.605, 0.61, 0.618):
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": at(value)})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(page.get_by_role("heading", name="2 comments from 0.60 to 0.62")).to_be_visible()


def test_the_history_of_a_comment_is_found_and_read(service: Service, browser: Browser) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        _open(page, "/desk/history")
        page.get_by_label("Reason").fill("insult")
        page.get_by_label("Done by").select_option("worker")
        page.get_by_role("button", name="Show", exact=True).click()
        step = page.get_by_role("listitem").filter(has_text="The service held it")
        expect(step.first).to_contain_text("insult 0.83, above 0.60")
        number = page.get_by_text("Comment number 1 about the old bridge.")
        page.get_by_role("listitem").filter(has=number).get_by_role("link", name="history").click()

        steps = page.locator(".steps > li")
        expect(steps).to_have_count(3)
        expect(steps.nth(0)).to_contain_text("The service took it in.")
        expect(steps.nth(1)).to_contain_text("The service held it.")
        expect(steps.nth(2)).to_contain_text("mona rejected it; it was held before.")
        page.get_by_text("All probabilities, model model-1").click()
        expect(page.get_by_role("table")).to_contain_text("0.83")
        assert SECRET not in page.content()


def test_an_export_is_downloaded_and_has_no_address_unless_asked_for(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        _open(page, "/desk/history?moderator=mona&to=rejected")
        plain = _download(page, "CSV", tmp_path / "plain.csv")
        rows = list(csv.DictReader(plain.removeprefix("\ufeff").splitlines()))
        assert {(row["actor"], row["to_status"]) for row in rows} == {("mona", "rejected")}
        assert SECRET not in plain
        page.get_by_label("with readers’ e-mail addresses").check()
        assert SECRET in _download(page, "JSON lines", tmp_path / "full.jsonl")
        page.reload()
        page.get_by_text("Latest exports").click()
        expect(page.get_by_role("table").get_by_role("row").nth(1)).to_contain_text("yes")


@pytest.mark.parametrize(
    "options",
    [DESKTOP, PHONE | DARK],
    ids=["wide", "phone, dark"],
)
def test_every_page_is_accessible_and_fits(
    service: Service, browser: Browser, database: Database, options: dict[str, object]
) -> None:
    _hold(database, 0.305)
    with browser.window(service.url, **options) as window:
        page = window.page
        _open(page, "/desk/numbers")
        hostile = _hostile(database)
        for path in (
            "/desk/numbers",
            "/desk/numbers?since=2020-01-01&until=2020-01-02",
            "/desk/history",
            "/desk/history?comment=none",
            "/desk/history?moderator=mona",
            f"/desk/comments/{hostile}/history",
            "/desk/scores",
            "/desk/scores?score_from=0.3&score_to=0.31",
            "/desk/scores?reason=spam",
            "/desk/scores/confirm?score_from=0.3&score_to=0.31&to=approved",
        ):
            page.goto(path)
            for summary in page.locator("main summary").all():
                summary.click()
            _check(window, path)
            assert SECRET not in page.content()


def test_a_hostile_comment_is_harmless_and_legible(
    service: Service, browser: Browser, database: Database
) -> None:
    with browser.window(service.url, **PHONE) as window:
        page = window.page
        _open(page, f"/desk/comments/{_hostile(database)}/history")
        text = page.locator(".subject .text")
        expect(text).to_contain_text("Before <script>alert(1)</script><img src=x onerror=alert(2)>")
        expect(text).to_contain_text("after")
        expect(text.get_by_title("right-to-left override")).to_be_visible()
        assert text.locator("script, img").count() == 0
        assert not window.scrolls_sideways()


def _hostile(database: Database) -> str:
    with database.read() as connection:
        query = select(Comment.id).where(Comment.text == HOSTILE)
        return str(connection.execute(query).scalar_one())


def _open(page: Page, path: str) -> None:
    page.goto(path)
    sign_in(page)
    page.wait_for_url(re.compile(re.escape(path)))


def _plot(page: Page) -> tuple[float, float, float]:
    """Where the histogram begins, the middle of its height, and its width."""
    box = page.locator("#histogram").bounding_box()
    assert box
    return box["x"], box["y"] + box["height"] / 2, box["width"]


def _drag(page: Page, start: float, end: float) -> None:
    x, y, width = _plot(page)
    page.mouse.move(x + width * start, y)
    page.mouse.down()
    page.mouse.move(x + width * (start + end) / 2, y)
    page.mouse.move(x + width * end, y)
    page.mouse.up()


def _download(page: Page, button: str, path: Path) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


def _check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place
