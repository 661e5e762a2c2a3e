"""The service that most journeys share."""

from collections.abc import Iterator

import pytest

from moderation.policy import SiteSettings
from moderation.rules import Rules
from tests.support.service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service that lets one reader post as often as the tests do."""
    with running_service(tmp_path_factory.mktemp("shared") / "home") as service:
        service.set_site(SiteSettings(rules=Rules(flood_comments=0, duplicate_hours=0)))
        yield service
