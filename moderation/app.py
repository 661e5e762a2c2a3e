"""The only assembly of the Flask application."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from moderation import logs, web
from moderation.config import Settings
from moderation.db import Database
from moderation.errors import StartupError
from moderation.queues import DecideNotifier, connect
from moderation.scorer import Scorer
from moderation.services import Services
from moderation.sites import SiteDirectory
from moderation.submissions import Submissions
from moderation.web.sessions import Sessions
from moderation.website.challenges import Challenges
from moderation.website.checks import Checks
from moderation.website.freshness import Freshness

# A comment of 20,000 characters, percent-encoded in a form, with room for the other fields.
LARGEST_REQUEST = 256 * 1024

# Redis answers in well under a millisecond, or is not there.
_REDIS_TIMEOUT = 0.5


def create_app(settings: Settings | None = None) -> Flask:
    """The web application.

    Args:
        settings: where to find everything; read from the environment if not given.

    Raises:
        StartupError: the settings are wrong, or the database cannot be used as it is.
    """
    settings = settings or Settings.from_environment()
    logs.configure(settings.log_level)
    app = assemble()
    equip(app, settings)
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    return app


def assemble() -> Flask:
    """Every route and handler, which are the same whatever the settings are."""
    app = Flask("moderation")
    app.session_interface = Sessions()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    web.register(app)
    return app


def equip(app: Flask, settings: Settings) -> None:
    """Give the application what the settings name, in the place of what it had.

    Raises:
        StartupError: the database cannot be used as it is.
    """
    secret = _secret_key(settings)
    app.config.update(
        SECRET_KEY=secret,
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST,
        SESSION_COOKIE_NAME="moderation",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.extensions["moderation"] = _services(settings, secret)


def create_warm_app() -> Flask:
    """The web application of a server, which loads the model meanwhile."""
    app = create_app()
    services: Services = app.extensions["moderation"]
    services.checks.warm_up()
    return app


def _services(settings: Settings, secret: str) -> Services:
    database = Database(settings.database)
    database.check()
    redis = connect(settings.redis, timeout=_REDIS_TIMEOUT)
    notifier = DecideNotifier(redis)
    submissions = Submissions(database, notifier)
    return Services(
        settings=settings,
        database=database,
        redis=redis,
        sites=SiteDirectory(database),
        submissions=submissions,
        freshness=Freshness(),
        checks=Checks(database, submissions, Scorer(settings.model)),
        challenges=Challenges(secret, redis),
    )


def _secret_key(settings: Settings) -> str:
    given = settings.secret_key.get_secret_value()
    return given or _kept_secret(settings.home / "secret_key")


def _kept_secret(path: Path) -> str:
    """The secret in the file, which is made if it is not there; only its owner may read it."""
    try:
        if not path.exists():
            _make_secret(path)
        return path.read_text()
    except OSError as error:
        raise StartupError(f"{path} cannot be used: {error.strerror}") from None


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    # It gets its name when it is whole, because other processes may start at the same moment.
    with suppress(FileExistsError):
        path.hardlink_to(name)
    Path(name).unlink()
