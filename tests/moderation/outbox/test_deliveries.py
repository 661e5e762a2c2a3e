import json
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from moderation.clock import DAY, HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.models import Delivery
from moderation.outbox import deliveries, webhooks
from moderation.outbox.deliveries import Lane, Outcome, State, Taken
from moderation.outbox.webhooks import CHOOSABLE
from moderation.review import Actor, Change, set_status
from moderation.schemas import ChangedComment, WebhookMessage
from tests.support.clock import Clock
from tests.support.comments import EMAIL, MODERATOR, PAGE, WORKER, add_comment, add_site

URL = "https://courier.example/hook"

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deliveries, "now_ms", clock)
    return clock


def add_webhook(database: Database, site_id: int, *types: str) -> int:
    with database.write() as connection:
        webhook_id, _ = webhooks.add(
            connection, site_id=site_id, url=URL, types=types or [str(t) for t in CHOOSABLE]
        )
    return webhook_id


def decide(
    database: Database, comment_id: str, to: Status, actor: Actor = MODERATOR, reason: str = ""
) -> None:
    with database.write() as connection:
        set_status(connection, [Change(comment_id=comment_id, to=to, reason=reason)], actor=actor)


def outbox(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Delivery.__table__).order_by(Delivery.id)))


def bodies(database: Database) -> list[Any]:
    found = [json.loads(row.body) for row in outbox(database)]
    return sorted(found, key=lambda body: body["data"]["version"])


def take(database: Database, lane: Lane, limit: int = 10) -> list[Taken]:
    with database.write() as connection:
        return deliveries.take(connection, lane, limit=limit)


def record(database: Database, message: Taken, answer: int | None) -> None:
    with database.write() as connection:
        outcome = Outcome(message, deliveries.now_ms(), took=5, answer=answer)
        deliveries.record(connection, [outcome])


def lanes(database: Database) -> list[Lane]:
    with database.read() as connection:
        return deliveries.due_lanes(connection)


class TestWhatSitesAreTold:
    def test_a_decision_is_told_with_all_that_the_contract_names(self, database: Database) -> None:
        site = add_site(database)
        add_webhook(database, site)
        comment = add_comment(database, site)
        decide(database, comment, Status.HELD, WORKER, "insult")
        decide(database, comment, Status.REJECTED, MODERATOR, "spam")
        first, second = bodies(database)
        assert WebhookMessage.model_validate(first).model_dump().keys() == first.keys()
        assert ChangedComment.model_fields.keys() == first["data"].keys()
        assert first["type"] == "comment.held"
        assert first["data"] == {
            "id": comment,
            "page": PAGE,
            "status": "held",
            "previous": "pending",
            "reason": "insult",
            "by": "service",
            "version": 1,
        }
        assert second["type"] == "comment.rejected"
        assert second["data"] == {
            "id": comment,
            "page": PAGE,
            "status": "rejected",
            "previous": "held",
            "reason": "spam",
            "by": "moderator",
            "version": 2,
        }
        assert second["timestamp"].endswith("Z")

    @ONE_DATABASE
    def test_a_message_never_carries_the_e_mail_address(self, database: Database) -> None:
        site = add_site(database)
        add_webhook(database, site)
        decide(database, add_comment(database, site), Status.APPROVED)
        (row,) = outbox(database)
        assert EMAIL not in str(row)
        assert "@" not in row.body

    @ONE_DATABASE
    def test_what_is_undone_is_undone_in_the_outbox_too(self, database: Database) -> None:
        site = add_site(database)
        add_webhook(database, site)
        comment = add_comment(database, site)
        with database.write() as connection:
            change = Change(comment_id=comment, to=Status.APPROVED, reason="")
            assert set_status(connection, [change], actor=MODERATOR)
            assert connection.execute(select(Delivery.id)).all()
            connection.rollback()
        assert outbox(database) == []

    @ONE_DATABASE
    def test_a_site_is_not_told_what_it_did_itself_nor_what_did_not_change(
        self, database: Database
    ) -> None:
        site = add_site(database)
        add_webhook(database, site)
        comment = add_comment(database, site)
        decide(database, comment, Status.REJECTED, Actor(ActorKind.CLIENT, "wordpress"))
        decide(database, comment, Status.REJECTED, MODERATOR, "other")
        assert outbox(database) == []

    @ONE_DATABASE
    def test_a_webhook_gets_the_types_it_was_made_for_and_those_of_its_site(
        self, database: Database
    ) -> None:
        site, other = add_site(database), add_site(database, "other")
        everything = add_webhook(database, site)
        approvals = add_webhook(database, site, "comment.approved")
        add_webhook(database, other)
        decide(database, add_comment(database, site), Status.APPROVED)
        decide(database, add_comment(database, site), Status.REJECTED)
        told = [(row.webhook_id, row.type) for row in outbox(database)]
        assert sorted(told) == [
            (everything, "comment.approved"),
            (everything, "comment.rejected"),
            (approvals, "comment.approved"),
        ]

    @ONE_DATABASE
    def test_who_has_no_webhook_has_no_rows(self, database: Database) -> None:
        decide(database, add_comment(database, add_site(database)), Status.APPROVED)
        assert outbox(database) == []


class TestTaking:
    def test_what_is_taken_is_taken_once_until_its_lease_ends(
        self, database: Database, clock: Clock
    ) -> None:
        site = add_site(database)
        lane = Lane(site, add_webhook(database, site))
        for _ in range(3):
            decide(database, add_comment(database, site), Status.APPROVED)
        assert lanes(database) == [lane]
        first = take(database, lane, limit=2)
        (last,) = take(database, lane)
        assert len({message.id for message in (*first, last)}) == 3
        assert take(database, lane) == []
        assert lanes(database) == []
        clock.ahead = deliveries.LEASE + 1000
        again = take(database, lane)
        assert {message.id for message in again} == {message.id for message in (*first, last)}

    @ONE_DATABASE
    def test_what_was_given_back_is_taken_by_the_next(self, database: Database) -> None:
        site = add_site(database)
        lane = Lane(site, add_webhook(database, site))
        decide(database, add_comment(database, site), Status.APPROVED)
        taken = take(database, lane)
        with database.write() as connection:
            deliveries.give_back(connection, taken)
        assert take(database, lane) == taken

    @ONE_DATABASE
    def test_a_form_goes_to_an_address_of_its_own_unsigned(self, database: Database) -> None:
        site = add_site(database)
        with database.write() as connection:
            message_id = deliveries.enqueue_form(
                connection,
                site_id=site,
                url=URL,
                fields={"key": "1", "comments[0][guid]": "é"},
                type="akismet.callback",
            )
        (message,) = take(database, Lane(site, None))
        assert (message.id, message.url, message.secrets) == (message_id, URL, ())
        assert message.content_type == "application/x-www-form-urlencoded"
        assert message.body == "key=1&comments%5B0%5D%5Bguid%5D=%C3%A9"


class TestTryingAgain:
    def fail_until_given_up(self, database: Database, lane: Lane, clock: Clock) -> list[float]:
        """Hours between the first try and the others."""
        tried, start = [], now_ms()
        while outbox(database)[0].state == State.WAITING:
            clock.ahead = max(0, outbox(database)[0].due_at - now_ms() + 50)
            (message,) = take(database, lane)
            tried.append((clock() - start) / HOUR)
            record(database, message, 500)
        return tried

    @ONE_DATABASE
    def test_pauses_grow_for_three_days_and_then_it_is_given_up(
        self, database: Database, clock: Clock
    ) -> None:
        site = add_site(database)
        lane = Lane(site, add_webhook(database, site))
        decide(database, add_comment(database, site), Status.APPROVED)
        tried = self.fail_until_given_up(database, lane, clock)
        pauses = [later - earlier for earlier, later in pairwise(tried)]
        assert pauses[0] < 0.01
        assert all(pause < 7.3 for pause in pauses)
        assert 60 < tried[-1] < 72
        assert 15 <= len(tried) <= 24
        (row,) = outbox(database)
        assert (row.state, row.answer, row.tries) == (State.DEAD, 500, len(tried))
        assert take(database, lane) == []
        with database.read() as connection:
            assert deliveries.count_dead(connection, site) == 1
            (listed,) = deliveries.dead(connection, site, limit=9)
        assert (listed.id, listed.url) == (row.id, URL)

    def test_pauses_differ_so_that_what_failed_together_comes_apart(self) -> None:
        pauses = {deliveries.pause(3) for _ in range(50)}
        assert len(pauses) > 10
        assert all(72_000 <= pause <= 108_000 for pause in pauses)

    @ONE_DATABASE
    def test_what_was_given_up_is_sent_again_on_demand_with_the_same_id(
        self, database: Database, clock: Clock
    ) -> None:
        site, other = add_site(database), add_site(database, "other")
        lane = Lane(site, add_webhook(database, site))
        decide(database, add_comment(database, site), Status.APPROVED)
        self.fail_until_given_up(database, lane, clock)
        (row,) = outbox(database)
        with database.write() as connection:
            assert deliveries.redeliver(connection, other) == 0
            assert deliveries.redeliver(connection, other, row.id) == 0
            assert deliveries.redeliver(connection, site) == 1
        (message,) = take(database, lane)
        assert message.id == row.id
        record(database, message, 204)
        assert outbox(database)[0].state == State.DELIVERED
        with database.write() as connection:
            assert deliveries.redeliver(connection, site) == 0
            assert deliveries.redeliver(connection, site, row.id) == 1

    @ONE_DATABASE
    def test_who_is_gone_is_told_nothing_more_until_somebody_says_so(
        self, database: Database
    ) -> None:
        site = add_site(database)
        webhook_id = add_webhook(database, site)
        lane = Lane(site, webhook_id)
        for _ in range(2):
            decide(database, add_comment(database, site), Status.APPROVED)
        (message,) = take(database, lane, limit=1)
        record(database, message, 410)
        decide(database, add_comment(database, site), Status.APPROVED)
        assert [row.state for row in outbox(database)] == [State.DEAD] * 2
        with database.write() as connection:
            assert deliveries.redeliver(connection, site) == 0
            webhooks.revive(connection, webhook_id=webhook_id)
            assert deliveries.redeliver(connection, site) == 2
        decide(database, add_comment(database, site), Status.APPROVED)
        assert len(take(database, lane)) == 3


class TestTidying:
    @ONE_DATABASE
    def test_what_nobody_could_try_is_given_up_and_what_is_over_is_forgotten(
        self, database: Database, clock: Clock
    ) -> None:
        site = add_site(database)
        lane = Lane(site, add_webhook(database, site))
        for _ in range(2):
            decide(database, add_comment(database, site), Status.APPROVED)
        (message,) = take(database, lane, limit=1)
        record(database, message, 200)

        def states_after(ahead: int) -> list[str]:
            clock.ahead = ahead
            with database.write() as connection:
                deliveries.tidy(connection)
            return sorted(row.state for row in outbox(database))

        assert states_after(3 * DAY - MINUTE) == ["delivered", "waiting"]
        assert states_after(3 * DAY + MINUTE) == ["dead", "delivered"]
        assert states_after(7 * DAY + MINUTE) == ["dead"]
        assert states_after(29 * DAY) == ["dead"]
        assert states_after(31 * DAY) == []

    @ONE_DATABASE
    def test_with_a_webhook_goes_what_was_sent_to_it(self, database: Database) -> None:
        site = add_site(database)
        webhook_id, other = add_webhook(database, site), add_webhook(database, site)
        decide(database, add_comment(database, site), Status.APPROVED)
        with database.write() as connection:
            webhooks.remove(connection, webhook_id=webhook_id)
        assert [row.webhook_id for row in outbox(database)] == [other]
