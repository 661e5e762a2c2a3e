from pathlib import Path

import pytest
from pydantic import ValidationError

from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.config import Settings
from moderation.errors import StartupError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    settings = Settings.from_environment()
    assert settings.bind == "127.0.0.1:8000"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.database == f"sqlite:///{tmp_path}/var/moderation.sqlite3"
    assert settings.redis == "redis://127.0.0.1:6379/0"
    assert settings.model == DEFAULT_ARTIFACT
    assert settings.site_key.get_secret_value() == ""


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"MODERATION_{name.upper()}", "")
    assert Settings.from_environment() == Settings()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATION_HOME", "/srv/comments")
    monkeypatch.setenv("MODERATION_WORKERS", "3")
    monkeypatch.setenv("MODERATION_SITE_KEY", "a-long-enough-key")
    settings = Settings.from_environment()
    assert settings.database == "sqlite:////srv/comments/moderation.sqlite3"
    assert settings.workers == 3
    assert settings.site_key.get_secret_value() == "a-long-enough-key"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("BIND", "8000", "ADDRESS:PORT"),
        ("BIND", ":8000", "ADDRESS:PORT"),
        ("BIND", "127.0.0.1", "ADDRESS:PORT"),
        ("BIND", "127.0.0.1:0", "ADDRESS:PORT"),
        ("BIND", "127.0.0.1:65536", "ADDRESS:PORT"),
        ("BIND", "127.0.0.1:http", "ADDRESS:PORT"),
        ("DATABASE_URL", "mysql://localhost/comments", "sqlite:///PATH"),
        ("DATABASE_URL", "comments.sqlite3", "sqlite:///PATH"),
        ("REDIS_URL", "localhost:6379", "redis://HOST:PORT/0"),
        ("PUBLIC_URL", "comments.example.org", "https://comments.example.org"),
        ("SITE_KEY", "short", "at least 12 characters, has 5"),
        ("ADMIN_PASSWORD", "elevenchars", "at least 12 characters, has 11"),
        ("SECRET_KEY", "x", "at least 12 characters, has 1"),
        ("WORKERS", "0", "greater than or equal to 1"),
        ("WORKERS", "65", "less than or equal to 64"),
        ("WORKERS", "two", "valid integer"),
        ("WEB_PROCESSES", "0", "greater than or equal to 1"),
        ("WEB_THREADS", "1025", "less than or equal to 1024"),
        ("TRUSTED_PROXIES", "-1", "greater than or equal to 0"),
        ("LOG_LEVEL", "loud", "pattern"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str
) -> None:
    monkeypatch.setenv(f"MODERATION_{name}", value)
    with pytest.raises(StartupError) as caught:
        Settings.from_environment()
    message = str(caught.value)
    assert message.startswith(f"MODERATION_{name} ")
    assert wanted in message
    assert "\n" not in message


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATION_BIND", "nowhere")
    monkeypatch.setenv("MODERATION_WORKERS", "many")
    with pytest.raises(StartupError, match=r"^MODERATION_BIND .*; MODERATION_WORKERS "):
        Settings.from_environment()


@pytest.mark.parametrize("name", ["SITE_KEY", "ADMIN_PASSWORD", "SECRET_KEY"])
def test_a_secret_is_in_no_message_and_no_representation(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"MODERATION_{name}", "zqzqzqzq")
    with pytest.raises(StartupError) as caught:
        Settings.from_environment()
    assert "zqzq" not in str(caught.value)
    monkeypatch.setenv(f"MODERATION_{name}", "zqzqzqzqzqzqzqzq")
    assert "zqzq" not in repr(Settings.from_environment())


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://me:pw@db/comments", "postgresql+psycopg://me:pw@db/comments"),
        ("postgresql://me@db/comments", "postgresql+psycopg://me@db/comments"),
        ("postgresql+psycopg://db/comments", "postgresql+psycopg://db/comments"),
        ("sqlite:///comments.sqlite3", "sqlite:///comments.sqlite3"),
    ],
)
def test_an_address_of_postgresql_gets_the_driver_that_is_installed(given: str, used: str) -> None:
    assert Settings(database_url=given).database == used


@pytest.mark.parametrize(
    ("bind", "public_url", "host", "base_url"),
    [
        ("127.0.0.1:8000", "", "127.0.0.1", "http://127.0.0.1:8000"),
        # Who listens everywhere is found on the loopback interface.
        ("0.0.0.0:80", "", "0.0.0.0", "http://127.0.0.1:80"),
        ("[::]:80", "", "::", "http://[::1]:80"),
        ("[::1]:80", "", "::1", "http://[::1]:80"),
        # Behind a proxy, browsers use the proxy's address.
        ("127.0.0.1:8000", "https://news.example/", "127.0.0.1", "https://news.example"),
    ],
)
def test_where_the_service_is_found(bind: str, public_url: str, host: str, base_url: str) -> None:
    settings = Settings(bind=bind, public_url=public_url)
    assert settings.host == host
    assert settings.base_url == base_url


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().workers = 2
