"""A site's models in a real browser: trained, judged, promoted, rolled back, in the shadow."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from moderation import site_settings
from moderation.classifier.artifact import DEFAULT_ARTIFACT, thresholds
from moderation.db import Database
from moderation.learning import shadows, site_models
from moderation.models import TrainingRun
from moderation.policy import SiteSettings
from moderation.rules import Rules
from tests.support import newspaper
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.newspaper import LABELS
from tests.support.service import FRIENDLY, Service
from tests.support.site_models import ONLY_REJECT, add_model
from tests.training.test_retraining import teach

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}

# A reader of this newspaper knows at once that it sells something.
ZORBLY = "The ferryman is proud of the harbour, and the zorbly shop sells it, number 7."

PATH = "/desk/sites/weekly/models"

SECONDS = 1_000
LONG = 90 * SECONDS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[Database]:
    database = service.database()
    yield database
    database.close()


def add_site(database: Database, name: str) -> tuple[int, str]:
    """A site that trains only when asked, and holds only by `reject`: its id and key."""
    wanted = SiteSettings(
        audit_share=0,
        thresholds=ONLY_REJECT,
        rules=Rules(flood_comments=0, duplicate_hours=0),
        retrain_after_labels=None,
    )
    with database.write() as connection:
        key = site_settings.add_site(connection, name=name, actor="admin")
        site = site_settings.site_named(connection, name)
        site_settings.save(connection, name=name, before=site.settings, after=wanted, actor="admin")
    return site.id, key


def open_page(page: Page, path: str) -> None:
    page.goto(path)
    sign_in(page)
    page.wait_for_url(re.compile(re.escape(path)))


def check(window: Window, place: str) -> None:
    assert window.accessibility_findings() == [], place
    assert not window.scrolls_sideways(), place


def press(page: Page, name: str) -> None:
    """Press a button by keyboard."""
    page.get_by_role("button", name=name).first.focus()
    page.keyboard.press("Enter")


def test_a_model_is_trained_promoted_rolled_back_and_shadows(
    service: Service, browser: Browser, database: Database
) -> None:
    site, key = add_site(database, "weekly")
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        open_page(page, "/desk/models")
        check(window, "all sites")
        page.get_by_role("link", name="weekly").click()
        expect(page.get_by_text("0 labels; at least 40 are needed")).to_be_visible()
        expect(page.get_by_role("link", name="imported")).to_be_visible()
        check(window, "a new site")

        newspaper.teach(database, site)
        version = train(window, service, database, site)
        read_the_verdict(window)
        promote(page, version)
        comment = posted(service, key, ZORBLY)
        assert service.status_of(comment) == "held"
        page.goto(f"/desk/comments/{comment}/history")
        expect(page.get_by_text(f"+{version}")).to_be_visible()

        page.goto(PATH)
        press(page, "Roll back to the general model")
        expect(page.locator(".deciding")).to_contain_text("The general model alone")
        expect(page.get_by_role("cell", name="rolled back")).to_be_visible()

        press(page, "Let it shadow")
        expect(page.get_by_role("heading", name="In the shadow")).to_be_visible()
        for text in (FRIENDLY, ZORBLY):
            posted(service, key, text)
        number = model_id(database, site, version)
        service.wait_for(lambda: compared(database, number) == 2)
        address = read_disagreements(window)
        page.goto(PATH)
        press(page, "No longer shadow")
        expect(page.get_by_role("heading", name="In the shadow")).to_have_count(0)

    for kind in (PHONE | DARK, DESKTOP):
        with browser.window(service.url, **kind) as window:
            open_page(window.page, PATH)
            check(window, f"the models, {kind}")
            window.page.goto(address)
            check(window, f"a model, {kind}")


def train(window: Window, service: Service, database: Database, site: int) -> str:
    """Have a model trained, and watch until there is one; its version, with its page open."""
    page = window.page
    page.reload()
    expect(page.get_by_text(f"{LABELS} labels in all")).to_be_visible()
    with trainer_halted(service, database):
        press(page, "Train a new model")
        expect(page.get_by_role("progressbar", name="Training")).to_be_visible()
        check(window, "a training")
    service.wait_for(lambda: progress(database, site) > 0)
    with trainer_halted(service, database):
        # The page is loaded anew by itself.
        expect(page.locator("#progress-words")).to_contain_text("% done")
    expect(page.get_by_text(f"was trained on {LABELS} labels.")).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="what came of it").click()
    version = page.locator("h1").inner_text()
    assert version.startswith("weekly-")
    return version


@contextmanager
def trainer_halted(service: Service, database: Database) -> Iterator[None]:
    """As long as the block lasts nothing is trained, so that there is time to look."""
    # It must not hold the database's lock meanwhile.
    with database.write():
        processes = service.processes("moderation trainer")
        for process in processes:
            os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def progress(database: Database, site: int) -> float:
    """How far the site's training is."""
    query = select(TrainingRun.done).where(TrainingRun.site_id == site)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def read_the_verdict(window: Window) -> None:
    """On the model's page, and in the report."""
    page = window.page
    expect(page.locator(".verdict")).to_contain_text("To be promoted:")
    verdict = page.locator(".verdict").inner_text()
    expect(page.locator("figure.plot")).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the whole report").click()
    assert verdict in download.value.path().read_text()
    for summary in page.locator("details > summary").all():
        summary.click()
    check(window, "a verdict")


def promote(page: Page, version: str) -> None:
    """Let the model on the page decide, and wait until what is held was scored again."""
    press(page, "Promote")
    expect(page.get_by_role("status")).to_contain_text(f"{version} decides from now on")
    expect(page.locator(".deciding")).to_contain_text(version)
    # It may have been over before the page was there.
    bar = page.get_by_role("progressbar", name="Scoring again")
    if bar.count():
        expect(page.get_by_text("All that is held was scored again.")).to_be_visible(timeout=LONG)


def read_disagreements(window: Window) -> str:
    """Side by side, with the way to the comment; the address of the page."""
    page = window.page
    page.reload()
    expect(page.get_by_text("It agreed on 1 of 2 comments")).to_be_visible()
    page.get_by_role("link", name="read the 1 other").click()
    beside = page.locator(".sample li").filter(has_text=ZORBLY)
    expect(beside.locator(".beside dd").first).to_contain_text("approved, score 0.")
    expect(beside.locator(".beside dd").last).to_contain_text("held, score 1.00: rejection")
    check(window, "a disagreement")
    address = re.sub(r"^https?://[^/]+", "", page.url)
    beside.get_by_role("link", name="decide about it").click()
    expect(page.locator(".card")).to_contain_text(ZORBLY)
    return address


def test_without_a_script_the_page_is_looked_at_again(
    service: Service, browser: Browser, database: Database
) -> None:
    site, _ = add_site(database, "yearly")
    teach(database, site, 40, unwanted_each=0)
    general = thresholds(DEFAULT_ARTIFACT)[0]
    add_model(database, site, "yearly-1", base=general, recommended=False)
    with browser.window(service.url, java_script_enabled=False, **PHONE) as window:
        page = window.page
        open_page(page, "/desk/sites/yearly/models")
        page.get_by_role("button", name="Train a new model").click()
        outcome = page.get_by_text("All 40 labels are approvals")
        service.wait_for(lambda: looked_again(page) and outcome.count() > 0, 90)

        page.get_by_role("button", name="Promote …").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("against the gate’s advice?")
        page.get_by_role("link", name="Back, without promoting").click()
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_role("status")).to_contain_text("yearly-1 is refused")


def looked_again(page: Page) -> bool:
    """Whether the training is over; where it is not, the page is looked at again."""
    again = page.get_by_role("link", name="Look again")
    if again.count() == 0:
        return True
    expect(page.get_by_role("progressbar", name="Training")).to_be_visible()
    again.click()
    return False


def posted(service: Service, key: str, text: str) -> str:
    """A comment on the site with this key, when it has been decided; its id."""
    comment_id: str = service.post_comment(key=key, text=text).json["id"]
    service.decision_on(comment_id)
    return comment_id


def model_id(database: Database, site: int, version: str) -> int:
    with database.read() as connection:
        return site_models.model(connection, site, version).id


def compared(database: Database, number: int) -> int:
    with database.read() as connection:
        return shadows.agreement(connection, number).compared
