"""What the tests share: a real Redis, both real databases, and the web application on them."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from moderation.app import create_app
from moderation.bootstrap import bootstrap
from moderation.checks import Checks
from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.pipeline import Classifier
from moderation.config import Settings
from moderation.db import Database
from moderation.queues import DecideNotifier, connect
from moderation.redis_server import RedisServer
from moderation.scorer import Scorer
from tests.support.postgres import running_postgres
from tests.support.service import ADMIN_PASSWORD, SITE_KEY

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the settings of whoever runs it."""
    import os

    for name in list(os.environ):
        if name.startswith("MODERATION_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that lives as long as the session."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with connect(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL that lives as long as the session, without a database's name."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    # A schema of its own: a database takes a thousand files, and longer.
    server: str = request.getfixturevalue("postgres_url") + "postgres"
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server}?options=-csearch_path%3D{name}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    """Settings of a service on the test's own database and Redis."""
    return Settings(
        home=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        site_key=SITE_KEY,
        admin_password=ADMIN_PASSWORD,
    )


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hash, at a price that a test can pay each time."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr("moderation.accounts._hasher", cheap)


@pytest.fixture
def app(
    settings: Settings, database: Database, redis: Redis, cheap_passwords: None, scorer: Scorer
) -> Iterator[Flask]:
    """The web application with its first site and administrator, and the session's scorer."""
    bootstrap(database, settings)
    app = create_app(settings)
    app.testing = True
    made = app.extensions["moderation"]
    checks = Checks(made.database, made.submissions, DecideNotifier(made.redis), scorer)
    app.extensions["moderation"] = replace(made, checks=checks)
    yield app
    made.database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the web application."""
    return app.test_client()


@pytest.fixture(scope="session")
def shipped() -> Classifier:
    """The model that ships, loaded once."""
    return load(DEFAULT_ARTIFACT)


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    """A scorer with it."""
    return Scorer(DEFAULT_ARTIFACT)


@pytest.fixture(scope="session")
def ready(scorer: Scorer) -> None:
    """The scorer is there before a comment waits for it, as in a server that has started."""
    scorer.classifier()


@pytest.fixture
def no_scorer(tmp_path: Path) -> Scorer:
    """A scorer that finds no model."""
    return Scorer(tmp_path / "none.safetensors")
