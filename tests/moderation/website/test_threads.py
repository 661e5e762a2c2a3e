import pytest

from moderation.db import Database
from moderation.domain import Status
from moderation.schemas import CommentPage, PublicComment
from moderation.website.threads import DEEPEST, published
from tests.support.comments import PAGE, add_comment, add_site

APPROVED = Status.APPROVED


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def listing(
    database: Database, site: int, *, page: str = PAGE, after: str = "", limit: int = 50
) -> CommentPage:
    with database.read() as connection:
        return published(connection, site_id=site, page=page, after=after, limit=limit)


def tree(comments: list[PublicComment]) -> list[object]:
    """Ids, each with the list of its answers' ids."""
    return [[comment.id, *tree(comment.replies)] for comment in comments]


def test_a_page_without_comments_is_empty(database: Database, site: int) -> None:
    assert listing(database, site) == CommentPage(comments=[], next=None)


def test_only_approved_comments_are_published(database: Database, site: int) -> None:
    ids = {status: add_comment(database, site, status=status) for status in Status}
    assert tree(listing(database, site).comments) == [[ids[APPROVED]]]


def test_a_published_comment_shows_what_its_author_wanted_seen(
    database: Database, site: int
) -> None:
    comment_id = add_comment(
        database, site, status=APPROVED, website="https://zoe.example", ip="203.0.113.7"
    )
    (comment,) = listing(database, site).comments
    assert comment.model_dump().keys() == {
        *("id", "parent", "name", "website", "text", "created_at", "replies")
    }
    assert (comment.id, comment.parent, comment.name) == (comment_id, None, "Zoë")
    assert comment.website == "https://zoe.example"
    assert comment.created_at.utcoffset() is not None


def test_answers_stand_below_what_they_answer_the_oldest_first(
    database: Database, site: int
) -> None:
    first = add_comment(database, site, status=APPROVED, age=9000)
    second = add_comment(database, site, status=APPROVED, age=8000)
    late = add_comment(database, site, status=APPROVED, parent=first, age=5000)
    early = add_comment(database, site, status=APPROVED, parent=first, age=7000)
    deep = add_comment(database, site, status=APPROVED, parent=early, age=6000)
    comments = listing(database, site).comments
    assert tree(comments) == [[first, [early, [deep]], [late]], [second]]
    assert comments[0].replies[0].replies[0].parent == early


def test_what_is_too_deep_stands_at_the_deepest_place(database: Database, site: int) -> None:
    chain = [add_comment(database, site, status=APPROVED, age=20_000)]
    for number in range(1, DEEPEST + 3):
        chain.append(
            add_comment(
                database, site, status=APPROVED, parent=chain[-1], age=20_000 - number * 1000
            )
        )
    (comment,) = listing(database, site).comments
    for expected in chain[1:DEEPEST]:
        (comment,) = comment.replies
        assert comment.id == expected
    assert [reply.id for reply in comment.replies] == chain[DEEPEST:]
    assert [reply.parent for reply in comment.replies] == chain[DEEPEST - 1 : -1]


def test_an_answer_to_what_is_not_published_stands_below_the_start(
    database: Database, site: int
) -> None:
    start = add_comment(database, site, status=APPROVED, age=4000)
    hidden = add_comment(database, site, status=Status.REJECTED, parent=start, age=3000)
    answer = add_comment(database, site, status=APPROVED, parent=hidden, age=2000)
    (comment,) = listing(database, site).comments
    assert tree([comment]) == [[start, [answer]]]
    assert comment.replies[0].parent is None


def test_answers_go_with_a_start_that_is_not_published(database: Database, site: int) -> None:
    start = add_comment(database, site, status=Status.HELD, age=4000)
    add_comment(database, site, status=APPROVED, parent=start, age=3000)
    assert listing(database, site).comments == []


def test_conversations_are_read_page_by_page(database: Database, site: int) -> None:
    starts = [add_comment(database, site, status=APPROVED, age=9000 - 1000 * n) for n in range(5)]
    answer = add_comment(database, site, status=APPROVED, parent=starts[3])
    first = listing(database, site, limit=2)
    second = listing(database, site, limit=2, after=first.next or "")
    third = listing(database, site, limit=2, after=second.next or "")
    assert tree(first.comments) == [[starts[0]], [starts[1]]]
    assert tree(second.comments) == [[starts[2]], [starts[3], [answer]]]
    assert tree(third.comments) == [[starts[4]]]
    assert third.next is None


def test_a_last_page_that_is_full_has_no_next(database: Database, site: int) -> None:
    for _ in range(2):
        add_comment(database, site, status=APPROVED)
    assert listing(database, site, limit=2).next is None


def test_other_pages_and_other_sites_stay_apart(database: Database, site: int) -> None:
    other = add_site(database, "blog")
    mine = add_comment(database, site, status=APPROVED)
    theirs = add_comment(database, other, status=APPROVED)
    elsewhere = add_comment(database, site, page="/other", status=APPROVED)
    assert tree(listing(database, site).comments) == [[mine]]
    assert tree(listing(database, other).comments) == [[theirs]]
    assert tree(listing(database, site, page="/other").comments) == [[elsewhere]]
    assert listing(database, other, page="/other").comments == []
