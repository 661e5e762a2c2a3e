import gc
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import insert, select

from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document
from moderation.clock import HOUR
from moderation.db import Database
from moderation.deciding import Judged, decide_comments
from moderation.domain import Standing, Status
from moderation.errors import Conflict, Overloaded
from moderation.facts import Pending
from moderation.learning import shadows, site_models
from moderation.models import AuthorStanding, Comment
from moderation.policy import Decision, SiteSettings
from moderation.queues import DecideNotifier
from moderation.scorer import Scorer
from moderation.sites import SiteRef
from moderation.submissions import NewComment, Receipt, Submissions
from moderation.website import checks
from moderation.website.checks import Checks
from tests.support.comments import add_comment, add_site, events_of, new_comment, row_of
from tests.support.jobs import waiting_ids
from tests.support.site_models import LENIENT, NO_RULES, ONLY_REJECT, add_adaptation
from tests.support.waiting import eventually

KIND = "I would like to see the source of that number, because the report says something else."
RUDE = "You are a stupid idiot and a pathetic liar, shut up you moron."

pytestmark = pytest.mark.usefixtures("ready")


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


@pytest.fixture
def synchronous(database: Database, redis: Redis, scorer: Scorer) -> Checks:
    return made(database, redis, scorer)


def made(database: Database, redis: Redis, scorer: Scorer) -> Checks:
    return Checks(database, Submissions(database, DecideNotifier(redis)), scorer)


def test_the_answer_is_the_decision_and_it_is_stored(
    database: Database, synchronous: Checks, site: int, redis: Redis
) -> None:
    kind = synchronous.check(new_comment(site, text=KIND))
    rude = synchronous.check(new_comment(site, text=RUDE, email="eve@example.org"))
    assert (kind.status, rude.status) == (Status.APPROVED, Status.HELD)
    assert row_of(database, kind.id).status == "approved"
    assert row_of(database, rude.id).status == "held"
    assert [event.actor_kind for event in events_of(database, rude.id)] == ["worker"]
    # No worker is told of what is decided already.
    assert waiting_ids(redis) == set()


def test_the_rules_know_of_a_check_what_they_know_of_every_comment(
    database: Database, scorer: Scorer, synchronous: Checks
) -> None:
    rules = {"flood_comments": 3, "hold_first_comment": True}
    first, second = (add_site(database, name, rules=rules) for name in ("one", "two"))
    texts = [KIND, f"{KIND} Thanks.", "Where is it?", "On the ninth page.", "Oh, I see it now."]
    for site in (first, second):
        add_comment(database, site, status=Status.APPROVED, age=HOUR, text="Hello, everybody.")
    decided = [synchronous.check(new_comment(first, text=text)).id for text in texts]
    stored = []
    for text in texts:
        stored.append(add_comment(database, second, text=text))
        decide_comments(database, scorer, stored[-1:])

    def reasons(ids: Sequence[str]) -> list[tuple[str, str]]:
        return [(row.status, row.reason) for row in (row_of(database, one) for one in ids)]

    assert reasons(decided) == reasons(stored)
    assert reasons(decided)[1] == ("held", "duplicate")
    assert reasons(decided)[-1] == ("held", "flood")


def test_an_author_is_known_by_what_moderators_think_of_him(
    database: Database, synchronous: Checks, site: int
) -> None:
    author = row_of(database, synchronous.check(new_comment(site, text=KIND)).id).author_id
    values = {"standing": Standing.BLOCKED, "at": 0, "moderator": "mona"}
    with database.write() as connection:
        row = insert(AuthorStanding).values(site_id=site, author_id=author, **values)
        connection.execute(row)
    receipt = synchronous.check(new_comment(site, text="Where is the ninth page of it?"))
    assert receipt.status is Status.REJECTED


def test_what_a_shadow_would_have_said_is_kept_once_for_each_comment(
    database: Database, scorer: Scorer, shipped: Classifier, synchronous: Checks
) -> None:
    site = add_site(database, "shadowed", thresholds=ONLY_REJECT, rules=NO_RULES)
    model = add_adaptation(database, site, shipped, LENIENT)
    with database.write() as connection:
        site_models.shadow(connection, site, model.version, actor="mona")
    rude = new_comment(site, text=RUDE, idempotency_key="k1")
    with ThreadPoolExecutor(4) as pool:
        statuses = [receipt.status for receipt in pool.map(lambda _: synchronous.check(rude), "ab")]
    assert statuses == [Status.HELD, Status.HELD]

    def compared() -> int:
        with database.read() as connection:
            return shadows.agreement(connection, model.id).compared

    eventually(lambda: compared() == 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestChecks:
    def test_what_comes_at_once_is_decided_in_groups_and_each_gets_its_own_answer(
        self, synchronous: Checks, site: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        real = checks.judge

        def counting(database: Database, scorer: Scorer, batch: Sequence[Pending]) -> Judged:
            sizes.append(len(batch))
            return real(database, scorer, batch)

        monkeypatch.setattr(checks, "judge", counting)

        def post(number: int) -> Status:
            text = f"{RUDE} {number}" if number % 2 else f"{KIND} Chapter {number * 7919}."
            comment = new_comment(site, text=text, email=f"r{number}@example.org")
            return synchronous.check(comment).status

        with ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(post, range(40)))
        assert all(status is Status.HELD for status in statuses[1::2])
        assert Status.APPROVED in statuses[::2]
        assert sum(sizes) == 40
        assert len(sizes) < 40

    def test_what_cannot_be_decided_stays_pending_and_goes_to_a_worker(
        self,
        synchronous: Checks,
        site: int,
        redis: Redis,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*_: Any) -> Judged:
            raise RuntimeError("a bug that quotes zoe@example.org")

        monkeypatch.setattr(checks, "judge", fail)
        with caplog.at_level(logging.WARNING):
            receipt = synchronous.check(new_comment(site))
        assert receipt.status is Status.PENDING
        eventually(lambda: waiting_ids(redis) == {receipt.id})
        assert "example.org" not in caplog.text

    def test_a_check_is_decided_and_stored_in_one_transaction(
        self, database: Database, synchronous: Checks, site: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urgent: list[bool] = []
        real = Database.write

        def counting(self: Database, **given: bool) -> Any:
            urgent.append(given.get("urgent", False))
            return real(self, **given)

        monkeypatch.setattr(Database, "write", counting)
        receipt = synchronous.check(new_comment(site, text=KIND))
        assert urgent == [True]
        assert row_of(database, receipt.id).status == receipt.status == Status.APPROVED

    def test_one_call_that_comes_twice_at_once_is_one_comment(
        self, database: Database, synchronous: Checks, site: int
    ) -> None:
        comment = new_comment(site, text=RUDE, idempotency_key="k1")
        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(lambda _: synchronous.check(comment), range(8)))
        assert {receipt.status for receipt in receipts} == {Status.HELD}
        (comment_id,) = {receipt.id for receipt in receipts}
        assert len(events_of(database, comment_id)) == 1

    def test_what_was_sent_before_and_waits_for_a_worker_is_decided_now(
        self, database: Database, redis: Redis, synchronous: Checks, site: int
    ) -> None:
        comment = new_comment(site, text=KIND, idempotency_key="k1")
        waiting = Submissions(database, DecideNotifier(redis)).submit(comment)
        assert synchronous.check(comment) == Receipt(waiting.id, Status.APPROVED)

    def test_another_comment_with_the_same_key_is_refused(
        self, synchronous: Checks, site: int
    ) -> None:
        synchronous.check(new_comment(site, text=KIND, idempotency_key="k1"))
        with pytest.raises(Conflict):
            synchronous.check(new_comment(site, text=RUDE, idempotency_key="k1"))

    @pytest.mark.usefixtures("late_decisions")
    def test_nobody_waits_for_a_decision_for_ever(
        self, synchronous: Checks, site: int, redis: Redis
    ) -> None:
        receipt = synchronous.check(new_comment(site))
        assert receipt.status is Status.PENDING
        eventually(lambda: waiting_ids(redis) == {receipt.id})

    def test_what_is_decided_too_late_is_not_stored_twice(
        self,
        database: Database,
        synchronous: Checks,
        site: int,
        late_decisions: threading.Event,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        receipt = synchronous.check(new_comment(site, text=KIND))
        late_decisions.set()
        monkeypatch.setattr(checks, "PATIENCE", 20.0)
        # It is behind the late one.
        clear = synchronous.check(new_comment(site, text=RUDE))
        with database.read() as connection:
            assert set(connection.scalars(select(Comment.id))) == {receipt.id, clear.id}

    def test_what_a_server_has_loaded_is_no_work_for_the_collector(
        self, synchronous: Checks
    ) -> None:
        gc.unfreeze()
        synchronous.warm_up()
        eventually(lambda: gc.get_freeze_count() > 0)
        gc.unfreeze()

    def test_without_a_model_a_comment_is_held(
        self, database: Database, redis: Redis, no_scorer: Scorer, site: int
    ) -> None:
        receipt = made(database, redis, no_scorer).check(new_comment(site, text=KIND))
        assert receipt.status is Status.HELD
        assert row_of(database, receipt.id).reason == "scorer_unavailable"

    def test_without_a_model_nothing_is_scored(
        self, database: Database, redis: Redis, no_scorer: Scorer
    ) -> None:
        nobody = SiteRef(1, "news", SiteSettings())
        with pytest.raises(Overloaded, match="no usable model"):
            made(database, redis, no_scorer).score([Document(KIND)], nobody)

    def test_a_comment_sent_again_is_answered_as_it_stands_now(
        self, synchronous: Checks, site: int
    ) -> None:
        comment: NewComment = new_comment(site, text=RUDE, idempotency_key="k1")
        first = synchronous.check(comment)
        assert synchronous.check(comment) == first

    def test_what_is_clear_beforehand_is_not_asked_of_the_model(
        self, database: Database, synchronous: Checks, site: int
    ) -> None:
        decision = Decision(Status.REJECTED, "honeypot", evidence={"rules": []})
        receipt = synchronous.check(new_comment(site, text=KIND), decision=decision)
        row = row_of(database, receipt.id)
        assert (receipt.status, row.status, row.reason) == ("rejected", "rejected", "honeypot")

    def test_a_comment_without_an_address_is_the_only_one_of_its_author(
        self, database: Database, synchronous: Checks, site: int
    ) -> None:
        first, second = (
            row_of(database, synchronous.check(new_comment(site, text=t, email="")).id)
            for t in (KIND, "The report has a table about it, on its ninth page, near the end.")
        )
        assert first.author_id != second.author_id
        known = [
            synchronous.check(new_comment(site, text=t, email="", author="coral:7"))
            for t in ("Where is the ninth page of that report?", "I have found it by now, thanks.")
        ]
        assert len({row_of(database, one.id).author_id for one in known}) == 1
