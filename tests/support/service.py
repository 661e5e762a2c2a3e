"""The whole service as a user runs it, for journeys."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from redis import Redis
from sqlalchemy import select, update

from moderation.config import Settings
from moderation.db import Database
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.queues import connect
from moderation.running.redis_server import RedisServer
from tests.support.ports import free_port

SITE_KEY = "test-site-key-0123456789"
ADMIN_PASSWORD = "test-admin-password"

# What any classifier worth its name approves, and what it holds.
FRIENDLY = "I would like to see the source of that number, because the report says something else."
UNFRIENDLY = "You are an idiot and everybody knows it."

PAGE = "https://news.example/bridge"

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """A response, its body decoded if it is JSON."""

    status: int
    headers: Message
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """Talks HTTP to the service and keeps cookies, as a browser does; follows no redirect."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(
            _NoRedirects, urllib.request.HTTPCookieProcessor()
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; its answer, whatever the status."""
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers=dict(headers or {})
        )
        try:
            with self._opener.open(request, timeout=60) as response:
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())

    def page(self, path: str) -> Answer:
        """A page, as a browser asks for it."""
        return self.request("GET", path, headers={"Accept": "text/html"})

    def submit(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """An HTML form, as a browser sends it."""
        return self.request(
            "POST",
            path,
            body=urlencode(fields).encode(),
            headers={
                "Accept": "text/html",
                "Content-Type": "application/x-www-form-urlencoded",
                **headers,
            },
        )

    def sign_in(self, password: str = ADMIN_PASSWORD) -> Answer:
        """Sign in as the administrator."""
        fields = {"name": "admin", "password": password, "csrf_token": self._token("/sign-in")}
        return self.submit("/sign-in", fields)

    def decide(self, comment_id: str, to: str) -> Answer:
        """Press a button of a held comment on the desk."""
        form = re.search(
            rf'action="(/desk/comments/{comment_id}/decision[^"]*)".*?name="version" value="(\d+)"',
            self.page(f"/desk/comments/{comment_id}").text,
            re.DOTALL,
        )
        assert form, "nobody can decide about the comment"
        fields = {"to": to, "version": form[2], "reason": "other"}
        return self.submit(form[1], fields | {"csrf_token": self._token("/desk/")})

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page(path).text)
        assert found, f"{path} has no form"
        return found[1]


@dataclass
class Service:
    """A `moderation up` in its own data folder."""

    home: Path
    environment: dict[str, str]
    port: int
    command: Sequence[str | Path] = (sys.executable, "-m", "moderation", "up")
    folder: Path = ROOT
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = field(init=False)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "up.log"
        self.client = Client(self.url)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it has announced itself."""
        with self.log.open("ab") as log:
            seen = log.tell()
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        # As long as it gives itself: the first time, it has the classifier compiled.
        self.wait_for(lambda: b"The service runs" in self.log.read_bytes()[seen:], 300)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        """Wait until `condition` holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            dead = self.process is not None and self.process.poll() is not None
            assert not dead, f"the service ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def wait_until_warm(self) -> None:
        """Wait until the web process has loaded its model too: until then, whoever waits for a
        decision may wait in vain."""
        self.wait_for(lambda: self.score(FRIENDLY).status == 200)

    def score(self, text: str) -> Answer:
        """Ask the web process what it thinks of a text."""
        return self.request(
            "POST",
            "/v1/score",
            body=json.dumps({"text": text}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.environment['MODERATION_SITE_KEY']}",
            },
        )

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
        """One HTTP request."""
        return self.client.request(method, path, body=body, headers=headers)

    def post_comment(self, *, key: str = SITE_KEY, **fields: str) -> Answer:
        """Post a comment as the site's server does."""
        comment = {"page": PAGE, "name": "Zoë", "email": "zoe@example.org", "text": FRIENDLY}
        return self.request(
            "POST",
            "/v1/comments",
            body=json.dumps(comment | fields).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        )

    def post_many(self, count: int) -> list[str]:
        """Post comments of different readers at the same time; the ids of those answered 202."""
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(self._post_as, range(count)))
        return [answer.json["id"] for answer in answers if answer and answer.status == 202]

    def _post_as(self, reader: int) -> Answer | None:
        try:
            return self.post_comment(
                email=f"reader{reader}@example.org",
                ip=f"2001:db8::{reader:x}",
                text=f"Reader {reader} would like to know what became of boat {reader * 7919}.",
            )
        except (OSError, HTTPException):
            return None  # no answer, no promise

    def status_of(self, comment_id: str) -> str:
        """Where a comment stands, over HTTP."""
        return str(self.request("GET", f"/v1/comments/{comment_id}").json["status"])

    def decision_on(self, comment_id: str) -> str:
        """Where a comment stands when it has been decided."""
        self.wait_for(lambda: self.status_of(comment_id) != "pending")
        return self.status_of(comment_id)

    def published(self, page: str = PAGE, *, key: str = SITE_KEY) -> list[str]:
        """Ids of the page's published conversations."""
        answer = self.request(
            "GET",
            f"/v1/comments?{urlencode({'page': page})}",
            headers={"Authorization": f"Bearer {key}"},
        )
        return [comment["id"] for comment in answer.json["comments"]]

    def database(self) -> Database:
        """A connection of the test's own to the service's database."""
        url = self.environment.get("MODERATION_DATABASE_URL", "")
        return Database(Settings(home=self.home, database_url=url).database, pool_size=2)

    def redis(self) -> Redis:
        """A client of the service's own Redis."""
        return connect(RedisServer(self.home / "redis").url, timeout=10)

    def set_site(self, settings: SiteSettings) -> None:
        """Give the first site these settings; the workers know them at once."""
        database = self.database()
        with database.write() as connection:
            first = connection.execute(select(Site.id).order_by(Site.id).limit(1)).scalar_one()
            connection.execute(
                update(Site)
                .where(Site.id == first)
                .values(settings=settings.model_dump(mode="json"))
            )
        database.close()

    def processes(self, command: str = "") -> list[int]:
        """Ids of the processes below the service that have `command` in their command line,
        parents before their children."""
        assert self.process is not None
        return [pid for pid in descendants(self.process.pid) if command in _command_line(pid)]


@contextmanager
def running_service(home: Path, **settings: str) -> Iterator[Service]:
    """A running service; further settings by name, without the prefix."""
    service = prepared_service(home, **settings)
    try:
        service.start()
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


def prepared_service(home: Path, **settings: str) -> Service:
    """A service that has not been started."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MODERATION_")}
    environment |= {
        "MODERATION_HOME": str(home),
        "MODERATION_BIND": f"127.0.0.1:{port}",
        "MODERATION_SITE_KEY": SITE_KEY,
        "MODERATION_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "MODERATION_WEB_PROCESSES": "1",
        "MODERATION_WEB_THREADS": "16",
    }
    environment |= {f"MODERATION_{name.upper()}": value for name, value in settings.items()}
    return Service(home, environment, port)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        # A thread may end while it is looked at.
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
