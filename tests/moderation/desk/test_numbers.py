import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sqlalchemy import select

from moderation.clock import DAY, HOUR, MINUTE, SECOND, now_ms
from moderation.db import Database
from moderation.desk.numbers import (
    Decided,
    Figures,
    Judged,
    Share,
    bucket,
    by_day,
    close_days,
    quantile,
    share,
    waiting,
)
from moderation.domain import ActorKind, EventKind, Status
from moderation.models import DayFigures
from moderation.records.erasure import erase
from tests.support.comments import MODERATOR, add_comment, add_site
from tests.support.events import HELD_BY_MACHINE, add_event

PENDING, APPROVED, HELD, REJECTED = Status

FIRST = 20_000  # a day in 2024
MORNING = FIRST * DAY + 8 * HOUR

APPROVED_BY_MACHINE = {
    "by": ActorKind.WORKER,
    "to": APPROVED,
    "reason": "below_thresholds",
    "model": "model-1",
}


def scored_again(to: Status) -> dict[str, Any]:
    """What a newer model made of a held comment, for `add_event`."""
    return {"by": ActorKind.WORKER, "kind": EventKind.RESCORE, "to": to, "model": "model-2"}


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def total(database: Database, first: int = FIRST, last: int = FIRST, **options: object) -> Figures:
    """The figures of all these days and sites together."""
    whole = Figures()
    with database.read() as connection:
        found = by_day(connection, first=first, last=last, **({"sites": None} | options))  # type: ignore[arg-type]
    for figures in found.values():
        whole.add(figures)
    return whole


class TestCounting:
    def test_every_change_is_counted_by_who_what_and_why(
        self, database: Database, site: int
    ) -> None:
        for _ in range(2):
            add_event(database, add_comment(database, site), at=MORNING, **APPROVED_BY_MACHINE)
        held = add_comment(database, site)
        add_event(database, held, at=MORNING, **HELD_BY_MACHINE)
        add_event(database, held, at=MORNING + HOUR, to=REJECTED, reason="spam")
        assert total(database).decided == {
            Decided("worker", "pending", "approved", "below_thresholds", "model-1"): 2,
            Decided("worker", "pending", "held", "insult", "model-1"): 1,
            Decided("moderator", "held", "rejected", "spam", ""): 1,
        }

    def test_an_erasure_is_no_judgement(self, database: Database, site: int) -> None:
        comment, today = add_comment(database, site), now_ms() // DAY
        add_event(database, comment, at=now_ms(), **APPROVED_BY_MACHINE)
        with database.write() as connection:
            assert erase(connection, [comment], actor=MODERATOR) == 1
        whole = total(database, today, today + 1)
        assert whole.decided.total() == 1
        assert whole.afterwards.total() == 1
        assert not whole.judged

    def test_what_a_newer_model_approved_is_counted_apart(
        self, database: Database, site: int
    ) -> None:
        for to in (HELD, APPROVED):
            comment = add_comment(database, site)
            add_event(database, comment, at=MORNING, **HELD_BY_MACHINE)
            add_event(database, comment, at=MORNING + HOUR, **scored_again(to))
        figures = total(database)
        assert figures.decided.total() == 2
        assert figures.afterwards == {Decided("worker", "held", "approved", "", "model-2"): 1}

    def test_a_day_begins_and_ends_at_midnight_utc(self, database: Database, site: int) -> None:
        for at in (FIRST * DAY - 1, FIRST * DAY, (FIRST + 1) * DAY - 1, (FIRST + 1) * DAY):
            add_event(database, add_comment(database, site), at=at, **APPROVED_BY_MACHINE)
        with database.read() as connection:
            found = by_day(connection, first=FIRST - 1, last=FIRST + 1, sites=None)
        counts = {day: figures.decided.total() for (day, _), figures in found.items()}
        assert counts == {FIRST - 1: 1, FIRST: 2, FIRST + 1: 1}
        assert total(database).decided.total() == 2

    def test_sites_are_counted_apart(self, database: Database, site: int) -> None:
        other = add_site(database, "blog")
        for where in (site, other, other):
            add_event(database, add_comment(database, where), at=MORNING, **APPROVED_BY_MACHINE)
        assert total(database, sites=frozenset({other})).decided.total() == 2
        assert total(database, sites=frozenset()).decided.total() == 0


class TestJudging:
    def test_the_machines_word_stands_beside_the_persons(
        self, database: Database, site: int
    ) -> None:
        held = add_comment(database, site)
        add_event(database, held, at=MORNING, **HELD_BY_MACHINE)
        add_event(database, held, at=MORNING + MINUTE, to=REJECTED, reason="abuse")
        passed = add_comment(database, site)
        add_event(database, passed, at=MORNING, **APPROVED_BY_MACHINE)
        add_event(database, passed, at=MORNING + MINUTE, to=REJECTED)
        figures = total(database)
        assert figures.judged == {
            Judged("held", "insult", "model-1", "rejected"): 1,
            Judged("approved", "below_thresholds", "model-1", "rejected"): 1,
        }
        assert figures.waits == {bucket(MINUTE): 1}

    def test_of_what_was_scored_again_the_newer_models_word_is_compared(
        self, database: Database, site: int
    ) -> None:
        for to in (HELD, APPROVED):
            comment = add_comment(database, site)
            add_event(database, comment, at=MORNING, **HELD_BY_MACHINE)
            add_event(database, comment, at=MORNING + MINUTE, **scored_again(to))
            add_event(database, comment, at=MORNING + HOUR, to=REJECTED)
        figures = total(database)
        assert figures.judged == {
            Judged("held", "", "model-2", "rejected"): 1,
            Judged("approved", "", "model-2", "rejected"): 1,
        }
        assert figures.waits == {bucket(HOUR): 1}

    def test_the_word_of_a_sites_own_people_counts_as_a_persons(
        self, database: Database, site: int
    ) -> None:
        held = add_comment(database, site)
        add_event(database, held, at=MORNING, **HELD_BY_MACHINE)
        client = ActorKind.CLIENT
        add_event(database, held, at=MORNING + MINUTE, to=APPROVED, by=client, actor="akismet")
        figures = total(database)
        assert figures.judged == {Judged("held", "insult", "model-1", "approved"): 1}
        assert figures.waits == {bucket(MINUTE): 1}

    def test_of_one_day_the_last_word_counts(self, database: Database, site: int) -> None:
        comment = add_comment(database, site)
        add_event(database, comment, at=MORNING, **HELD_BY_MACHINE)
        for number, to in enumerate((REJECTED, HELD, APPROVED), start=1):
            add_event(database, comment, at=MORNING + number * SECOND, to=to)
        figures = total(database)
        assert figures.judged == {Judged("held", "insult", "model-1", "approved"): 1}
        assert figures.waits == {bucket(SECOND): 1}

    def test_what_was_taken_back_is_no_verdict(self, database: Database, site: int) -> None:
        comment = add_comment(database, site)
        add_event(database, comment, at=MORNING, **HELD_BY_MACHINE)
        add_event(database, comment, at=MORNING + SECOND, to=REJECTED)
        add_event(database, comment, at=MORNING + MINUTE, to=HELD)
        assert total(database).judged == {}

    def test_a_wait_over_midnight_belongs_to_the_day_it_ended_on(
        self, database: Database, site: int
    ) -> None:
        comment = add_comment(database, site)
        add_event(database, comment, at=MORNING, **HELD_BY_MACHINE)
        add_event(database, comment, at=MORNING + DAY, to=APPROVED)
        add_event(database, comment, at=MORNING + 2 * DAY, to=REJECTED)
        assert total(database).waits == {}
        assert total(database, FIRST + 1, FIRST + 1).waits == {bucket(DAY): 1}
        assert total(database, FIRST + 2, FIRST + 2).waits == {}
        assert [total(database, day, day).judged.total() for day in range(FIRST, FIRST + 3)] == [
            0,
            1,
            1,
        ]

    def test_without_a_machine_there_is_nothing_to_compare(
        self, database: Database, site: int
    ) -> None:
        add_event(database, add_comment(database, site), at=MORNING, to=APPROVED)
        figures = total(database)
        assert (figures.judged, figures.waits) == ({}, {})
        assert figures.decided.total() == 1


class TestClosing:
    def test_days_that_are_over_are_kept_and_count_the_same(
        self, database: Database, site: int
    ) -> None:
        for day in (0, 1, 4):
            comment = add_comment(database, site)
            add_event(database, comment, at=MORNING + day * DAY, **HELD_BY_MACHINE)
            add_event(database, comment, at=MORNING + day * DAY + HOUR, to=REJECTED)
        before = total(database, FIRST, FIRST + 4)
        # On the fifth day, the days with events before it.
        assert close_days(database, now=MORNING + 4 * DAY) == 2
        assert kept_days(database) == [FIRST, FIRST + 1]
        assert total(database, FIRST, FIRST + 4) == before
        assert close_days(database, now=MORNING + 4 * DAY) == 0

    def test_what_is_kept_is_not_counted_again(self, database: Database, site: int) -> None:
        add_event(database, add_comment(database, site), at=MORNING, **APPROVED_BY_MACHINE)
        close_days(database, now=MORNING + DAY)
        # Nothing may come in late; it shows that the events were not looked at.
        add_event(database, add_comment(database, site), at=MORNING, **APPROVED_BY_MACHINE)
        assert total(database).decided.total() == 1

    def test_a_day_is_kept_an_hour_after_its_end(self, database: Database, site: int) -> None:
        add_event(database, add_comment(database, site), at=MORNING, **APPROVED_BY_MACHINE)
        end = (FIRST + 1) * DAY
        assert close_days(database, now=end + HOUR - 1) == 0
        assert close_days(database, now=end + HOUR) == 1

    def test_no_more_days_at_once_than_asked_for(self, database: Database, site: int) -> None:
        for day in range(3):
            comment = add_comment(database, site)
            add_event(database, comment, at=MORNING + day * DAY, **APPROVED_BY_MACHINE)
        assert close_days(database, now=MORNING + 9 * DAY, at_most=2) == 2
        assert kept_days(database) == [FIRST, FIRST + 1]

    def test_nothing_to_keep_is_no_error(self, database: Database) -> None:
        assert close_days(database) == 0


def kept_days(database: Database) -> list[int]:
    with database.read() as connection:
        query = select(DayFigures.day).order_by(DayFigures.day)
        return list(connection.execute(query).scalars())


counts = st.integers(1, 10**6)
words = st.text(max_size=5)
figures = st.builds(
    Figures,
    *[st.dictionaries(st.builds(Decided, *[words] * 5), counts).map(Counter)] * 2,
    st.dictionaries(st.builds(Judged, *[words] * 4), counts).map(Counter),
    st.dictionaries(st.integers(0, 300), counts).map(Counter),
)


@given(figures)
def test_figures_come_back_as_they_were_stored(stored: Figures) -> None:
    assert Figures.from_json(stored.to_json()) == stored


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_interval_of_a_share_is_wilsons(one: int, other: int) -> None:
    part, whole = min(one, other), max(one, other)
    found = share(part, whole)
    if whole == 0:
        assert found == Share(0, 0, None, 0, 1)
        return
    wilson = binomtest(part, whole).proportion_ci(method="wilson")
    assert math.isclose(found.low, wilson.low, abs_tol=1e-12)
    assert math.isclose(found.high, wilson.high, abs_tol=1e-12)


@given(st.lists(st.integers(0, 30 * DAY), min_size=1, max_size=50), st.sampled_from([0.5, 0.9]))
def test_a_quantile_of_waits_is_right_to_its_bucket(waits: list[int], q: float) -> None:
    counted = Figures()
    for wait in waits:
        counted.waits[bucket(wait)] += 1
    exact = sorted(waits)[math.ceil(q * len(waits)) - 1]
    found = quantile(counted.waits, q)
    assert found is not None
    # One bucket: 9 %, and a tenth of a second for the shortest.
    assert abs(found - exact) <= 0.0906 * (exact + SECOND) + 1


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile({}, 0.5) is None


class TestWaiting:
    def test_the_held_are_counted_by_age(self, database: Database, site: int) -> None:
        now = now_ms()
        for age in (MINUTE, 20 * MINUTE, 2 * HOUR, 2 * HOUR, 10 * DAY):
            add_comment(database, site, status=HELD, age=age)
        add_comment(database, site, status=APPROVED, age=HOUR)
        with database.read() as connection:
            found = waiting(connection, sites=None, now=now)
        assert found.held == 5
        assert found.by_age == [1, 1, 2, 0, 0, 0, 1]
        assert found.median is not None
        assert found.oldest is not None
        assert abs(found.median - 2 * HOUR) < MINUTE
        assert abs(found.oldest - 10 * DAY) < MINUTE

    def test_of_other_sites_nothing_is_counted(self, database: Database, site: int) -> None:
        add_comment(database, add_site(database, "blog"), status=HELD)
        with database.read() as connection:
            found = waiting(connection, sites=frozenset({site}))
        assert (found.held, found.median, found.oldest) == (0, None, None)
        assert set(found.by_age) == {0}
