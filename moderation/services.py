"""What a request needs, assembled once for each web process by `app.create_app`."""

from dataclasses import dataclass

from redis import Redis

from moderation.challenges import Challenges
from moderation.checks import Checks
from moderation.config import Settings
from moderation.db import Database
from moderation.freshness import Freshness
from moderation.sites import SiteDirectory
from moderation.submissions import Submissions


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
