"""What a request needs, assembled once for each web process by `app.create_app`."""

from dataclasses import dataclass

from redis import Redis

from moderation.config import Settings
from moderation.db import Database
from moderation.sites import SiteDirectory
from moderation.submissions import Submissions
from moderation.website.challenges import Challenges
from moderation.website.checks import Checks
from moderation.website.freshness import Freshness


@dataclass(frozen=True, slots=True)
class Services:
    """The service layer of one process."""

    settings: Settings
    database: Database
    redis: Redis
    sites: SiteDirectory
    submissions: Submissions
    freshness: Freshness
    checks: Checks
    challenges: Challenges
