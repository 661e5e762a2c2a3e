from pathlib import Path

import pytest
from flask.testing import FlaskClient

from moderation.app import create_app
from moderation.config import Settings
from moderation.running.redis_server import RedisServer


def test_a_service_that_can_work_says_so(client: FlaskClient) -> None:
    response = client.get("/health")
    assert (response.status_code, response.get_json()) == (200, {"database": True, "redis": True})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWhatIsDown:
    @pytest.mark.usefixtures("database")
    def test_redis(self, settings: Settings, tmp_path: Path) -> None:
        server = RedisServer(tmp_path / "own")
        server.start()
        client = create_app(settings.model_copy(update={"redis_url": server.url})).test_client()
        assert client.get("/health").get_json() == {"database": True, "redis": True}
        server.stop()
        response = client.get("/health")
        assert response.status_code == 200
        assert response.get_json() == {"database": True, "redis": False}

    def test_the_database(self, client: FlaskClient, tmp_path: Path) -> None:
        client.application.extensions["moderation"].database.close()
        path = tmp_path / "test.sqlite3"
        path.unlink()
        path.mkdir()
        response = client.get("/health")
        assert response.status_code == 503
        assert response.get_json() == {"database": False, "redis": True}
