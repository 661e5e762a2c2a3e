"""The whole service as a user runs it, for journeys."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moderation.config import Settings
from moderation.db import Database
from tests.support.ports import free_port

SITE_KEY = "test-site-key-0123456789"
ADMIN_PASSWORD = "test-admin-password"

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """A response, its body decoded if it is JSON."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Service:
    """A `moderation up` in its own data folder."""

    home: Path
    environment: dict[str, str]
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "up.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it has announced itself."""
        with self.log.open("ab") as log:
            seen = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moderation", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for(lambda: b"The service runs" in self.log.read_bytes()[seen:], 90)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until `condition` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            dead = self.process is not None and self.process.poll() is not None
            assert not dead, f"the service ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Stop it as Ctrl-C does; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(90)
        self.process = None
        return status

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One HTTP request; redirects are not followed."""
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers=dict(headers or {})
        )
        try:
            with _opener.open(request, timeout=60) as response:
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def post_comment(self, **fields: str) -> Answer:
        """Post a comment as the site's server does."""
        comment = {
            "page": "https://news.example/bridge",
            "name": "Zoë",
            "email": "zoe@example.org",
            "text": "The old bridge had a tram line, which nobody mentions.",
        } | fields
        return self.request(
            "POST",
            "/v1/comments",
            body=json.dumps(comment).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {SITE_KEY}"},
        )

    def status_of(self, comment_id: str) -> str:
        """Where a comment stands, over HTTP."""
        return str(self.request("GET", f"/v1/comments/{comment_id}").json["status"])

    def database(self) -> Database:
        """A connection of the test's own to the service's database."""
        url = self.environment.get("MODERATION_DATABASE_URL", "")
        return Database(Settings(home=self.home, database_url=url).database, pool_size=2)

    def children(self, command: str) -> list[int]:
        """Ids of the processes below the service whose command line has `command` in it."""
        assert self.process is not None
        return [pid for pid in _descendants(self.process.pid) if command in _command_line(pid)]


@contextmanager
def running_service(home: Path, **settings: str) -> Iterator[Service]:
    """A running service; further settings by name, without the prefix."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MODERATION_")}
    environment |= {
        "MODERATION_HOME": str(home),
        "MODERATION_BIND": f"127.0.0.1:{port}",
        "MODERATION_SITE_KEY": SITE_KEY,
        "MODERATION_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "MODERATION_WEB_THREADS": "16",
    }
    environment |= {f"MODERATION_{name.upper()}": value for name, value in settings.items()}
    service = Service(home, environment, port)
    try:
        service.start()
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
