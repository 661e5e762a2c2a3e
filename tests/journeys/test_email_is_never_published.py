"""A hunt for readers' e-mail addresses in everything that the service shows, logs or queues."""

import base64
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from redis import Redis
from rq.registry import FailedJobRegistry
from sqlalchemy import text

from moderation.access import accounts, tokens
from moderation.access.bootstrap import FIRST_ADMINISTRATOR
from moderation.domain import Status
from moderation.imports import Format
from moderation.models import Comment
from moderation.outbox import webhooks
from moderation.queues import QueueName, enqueue_decide, queue
from moderation.records.importing import Wish, bring_in
from tests.support.exports import wp_comment, written, wxr
from tests.support.service import (
    FRIENDLY,
    PAGE,
    SITE_KEY,
    UNFRIENDLY,
    Answer,
    Client,
    Service,
    running_service,
)

LOCAL_PART = "Qwyx.Zebulon+Hunt"
ADDRESS = f"{LOCAL_PART}@postbox.example"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that tells all it has to tell."""
    home = tmp_path_factory.mktemp("hunt") / "home"
    with running_service(home, log_level="DEBUG", sweep_seconds="2") as service:
        database = service.database()
        with database.write() as connection:
            types = [str(one) for one in webhooks.CHOOSABLE]
            webhooks.add(connection, site_id=1, url="http://127.0.0.1:1/", types=types)
        database.close()
        yield service


@pytest.fixture(scope="module")
def answers(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What a sender gets who posts the address in every way there is; it was in an import, too."""
    _import(service, tmp_path_factory.mktemp("export") / "export.xml")
    return [*_accepted(service), *_refused(service), *_over_protocols(service)]


def _over_protocols(service: Service) -> Iterator[Answer]:
    """What those get who speak other protocols, or wait for the decision."""
    fields = {
        "api_key": SITE_KEY,
        "blog": "https://news.example/",
        "user_ip": "203.0.113.77",
        "comment_author": "Sender over Akismet",
        "comment_author_email": ADDRESS,
        "comment_content": "Whoever reads this over another protocol shall not learn where I live.",
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("comment-check", "submit-spam", "submit-ham", "comment-check", "verify-key"):
        yield service.request("POST", f"/1.1/{path}", body=urlencode(fields).encode(), headers=form)
    yield service.request("GET", f"/k/{SITE_KEY}/1.2/key-sites")
    comment = {"page": PAGE, "name": "Sender who waits", "email": ADDRESS, "text": UNFRIENDLY}
    headers = {"Authorization": f"Bearer {SITE_KEY}", "Content-Type": "application/json"}
    waited = service.request(
        "POST",
        "/v1/comments",
        body=json.dumps(comment).encode(),
        headers=headers | {"Prefer": "wait"},
    )
    yield waited
    said = json.dumps({"status": "rejected", "by": "Zora"}).encode()
    path = f"/v1/comments/{waited.json['id']}/feedback"
    yield service.request("POST", path, body=said, headers=headers)


def test_no_answer_to_a_sender_repeats_the_address(answers: list[Answer]) -> None:
    statuses = {answer.status for answer in answers} - {201}
    assert statuses == {200, 202, 303, 400, 401, 409, 413, 415, 422}
    for answer in answers:
        # A browser's form comes back with what its sender typed, to that sender alone.
        typed = 'name="email" type="email" value="'
        shown = answer.text
        if typed in shown:
            before, _, rest = shown.partition(typed)
            shown = before + rest.partition('"')[2]
        _assert_clean(shown + str(answer.headers), "an answer")


def test_no_page_or_header_shows_the_address(service: Service, answers: list[Answer]) -> None:
    ids = _decided_ids(service)
    reader, moderator = Client(service.url), Client(service.url)
    moderator.sign_in()
    paths = [
        "/",
        "/demo",
        "/v1/form?site=demo&page=/demo",
        "/v1/challenge?site=demo",
        "/docs",
        "/openapi.json",
        "/health",
        "/sign-in",
        "/static/status.js",
        "/static/desk.js",
        "/desk/",
        "/desk/history",
        "/desk/history/disagreements",
        "/desk/import",
        "/desk/numbers",
        "/desk/scores?score_from=0&score_to=1",
        "/desk/?status=all",
        "/desk/pulse",
        "/desk/account",
        "/desk/people",
        "/desk/sites",
        "/desk/sites/demo/",
        "/desk/sites/demo/keys",
        "/desk/sites/demo/webhooks",
        "/nowhere",
        f"/v1/comments?site=demo&page={quote(PAGE)}",
        f"/v1/feeds/demo.json?page={quote(PAGE)}",
        f"/v1/feeds/demo.atom?page={quote(PAGE)}",
        "/v1/comments?site=demo&page=/demo",
        *itertools.chain.from_iterable(
            (
                f"/v1/comments/{i}",
                f"/demo?comment={i}",
                f"/desk/comments/{i}",
                f"/desk/comments/{i}/history",
                f"/desk/comments/{i}/erase",
            )
            for i in ids
        ),
    ]
    statuses = set()
    for client, path, accept in itertools.product(
        (reader, moderator), paths, ("text/html", "application/json", "*/*")
    ):
        answer = client.request("GET", path, headers={"Accept": accept})
        statuses.add(answer.status)
        _assert_clean(answer.text + str(answer.headers), path)
    assert statuses == {200, 303, 401, 404}
    desk = moderator.page("/desk/").text
    assert "Sender of what is held" in desk
    assert "Sender of what is published" in reader.page("/demo").text


def test_no_export_and_no_event_has_the_address(service: Service, answers: list[Answer]) -> None:
    ids = _decided_ids(service)
    moderator = Client(service.url)
    moderator.sign_in()
    (csrf_token, *_) = re.findall(
        r'name="csrf_token" value="([^"]+)"', moderator.page("/desk/history").text
    )
    for form in ("csv", "jsonl"):
        sent = {"form": form, "csrf_token": csrf_token}
        exported = moderator.submit("/desk/history/export", sent)
        assert set(ids) <= set(re.findall(r"[0-9a-f]{32}", exported.text))
        _assert_clean(exported.text + str(exported.headers), form)
    database = service.database()
    with database.write() as connection:
        account = accounts.id_of(connection, FIRST_ADMINISTRATOR)
        token = tokens.create(connection, account_id=account, label="hunts")
    database.close()
    headers = {"Authorization": f"Bearer {token}"}
    service.wait_for(lambda: ids[-1] in service.request("GET", "/v1/events", headers=headers).text)
    _assert_clean(service.request("GET", "/v1/events", headers=headers).text, "/v1/events")


def test_no_job_holds_the_address_even_when_it_failed(
    service: Service, answers: list[Answer]
) -> None:
    redis = service.redis()
    ids = _decided_ids(service)
    with _without_comments(service):
        enqueue_decide(redis, ids)
        failed = FailedJobRegistry(queue=queue(redis, QueueName.DECIDE))
        service.wait_for(lambda: _retried(redis) or len(failed) > 0)
        # The last try, now: the pauses between tries add up to 21 seconds.
        for job_id in queue(redis, QueueName.DECIDE).scheduled_job_registry.get_job_ids():
            redis.hset(f"rq:job:{job_id}", "retries_left", 0)
        service.wait_for(lambda: len(failed) > 0)
        posted = service.post_comment(email=ADDRESS)
        assert posted.status == 503
        _assert_clean(posted.text, "an answer")

    everything = _dump(redis)
    assert ids[0] in everything
    assert "no such table" in everything
    _assert_clean(everything, "Redis")


def test_no_event_holds_the_address(service: Service, answers: list[Answer]) -> None:
    database = service.database()
    with database.read() as connection:
        for table in (
            *("event", "thread", "site", "account", "webhook", "delivery"),
            *("example", "label"),
        ):
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings().all()
            assert rows
            _assert_clean(str([dict(row) for row in rows]), table)
    database.close()


def test_no_log_line_or_file_but_the_database_holds_the_address(
    service: Service, answers: list[Answer]
) -> None:
    """Comes last, when everything that could be logged has been."""
    files = [path for path in service.home.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"up.log", "redis.log", "secret_key"} <= names
    assert "a comment could not be stored" in service.log.read_text()
    assert "no such table" in service.log.read_text()
    for path in files:
        if not path.name.startswith("moderation.sqlite3"):
            _assert_clean(path.read_bytes().decode(errors="replace"), path.name)
    database = (service.home / "moderation.sqlite3").read_bytes()
    wal = service.home / "moderation.sqlite3-wal"
    assert ADDRESS.encode() in database + wal.read_bytes(), "nothing was there to be found"


def _import(service: Service, path: Path) -> None:
    """An export with the address comes in, to learn from and with its history."""
    written(path, wxr(wp_comment(1, author_email=ADDRESS), page=PAGE))
    database = service.database()
    for history in (False, True):
        wish = Wish(
            path=path, form=Format.WORDPRESS, site_id=1, origin=f"old {history}", history=history
        )
        assert bring_in(database, wish, dry=False).new == 1
    database.close()


def _accepted(service: Service) -> list[Answer]:
    """Posts that are stored."""
    key = {"Authorization": f"Bearer {SITE_KEY}", "Content-Type": "application/json"}
    once = {"page": PAGE, "name": "Sender", "email": ADDRESS, "text": FRIENDLY}
    form = {"site": "demo", "page": "/demo", "email": ADDRESS}
    browser = Client(service.url)
    found = [
        browser.submit(
            "/v1/comments", form | {"name": "Sender of what is published", "text": FRIENDLY}
        ),
        service.post_comment(email=ADDRESS, name="Sender of what is held", text=UNFRIENDLY),
        service.post_comment(email=ADDRESS.upper(), text=UNFRIENDLY + " " + UNFRIENDLY),
    ]
    # The same key twice for one comment, and then for another.
    found += [
        service.request(
            "POST",
            "/v1/comments",
            body=json.dumps(comment).encode(),
            headers=key | {"Idempotency-Key": "one"},
        )
        for comment in (once, once, once | {"text": UNFRIENDLY})
    ]
    assert [answer.status for answer in found] == [303, 202, 202, 202, 202, 409]
    return found


def _refused(service: Service) -> list[Answer]:
    """Posts that are not stored, each for a reason of its own."""
    key = {"Authorization": f"Bearer {SITE_KEY}"}
    json_key = key | {"Content-Type": "application/json"}
    browser = Client(service.url)
    form = {"site": "demo", "page": "/demo", "name": "", "email": ADDRESS, "text": ""}

    def post(body: Any, headers: dict[str, str]) -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return service.request("POST", "/v1/comments", body=sent, headers=headers)

    return [
        service.post_comment(email=ADDRESS, name="", website=f"mailto:{ADDRESS}"),
        service.post_comment(email=f"{LOCAL_PART}@@postbox.example"),
        service.post_comment(email=f'"{LOCAL_PART}'),
        service.post_comment(email=f"{LOCAL_PART}@postbox", ip=ADDRESS, parent=ADDRESS),
        service.post_comment(email=ADDRESS, parent="0" * 32),
        service.post_comment(email=ADDRESS, key="no-key-of-this-service"),
        post({"email": [ADDRESS], "name": {"a": ADDRESS}}, json_key),
        post([ADDRESS], json_key),
        post(f'{{"email": "{ADDRESS}"'.encode(), json_key),
        post(ADDRESS.encode(), key | {"Content-Type": "text/plain"}),
        post({"email": ADDRESS, "text": "x" * 300_000}, json_key),
        browser.submit("/v1/comments", form),
        browser.submit("/v1/comments", form | {"page": "https://news.example/x"}),
        browser.submit("/v1/comments", form | {"site": "nowhere"}),
    ]


def _decided_ids(service: Service) -> list[str]:
    database = service.database()
    with database.read() as connection:
        ids = list(connection.execute(text("SELECT id FROM comment")).scalars())
    database.close()
    assert {service.decision_on(comment_id) for comment_id in ids} == {
        Status.APPROVED,
        Status.HELD,
        Status.REJECTED,
    }
    return ids


@contextmanager
def _without_comments(service: Service) -> Iterator[None]:
    """The database cannot be used as long as the block lasts: a table is missing."""
    table = Comment.__tablename__
    _rename(service, table, f"{table}_elsewhere")
    try:
        yield
    finally:
        _rename(service, f"{table}_elsewhere", table)


def _rename(service: Service, old: str, new: str) -> None:
    database = service.database()
    with database.write() as connection:
        connection.execute(text("PRAGMA legacy_alter_table=ON"))
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
    database.close()


def _retried(redis: Redis) -> bool:
    return len(queue(redis, QueueName.DECIDE).scheduled_job_registry) > 0


def _dump(redis: Redis) -> str:
    """Every key of Redis and all that it holds."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
    }
    # A key may go between two looks at it.
    kinds = ((key, redis.type(key)) for key in redis.scan_iter())
    found = ((key, read[kind](key)) for key, kind in kinds if kind != b"none")
    return "\n".join(_readable(value) for pair in found for value in _flat(pair))


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        value = value.items()
    elif not isinstance(value, list | tuple | set):
        yield value if isinstance(value, bytes) else str(value).encode()
        return
    for one in value:
        yield from _flat(one)


def _readable(value: bytes) -> str:
    """The value, after RQ's own compression and Base64 where it has used them."""
    for unpack in (zlib.decompress, lambda packed: zlib.decompress(base64.b64decode(packed))):
        with suppress(zlib.error, ValueError):
            return unpack(value).decode(errors="replace")
    return value.decode(errors="replace")


def _assert_clean(text: str, place: str) -> None:
    """The local part is nowhere, in any case, encoded or not."""
    haystack = text.casefold()
    encoded = base64.b64encode(ADDRESS.encode()).decode().rstrip("=")
    for needle in (LOCAL_PART, quote(LOCAL_PART), "qwyx", "zebulon", encoded[:20]):
        assert needle.casefold() not in haystack, f"{place} has the address"
