from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError

from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.errors import Conflict, NotFound
from moderation.review import (
    Actor,
    Applied,
    Change,
    counts,
    held,
    moderate,
    set_status,
)
from tests.support.comments import (
    MODERATOR,
    PAGE,
    TEXT,
    WORKER,
    add_comment,
    add_site,
    events_of,
    row_of,
)

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


def decide_by_hand(
    database: Database, comment_id: str, to: Status, *, seen: int, who: str = "mona"
) -> Applied:
    with database.write() as connection:
        return moderate(
            connection, comment_id=comment_id, to=to, reason="", seen_version=seen, moderator=who
        )


def test_a_moderator_decides_what_was_seen(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, status=HELD)
    assert decide_by_hand(database, comment_id, APPROVED, seen=1) == Applied(
        comment_id, HELD, APPROVED, 2
    )
    latest = events_of(database, comment_id)[-1]
    assert (latest.actor_kind, latest.actor) == (ActorKind.MODERATOR, "mona")


def test_who_comes_second_is_told_who_decided_and_what(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, status=HELD)
    decide_by_hand(database, comment_id, REJECTED, seen=1, who="nils")
    with pytest.raises(Conflict, match=r"^nils has decided meanwhile: rejected$"):
        decide_by_hand(database, comment_id, APPROVED, seen=1)
    assert row_of(database, comment_id).status == "rejected"


def test_a_comment_that_is_not_there_cannot_be_decided(database: Database) -> None:
    with pytest.raises(NotFound):
        decide_by_hand(database, "0" * 32, APPROVED, seen=0)


def test_a_version_that_never_was_is_a_conflict(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, status=HELD)
    with pytest.raises(Conflict, match="mona has decided"):
        decide_by_hand(database, comment_id, APPROVED, seen=-1)


def test_held_comments_are_listed_the_oldest_first(database: Database, site: int) -> None:
    other = add_site(database, "blog")
    oldest = add_comment(database, site, status=HELD, age=3000)
    for status in (PENDING, APPROVED, REJECTED):
        add_comment(database, site, status=status, age=2500)
    middle = add_comment(database, other, status=HELD, age=2000)
    newest = add_comment(database, site, status=HELD, age=1000)
    with database.read() as connection:
        assert [c.id for c in held(connection, after="", limit=9)] == [oldest, middle, newest]
        assert [c.id for c in held(connection, after=oldest, limit=1)] == [middle]
        assert [c.site for c in held(connection, after="", limit=9)] == ["news", "blog", "news"]


def test_a_held_comment_comes_with_its_latest_decision(database: Database, site: int) -> None:
    comment_id = add_comment(database, site, status=APPROVED)
    with database.write() as connection:
        wish = Change(comment_id=comment_id, to=HELD, reason="second look", evidence={"x": 1})
        set_status(connection, [wish], actor=MODERATOR)
    with database.read() as connection:
        (found,) = held(connection, after="", limit=9)
    assert (found.id, found.version, found.reason) == (comment_id, 2, "second look")
    assert (found.page, found.name, found.text) == (PAGE, "Zoë", TEXT)
    assert found.evidence == {"x": 1}
    assert "zoe@example.org" not in repr(found)


def test_every_status_is_counted(database: Database, site: int) -> None:
    with database.read() as connection:
        assert counts(connection) == dict.fromkeys(Status, 0)
    for status in (PENDING, HELD, HELD, REJECTED):
        add_comment(database, site, status=status)
    with database.read() as connection:
        assert counts(connection) == {PENDING: 1, APPROVED: 0, HELD: 2, REJECTED: 1}
