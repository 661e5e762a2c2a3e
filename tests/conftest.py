"""What the tests share: a real Redis, both real databases, and the web application on them."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from redis import Redis

from moderation.access.bootstrap import bootstrap
from moderation.app import assemble, equip
from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.pipeline import Classifier
from moderation.config import Settings
from moderation.db import Database
from moderation.deciding import Judged
from moderation.queues import connect
from moderation.running.redis_server import RedisServer
from moderation.scorer import Scorer
from moderation.website import checks
from moderation.website.checks import Checks
from tests.support.postgres import Schemas, migrated, running_postgres
from tests.support.service import ADMIN_PASSWORD, SITE_KEY

# How long an example takes says what else the machine has to do.
hypothesis_settings.register_profile("no deadline", deadline=None)
hypothesis_settings.load_profile("no deadline")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: one at the end would have the other processor wait."""
    long = ("journeys", "training", "worker")
    items.sort(key=lambda item: not set(long).intersection(item.path.parts))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the settings of whoever runs it."""
    import os

    for name in list(os.environ):
        if name.startswith("MODERATION_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a decision gets one, however much else the machine has to do."""
    monkeypatch.setattr(checks, "PATIENCE", 60.0)


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


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with its tables, to be copied: that takes a hundredth of the time."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite3"
    migrated(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def migrated_schemas(postgres_url: str) -> Schemas:
    """PostgreSQL's schemas with their tables, to be used again."""
    return Schemas(postgres_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    return Schemas(request.getfixturevalue("postgres_url")).new()


@pytest.fixture
def own_database(empty_database_url: str) -> Iterator[Database]:
    """A migrated database for a test that changes its tables."""
    database = migrated(empty_database_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with empty tables, once of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "test.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    schemas: Schemas = request.getfixturevalue("migrated_schemas")
    url = schemas.take()
    yield url
    schemas.give_back(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    database = Database(database_url)
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
    monkeypatch.setattr("moderation.access.accounts._hasher", cheap)


@pytest.fixture(scope="session")
def assembled() -> Flask:
    """The web application's routes: to put them together takes longer than most tests."""
    return assemble()


@pytest.fixture
def app(  # noqa: PLR0917
    settings: Settings,
    database: Database,
    redis: Redis,
    cheap_passwords: None,
    scorer: Scorer,
    assembled: Flask,
) -> Iterator[Flask]:
    """The web application with its first site and administrator, and the session's scorer."""
    bootstrap(database, settings)
    config = dict(assembled.config)
    equip(assembled, settings)
    assembled.testing = True
    made = assembled.extensions["moderation"]
    ours = Checks(made.database, made.submissions, scorer)
    assembled.extensions["moderation"] = replace(made, checks=ours)
    yield assembled
    made.database.close()
    assembled.config.clear()
    assembled.config.update(config)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the web application."""
    return app.test_client()


@pytest.fixture(scope="session")
def shipped() -> Classifier:
    """The model that ships, loaded once, and compiled by one of the processes that run tests."""
    classifier = load(DEFAULT_ARTIFACT)
    classifier.warm_up()
    return classifier


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    """A scorer with it."""
    return Scorer(DEFAULT_ARTIFACT)


@pytest.fixture(scope="session")
def ready(scorer: Scorer) -> None:
    """The scorer is there before a comment waits for it, as in a server that has started."""
    scorer.classifier()


@pytest.fixture
def late_decisions(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The web process decides, but later than anybody waits: when this is set."""
    go_on = threading.Event()
    real = checks.judge

    def late(*asked: Any) -> Judged:
        go_on.wait(300)
        return real(*asked)

    monkeypatch.setattr(checks, "judge", late)
    monkeypatch.setattr(checks, "PATIENCE", 0.0)
    yield go_on
    go_on.set()


@pytest.fixture
def no_scorer(tmp_path: Path) -> Scorer:
    """A scorer that finds no model."""
    return Scorer(tmp_path / "none.safetensors")
