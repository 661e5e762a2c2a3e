import json
import logging
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select

from moderation.clock import HOUR, MINUTE, now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.desk.numbers import Bin, Figures, day_of
from moderation.domain import Status
from moderation.models import DayFigures, Notice
from moderation.policy import SiteSettings
from moderation.review import Change, set_status
from moderation.site_settings import save, site_named
from tests.support.audits import decide, drawn
from tests.support.clock import Clock
from tests.support.comments import MODERATOR, add_comment, add_site
from tests.support.receiver import Receiver, running_receiver
from tests.support.waiting import eventually
from worker import jobs, notices

DESK = "http://desk.example/desk/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(notices, "now_ms", clock)
    return clock


def send(database: Database, *, private_addresses: bool = True) -> None:
    notices.send_notices(database, desk=DESK, private_addresses=private_addresses)


def events(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(message.body) for message in receiver.messages]
    return [(body["site"], body["event"]) for body in bodies]


def reject(database: Database, comment_id: str) -> None:
    with database.write() as connection:
        change = Change(comment_id=comment_id, to=Status.REJECTED, reason="spam")
        set_status(connection, [change], actor=MODERATOR)


def test_a_site_is_told_once_that_comments_wait_too_long(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=30)
    other = add_site(database, "other", notify_url=receiver.url, notify_after_minutes=30)
    for age in (45, 20, 5):
        add_comment(database, site, status=Status.HELD, age=age * MINUTE)
    add_comment(database, site, status=Status.APPROVED, age=90 * MINUTE)
    add_comment(database, other, status=Status.HELD, age=29 * MINUTE)
    for _ in range(3):
        send(database)
    (message,) = receiver.messages
    assert json.loads(message.body) == {
        "event": "queue_late",
        "site": "news",
        "held": 3,
        "oldest_minutes": 45,
        "limit_minutes": 30,
        "desk": DESK,
    }


def test_it_is_told_when_they_no_longer_do_but_once_an_hour_at_most(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=30)
    first = add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database)
    reject(database, first)
    send(database)
    assert events(receiver) == [("news", "queue_late")]
    clock.ahead = HOUR
    send(database)
    send(database)
    assert events(receiver) == [("news", "queue_late"), ("news", "queue_in_time")]
    add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database)
    assert len(receiver.messages) == 2
    clock.ahead = 2 * HOUR + MINUTE
    send(database)
    assert events(receiver)[2:] == [("news", "queue_late")]


def test_a_failure_is_logged_and_tried_again_after_growing_pauses(
    database: Database, receiver: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    site = add_site(database, notify_url=f"{receiver.url}/secret", notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    receiver.status = 500
    tried_at = []
    with caplog.at_level(logging.WARNING):
        for minute in range(20):
            clock.ahead = minute * MINUTE + 1000 * minute
            before = len(receiver.messages)
            send(database)
            if len(receiver.messages) > before:
                tried_at.append(minute)
    assert tried_at == [0, 1, 3, 7, 15]
    assert "was not told: answered 500" in caplog.text
    assert "secret" not in caplog.text
    receiver.status = 200
    clock.ahead = 40 * MINUTE
    send(database)
    assert len(receiver.messages) == 6
    with database.read() as connection:
        state = connection.execute(select(Notice.trouble, Notice.failures)).one()
    assert tuple(state) == (True, 0)


def test_one_site_that_fails_does_not_keep_the_others_from_being_told(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    for name, url in (("a", "http://127.0.0.1:1/"), ("b", receiver.url), ("c", receiver.url)):
        site = add_site(database, name, notify_url=url, notify_after_minutes=1)
        add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database)
    assert events(receiver) == [("b", "queue_late"), ("c", "queue_late")]


def test_what_one_worker_has_taken_no_other_sends(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    assert len(notices.take_due(database, desk=DESK)) == 1
    assert notices.take_due(database, desk=DESK) == []


def test_nobody_is_told_who_does_not_want_to_be(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database)
    add_comment(database, site, status=Status.HELD, age=100 * HOUR)
    send(database)
    with database.read() as connection:
        assert connection.execute(select(Notice)).all() == []


def test_a_private_address_is_called_only_where_that_is_allowed(
    database: Database, receiver: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database, private_addresses=False)
    assert receiver.messages == []
    assert "not a public one" in caplog.text


def test_the_job_sends_and_leaves_the_worker_free_meanwhile(
    database: Database, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    receiver.silent = True
    allowed = settings.model_copy(update={"webhooks_to_private_addresses": True})
    monkeypatch.setattr(jobs, "_settings", lambda: allowed)
    jobs.notify()
    eventually(lambda: len(receiver.messages) == 1)
    receiver.ended.set()


def test_a_receiver_that_is_changed_is_told_anew(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url="http://127.0.0.1:1/", notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database)
    with database.write() as connection:
        before = site_named(connection, "news").settings
        after = SiteSettings(notify_url=receiver.url, notify_after_minutes=1)
        save(connection, name="news", before=before, after=after, actor="ada")
    send(database)
    assert events(receiver) == [("news", "queue_late")]


def judged(database: Database, site: int, *, wrong: int, right: int) -> None:
    """So many comments that were drawn for the audit, and people's word on them."""
    for number in range(wrong + right):
        to = Status.REJECTED if number < wrong else Status.APPROVED
        decide(database, drawn(database, site), to)


def test_a_site_is_told_that_its_goal_is_missed_and_that_it_is_met_again(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url)
    judged(database, site, wrong=1, right=2)
    send(database)
    assert receiver.messages == []
    judged(database, site, wrong=3, right=0)
    send(database)
    send(database)
    (message,) = receiver.messages
    told = json.loads(message.body)
    assert told.pop("at_least") > told["allowed"]
    assert told == {
        "event": "goal_missed",
        "site": "news",
        "days": 90,
        "judged": 6,
        "wrong": 4,
        "error": 4 / 6,
        "allowed": 0.01,
        "desk": DESK,
    }
    # What was wrong leaves the window.
    clock.ahead = 91 * 24 * HOUR
    send(database)
    assert events(receiver) == [("news", "goal_missed"), ("news", "goal_met")]


def test_a_site_is_told_of_drift_and_that_it_is_over(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url)
    today = day_of(now_ms())
    for day in range(today - 40, today + 40):
        place = 12 if today - 3 <= day < today + 15 else 2
        places = Counter({Bin("model-1", place): 100, Bin("model-1", 0): 100})
        with database.write() as connection:
            values = Figures(scores=places, unknown=places).to_json()
            connection.execute(insert(DayFigures).values(day=day, site_id=site, figures=values))
    clock.ahead = 2 * HOUR
    send(database)
    (message,) = receiver.messages
    told = json.loads(message.body)
    assert (told["event"], told["model"]) == ("drift", "model-1")
    assert told["scores"] == told["unknown_words"] > 0.25
    clock.ahead = 30 * 24 * HOUR
    send(database)
    assert events(receiver) == [("news", "drift"), ("news", "drift_over")]


def test_one_trouble_does_not_keep_another_from_being_told(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    site = add_site(database, notify_url=receiver.url, notify_after_minutes=1)
    add_comment(database, site, status=Status.HELD, age=HOUR)
    send(database)
    judged(database, site, wrong=4, right=0)
    send(database)
    assert events(receiver) == [("news", "queue_late"), ("news", "goal_missed")]
