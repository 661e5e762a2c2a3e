from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.db import Database
from moderation.desk import queue
from moderation.desk.queue import Count, Order, QueueFilter, Tab
from moderation.domain import Status
from moderation.errors import InvalidInput
from moderation.policy import HEADS
from moderation.submissions import author_id
from tests.support.comments import EVIDENCE, add_comment, add_site, held_by_worker


def evidence(**scores: float) -> dict[str, Any]:
    return EVIDENCE | {"scores": dict.fromkeys(HEADS, 0.0) | scores}


def listed(
    database: Database,
    order: Order = Order.OLDEST,
    *,
    after: str = "",
    limit: int = 50,
    **wanted: Any,
) -> list[str]:
    with database.read() as connection:
        page = queue.page(connection, QueueFilter(**wanted), order, after=after, limit=limit)
    return [row.id for row in page.rows]


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


class TestOrder:
    def test_each_order_reads_page_by_page_without_loss_or_repetition(
        self, database: Database, site: int
    ) -> None:
        # Several have the same figures, so that the ids decide.
        ids = [
            held_by_worker(
                database, site, age=1_000 * n, evidence=evidence(insult=0.5 + 0.1 * (n % 3))
            )
            for n in range(7)
        ]
        for order in Order:
            whole = listed(database, order)
            assert sorted(whole) == sorted(ids)
            read: list[str] = []
            after: str | None = ""
            while after is not None:
                with database.read() as connection:
                    page = queue.page(connection, QueueFilter(), order, after=after, limit=2)
                read += [row.id for row in page.rows]
                after = page.next
            assert read == whole

    def test_what_comes_first(self, database: Database, site: int) -> None:
        certain = held_by_worker(database, site, age=3_000, evidence=evidence(spam=1.0))
        close = held_by_worker(database, site, age=2_000, evidence=evidence(insult=0.51))
        threat = held_by_worker(database, site, age=1_000, evidence=evidence(threat=0.95))
        assert listed(database, Order.UNCERTAINTY) == [close, threat, certain]
        assert listed(database, Order.HARM) == [threat, close, certain]
        assert listed(database, Order.OLDEST) == [certain, close, threat]
        assert listed(database, Order.NEWEST) == [threat, close, certain]

    def test_decided_comments_have_no_order_but_age(self, database: Database, site: int) -> None:
        ids = [add_comment(database, site, status=Status.APPROVED, age=n) for n in (9, 5, 1)]
        assert listed(database, Order.HARM, status=Tab.APPROVED) == ids[::-1]

    @pytest.mark.parametrize("after", ["x~y", "0.5", "0.5~a~b"])
    def test_a_wrong_place_to_go_on_is_refused(self, database: Database, after: str) -> None:
        with pytest.raises(InvalidInput, match="after"):
            listed(database, Order.HARM, after=after)


class TestFilter:
    def test_each_filter_lets_pass_what_it_says(self, database: Database, site: int) -> None:
        other = add_site(database, "blog")
        rules = [{"rule": "flood", "verdict": "hold", "detail": "too fast"}]
        special = held_by_worker(
            database,
            other,
            page="/harbour",
            email="eve@example.org",
            name="Eve",
            text="Grüße vom Hafen, 100% echt",
            language="de",
            evidence=evidence(threat=0.9, reject=0.95) | {"rules": rules},
            reason="flood",
        )
        usual = held_by_worker(database, site)
        for wanted in (
            {"site": "blog"},
            {"sites": frozenset({other})},
            {"page": "/harbour"},
            {"reason": "threat"},
            {"reason": "flood"},
            {"rule": "flood"},
            {"score_from": 0.9},
            {"author": author_id(other, "eve@example.org")},
            {"author": author_id(other, "eve@example.org"), "site": "blog"},
            {"language": "de"},
            {"text": "hafen"},
            {"text": "GRÜSSE".replace("SS", "ß")},
            {"text": "100%"},
            {"text": "eve"},
        ):
            assert listed(database, **wanted) == [special], wanted
            with database.read() as connection:
                assert queue.count(connection, QueueFilter(**wanted)) == Count(1)
        assert listed(database, score_to=0.9) == [usual]
        assert listed(database, sites=frozenset()) == []
        assert listed(database, text="_") == []
        assert listed(database, language="unknown") == []

    def test_what_resembles_a_comment(self, database: Database, site: int) -> None:
        text = "The old bridge had a tram line, which nobody mentions, and {} more of them."
        ids = [held_by_worker(database, site, text=text.format(n)) for n in ("two", "three")]
        elsewhere = add_site(database, "blog")
        held_by_worker(database, elsewhere, text=text.format("two"))
        held_by_worker(database, site, text="Something else altogether, about bees and a museum.")
        assert listed(database, similar_to=ids[0]) == ids
        assert listed(database, similar_to="0" * 32) == []

    def test_a_decided_comment_passes_by_the_models_reason_or_the_moderators(
        self, database: Database, site: int
    ) -> None:
        comment_id = add_comment(database, site, status=Status.REJECTED)
        assert listed(database, status=Tab.REJECTED) == [comment_id]
        assert listed(database, status=Tab.REJECTED, reason="insult") == []

    def test_a_form_with_empty_fields_filters_nothing(self) -> None:
        fields = {name: "" for name in QueueFilter.model_fields if name not in ("status", "sites")}
        assert QueueFilter.parse(fields, None) == QueueFilter()

    def test_the_sites_are_not_for_the_sender_to_say(self) -> None:
        assert QueueFilter.parse({"sites": "1"}, frozenset({2})).sites == {2}

    @pytest.mark.parametrize(
        "wrong",
        [{"status": "lost"}, {"score_from": "2"}, {"score_to": "x"}, {"text": "x" * 201}],
        ids=str,
    )
    def test_what_is_wrong_is_named(self, wrong: dict[str, str]) -> None:
        with pytest.raises(InvalidInput) as refused:
            QueueFilter.parse(wrong, None)
        assert [error.field for error in refused.value.errors] == list(wrong)

    @given(
        st.builds(
            QueueFilter,
            status=st.sampled_from(Tab),
            site=st.text("abc", max_size=5),
            text=st.text(st.characters(categories=["L", "N", "P"]), max_size=20),
            score_from=st.none() | st.floats(0, 1),
        )
    )
    def test_a_filter_survives_the_way_through_an_address(self, wanted: QueueFilter) -> None:
        args = {name: str(value) for name, value in wanted.args().items()}
        assert QueueFilter.parse(args, None).args() == wanted.args()


class TestCounts:
    def test_every_tab_is_counted_within_the_sites(self, database: Database, site: int) -> None:
        other = add_site(database, "blog")
        for status in (Status.PENDING, Status.HELD, Status.HELD, Status.REJECTED):
            add_comment(database, site, status=status)
        add_comment(database, other, status=Status.APPROVED)
        with database.read() as connection:
            everywhere = queue.counts(connection, QueueFilter(text="whatever"))
            here = queue.counts(connection, QueueFilter(sites=frozenset({site})))
        assert [count.number for count in everywhere.values()] == [2, 1, 1, 5]
        assert [count.number for count in here.values()] == [2, 0, 1, 4]

    def test_counting_stops(self, database: Database, site: int) -> None:
        for _ in range(3):
            held_by_worker(database, site)
        with database.read() as connection:
            assert str(queue.count(connection, QueueFilter(), at_most=2)) == "2+"
            assert str(queue.count(connection, QueueFilter(), at_most=3)) == "3"


class TestArrivals:
    def test_what_was_held_since_is_told_once(self, database: Database, site: int) -> None:
        held_by_worker(database, site)
        with database.read() as connection:
            since = queue.latest_event(connection)
        fresh = held_by_worker(database, site, language="de")
        add_comment(database, site, status=Status.APPROVED)
        with database.read() as connection:
            found = queue.arrivals(connection, QueueFilter(), since=since, at_most=9)
            assert found.ids == [fresh]
            english = QueueFilter(language="en")
            assert queue.arrivals(connection, english, since=since, at_most=9).ids == []
            assert (
                queue.arrivals(connection, QueueFilter(), since=found.marker, at_most=9).ids == []
            )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("order", "index"),
    [
        (Order.UNCERTAINTY, "ix_comment_held_uncertainty"),
        (Order.HARM, "ix_comment_held_harm"),
        (Order.OLDEST, "ix_comment_held"),
    ],
)
def test_sqlite_reads_the_queue_from_the_index_of_its_order(
    database: Database, order: Order, index: str
) -> None:
    with database.read() as connection:
        wanted = QueueFilter(sites=frozenset({1, 2}), site="news", reason="threat", language="en")
        statement = queue.page_query(connection, wanted, order, after="")
        sql = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(f"USING INDEX {index}" in step or f"INDEX {index}" in step for step in plan), plan
    assert not any("ORDER BY" in step for step in plan)
