from typing import Any

import pytest

from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import scores
from moderation.desk.queue import QueueFilter
from moderation.desk.scores import BINS, decide, in_range, spread
from moderation.domain import Role, Status
from tests.support.comments import add_comment, add_site, events_of, row_of
from tests.support.events import HELD_BY_MACHINE, add_event

APPROVED, HELD, REJECTED = Status.APPROVED, Status.HELD, Status.REJECTED

MONA = AccountRef(1, "mona", Role.MODERATOR, None)
NILS = AccountRef(2, "nils", Role.MODERATOR, None)


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def hold(database: Database, site: int, score: float | None, **columns: Any) -> str:
    comment = add_comment(database, site, score=score, **columns)
    add_event(database, comment, at=1_700_000_000_000, **HELD_BY_MACHINE)
    return comment


def wanted(low: float | None = None, high: float | None = None, **fields: Any) -> QueueFilter:
    sites = fields.pop("sites", None)
    return QueueFilter.parse(fields | {"score_from": low or "", "score_to": high or ""}, sites)


def decide_all(database: Database, asked: QueueFilter, *, marker: int, **options: Any) -> Any:
    usual: dict[str, Any] = {"to": REJECTED, "reason": "spam", "moderator": MONA}
    return decide(database, asked, marker=marker, **(usual | options))


def marker_of(database: Database, asked: QueueFilter) -> int:
    with database.read() as connection:
        return in_range(connection, asked, sample=0).marker


class TestSpread:
    def test_each_held_comment_is_in_the_bin_of_its_score(
        self, database: Database, site: int
    ) -> None:
        for score in (0.0, 0.005, 0.125, 0.999, 1.0, None):
            hold(database, site, score)
        add_comment(database, site, score=0.5, status=APPROVED)
        with database.read() as connection:
            found = spread(connection, wanted())
        assert {n: count for n, count in enumerate(found.bins) if count} == {0: 2, 12: 1, 99: 2}
        assert len(found.bins) == BINS
        assert found.without == 1

    def test_it_is_of_the_sites_and_the_head_that_are_asked_for(
        self, database: Database, site: int
    ) -> None:
        hold(database, site, 0.5, head="insult")
        hold(database, site, 0.6, head="spam")
        hold(database, add_site(database, "blog"), 0.7, head="spam")
        with database.read() as connection:
            assert sum(spread(connection, wanted(site="news")).bins) == 2
            assert sum(spread(connection, wanted(reason="spam")).bins) == 2
            mine = wanted(reason="spam", sites=frozenset({site}))
            assert sum(spread(connection, mine).bins) == 1
            # A range that is chosen does not narrow what it was chosen from.
            assert sum(spread(connection, wanted(0.1, 0.2)).bins) == 3


class TestRange:
    def test_it_is_counted_and_some_of_it_drawn(self, database: Database, site: int) -> None:
        ids = {hold(database, site, 0.5 + n / 100) for n in range(5)}
        other = hold(database, site, 0.9)
        with database.read() as connection:
            found = in_range(connection, wanted(0.5, 0.6), sample=3)
        assert found.count == 5
        assert len(found.sample) == 3
        assert {row.id for row in found.sample} < ids
        assert found.marker == max(events_of(database, comment)[-1].id for comment in [*ids, other])


class TestDeciding:
    def test_what_is_in_the_range_is_decided_and_nothing_else(
        self, database: Database, site: int
    ) -> None:
        inside = [hold(database, site, score) for score in (0.5, 0.55, 0.6)]
        outside = [hold(database, site, score) for score in (0.49, 0.61, None)]
        asked = wanted(0.5, 0.6)
        outcome = decide_all(database, asked, marker=marker_of(database, asked))
        assert (outcome.decided, outcome.left) == (3, 0)
        for comment in inside:
            assert (row_of(database, comment).status, row_of(database, comment).reason) == (
                "rejected",
                "spam",
            )
            assert events_of(database, comment)[-1].actor == "mona"
        assert {row_of(database, comment).status for comment in outside} == {"held"}

    @pytest.mark.parametrize("theirs", [APPROVED, REJECTED, HELD])
    def test_what_a_colleague_decided_meanwhile_stays(
        self, database: Database, site: int, theirs: Status
    ) -> None:
        mine, touched = hold(database, site, 0.5), hold(database, site, 0.5)
        asked = wanted(0.5, 0.6)
        marker = marker_of(database, asked)
        add_event(database, touched, at=1_700_000_100_000, to=theirs, actor="nils")
        assert decide_all(database, asked, marker=marker).decided == 1
        assert row_of(database, mine).status == "rejected"
        assert row_of(database, touched).status == theirs
        assert events_of(database, touched)[-1].actor == "nils"

    def test_what_came_in_after_the_count_is_left(self, database: Database, site: int) -> None:
        hold(database, site, 0.5)
        asked = wanted(0.5, 0.6)
        marker = marker_of(database, asked)
        late = hold(database, site, 0.5)
        outcome = decide_all(database, asked, marker=marker)
        assert (outcome.decided, outcome.left) == (1, 0)
        assert row_of(database, late).status == "held"

    def test_a_note_is_no_decision_of_a_colleague(self, database: Database, site: int) -> None:
        comment = hold(database, site, 0.5)
        asked = wanted(0.5, 0.6)
        marker = marker_of(database, asked)
        from moderation.desk import remarks

        with database.write() as connection:
            remarks.note(connection, comment_id=comment, text="hm", moderator=NILS)
        assert decide_all(database, asked, marker=marker).decided == 1

    def test_many_are_decided_in_batches_up_to_a_limit(
        self, database: Database, site: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scores, "BATCH", 2)
        monkeypatch.setattr(scores, "MOST_AT_ONCE", 5)
        ids = [hold(database, site, 0.5) for _ in range(7)]
        asked = wanted(0.5, 0.6)
        marker = marker_of(database, asked)
        outcome = decide_all(database, asked, marker=marker, to=APPROVED, reason="")
        assert (outcome.decided, outcome.left) == (5, 2)
        assert sum(row_of(database, comment).status == "held" for comment in ids) == 2
        assert decide_all(database, asked, marker=marker).decided == 2

    def test_other_sites_are_out_of_reach(self, database: Database, site: int) -> None:
        hold(database, site, 0.5)
        asked = wanted(0.5, 0.6, sites=frozenset({site + 1}))
        assert decide_all(database, asked, marker=marker_of(database, asked)).decided == 0
