"""Erasure: nothing that somebody wrote, nor who it was, is left in any table."""

from typing import Any

import pytest
from sqlalchemy import insert, inspect, select, text

from moderation import alike, review
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.desk import authors, queue, remarks
from moderation.desk.cards import cards
from moderation.domain import ActorKind, EventKind, LabelSource, Role, Selection, Standing, Status
from moderation.errors import NotFound
from moderation.learning import labels
from moderation.learning.labels import NewLabel
from moderation.models import Example
from moderation.records import erasure
from moderation.review import Actor, Change, set_status
from moderation.submissions import author_id
from moderation.website import threads
from tests.support.comments import (
    EVIDENCE,
    MODERATOR,
    PAGE,
    WORKER,
    add_comment,
    add_site,
    events_of,
    held_by_worker,
    row_of,
)

MONA = AccountRef(1, "mona", Role.ADMINISTRATOR, None)
EMAIL = "gone.person@postbox.example"
NEEDLE = "quetzalcoatlus"
"""In all that the person wrote or was called."""

PERSONAL = {
    "text": f"My {NEEDLE} is better than yours.",
    "name": f"{NEEDLE} fan",
    "email": EMAIL,
    "website": f"https://{NEEDLE}.example",
    "ip": "203.0.113.77",
    "user_agent": f"{NEEDLE} browser",
    "referrer": f"https://{NEEDLE}.example/ref",
}
QUOTING = EVIDENCE | {
    "rules": [{"rule": "banned_word", "verdict": "hold", "detail": f"has the word {NEEDLE}"}],
    "explanation": {"spans": [[3, 17, 1.0]], "words": [[NEEDLE, 1.0]]},
}


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def everything(database: Database) -> str:
    """All that stands in any table."""
    with database.read() as connection:
        names = inspect(connection).get_table_names()
        rows = [connection.execute(text(f'SELECT * FROM "{name}"')).all() for name in names]
    assert len(names) > 10
    return repr(rows).lower()


def erase(database: Database, *ids: str, actor: Actor = MODERATOR) -> int:
    with database.write() as connection:
        return erasure.erase(connection, ids, actor=actor)


def discussed(database: Database, site: int) -> str:
    """A comment of the person about which much was done; its id."""
    comment = held_by_worker(database, site, evidence=QUOTING, **PERSONAL)
    with database.write() as connection:
        remarks.note(
            connection, comment_id=comment, text=f"writes of {NEEDLE} again", moderator=MONA
        )
        remarks.email(connection, comment_id=comment, moderator=MONA)
        authors.set_standing(
            connection, comment_id=comment, standing=Standing.TRUSTED, moderator=MONA
        )
        review.decide(connection, [(comment, 1)], to=Status.APPROVED, reason="", moderator=MONA)
    return comment


def test_nothing_is_left_of_the_text_and_the_person_in_any_table(
    database: Database, site: int
) -> None:
    comment = discussed(database, site)
    before = everything(database)
    for trace in (NEEDLE, EMAIL, "203.0.113.77"):
        assert trace in before

    assert erase(database, comment) == 1

    after = everything(database)
    for trace in (NEEDLE, EMAIL, "203.0.113.77"):
        assert trace not in after
    row = row_of(database, comment)
    assert (row.status, row.reason) == ("rejected", "erased")
    assert author_id(site, EMAIL) != row.author_id
    assert row.fingerprint is None


def test_who_erased_it_is_in_its_history_and_what_it_stood_on_stays(
    database: Database, site: int
) -> None:
    comment = discussed(database, site)
    number = len(events_of(database, comment))

    erase(database, comment)

    events = events_of(database, comment)
    assert len(events) == number + 1
    last = events[-1]
    assert (last.kind, last.actor) == (EventKind.ERASURE, "mona")
    assert (last.from_status, last.to_status) == ("approved", "rejected")
    assert events[0].evidence["scores"] == EVIDENCE["scores"]
    with database.read() as connection:
        (card,) = cards(connection, queue.rows(connection, [comment]))
    assert card.notes == []
    assert card.decided_by == "mona"


def test_its_labels_are_withdrawn_and_no_effective_label_has_its_text(
    database: Database, site: int
) -> None:
    comment = discussed(database, site)
    with database.read() as connection:
        assert [one.key for one in labels.effective(connection, site)] == [comment]

    erase(database, comment)

    with database.read() as connection:
        assert list(labels.effective(connection, site)) == []


def test_what_is_erased_is_final_for_everybody(database: Database, site: int) -> None:
    comment, other = discussed(database, site), add_comment(database, site)
    erase(database, comment)
    before = row_of(database, comment)
    client = Actor(ActorKind.CLIENT, "akismet")

    with database.write() as connection:
        change = Change(comment_id=comment, to=Status.APPROVED, reason="")
        for actor in (MODERATOR, client, WORKER, Actor(ActorKind.IMPORT, "wordpress")):
            assert set_status(connection, [change], actor=actor) == []
        seen = [(comment, before.version), (other, 0)]
        outcome = review.decide(connection, seen, to=Status.APPROVED, reason="", moderator=MONA)
        assert [one.comment_id for one in outcome.applied] == [other]
        (conflict,) = outcome.conflicts
        assert str(conflict) == "mona has decided meanwhile: rejected (erased)"
        review.undo(connection, moderator=MONA)
        undone = review.undo(connection, moderator=MONA)
        assert undone.applied == []
    assert row_of(database, comment) == before
    assert erase(database, comment) == 0
    with database.read() as connection:
        assert list(labels.effective(connection, site)) == []


def test_a_worker_that_has_read_it_before_decides_nothing(database: Database, site: int) -> None:
    comment = add_comment(database, site, **PERSONAL)

    erase(database, comment)

    with database.write() as connection:
        change = Change(
            comment_id=comment, to=Status.HELD, reason="insult", evidence=QUOTING, fingerprint=b"x"
        )
        assert set_status(connection, [change], actor=WORKER) == []
    assert NEEDLE not in everything(database)


def test_a_held_one_is_no_longer_found_by_what_resembles_it(database: Database, site: int) -> None:
    comment, alike_one = (held_by_worker(database, site, **PERSONAL) for _ in range(2))

    erase(database, comment)

    with database.read() as connection:
        assert alike.like_comment(connection, alike_one) == [alike_one]


def test_answers_stay_and_say_nothing_of_it(database: Database, site: int) -> None:
    first = add_comment(database, site, status=Status.APPROVED)
    gone = add_comment(database, site, status=Status.APPROVED, parent=first, **PERSONAL)
    answer = add_comment(database, site, status=Status.APPROVED, parent=gone)

    erase(database, gone)

    with database.read() as connection:
        page = threads.published(connection, site_id=site, page=PAGE, after="", limit=9)
    (start,) = page.comments
    (reply,) = start.replies
    assert (reply.id, reply.parent) == (answer, None)
    assert gone not in page.model_dump_json()


def test_all_of_an_author_on_one_site_is_found_by_the_address(
    database: Database, site: int
) -> None:
    mine = [add_comment(database, site, **PERSONAL) for _ in range(3)]
    add_comment(database, site)
    elsewhere = add_comment(database, add_site(database, "courier"), **PERSONAL)

    with database.write() as connection:
        found = erasure.of_author(connection, site, author_id(site, EMAIL.upper()))
        assert found == mine
        assert erasure.erase(connection, found, actor=MODERATOR) == 3
        assert erasure.of_author(connection, site, author_id(site, EMAIL)) == []
    assert row_of(database, elsewhere).text == PERSONAL["text"]


def test_examples_are_erased_by_name_and_only_these(database: Database, site: int) -> None:
    with database.write() as connection:
        add = insert(Example).returning(Example.id)
        rows: list[dict[str, Any]] = [
            {"name": name, "text": f"{name} wrote it", "website": "", "page": f"/{name}"}
            for name in (NEEDLE, "Ann", "")
        ]
        ids = [
            connection.execute(
                add.values(
                    row | {"site_id": site, "origin": "x", "origin_id": str(n), "created_at": 1}
                )
            ).scalar_one()
            for n, row in enumerate(rows)
        ]
        labels.record(
            connection,
            [
                NewLabel(
                    site_id=site,
                    source=LabelSource.IMPORT,
                    actor="x",
                    unwanted=0,
                    selection=Selection.IMPORTED,
                    example_id=one,
                )
                for one in ids
            ],
        )
        assert erasure.examples_named(connection, site, [""]) == []
        found = erasure.examples_named(connection, site, [NEEDLE])
        assert erasure.erase_examples(connection, found) == 1

    assert NEEDLE not in everything(database)
    with database.read() as connection:
        assert [one.name for one in labels.effective(connection, site)] == ["Ann", ""]
        # Its place stays, so that no import brings it back.
        assert len(connection.execute(select(Example.id)).all()) == 3


def test_nothing_is_erased_of_what_is_not_there(database: Database) -> None:
    assert erase(database, "0" * 32) == 0
    with pytest.raises(NotFound), database.write() as connection:
        review.undo(connection, moderator=MONA)
