from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from moderation import alike
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.domain import ActorKind, Role, Status
from moderation.errors import NotFound
from moderation.review import Actor, Applied, Change, Outcome, decide, set_status, undo
from tests.support.comments import (
    MODERATOR,
    WORKER,
    add_comment,
    add_site,
    events_of,
    held_by_worker,
    row_of,
)

MONA = AccountRef(1, "mona", Role.MODERATOR, None)
NILS = AccountRef(2, "nils", Role.MODERATOR, None)

PENDING, APPROVED, HELD, REJECTED = Status

DECIDED = [APPROVED, HELD, REJECTED]


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def change(database: Database, actor: Actor, *changes: Change) -> list[Applied]:
    with database.write() as connection:
        return set_status(connection, changes, actor=actor)


MOVES = [
    # A worker decides what is pending, and nothing else.
    *((WORKER, PENDING, to, True) for to in DECIDED),
    *((WORKER, stands, to, False) for stands in DECIDED for to in DECIDED),
    # A moderator decides whatever the status.
    *((MODERATOR, stands, to, True) for stands in Status for to in DECIDED),
    # Nobody makes a comment pending again.
    *((actor, stands, PENDING, False) for actor in (WORKER, MODERATOR) for stands in Status),
]


@pytest.mark.parametrize(
    "move", MOVES, ids=[f"{actor.kind}-{stands}-{to}" for actor, stands, to, _ in MOVES]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_may_move_a_comment_from_where(
    database: Database, site: int, move: tuple[Actor, Status, Status, bool]
) -> None:
    actor, stands, to, allowed = move
    comment_id = add_comment(database, site, status=stands)
    before = row_of(database, comment_id)
    applied = change(database, actor, Change(comment_id=comment_id, to=to, reason="why"))
    after = row_of(database, comment_id)
    events = len(events_of(database, comment_id))
    if allowed:
        assert applied == [Applied(comment_id, stands, to, before.version + 1)]
        assert (after.status, after.reason) == (to, "why")
        assert after.version == events == before.version + 1
    else:
        assert applied == []
        assert after == before
        assert events == before.version


def test_a_change_is_written_with_its_event(database: Database, site: int) -> None:
    comment_id = add_comment(database, site)
    evidence = {"rules": [], "scores": {"reject": 0.9}}
    change(
        database,
        WORKER,
        Change(
            comment_id=comment_id,
            to=HELD,
            reason="insult",
            model="model-1",
            score=0.9,
            fingerprint=b"0123456789abcdef",
            evidence=evidence,
        ),
    )
    row = row_of(database, comment_id)
    assert (row.status, row.reason, row.score) == ("held", "insult", 0.9)
    assert (row.fingerprint, row.version) == (b"0123456789abcdef", 1)
    (event,) = events_of(database, comment_id)
    assert (event.actor_kind, event.actor) == (ActorKind.WORKER, "worker")
    assert (event.from_status, event.to_status) == ("pending", "held")
    assert (event.reason, event.model, event.evidence) == ("insult", "model-1", evidence)
    assert event.at >= row.created_at


def test_a_moderator_leaves_the_score_and_the_fingerprint(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, score=0.9, fingerprint=b"0123456789abcdef")
    change(database, MODERATOR, Change(comment_id=comment_id, to=APPROVED, reason=""))
    row = row_of(database, comment_id)
    assert (row.score, row.fingerprint) == (0.9, b"0123456789abcdef")
    assert events_of(database, comment_id)[0].model is None


def test_each_of_a_batch_is_judged_by_itself(database: Database, site: int) -> None:
    first, decided, last = (
        add_comment(database, site, status=status) for status in (PENDING, APPROVED, PENDING)
    )
    wishes = [
        Change(comment_id=first, to=HELD, reason="insult"),
        Change(comment_id="0" * 32, to=HELD, reason="insult"),
        Change(comment_id=decided, to=HELD, reason="insult"),
        Change(comment_id=last, to=APPROVED, reason="below_thresholds"),
    ]
    applied = change(database, WORKER, *wishes)
    assert [(a.comment_id, a.to_status) for a in applied] == [(first, HELD), (last, APPROVED)]
    assert row_of(database, decided).status == "approved"
    assert change(database, WORKER) == []


def test_a_status_and_its_event_are_undone_together(database: Database, site: int) -> None:
    comment_id = add_comment(database, site)

    def fail_after_the_change() -> None:
        with database.write() as connection:
            wish = Change(comment_id=comment_id, to=APPROVED, reason="")
            assert set_status(connection, [wish], actor=WORKER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_the_change()
    assert row_of(database, comment_id).status == "pending"
    assert events_of(database, comment_id) == []


def test_a_status_is_not_written_when_its_event_cannot_be(database: Database, site: int) -> None:
    comment_id = add_comment(database, site)
    nameless = Actor(ActorKind.WORKER, None)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        change(database, nameless, Change(comment_id=comment_id, to=APPROVED, reason=""))
    assert row_of(database, comment_id).status == "pending"


def test_many_who_decide_at_once_make_one_change(database: Database, site: int) -> None:
    comment_id = add_comment(database, site)
    wish = Change(comment_id=comment_id, to=APPROVED, reason="")
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: change(database, WORKER, wish), range(16)))
    assert sum(map(len, applied)) == 1
    assert len(events_of(database, comment_id)) == 1


def seen(database: Database, *ids: str) -> list[tuple[str, int]]:
    """The comments in the versions that they have now."""
    return [(comment_id, row_of(database, comment_id).version) for comment_id in ids]


def decide_by_hand(
    database: Database,
    looked_at: list[tuple[str, int]],
    to: Status,
    *,
    reason: str = "",
    by: AccountRef = MONA,
) -> Outcome:
    with database.write() as connection:
        return decide(connection, looked_at, to=to, reason=reason, moderator=by)


def take_back(database: Database, by: AccountRef = MONA) -> Outcome:
    with database.write() as connection:
        return undo(connection, moderator=by)


def standing(database: Database, *ids: str) -> list[tuple[str, str]]:
    return [(row.status, row.reason) for row in (row_of(database, i) for i in ids)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_moderator_decided_last_is_found_by_name_among_millions_of_events(
    database: Database, site: int
) -> None:
    comment_id = add_comment(database, site, status=HELD)
    decide_by_hand(database, [(comment_id, 1)], REJECTED)
    asked = []

    def note(
        _connection: object, _cursor: object, query: str, parameters: object, *_: object
    ) -> None:
        asked.append((query, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    take_back(database)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        plans = [
            str(row.detail)
            for query, parameters in asked
            if query.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
        ]
    assert any("USING INDEX ix_event_moderator (actor=?)" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN event")]


class TestDecisionsOfModerators:
    def test_a_moderator_decides_what_was_seen(self, database: Database, site: int) -> None:
        comment_id = add_comment(database, site, status=HELD)
        outcome = decide_by_hand(database, [(comment_id, 1)], REJECTED, reason="spam")
        assert outcome == Outcome([Applied(comment_id, HELD, REJECTED, 2)], [], [])
        assert standing(database, comment_id) == [("rejected", "spam")]
        latest = events_of(database, comment_id)[-1]
        assert (latest.actor_kind, latest.actor, latest.kind) == ("moderator", "mona", "decision")

    def test_who_comes_second_is_told_who_decided_and_what(
        self, database: Database, site: int
    ) -> None:
        first, second = (add_comment(database, site, status=HELD) for _ in range(2))
        looked_at = seen(database, first, second)
        decide_by_hand(database, looked_at[:1], REJECTED, reason="off_topic", by=NILS)
        outcome = decide_by_hand(database, looked_at, APPROVED)
        assert [one.comment_id for one in outcome.applied] == [second]
        (conflict,) = outcome.conflicts
        assert (conflict.comment_id, conflict.by, conflict.status) == (first, "nils", REJECTED)
        assert str(conflict) == "nils has decided meanwhile: rejected (off topic)"
        assert standing(database, first, second) == [("rejected", "off_topic"), ("approved", "")]

    def test_what_is_not_there_or_on_another_site_is_missing(
        self, database: Database, site: int
    ) -> None:
        other = add_site(database, "blog")
        comment_id = add_comment(database, other, status=HELD)
        looked_at = [*seen(database, comment_id), ("0" * 32, 1)]
        here = AccountRef(1, "mona", Role.MODERATOR, frozenset({site}))
        assert decide_by_hand(database, looked_at, APPROVED, by=here).missing == [
            comment_id,
            "0" * 32,
        ]
        assert standing(database, comment_id) == [("held", "")]

    def test_more_than_a_statement_holds_are_decided(self, database: Database, site: int) -> None:
        ids = [add_comment(database, site, status=HELD) for _ in range(3)]
        nowhere = [(f"{n:032x}", 1) for n in range(2_500)]
        outcome = decide_by_hand(database, [*nowhere, *seen(database, *ids)], APPROVED)
        assert [one.comment_id for one in outcome.applied] == ids
        assert len(outcome.missing) == 2_500


class TestUndo:
    def test_the_last_decision_is_taken_back_as_a_new_event(
        self, database: Database, site: int
    ) -> None:
        first, last = (held_by_worker(database, site) for _ in range(2))
        for comment_id in (first, last):
            decide_by_hand(database, seen(database, comment_id), REJECTED, reason="spam")
        assert [one.comment_id for one in take_back(database).applied] == [last]
        assert standing(database, first, last) == [("rejected", "spam"), ("held", "insult")]
        event = events_of(database, last)[-1]
        assert (event.kind, event.from_status, event.to_status) == ("undo", "rejected", "held")
        assert [one.comment_id for one in take_back(database).applied] == [first]
        assert standing(database, first) == [("held", "insult")]
        with pytest.raises(NotFound, match="no decision of yours"):
            take_back(database)

    def test_a_decision_about_several_is_taken_back_whole(
        self, database: Database, site: int
    ) -> None:
        alone, *several = (held_by_worker(database, site) for _ in range(4))
        decide_by_hand(database, seen(database, alone), APPROVED)
        decide_by_hand(database, seen(database, *several), APPROVED)
        assert {one.comment_id for one in take_back(database).applied} == set(several)
        assert standing(database, alone, *several) == [("approved", ""), *[("held", "insult")] * 3]
        take_back(database)
        assert standing(database, alone) == [("held", "insult")]

    def test_what_somebody_decided_since_stays(self, database: Database, site: int) -> None:
        comment_id = held_by_worker(database, site)
        decide_by_hand(database, seen(database, comment_id), APPROVED)
        decide_by_hand(database, seen(database, comment_id), REJECTED, reason="hate", by=NILS)
        outcome = take_back(database)
        assert outcome.applied == []
        assert [conflict.by for conflict in outcome.conflicts] == ["nils"]
        assert standing(database, comment_id) == [("rejected", "hate")]

    def test_nobody_takes_back_what_another_decided(self, database: Database, site: int) -> None:
        comment_id = held_by_worker(database, site)
        decide_by_hand(database, seen(database, comment_id), APPROVED, by=NILS)
        with pytest.raises(NotFound):
            take_back(database)

    def test_two_decisions_about_one_comment_are_taken_back_one_after_the_other(
        self, database: Database, site: int
    ) -> None:
        comment_id = add_comment(database, site, status=HELD)
        for to, reason in ((REJECTED, "spam"), (APPROVED, "")):
            decide_by_hand(database, seen(database, comment_id), to, reason=reason)
        assert len(take_back(database).applied) == 1
        assert standing(database, comment_id) == [("rejected", "spam")]
        assert len(take_back(database).applied) == 1
        assert standing(database, comment_id) == [("held", "")]

    def test_what_was_pending_is_held(self, database: Database, site: int) -> None:
        comment_id = add_comment(database, site)
        decide_by_hand(database, [(comment_id, 0)], APPROVED)
        take_back(database)
        assert standing(database, comment_id) == [("held", "")]


class TestWhatTheQueueIsSortedBy:
    def test_the_workers_evidence_is_ranked_and_a_moderators_decision_keeps_it(
        self, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        ranked = row_of(database, comment_id)
        assert (ranked.head, ranked.rule, ranked.language) == ("insult", "first_comment", "en")
        assert (ranked.uncertainty, ranked.harm) == (0.2, 0.54)
        decide_by_hand(database, seen(database, comment_id), REJECTED, reason="spam")
        after = row_of(database, comment_id)
        for name in ("head", "rule", "language", "uncertainty", "harm", "score", "fingerprint"):
            assert getattr(after, name) == getattr(ranked, name)

    def test_only_what_is_held_is_found_by_what_resembles_it(
        self, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)

        def found() -> list[str]:
            with database.read() as connection:
                return list(alike.like_comment(connection, comment_id))

        assert found() == [comment_id]
        decide_by_hand(database, seen(database, comment_id), HELD)
        assert found() == [comment_id]
        decide_by_hand(database, seen(database, comment_id), APPROVED)
        assert found() == []
        take_back(database)
        assert found() == [comment_id]
