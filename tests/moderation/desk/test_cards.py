from sqlalchemy import event

from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import queue
from moderation.desk.cards import Card, cards
from moderation.desk.queue import Count
from moderation.domain import ActorKind, Role, Status
from moderation.review import Actor, Change, decide, set_status, undo
from tests.support.comments import add_comment, add_site, held_by_worker, row_of

ADVERTISEMENT = "Buy the finest harbour watches at {}, you will never find them any cheaper."


def cards_of(database: Database, ids: list[str]) -> tuple[list[Card], int]:
    """The cards of these comments, and how many statements it took."""
    statements = []

    def note(*about: object) -> None:
        statements.append(about[2])

    with database.read() as connection:
        rows = queue.rows(connection, ids)
        event.listen(database.engine, "before_cursor_execute", note)
        found = cards(connection, rows)
        event.remove(database.engine, "before_cursor_execute", note)
    return found, len(statements)


def test_many_cards_take_as_many_statements_as_one(database: Database) -> None:
    site = add_site(database)
    ids = [
        held_by_worker(database, site, text=f"What became of boat {n * 7919}?", email=f"{n}@a.de")
        for n in range(6)
    ]
    assert cards_of(database, ids)[1] == cards_of(database, ids[:1])[1]


def test_each_card_has_its_own_author_and_its_own_similar_ones(database: Database) -> None:
    site = add_site(database)
    noon, night = (
        held_by_worker(database, site, text=ADVERTISEMENT.format(at), email="ads@example.org")
        for at in ("noon", "night")
    )
    alone = held_by_worker(database, site, text="The ferryman was not asked.", email="a@a.de")
    # A comment without a fingerprint resembles nothing.
    old = add_comment(database, site, status=Status.APPROVED, email="ads@example.org")
    found, _ = cards_of(database, [noon, old, alone, night])
    assert [card.similar for card in found] == [Count(1), Count(0), Count(0), Count(1)]
    assert [(card.author.held, card.author.approved) for card in found] == [
        (2, 1),
        (2, 1),
        (1, 0),
        (2, 1),
    ]


def test_who_decided_at_the_site_is_named(database: Database) -> None:
    comment_id = held_by_worker(database, add_site(database))
    change = Change(comment_id=comment_id, to=Status.REJECTED, reason="spam")
    with database.write() as connection:
        set_status(connection, [change], actor=Actor(ActorKind.CLIENT, "zora"))
    (card,), _ = cards_of(database, [comment_id])
    assert card.decided_by == "zora"


def test_what_was_taken_back_stands_on_what_it_stood_on_before(database: Database) -> None:
    comment_id = held_by_worker(database, add_site(database))
    mona = AccountRef(1, "mona", Role.MODERATOR, None)

    def decided(to: Status, reason: str = "") -> None:
        version = row_of(database, comment_id).version
        with database.write() as connection:
            decide(connection, [(comment_id, version)], to=to, reason=reason, moderator=mona)

    def taken_back() -> tuple[str, str, str]:
        with database.write() as connection:
            undo(connection, moderator=mona)
        (card,), _ = cards_of(database, [comment_id])
        return card.row.status, card.row.reason, card.decided_by

    decided(Status.REJECTED, "spam")
    decided(Status.APPROVED)
    assert taken_back() == ("rejected", "spam", "mona")
    assert taken_back() == ("held", "insult", "")
