"""Imports and erasure in a real browser: from an export to labels, and out of them again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from moderation.db import Database
from moderation.learning import labels
from moderation.models import Comment, Site
from tests.support.browser import Browser, Window, running_browser, sign_in
from tests.support.exports import wp_comment, written, wxr
from tests.support.service import Service

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
EMAIL = "old.reader@postbox.example"
OLD_PAGE = "https://old.example/ferry/"

# Milliseconds that the trainer may take, who reads the files.
LONG = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all journeys, each of which opens a window of its own."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def database(service: Service) -> Iterator[Database]:
    database = service.database()
    yield database
    database.close()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export with two comments that were published, one of spam, and one that waits."""
    texts = (
        wp_comment(1, author_email=EMAIL, content="The <b>ferry</b> was slower, and nicer."),
        wp_comment(2, parent=1, author_email=EMAIL, content="And cheaper, as far as I know."),
        wp_comment(3, "spam", content='Cheap <a href="http://pills.example">pills</a>'),
        wp_comment(4, "0"),
    )
    return written(tmp_path / "ferry.xml", wxr(*texts, page=OLD_PAGE))


def test_an_export_comes_in_as_labels_and_with_its_history_and_is_erased_again(
    service: Service, browser: Browser, database: Database, export: Path
) -> None:
    with browser.window(service.url, **DESKTOP) as window:
        page = window.page
        _open(page, "/desk/import")
        _check(window, "the form")
        _upload(page, export)
        expect(page.get_by_role("button", name="Import 3 comments")).to_be_visible(timeout=LONG)
        expect(page.get_by_text("nobody has decided about it there")).to_be_visible()
        assert _learnt(database) == {}
        _check(window, "what would come in")

        page.get_by_role("button", name="Import 3 comments").click()
        expect(page.get_by_text("What came in")).to_be_visible(timeout=LONG)
        assert _learnt(database) == {
            "The ferry was slower, and nicer.": 0,
            "And cheaper, as far as I know.": 0,
            "Cheap pills (http://pills.example)": 1,
        }

        # The same once more, with its history: it is learnt from once.
        page.get_by_role("link", name="Import", exact=True).first.click()
        page.get_by_label("as comments of the site").check()
        _upload(page, export)
        page.get_by_role("button", name="Import 3 comments").click()
        expect(page.get_by_text("What came in")).to_be_visible(timeout=LONG)
        assert len(_learnt(database)) == 3
        (published,) = service.published(OLD_PAGE)
        assert EMAIL not in service.request("GET", f"/v1/comments?page={OLD_PAGE}&site=demo").text

        page.goto(f"/desk/comments/{published}/history")
        expect(page.get_by_text("The import from wordpress")).to_be_visible()
        expect(page.get_by_role("heading", name="What is learnt from it")).to_be_visible()
        _check(window, "the history of what was imported")
        page.get_by_role("link", name="Erase it").click()
        page.get_by_label("all 2 comments of this author").check()
        _check(window, "before erasing")
        page.get_by_role("button", name="Erase for good").click()
        expect(page.get_by_text("Erased.", exact=True)).to_be_visible()
        expect(page.get_by_text("slower, and nicer")).to_have_count(0)
        _check(window, "the history of what was erased")

    assert service.published(OLD_PAGE) == []
    assert list(_learnt(database)) == ["Cheap pills (http://pills.example)"]
    with database.read() as connection:
        assert EMAIL not in connection.scalars(select(Comment.email)).all()


def test_a_file_that_is_none_is_explained_on_a_telephone(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    with browser.window(service.url, **PHONE) as window:
        page = window.page
        _open(page, "/desk/import")
        assert not window.scrolls_sideways()
        page.locator("#file").set_input_files(written(tmp_path / "letter.txt", "Dear all"))
        page.get_by_role("button", name="Upload and look").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("its format is not known", timeout=LONG)
        _check(window, "a file that is none")
        page.get_by_role("button", name="Discard the file").click()
        expect(page.get_by_text("The file is removed.")).to_be_visible()
        _check(window, "the list")
        page.goto("/desk/history/disagreements")
        _check(window, "disagreements")


def _learnt(database: Database) -> dict[str, float]:
    """What is learnt of the imported comments: text and label."""
    with database.read() as connection:
        site = connection.execute(select(Site.id).where(Site.name == "demo")).scalar_one()
        found = list(labels.effective(connection, site))
    return {one.text: one.unwanted for one in found if one.actor == "wordpress"}


def _upload(page: Page, path: Path) -> None:
    page.get_by_label("Site", exact=True).select_option("demo")
    page.locator("#file").set_input_files(path)
    page.get_by_role("button", name="Upload and look").click()


def _open(page: Page, address: str) -> None:
    """A page of the desk, after signing in."""
    page.goto(address)
    sign_in(page)


def _check(window: Window, what: str) -> None:
    assert window.accessibility_findings() == [], what
    assert not window.scrolls_sideways(), what
