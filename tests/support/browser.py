"""Debian's Chromium, driven by Playwright, watched for all that a page must not do."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.support.service import ADMIN_PASSWORD

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

PATIENCE = 60_000
"""Milliseconds that anything is waited for: a machine with much to do is slow, and not wrong."""

expect.set_options(timeout=PATIENCE)

_AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"


def sign_in(page: Page, name: str = "admin", password: str = ADMIN_PASSWORD) -> None:
    """Send the form to sign in that the page shows, and wait for the page that comes of it."""
    page.locator("#name").fill(name)
    page.locator("#password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in").click()


def chromium() -> str | None:
    """The browser's program, if it is on this machine."""
    return shutil.which("chromium")


@contextmanager
def running_browser() -> Iterator["Browser"]:
    """A browser with a new, empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield Browser(browser)
        browser.close()


class Browser:
    """Opens windows that nobody has used before."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    @contextmanager
    def window(self, url: str, *also: str, **options: Any) -> Iterator["Window"]:
        """A window without cookies, on the website at `url`, whose pages may ask the hosts `also`;
        further options are Playwright's.

        When it closes, its pages have complained of nothing and asked no other host.
        """
        context = self._browser.new_context(base_url=url, **options)
        context.set_default_timeout(PATIENCE)
        window = Window(context, (url, *also))
        yield window
        context.close()
        assert window.complaints == []
        assert window.strange_requests == []


class Window:
    """One page, and what it did that it should not."""

    def __init__(self, context: BrowserContext, hosts: tuple[str, ...]) -> None:
        self.complaints: list[str] = []
        self.strange_requests: list[str] = []
        self._hosts = tuple(f"{host}/" for host in hosts)
        self._visited: set[str] = set()
        self.page: Page = context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", self._on_request)

    def accessibility_findings(self) -> list[str]:
        """All that axe-core finds on the page as it is, and letters that are hard to read in the
        other colours: in the dark, or by light where the window is dark."""
        self.page.evaluate(_AXE.read_text())
        is_dark = self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        found = self._axe_finds({})
        self.page.emulate_media(color_scheme="light" if is_dark else "dark")
        found += self._axe_finds({"runOnly": ["color-contrast"]})
        self.page.emulate_media(color_scheme="dark" if is_dark else "light")
        return found

    def _axe_finds(self, options: dict[str, Any]) -> list[str]:
        found = self.page.evaluate(
            "options => axe.run(options).then(result => result.violations)", options
        )
        return [
            f"{rule['id']}: {json.dumps([node['html'] for node in rule['nodes']])}"
            for rule in found
        ]

    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(
            self.page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser itself notes a page that comes with an error's status.
        about_the_page = urldefrag(message.location.get("url", "")).url in self._visited
        if message.type in ("error", "warning") and not (
            about_the_page and message.text.startswith("Failed to load resource")
        ):
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if request.is_navigation_request():
            self._visited.add(urldefrag(request.url).url)
        if not request.url.startswith((*self._hosts, "data:")):
            self.strange_requests.append(request.url)
