import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moderation.app import _kept_secret, create_app
from moderation.config import Settings
from moderation.db import Database
from moderation.errors import StartupError
from tests.support.comments import row_of
from tests.support.web import FORM

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.usefixtures("app")
class TestProxies:
    @pytest.mark.parametrize(
        ("trusted", "address"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "203.0.113.7")]
    )
    def test_only_as_many_proxies_are_believed_as_there_are(
        self, settings: Settings, database: Database, trusted: int, address: str
    ) -> None:
        app = create_app(settings.model_copy(update={"trusted_proxies": trusted}))
        headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7, 203.0.113.9"}
        response = app.test_client().post("/v1/comments", json=FORM, headers=headers)
        assert row_of(database, response.get_json()["id"]).ip == address


@on_sqlite
@pytest.mark.usefixtures("database")
class TestSecret:
    def test_it_is_kept_for_its_owner_alone(self, settings: Settings) -> None:
        first, second = (create_app(settings).secret_key for _ in range(2))
        path = settings.home / "secret_key"
        assert first == second == path.read_text()
        assert len(str(first)) >= 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_one_that_is_given_is_used_and_not_written(self, settings: Settings) -> None:
        given = Settings(**settings.model_dump() | {"secret_key": "a-secret-of-my-own"})
        assert create_app(given).secret_key == "a-secret-of-my-own"
        assert not (settings.home / "secret_key").exists()

    def test_the_session_of_a_public_https_address_stays_on_it(self, settings: Settings) -> None:
        secure = settings.model_copy(update={"public_url": "https://comments.example.org"})
        assert create_app(secure).config["SESSION_COOKIE_SECURE"]
        assert not create_app(settings).config["SESSION_COOKIE_SECURE"]


@on_sqlite
def test_a_database_that_was_not_migrated_is_not_served(settings: Settings, tmp_path: Path) -> None:
    empty = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'empty.sqlite3'}"})
    with pytest.raises(StartupError, match="moderation migrate"):
        create_app(empty)


@on_sqlite
@pytest.mark.usefixtures("database")
def test_a_folder_that_cannot_be_made_is_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartupError, match="file/home"):
        create_app(settings.model_copy(update={"home": tmp_path / "file" / "home"}))


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            found = set(pool.map(_kept_secret, [tmp_path / str(number) / "secret_key"] * 8))
            assert len(found) == 1
            assert "" not in found
            assert [path.name for path in (tmp_path / str(number)).iterdir()] == ["secret_key"]
