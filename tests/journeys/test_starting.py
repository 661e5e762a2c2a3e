"""What keeps the service from starting is told in one line; secrets are shown once."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.db import Database
from tests.support.ports import free_port
from tests.support.service import ROOT, Client, prepared_service, running_service


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("BIND", "here", "MODERATION_BIND needs the form ADDRESS:PORT, for example 127.0.0.1:8000"),
        ("REDIS_URL", "redis://127.0.0.1:{closed}/0", "Redis at MODERATION_REDIS_URL cannot be"),
        (
            "DATABASE_URL",
            "postgresql://reader:a-secret@127.0.0.1:{closed}/x",
            "the database postgresql+psycopg://reader:***@127.0.0.1:{closed}/x cannot be used",
        ),
        (
            "DATABASE_URL",
            "sqlite:///{file}/x.sqlite3",
            "the database sqlite:///{file}/x.sqlite3 cannot",
        ),
        ("HOME", "{file}/home", "the data folder {file}/home cannot be written: Not a directory"),
        ("MODEL", "{file}", "MODERATION_MODEL cannot be used: {file}: "),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, setting: str, value: str, told: str) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(DEFAULT_ARTIFACT.read_bytes()[:-1000])
    fill = {"closed": free_port(), "file": damaged}
    line = _refusal(tmp_path, **{setting: value.format(**fill)})
    assert line.startswith(f"moderation: {told.format(**fill)}")
    assert "a-secret" not in line


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        line = _refusal(tmp_path, BIND=bind)
    assert line == f"moderation: MODERATION_BIND={bind} cannot be used: Address already in use"


def test_a_database_newer_than_the_code_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'newer.sqlite3'}"
    database = Database(url)
    database.migrate()
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    line = _refusal(tmp_path, DATABASE_URL=url)
    assert line.startswith("moderation: the database cannot be migrated: ")
    assert "9999" in line


@pytest.mark.parametrize("command", ["web", "worker"])
def test_the_parts_alone_tell_what_is_missing(tmp_path: Path, command: str, redis: Redis) -> None:
    line = _refusal(tmp_path, command=command, HOME=str(tmp_path))
    assert line.endswith("run `moderation migrate`")


def test_a_second_start_on_the_same_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with running_service(tmp_path / "home") as service:
        line = _refusal(tmp_path, HOME=str(service.home))
        assert line.endswith("is in use by another `moderation up`")
        posted = service.post_comment()
        assert service.decision_on(posted.json["id"]) == "approved"


def test_key_and_password_are_made_up_and_shown_once_only(tmp_path: Path) -> None:
    service = prepared_service(tmp_path / "home")
    del service.environment["MODERATION_SITE_KEY"], service.environment["MODERATION_ADMIN_PASSWORD"]
    try:
        service.start()
        first = service.log.read_text()
        key = re.search(r"Site key +(\S+)", first)
        password = re.search(r"password: (\S+)", first)
        assert key
        assert password
        assert service.post_comment(key=key[1]).status == 202
        assert Client(service.url).sign_in(password[1]).headers["Location"] == "/desk/"
        assert service.stop() == 0

        service.start()
        assert service.post_comment(key=key[1]).status == 202
        assert service.log.read_text().count(key[1]) == 1
        assert service.log.read_text().count(password[1]) == 1
        written = [path for path in service.home.rglob("*") if path.is_file()]
        for path in set(written) - {service.log}:
            assert key[1].encode() not in path.read_bytes()
            assert password[1].encode() not in path.read_bytes()
    finally:
        if service.process is not None:
            assert service.stop() == 0


def _refusal(tmp_path: Path, *, command: str = "up", **settings: str) -> str:
    """The only line that the command prints before it gives up."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MODERATION_")}
    environment |= {
        "MODERATION_HOME": str(tmp_path / "home"),
        "MODERATION_BIND": f"127.0.0.1:{free_port()}",
    }
    environment |= {f"MODERATION_{name}": value for name, value in settings.items()}
    ended = subprocess.run(
        [sys.executable, "-m", "moderation", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    return lines[0]
