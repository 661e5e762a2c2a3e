import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from moderation.classifier.prediction import Document
from moderation.db import Database
from moderation.deciding import Judged
from moderation.domain import Status
from moderation.errors import Overloaded
from moderation.facts import Pending
from moderation.policy import Decision, SiteSettings
from moderation.queues import DecideNotifier
from moderation.scorer import Scorer
from moderation.sites import SiteRef
from moderation.submissions import NewComment, Submissions
from moderation.website import checks
from moderation.website.checks import Checks
from tests.support.comments import add_site, events_of, new_comment, row_of
from tests.support.jobs import waiting_ids
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

    @pytest.mark.usefixtures("late_decisions")
    def test_nobody_waits_for_a_decision_for_ever(
        self, synchronous: Checks, site: int, redis: Redis
    ) -> None:
        receipt = synchronous.check(new_comment(site))
        assert receipt.status is Status.PENDING
        eventually(lambda: waiting_ids(redis) == {receipt.id})

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
