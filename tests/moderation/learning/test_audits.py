"""What is published by itself and drawn by lot: it waits, unmarked, until somebody speaks."""

import dataclasses
import re
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from moderation import alike, review
from moderation.access.accounts import AccountRef
from moderation.classifier.language import detect
from moderation.clock import DAY, now_ms
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.desk import authors, cards, queue, scores
from moderation.desk.desk_schemas import CardOut
from moderation.desk.queue import Order, QueueFilter, Tab
from moderation.domain import ActorKind, Audit, Selection, Status
from moderation.ids import new_id, time_of
from moderation.learning import audits
from moderation.learning.audits import Drawn, draw
from moderation.learning.bounds import Rate
from moderation.models import Comment, Label
from moderation.policy import HEADS, SiteSettings
from moderation.ranking import rank
from moderation.review import Actor, Change, set_status
from moderation.scorer import Scorer
from tests.support.audits import MONA, NILS, decide, decoy, drawn
from tests.support.comments import (
    PAGE,
    WORKER,
    add_comment,
    add_site,
    events_of,
    held_by_worker,
    row_of,
)

SETTINGS = SiteSettings(audit_share=0.3, blind_share=0.2)


def undo(database: Database, moderator: AccountRef = MONA) -> None:
    with database.write() as connection:
        review.undo(connection, moderator=moderator)


def state(database: Database, comment_id: str) -> tuple[str, str]:
    row = row_of(database, comment_id)
    return row.status, row.audit


def waiting(database: Database, **wanted: Any) -> list[str]:
    with database.read() as connection:
        page = queue.page(connection, QueueFilter(**wanted), Order.OLDEST, after="", limit=50)
    return [row.id for row in page.rows]


def labels(database: Database) -> list[tuple[str, float, float]]:
    query = select(Label.selection, Label.propensity, Label.unwanted).where(
        Label.withdrawn_at.is_(None)
    )
    with database.read() as connection:
        return [(one, chance, unwanted) for one, chance, unwanted in connection.execute(query)]


def found(database: Database, **options: Any) -> Rate:
    span = {"since": now_ms() - DAY, "until": now_ms() + DAY, "sites": None} | options
    with database.read() as connection:
        return audits.rate_of(audits.verdicts(connection, **span))


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


class TestTheDraw:
    def test_the_share_that_the_site_wants_is_drawn_of_what_is_approved(self) -> None:
        lots = [draw(Status.APPROVED, SETTINGS, room=True) for _ in range(4_000)]
        opened = [one for one in lots if one.audit is Audit.OPEN]
        # Six standard deviations of a binomial distribution.
        assert abs(len(opened) - 1_200) < 6 * (4_000 * 0.3 * 0.7) ** 0.5
        assert {one.propensity for one in opened} == {0.3}
        assert len({one.uncertainty for one in opened}) == len(opened)
        assert all(one == audits.NOT_DRAWN for one in lots if one.audit is None)

    def test_of_what_is_held_some_is_shown_alike_and_none_has_a_propensity(self) -> None:
        lots = Counter(draw(Status.HELD, SETTINGS, room=True) for _ in range(4_000))
        assert lots.keys() == {Drawn(Audit.DECOY), audits.NOT_DRAWN}
        assert abs(lots[Drawn(Audit.DECOY)] - 800) < 6 * (4_000 * 0.2 * 0.8) ** 0.5

    @pytest.mark.parametrize(
        ("status", "settings", "room"),
        [
            (Status.APPROVED, SiteSettings(audit_share=0), True),
            (Status.HELD, SiteSettings(audit_share=0, blind_share=1), True),
            (Status.REJECTED, SiteSettings(audit_share=1, blind_share=1), True),
            (Status.APPROVED, SiteSettings(audit_share=1), False),
        ],
        ids=["no audit", "no audit, so nothing to hide", "rejected", "no room"],
    )
    def test_nothing_is_drawn(self, status: Status, settings: SiteSettings, room: bool) -> None:
        assert draw(status, settings, room=room) == audits.NOT_DRAWN

    def test_what_is_drawn_is_published_and_waits(self, database: Database, scorer: Scorer) -> None:
        site = add_site(
            database, audit_share=1, blind_share=1, thresholds=dict.fromkeys(HEADS, 1.0)
        )
        text = "My grandfather helped to build the landing, and told us of it every summer."
        kind = add_comment(database, site, text=text)
        linked = add_comment(database, site, text="http://a.example http://b.example " * 3)
        decide_comments(database, scorer, [kind, linked])
        assert state(database, kind) == ("approved", "open")
        with database.read() as connection:
            (published,) = [event.at for event in events_of(database, kind)]
            assert audits.last_published_unseen(connection, site) == published
            assert audits.last_published_unseen(connection, site + 1) == 0
        assert state(database, linked) == ("held", "decoy")
        assert waiting(database) == [kind, linked]
        row = row_of(database, kind)
        assert row.propensity == 1
        assert row.language == detect(text) == "en"
        assert row_of(database, linked).propensity is None
        # Its place is by lot, not by what the model said.
        (event,) = events_of(database, kind)
        assert row.uncertainty != rank(event.evidence, event.reason).uncertainty

    def test_while_too_many_wait_none_is_drawn(
        self, database: Database, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audits, "MOST_OPEN", 2)
        lenient = dict.fromkeys(HEADS, 1.0)
        site = add_site(database, audit_share=1, thresholds=lenient)
        other = add_site(database, "other", audit_share=1, thresholds=lenient)
        first, second = (drawn(database, site, text=f"Boat {n}.") for n in "ab")
        ids = [add_comment(database, of, email=f"{of}@example.org") for of in (site, other)]
        decide_comments(database, scorer, ids)
        assert [state(database, one)[1] for one in ids] == ["", "open"]
        decide(database, first, Status.APPROVED)
        later = add_comment(database, site, email="z@example.org", text="Quite another matter.")
        decide_comments(database, scorer, [later])
        assert state(database, later) == ("approved", "open")
        assert state(database, second) == ("approved", "open")


class TestAVerdict:
    def test_what_is_approved_stays_and_is_known_to_be_right(
        self, database: Database, site: int
    ) -> None:
        comment_id = drawn(database, site)
        outcome = decide(database, comment_id, Status.APPROVED)
        assert len(outcome.applied) == 1
        assert state(database, comment_id) == ("approved", "done")
        assert labels(database) == [(Selection.AUDIT, 0.05, 0.0)]
        assert waiting(database) == []

    def test_what_is_rejected_is_published_no_more(self, database: Database, site: int) -> None:
        comment_id = drawn(database, site)
        decide(database, comment_id, Status.REJECTED)
        assert state(database, comment_id) == ("rejected", "done")
        assert labels(database) == [(Selection.AUDIT, 0.05, 1.0)]
        event = events_of(database, comment_id)[-1]
        assert (event.from_status, event.to_status) == ("approved", "rejected")

    def test_undo_puts_it_back_before_the_moderators(self, database: Database, site: int) -> None:
        comment_id = drawn(database, site)
        for to in (Status.REJECTED, Status.APPROVED):
            decide(database, comment_id, to)
            undo(database)
            assert state(database, comment_id) == ("approved", "open")
            assert waiting(database) == [comment_id]
            assert labels(database) == []

    def test_another_persons_word_keeps_it_closed(self, database: Database, site: int) -> None:
        comment_id = drawn(database, site)
        decide(database, comment_id, Status.APPROVED)
        decide(database, comment_id, Status.REJECTED, NILS)
        undo(database, NILS)
        assert state(database, comment_id) == ("approved", "done")
        assert labels(database) == [(Selection.AUDIT, 0.05, 0.0)]

    def test_on_hold_it_is_published_no_more_and_waits(self, database: Database, site: int) -> None:
        comment_id = drawn(database, site)
        decide(database, comment_id, Status.HELD)
        assert state(database, comment_id) == ("held", "open")
        assert waiting(database) == [comment_id]
        decide(database, comment_id, Status.REJECTED)
        assert state(database, comment_id) == ("rejected", "done")
        assert labels(database) == [(Selection.AUDIT, 0.05, 1.0)]

    def test_the_sites_own_people_may_be_first(self, database: Database, site: int) -> None:
        comment_id = drawn(database, site)
        change = Change(comment_id=comment_id, to=Status.REJECTED, reason="spam")
        with database.write() as connection:
            set_status(connection, [change], actor=Actor(ActorKind.CLIENT, "wordpress"))
        assert state(database, comment_id) == ("rejected", "done")
        assert found(database).wrong == 1

    def test_a_decoy_is_a_held_comment_as_any_other(self, database: Database, site: int) -> None:
        comment_id = decoy(database, site)
        decide(database, comment_id, Status.APPROVED)
        assert labels(database) == [(Selection.HELD, 1.0, 0.0)]
        assert waiting(database) == []
        undo(database)
        assert state(database, comment_id) == ("held", "decoy")

    def test_it_is_found_by_what_resembles_it_while_it_waits(
        self, database: Database, site: int
    ) -> None:
        held, comment_id = held_by_worker(database, site), drawn(database, site)
        with database.read() as connection:
            assert set(alike.like_comment(connection, held)) == {held, comment_id}
        decide(database, comment_id, Status.APPROVED)
        with database.read() as connection:
            assert alike.like_comment(connection, held) == [held]
        undo(database)
        with database.read() as connection:
            assert set(alike.like_comment(connection, held)) == {held, comment_id}


class TestTheEstimate:
    def test_the_last_word_on_each_counts_once(self, database: Database, site: int) -> None:
        ids = [drawn(database, site) for _ in range(4)]
        for comment_id, to in zip(ids, (Status.APPROVED, Status.REJECTED), strict=False):
            decide(database, comment_id, to)
        decide(database, ids[0], Status.REJECTED, NILS)
        assert (found(database).wrong, found(database).judged) == (2, 2)
        undo(database, NILS)
        assert (found(database).wrong, found(database).judged) == (1, 2)
        assert found(database).value == 0.5

    def test_held_comments_and_other_sites_and_times_are_not_in_it(
        self, database: Database, site: int
    ) -> None:
        decide(database, held_by_worker(database, site), Status.REJECTED)
        other = add_site(database, "other")
        decide(database, drawn(database, other), Status.REJECTED)
        decide(database, drawn(database, site, age=3 * DAY), Status.REJECTED)
        decide(database, drawn(database, site), Status.APPROVED)
        here = found(database, sites=frozenset({site}))
        assert (here.wrong, here.judged) == (0, 1)
        assert found(database, sites=frozenset({site}), since=0).judged == 2

    def test_what_was_drawn_is_counted_by_how_it_stands(
        self, database: Database, site: int
    ) -> None:
        ids = [drawn(database, site, propensity=chance) for chance in (0.5, 0.5, 0.25)]
        decide(database, ids[0], Status.REJECTED)
        with database.read() as connection:
            samples = audits.samples(
                connection, since=now_ms() - DAY, until=now_ms() + DAY, sites=frozenset({site})
            )
        assert sorted(samples) == [
            (site, 0.25, "open", 1),
            (site, 0.5, "done", 1),
            (site, 0.5, "open", 1),
        ]


def test_an_id_tells_its_time() -> None:
    assert time_of(new_id(1_700_000_000_123)) == 1_700_000_000_123


class TestNothingTells:
    """Of two blind cards nobody can say which is held and which is published."""

    def test_the_cards_are_the_same_at_the_desk_and_in_the_api(
        self, database: Database, site: int
    ) -> None:
        ids = [
            decoy(database, site, email="a@example.org", text="This text is held, as it happens."),
            drawn(database, site, email="b@example.org", text="That one is in print, as it goes."),
        ]
        with database.read() as connection:
            both = cards.cards(connection, queue.rows(connection, ids))
        own = {"id", "name", "text", "created_at"}
        held, published = (CardOut.of(card, "").model_dump(exclude=own) for card in both)
        for card in (held, published):
            del card["author"]["id"]
        assert held == published
        assert held["status"] == "held"
        assert held["blind"]
        assert held["author"] == {"approved": 0, "rejected": 0, "held": 1, "standing": None}

    def test_after_the_decision_everything_is_shown(self, database: Database, site: int) -> None:
        for comment_id in (decoy(database, site), drawn(database, site)):
            decide(database, comment_id, Status.APPROVED)
            with database.read() as connection:
                (card,) = cards.cards(connection, queue.rows(connection, [comment_id]))
            assert not card.row.is_blind
            assert card.model == "model-1"
            assert card.evidence["scores"].keys() == set(HEADS)

    def test_asking_for_what_was_found_finds_held_ones_only(
        self, database: Database, site: int
    ) -> None:
        held, blind, public = (
            held_by_worker(database, site),
            decoy(database, site),
            drawn(database, site),
        )
        assert waiting(database) == [held, blind, public]
        assert waiting(database, language="en", page=PAGE) == [held, blind, public]
        assert waiting(database, score_from=0, score_to=1) == [held, blind]
        assert waiting(database, reason="below_thresholds") == []
        assert waiting(database, reason="insult") == [held, blind]
        assert waiting(database, rule="first_comment") == [held, blind]

    def test_the_histogram_is_of_held_ones(self, database: Database, site: int) -> None:
        held_by_worker(database, site)
        comment_id = drawn(database, site)
        whole = QueueFilter(score_from=0, score_to=1)
        with database.read() as connection:
            assert sum(scores.spread(connection, whole).bins) == 1
            marker = queue.latest_event(connection)
        outcome = scores.decide(
            database, whole, to=Status.REJECTED, reason="spam", moderator=MONA, marker=marker
        )
        assert outcome.decided == 1
        assert state(database, comment_id) == ("approved", "open")

    def test_it_is_counted_and_arrives_as_held_ones_do(self, database: Database, site: int) -> None:
        with database.read() as connection:
            since = queue.latest_event(connection)
        held, comment_id = held_by_worker(database, site), drawn(database, site)
        change = Change(comment_id=add_comment(database, site), to=Status.APPROVED, reason="")
        with database.write() as connection:
            set_status(connection, [change], actor=WORKER)
        with database.read() as connection:
            fresh = queue.arrivals(connection, QueueFilter(), since=since, at_most=9)
            counts = queue.counts(connection, QueueFilter())
            records = authors.records(connection, [comment_id])
        assert set(fresh.ids) == {held, comment_id}
        assert counts[Tab.HELD].number == 2
        (record,) = records.values()
        assert dataclasses.astuple(record) == (1, 0, 2, None)


EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}


@pytest.mark.parametrize(
    ("order", "index"),
    [
        (Order.UNCERTAINTY, "ix_comment_held_uncertainty"),
        (Order.HARM, "ix_comment_held_harm"),
        (Order.OLDEST, "ix_comment_held"),
    ],
)
@pytest.mark.parametrize("filtered", [{}, {"reason": "threat"}], ids=["all", "a reason"])
def test_the_queue_is_read_from_the_index_of_its_order(
    database: Database, order: Order, index: str, filtered: dict[str, str]
) -> None:
    dialect = database.engine.dialect.name
    with database.write() as connection:
        if dialect == "postgresql":
            # There is nothing in the table, and PostgreSQL would rather read all of nothing.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        wanted = QueueFilter(site="news", language="en", **filtered)
        statement = queue.page_query(connection, wanted, order, after="").limit(20)
        sql = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
        plan = [str(row) for row in connection.exec_driver_sql(f"{EXPLAIN[dialect]} {sql}")]
    assert any(re.search(rf"{index}\b", step) for step in plan), plan
    assert not any("ORDER BY" in step or "Sort" in step for step in plan), plan


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_how_many_wait_is_read_from_an_index(database: Database) -> None:
    query = select(func.count()).where(
        Comment.site_id == 1, Comment.audit == "open", Comment.propensity.is_not(None)
    )
    with database.read() as connection:
        sql = query.compile(connection, compile_kwargs={"literal_binds": True}).string
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert "USING COVERING INDEX ix_comment_drawn (site_id=? AND audit=?)" in plan[0]
