"""The administrators' pages for imports and erasure, and what moderators see of labels."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import func, select, update
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from moderation.clock import DAY, now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.models import Comment, Example, ImportRun, Thread
from moderation.queues import QueueName, queue
from moderation.records import import_runs
from moderation.review import Actor, Change, set_status
from moderation.web import uploads
from tests.support.comments import add_comment, add_site, row_of
from tests.support.exports import wp_comment, wxr
from tests.support.web import PASSWORD, add_moderator, csrf_token, first_site, sign_in
from worker import jobs

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PAGE = "/desk/import"


@pytest.fixture
def desk(client: FlaskClient) -> FlaskClient:
    """An administrator's browser."""
    sign_in(client)
    return client


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: Database) -> None:
    monkeypatch.setattr(jobs, "_settings", lambda: settings)
    monkeypatch.setattr(jobs, "_database", lambda: database)


def upload(client: FlaskClient, content: bytes | str, name: str = "wp.xml", **fields: str) -> Any:
    content = content.encode() if isinstance(content, str) else content
    form = {"site": "demo", "csrf_token": csrf_token(client, PAGE), **fields}
    return sent(client, content, name, **form)


def sent(client: FlaskClient, content: bytes, name: str = "a", **form: str) -> Any:
    # Werkzeug's client would leave a file open.
    boundary, body = encode_multipart(form | {"file": FileStorage(io.BytesIO(content), name)})
    kind = f"multipart/form-data; boundary={boundary}"
    return client.post(PAGE, data=body, content_type=kind)


def press(client: FlaskClient, run: str, button: str) -> Any:
    token = csrf_token(client, run)
    return client.post(f"{run}/{button}", data={"csrf_token": token})


def work(redis: Redis) -> None:
    """Do the jobs that wait, as a worker does."""
    waiting = queue(redis, QueueName.TRAIN)
    for job in waiting.get_jobs():
        job.perform()
    waiting.empty()


def files(settings: Settings) -> list[Path]:
    return list(import_runs.folder(settings.home).iterdir())


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_a_file_is_looked_at_before_it_comes_in(
    desk: FlaskClient, redis: Redis, database: Database, settings: Settings
) -> None:
    answer = upload(desk, wxr(wp_comment(1), wp_comment(2, "spam"), wp_comment(3, "0")))
    run = answer.location
    assert answer.status_code == 303
    assert desk.get(f"{run}/state").get_json() == {"state": "checking", "share": 0.0}
    assert '<progress id="progress" max="1" value="0.0"' in desk.get(run).text

    work(redis)
    shown = desk.get(run).text
    assert "What would come in" in shown
    assert "Import 2 comments" in shown
    assert "nobody has decided about it there" in shown
    assert count(database, Example) == 0

    press(desk, run, "go-on")
    work(redis)
    assert "What came in" in desk.get(run).text
    assert count(database, Example) == 2
    assert files(settings) == []
    assert press(desk, run, "go-on").status_code == 409


def test_pages_may_have_other_addresses_here(
    desk: FlaskClient, redis: Redis, database: Database
) -> None:
    moved = "https://old.example/ https://new.example/\n\n https://old.example/a /b \n"
    page = "https://old.example/bridge"
    run = upload(desk, wxr(wp_comment(1), page=page), history="on", pages=moved).location
    work(redis)
    assert "https://new.example/bridge" in desk.get(run).text
    press(desk, run, "go-on")
    work(redis)
    with database.read() as connection:
        assert connection.scalars(select(Thread.page)).all() == ["https://new.example/bridge"]


@pytest.mark.parametrize("typed", ["https://old.example/", "/a /b /c", "/a /b\n/c"])
def test_what_is_no_pair_of_addresses_is_said_beside_the_field(
    desk: FlaskClient, settings: Settings, typed: str
) -> None:
    answer = upload(desk, wxr(wp_comment(1)), pages=typed)
    assert answer.status_code == 422
    assert "two addresses to a line" in answer.text
    assert typed in answer.text.replace("\r", "")
    assert files(settings) == []


def test_a_large_file_streams_into_the_data_folder(
    desk: FlaskClient, redis: Redis, settings: Settings, app: Flask
) -> None:
    text = wxr(*(wp_comment(n, content="a" * 2_000) for n in range(1_000)))
    assert len(text) > app.config["MAX_CONTENT_LENGTH"]

    run = upload(desk, text, "C:\\old\\wp.xml").location

    (stored,) = files(settings)
    assert stored.stat().st_size == len(text.encode())
    assert stored.stat().st_mode & 0o077 == 0
    work(redis)
    assert "Import 1,000 comments" in desk.get(run).text


def test_what_is_too_large_is_refused_and_leaves_no_file(
    desk: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST", 100_000)

    assert upload(desk, "x" * 200_000).status_code == 413
    assert sent(desk, b"x" * 50_000).status_code == 400

    assert files(settings) == []


def test_nobody_else_may_send_much(app: Flask, database: Database, settings: Settings) -> None:
    add_moderator(database, "mona", "demo")
    moderator, stranger = app.test_client(), app.test_client()
    sign_in(moderator, name="mona", password=PASSWORD)

    for client, status in ((moderator, 403), (stranger, 303)):
        assert sent(client, b"x" * 500_000).status_code == status
    assert stranger.post("/v1/comments", data={"text": "x" * 500_000}).status_code == 413
    assert not (settings.home / "imports").exists()


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"site": "nowhere"}, "has to be chosen"), ({"format": "fax"}, "has to be one of the list")],
)
def test_what_is_wrong_with_the_form_is_said_beside_it(
    desk: FlaskClient, settings: Settings, fields: dict[str, str], says: str
) -> None:
    answer = upload(desk, "x", **fields)

    assert answer.status_code == 422
    assert says in answer.text
    assert files(settings) == []
    without = desk.post(PAGE, data={"site": "demo", "csrf_token": csrf_token(desk, PAGE)})
    assert without.status_code == 422


def test_a_file_that_is_no_export_says_so_and_can_be_discarded(
    desk: FlaskClient, redis: Redis, settings: Settings
) -> None:
    run = upload(desk, "<!DOCTYPE rss [<!ENTITY x 'y'>]><rss>&x;</rss>").location
    assert press(desk, run, "discard").status_code == 409
    work(redis)

    shown = desk.get(run).text
    assert "defines entities or a document type" in shown
    assert "Try again" in shown
    press(desk, run, "discard")
    assert files(settings) == []
    assert "discarded" in desk.get(PAGE).text
    assert desk.get(f"{PAGE}/999").status_code == 404


def test_an_import_that_was_interrupted_is_begun_anew(
    desk: FlaskClient, redis: Redis, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = upload(desk, wxr(wp_comment(1)), history="on").location
    # Redis has lost its data.
    queue(redis, QueueName.TRAIN).empty()
    assert "Begin anew" in desk.get(run).text
    press(desk, run, "go-on")
    work(redis)
    assert "<bdi>https://old.example/2024/bridge/</bdi>" in desk.get(run).text
    press(desk, run, "go-on")
    with monkeypatch.context() as broken:
        broken.setattr("moderation.records.importing._try_to_store", None)
        work(redis)
    assert "something went wrong (TypeError)" in desk.get(run).text
    press(desk, run, "go-on")
    work(redis)
    press(desk, run, "go-on")
    work(redis)
    assert count(database, Comment) == 1


def test_files_that_nobody_imported_are_discarded_after_a_week(
    desk: FlaskClient, redis: Redis, database: Database, settings: Settings
) -> None:
    first = upload(desk, wxr(wp_comment(1))).location
    work(redis)
    with database.write() as connection:
        connection.execute(update(ImportRun).values(updated_at=now_ms() - 8 * DAY))

    upload(desk, wxr(wp_comment(2)))

    assert len(files(settings)) == 1
    assert "discarded" in desk.get(first).text


def test_a_comment_is_erased_after_a_look_at_what_that_means(
    desk: FlaskClient, database: Database
) -> None:
    site = first_site(desk)
    comment, other = (add_comment(database, site, text=f"Secret {n}") for n in range(2))
    history, page = f"/desk/comments/{comment}/history", f"/desk/comments/{comment}/erase"
    assert page in desk.get(history).text
    assert "all 2 comments of this author" in desk.get(page).text

    desk.post(page, data={"csrf_token": csrf_token(desk, page)})

    shown = desk.get(history).text
    assert "Erased." in shown
    assert "erased it" in shown
    assert "Secret 0" not in shown
    assert (row_of(database, comment).text, row_of(database, other).text) == ("", "Secret 1")
    assert "It is erased already" in desk.get(page).text
    assert desk.post(page, data={"csrf_token": csrf_token(desk, PAGE)}).status_code == 409
    assert ">Erased.</span>" in desk.get(f"/desk/comments/{comment}").text

    page = f"/desk/comments/{other}/erase"
    desk.post(page, data={"csrf_token": csrf_token(desk, page), "author": "on", "examples": "on"})
    assert row_of(database, other).text == ""
    assert desk.get(f"/desk/comments/{'0' * 32}/erase").status_code == 404


def decide(database: Database, comment: str, to: Status, who: str, reason: str = "") -> None:
    with database.write() as connection:
        change = Change(comment_id=comment, to=to, reason=reason)
        set_status(connection, [change], actor=Actor(ActorKind.MODERATOR, who))


def test_labels_and_disagreements_are_shown_with_who_said_what(
    desk: FlaskClient, database: Database, app: Flask
) -> None:
    site, elsewhere = first_site(desk), add_site(database, "gazette")
    comment, agreed = add_comment(database, site, text="Disputed"), add_comment(database, site)
    foreign = add_comment(database, elsewhere, text="Foreign")
    for one in (comment, foreign):
        decide(database, one, Status.REJECTED, "ann", "spam")
        decide(database, one, Status.APPROVED, "ben")
    decide(database, agreed, Status.APPROVED, "ben")

    shown = desk.get(f"/desk/comments/{comment}/history").text
    rows = re.findall(r"<tr>(.*?)</tr>", shown.partition('id="labels"')[2], re.DOTALL)
    ann, ben = (re.sub(r"<[^>]+>|\s+", " ", row) for row in rows[1:])
    assert "do not publish: spam" in ann
    assert "moderator, ann" in re.sub(r"\s+,", ",", ann).replace("  ", " ")
    assert ann.rstrip().endswith("no, a later or louder word does")
    assert ben.rstrip().endswith("yes")

    page = desk.get("/desk/history/disagreements").text
    assert page.index("Foreign") < page.index("Disputed")
    assert page.count("do not publish (spam)") == 2
    only = desk.get("/desk/history/disagreements?site=demo").text
    assert "Disputed" in only
    assert "Foreign" not in only
    for linking in ("/desk/history", "/desk/numbers"):
        assert "/desk/history/disagreements" in desk.get(linking).text

    add_moderator(database, "mona", "demo")
    moderator = app.test_client()
    sign_in(moderator, name="mona", password=PASSWORD)
    assert "Foreign" not in moderator.get("/desk/history/disagreements").text
    assert f"{comment}/erase" not in moderator.get(f"/desk/comments/{comment}/history").text
