"""The service that most journeys share, and what becomes of those in a browser without one."""

import os
from collections.abc import Iterator

import pytest

from moderation.policy import SiteSettings
from moderation.rules import Rules
from tests.support.browser import chromium
from tests.support.service import Service, running_service

# Files of journeys that need a browser.
_IN_BROWSER = ("test_browser", "test_desk", "test_embed", "test_webhooks", "test_wordpress")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the journeys in a browser out where there is none; in CI that is an error."""
    in_browser = [item for item in items if item.path.name.startswith(_IN_BROWSER)]
    if not in_browser or chromium():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError("the journeys in a browser need Debian's package `chromium`")
    items[:] = [item for item in items if item not in in_browser]
    config.hook.pytest_deselected(items=in_browser)
    config.stash[_LEFT_OUT] = len(in_browser)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out."""
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{left_out} journeys in a browser did not run: there is no `chromium` on the PATH."
        )


_LEFT_OUT = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service that lets one reader post as often as the tests do."""
    home = tmp_path_factory.mktemp("shared") / "home"
    # The receivers of the tests are on this machine.
    with running_service(home, webhooks_to_private_addresses="true", web_processes="2") as service:
        service.set_site(
            SiteSettings(audit_share=0, rules=Rules(flood_comments=0, duplicate_hours=0))
        )
        yield service
