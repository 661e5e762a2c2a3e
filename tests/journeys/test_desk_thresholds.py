"""A site's goals in a real browser: typed, dragged, by arrow keys, without a script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Connection, insert, select

from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.learning.labels import NewLabel, record
from moderation.learning.weighing import weigh
from moderation.models import Example
from moderation.policy import SiteSettings
from moderation.site_settings import site_named
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.decisions import settle
from tests.support.service import Service, running_service
from training import guard

PATH = "/desk/sites/demo/thresholds"
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose site has imported labels of invented comments, and decided a few."""
    with running_service(tmp_path_factory.mktemp("thresholds") / "home") as service:
        service.set_site(SiteSettings(imports_complete=True))
        database = service.database()
        with database.write() as connection:
            site = site_named(connection, "demo").id
            add_labels(connection, site)
        weigh(database, site, load(DEFAULT_ARTIFACT))
        for number in range(20):
            settle(database, site, text=f"It scores {number / 20}", reject=number / 20)
        database.close()
        yield service


def add_labels(connection: Connection, site: int) -> None:
    """Of the sentences of the guard set."""
    sentences = guard.standard()
    rows = [
        {
            "site_id": site,
            "origin": "invented",
            "origin_id": str(number),
            "text": document.text,
            "created_at": number,
        }
        for number, document in enumerate(sentences.documents)
    ]
    connection.execute(insert(Example), rows)
    ids = connection.scalars(select(Example.id).order_by(Example.created_at)).all()
    record(
        connection,
        [
            NewLabel(
                site_id=site,
                example_id=number,
                source=LabelSource.IMPORT,
                actor="invented",
                unwanted=float(unwanted),
                selection=Selection.IMPORTED,
            )
            for number, unwanted in zip(ids, sentences.unwanted, strict=True)
        ],
    )


def open_page(page: Page) -> None:
    page.goto(PATH)
    sign_in(page)
    page.wait_for_url(re.compile(re.escape(PATH)))


def check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place


def settings(service: Service) -> SiteSettings:
    database: Database = service.database()
    with database.read() as connection:
        found = site_named(connection, "demo").settings
    database.close()
    return found


def test_a_goal_is_set_and_taken_back_by_keyboard(service: Service, browser: Browser) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        open_page(page)
        goal = page.get_by_label("Of what is approved automatically, right should be at least")
        goal.focus()
        page.keyboard.type("1.5")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
        check(window, "a message")

        goal.fill("0.8")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("Saved.")
        expect(page.locator("#follows-title + p")).to_contain_text("is approved: about")
        assert settings(service).approve_precision == 0.8

        goal.fill("")
        page.keyboard.press("Enter")
        expect(page.locator("#follows-title + p")).to_contain_text("There is no goal")
        assert settings(service).approve_precision is None


def test_the_handle_is_dragged_and_moved_by_arrow_keys(service: Service, browser: Browser) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        open_page(page)
        title = page.locator("#outcome-title")
        box = page.locator("#curves svg.area").first.bounding_box()
        assert box
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 20)
        page.mouse.up()
        dragged = page.locator("#below").input_value()
        expect(title).to_have_text(f"Approving below {float(dragged):.3f}")
        check(window, "a dragged threshold")

        page.get_by_role("slider", name="Handle").focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        moved = page.locator("#below").input_value()
        assert float(moved) < float(dragged)
        expect(title).to_have_text(f"Approving below {float(moved):.3f}")
        words = page.get_by_role("slider", name="Handle").get_attribute("aria-valuetext")
        assert words is not None
        assert words.startswith(f"Approving below {float(moved):.3f}")
        expect(page.locator("#told")).to_have_text(words)
        expect(page.locator("#outcome")).to_contain_text("Of the last 20 automatic decisions")


def test_without_a_script_the_number_does_the_same(service: Service, browser: Browser) -> None:
    with browser.window(service.url, java_script_enabled=False) as window:
        page = window.page
        open_page(page)
        expect(page.get_by_role("slider")).to_have_count(0)
        page.get_by_label("Approve below").fill("0.42")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#outcome-title")).to_contain_text("Approving below 0.4")
        page.get_by_role("button", name="Make").click()
        expect(page.get_by_role("status").first).to_contain_text("Saved.")
        assert settings(service).approve_precision is not None


@pytest.mark.parametrize("kind", [PHONE | DARK, DESKTOP])
def test_everybody_can_read_it(service: Service, browser: Browser, kind: dict[str, object]) -> None:
    with browser.window(service.url, **kind) as window:
        open_page(window.page)
        for summary in window.page.locator("details > summary").all():
            summary.click()
        check(window, str(kind))
