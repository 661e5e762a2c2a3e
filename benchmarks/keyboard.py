"""`python -m benchmarks.keyboard`: how many comments a moderator decides a minute by keyboard.

A script sits in front of the desk in Chromium, as somebody would who need not think: a key, then it
waits until the service has confirmed the decision and the next comment is the current one.
"""

import itertools
import tempfile
import time
from pathlib import Path

import click
from playwright.sync_api import Page

from moderation.access.bootstrap import FIRST_SITE
from moderation.db import Database
from moderation.models import Site
from tests.support.browser import running_browser
from tests.support.comments import held_by_worker
from tests.support.service import ADMIN_PASSWORD, running_service

_ROOT = Path(__file__).parents[1]
_KEYS = "fdf1"
_NEXT = """id => {
  const card = document.querySelector(".card.current");
  return card && card.dataset.id !== id;
}"""


@click.command()
@click.option("--comments", type=click.IntRange(1), default=200, show_default=True)
def main(comments: int) -> None:
    """Let so many held comments be decided, and print the rate."""
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=_ROOT) as folder,
        running_service(Path(folder) / "home") as service,
        running_browser() as browser,
        browser.window(service.url, viewport={"width": 1280, "height": 900}) as window,
    ):
        database = service.database()
        _hold(database, comments + 1)
        database.close()
        page = window.page
        page.goto("/desk/")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill(ADMIN_PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        seconds = _decide(page, comments)
    click.echo(f"{comments} comments in {seconds:.1f} s: {60 * comments / seconds:.0f} a minute")


def _hold(database: Database, number: int) -> None:
    with database.read() as connection:
        table = Site.__table__
        site = connection.execute(table.select().where(table.c.name == FIRST_SITE)).one().id
    for place in range(number):
        held_by_worker(database, site, text=f"Comment {place} about the ferry and its captain.")


def _decide(page: Page, number: int) -> float:
    """Seconds that `number` decisions take."""
    page.locator(".card.current").wait_for()
    started = time.perf_counter()
    for key in itertools.islice(itertools.cycle(_KEYS), number):
        shown = page.locator(".card.current").get_attribute("data-id")
        with page.expect_response("**/decision") as answer:
            page.keyboard.press(key)
        if not answer.value.ok:
            raise click.ClickException(f"a decision was answered {answer.value.status}")
        page.wait_for_function(_NEXT, arg=shown)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.keyboard")
