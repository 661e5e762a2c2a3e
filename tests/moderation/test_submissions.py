import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select, text

from moderation.clock import MINUTE, now_ms
from moderation.db import Database
from moderation.domain import Status
from moderation.errors import Conflict, FieldError, InvalidInput, Overloaded
from moderation.models import Comment, Thread
from moderation.queues import DecideNotifier, QueueName, connect, queue
from moderation.running.redis_server import RedisServer
from moderation.submissions import NewComment, Receipt, Submissions, author_id
from tests.support.comments import PAGE, add_comment, add_site, new_comment, row_of
from tests.support.jobs import waiting_ids
from tests.support.waiting import eventually


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


@pytest.fixture
def notifier(redis: Redis, redis_url: str) -> DecideNotifier:
    # With a client of its own, because its thread may outlive the test.
    return DecideNotifier(connect(redis_url))


@pytest.fixture
def intake(database: Database, notifier: DecideNotifier) -> Submissions:
    return Submissions(database, notifier)


def stored(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(Comment)).scalar_one()


def title_of(database: Database, page: str = PAGE) -> str:
    with database.read() as connection:
        return connection.execute(select(Thread.title).where(Thread.page == page)).scalar_one()


@contextmanager
def database_held_up(database: Database) -> Iterator[None]:
    """Nobody else can write for as long as the block lasts."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE comment, thread IN ACCESS EXCLUSIVE MODE"))
        yield


def submit_together(
    intake: Submissions, database: Database, comments: list[NewComment]
) -> list[Receipt | Exception]:
    """Have all comments wait for the writer at the same time; what became of each."""
    everybody = threading.Barrier(len(comments) + 1)

    def submit(comment: NewComment) -> Receipt | Exception:
        everybody.wait()
        try:
            return intake.submit(comment)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(comments)) as pool:
        with database_held_up(database):
            outcomes = [pool.submit(submit, comment) for comment in comments]
            everybody.wait()
        return [outcome.result() for outcome in outcomes]


def test_a_comment_is_stored_with_all_that_came_with_it(
    database: Database, intake: Submissions, site: int
) -> None:
    receipt = intake.submit(
        new_comment(
            site,
            page_title="The bridge",
            website="https://zoe.example",
            ip="203.0.113.7",
            user_agent="Browser/1",
            referrer="https://search.example",
            idempotency_key="k1",
        )
    )
    # A connection of another program finds it as soon as submit() returns.
    other = Database(database.url)
    row = row_of(other, receipt.id)
    other.close()
    assert receipt.status is Status.PENDING
    assert (row.site_id, row.parent_id, row.root_id) == (site, None, receipt.id)
    assert (row.name, row.email, row.website) == ("Zoë", "zoe@example.org", "https://zoe.example")
    assert row.text == "The old bridge had a tram line, which nobody mentions."
    assert (row.ip, row.user_agent) == ("203.0.113.7", "Browser/1")
    assert (row.referrer, row.idempotency_key) == ("https://search.example", "k1")
    assert (row.status, row.reason, row.version, row.sweeps) == ("pending", "", 0, 0)
    assert (row.score, row.fingerprint) == (None, None)
    assert now_ms() - MINUTE < row.created_at <= now_ms()
    assert title_of(database) == "The bridge"


def test_the_workers_are_told(
    database: Database, intake: Submissions, site: int, redis: Redis
) -> None:
    ids = {intake.submit(new_comment(site)).id for _ in range(3)}
    eventually(lambda: ids <= waiting_ids(redis))


def test_an_author_is_the_same_on_one_site_whatever_the_case(
    database: Database, intake: Submissions, site: int
) -> None:
    other = add_site(database, "blog")
    same, upper, elsewhere = (
        row_of(database, intake.submit(comment).id).author_id
        for comment in (
            new_comment(site),
            new_comment(site, email="ZOE@example.org"),
            new_comment(other),
        )
    )
    assert same == upper == author_id(site, "zoe@example.org")
    assert same != elsewhere
    assert "zoe" not in same


def test_comments_of_a_page_share_a_thread_and_sites_do_not(
    database: Database, intake: Submissions, site: int
) -> None:
    other = add_site(database, "blog")
    first, again, elsewhere, foreign = (
        row_of(database, intake.submit(comment).id).thread_id
        for comment in (
            new_comment(site),
            new_comment(site),
            new_comment(site, page="/other"),
            new_comment(other),
        )
    )
    assert first == again
    assert len({first, elsewhere, foreign}) == 3


def test_a_thread_has_the_latest_title_that_was_given(
    database: Database, intake: Submissions, site: int
) -> None:
    for given, kept in [("", ""), ("One", "One"), ("", "One"), ("Two", "Two"), ("One", "One")]:
        intake.submit(new_comment(site, page_title=given))
        assert title_of(database) == kept


def test_a_process_that_knows_no_thread_keeps_its_title(
    database: Database, intake: Submissions, site: int, notifier: DecideNotifier
) -> None:
    intake.submit(new_comment(site, page_title="One"))
    Submissions(database, notifier).submit(new_comment(site))
    assert title_of(database) == "One"


def test_more_threads_than_a_process_remembers(
    database: Database, intake: Submissions, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.submissions._THREADS_KNOWN", 2)
    pages = [f"/{number}" for number in (1, 2, 3, 4, 1, 3, 2)]
    for page in pages:
        intake.submit(new_comment(site, page=page, page_title=f"Page {page}"))
    with database.read() as connection:
        found = connection.execute(select(Thread.page, Thread.title)).all()
    assert sorted(found) == [(f"/{n}", f"Page /{n}") for n in (1, 2, 3, 4)]


def test_many_at_once_each_get_an_id_of_their_own(
    database: Database, intake: Submissions, site: int
) -> None:
    comments = [new_comment(site, page=f"/{n % 3}", text=f"Comment {n}") for n in range(40)]
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(intake.submit, comments))
    assert len({receipt.id for receipt in receipts}) == 40
    for receipt, comment in zip(receipts, comments, strict=True):
        assert row_of(database, receipt.id).text == comment.text


def test_a_group_is_one_job(
    database: Database, intake: Submissions, site: int, redis: Redis
) -> None:
    outcomes = submit_together(intake, database, [new_comment(site) for _ in range(12)])
    ids = {outcome.id for outcome in outcomes if isinstance(outcome, Receipt)}
    assert len(ids) == 12
    eventually(lambda: ids <= waiting_ids(redis))
    # The first may have been alone; the rest waited together.
    jobs = [job for job in queue(redis, QueueName.DECIDE).jobs if ids & set(job.args[0])]
    assert len(jobs) <= 2


def test_a_comment_that_cannot_be_stored_takes_no_other_down(
    database: Database, intake: Submissions, site: int, redis: Redis
) -> None:
    # No database takes a lone surrogate. The schemas let none through; a bug might.
    comments = [new_comment(site, text=f"Comment {n}") for n in range(12)]
    comments[6] = new_comment(site, text="\ud800")
    outcomes = submit_together(intake, database, comments)
    assert isinstance(outcomes.pop(6), UnicodeEncodeError)
    ids = {outcome.id for outcome in outcomes if isinstance(outcome, Receipt)}
    assert len(ids) == 11
    assert stored(database) == 11
    eventually(lambda: ids <= waiting_ids(redis))
    # What was undone with it is not remembered.
    intake.submit(new_comment(site))
    assert stored(database) == 12


def test_an_idempotency_key_gives_the_first_answer_again(
    database: Database, intake: Submissions, site: int
) -> None:
    comment = new_comment(site, idempotency_key="k1")
    first = intake.submit(comment)
    assert intake.submit(comment) == first
    assert intake.submit(new_comment(site, idempotency_key="k2")) != first
    assert intake.submit(new_comment(site)) != intake.submit(new_comment(site))
    assert stored(database) == 4


def test_a_key_that_is_repeated_in_the_same_moment_is_stored_once(
    database: Database, intake: Submissions, site: int, redis: Redis
) -> None:
    comment = new_comment(site, idempotency_key="k1")
    outcomes = submit_together(intake, database, [comment] * 10)
    assert len(set(outcomes)) == 1
    assert isinstance(outcomes[0], Receipt)
    assert stored(database) == 1
    eventually(lambda: waiting_ids(redis) >= {outcomes[0].id})


def test_a_key_holds_across_processes(
    database: Database, intake: Submissions, site: int, notifier: DecideNotifier
) -> None:
    comment = new_comment(site, idempotency_key="k1")
    other = Submissions(database, notifier)
    assert other.submit(comment) == intake.submit(comment)


def test_a_repeated_key_tells_where_the_comment_stands_now(
    database: Database, intake: Submissions, site: int
) -> None:
    first = add_comment(database, site, status=Status.APPROVED, idempotency_key="k1")
    again = intake.submit(new_comment(site, idempotency_key="k1"))
    assert again == Receipt(first, Status.APPROVED)


@pytest.mark.parametrize(
    "other", [{"text": "Another text."}, {"email": "eve@example.org"}, {"page": "/other"}], ids=str
)
def test_a_key_for_another_comment_is_a_conflict(
    database: Database, intake: Submissions, site: int, other: dict[str, str]
) -> None:
    intake.submit(new_comment(site, idempotency_key="k1"))
    with pytest.raises(Conflict, match="for another comment"):
        intake.submit(new_comment(site, idempotency_key="k1", **other))
    assert stored(database) == 1


def test_another_site_may_use_the_same_key(
    database: Database, intake: Submissions, site: int
) -> None:
    other = add_site(database, "blog")
    first = intake.submit(new_comment(site, idempotency_key="k1"))
    second = intake.submit(new_comment(other, idempotency_key="k1"))
    assert first.id != second.id
    assert stored(database) == 2


def test_an_answer_belongs_to_the_conversation_of_its_parent(
    database: Database, intake: Submissions, site: int
) -> None:
    start = add_comment(database, site, status=Status.APPROVED)
    answer = add_comment(database, site, parent=start, status=Status.APPROVED)
    row = row_of(database, intake.submit(new_comment(site, parent_id=answer)).id)
    assert (row.parent_id, row.root_id) == (answer, start)


@pytest.mark.parametrize("status", [Status.PENDING, Status.HELD, Status.REJECTED])
def test_what_is_not_published_cannot_be_answered(
    database: Database, intake: Submissions, site: int, status: Status
) -> None:
    parent = add_comment(database, site, status=status)
    with pytest.raises(InvalidInput) as caught:
        intake.submit(new_comment(site, parent_id=parent))
    assert caught.value.errors == (FieldError("parent", "is not a published comment of this page"),)
    assert stored(database) == 1


def test_a_comment_of_another_page_or_site_or_of_none_cannot_be_answered(
    database: Database, intake: Submissions, site: int
) -> None:
    other = add_site(database, "blog")
    foreign = add_comment(database, other, status=Status.APPROVED)
    elsewhere = add_comment(database, site, page="/other", status=Status.APPROVED)
    for parent in (foreign, elsewhere, "0" * 32, "no id"):
        with pytest.raises(InvalidInput):
            intake.submit(new_comment(site, parent_id=parent))


def test_posting_goes_on_without_redis_and_the_workers_hear_of_it_later(
    database: Database, site: int, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "own")
    server.start()
    with connect(server.url, timeout=0.5) as client:
        intake = Submissions(database, DecideNotifier(client))
        before = intake.submit(new_comment(site)).id
        eventually(lambda: waiting_ids(client) == {before})
        server.stop()
        meanwhile = {intake.submit(new_comment(site)).id for _ in range(3)}
        assert all(row_of(database, i).status == "pending" for i in meanwhile)
        server.start()
        eventually(lambda: waiting_ids(client) == {before} | meanwhile)
    server.stop()


def test_a_database_that_does_not_take_it_is_told_apart_from_a_bug(
    database: Database, intake: Submissions, site: int
) -> None:
    with database.write() as connection:
        connection.execute(text("ALTER TABLE comment RENAME TO away"))
    with pytest.raises(Overloaded, match="did not take the comment"):
        intake.submit(new_comment(site))
    with database.write() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO comment"))
    assert row_of(database, intake.submit(new_comment(site)).id).status == "pending"


def test_nobody_waits_for_the_database_for_ever(
    database: Database, intake: Submissions, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.submissions.PATIENCE", 0.05)
    with database_held_up(database), pytest.raises(Overloaded, match="did not answer in time"):
        intake.submit(new_comment(site))
    # What waited is stored all the same, before the database is taken away from its writer.
    monkeypatch.undo()
    intake.submit(new_comment(site))
    assert stored(database) == 2


def test_two_processes_may_meet_on_a_new_page_with_one_key(
    database: Database, site: int, notifier: DecideNotifier
) -> None:
    intakes = [Submissions(database, notifier) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            comment = new_comment(site, page=f"/{number}", idempotency_key=f"k{number}")
            receipts = list(pool.map(lambda intake, c=comment: intake.submit(c), intakes))
            assert receipts[0] == receipts[1]
    assert stored(database) == 20
