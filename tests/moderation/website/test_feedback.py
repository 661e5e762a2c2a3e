from typing import Any

import pytest
from sqlalchemy import select

from moderation.db import Database
from moderation.domain import ActorKind, LabelSource, Selection, Status
from moderation.errors import NotFound
from moderation.learning import labels
from moderation.models import Example, Label
from moderation.records import erasure
from moderation.review import Actor, Change, set_status
from moderation.website import feedback
from tests.support.comments import WORKER, add_comment, add_site, events_of, held_by_worker, row_of


def correct(database: Database, site: int, comment_id: str, to: Status, by: str = "zora") -> None:
    with database.write() as connection:
        feedback.correct(
            connection, site_id=site, comment_id=comment_id, to=to, reason="spam", by=by
        )


def report(database: Database, site: int, comment_id: str, by: str = "one") -> None:
    with database.write() as connection:
        feedback.report(connection, site_id=site, comment_id=comment_id, reason="insult", by=by)


def published(database: Database, site: int) -> str:
    """A comment that the service has published by itself."""
    comment_id = add_comment(database, site)
    change = Change(comment_id=comment_id, to=Status.APPROVED, reason="below_thresholds")
    with database.write() as connection:
        set_status(connection, [change], actor=WORKER)
    return comment_id


def teach(database: Database, site: int, unwanted: float, **fields: Any) -> None:
    with database.write() as connection:
        feedback.teach(
            connection,
            site_id=site,
            origin="akismet",
            origin_id="d1",
            unwanted=unwanted,
            **({"text": "Cheap pills"} | fields),
        )


def labels_of(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(Label.__table__).order_by(Label.id)))


def test_what_a_sites_people_say_is_a_decision_and_a_label(database: Database) -> None:
    site = add_site(database)
    comment_id = held_by_worker(database, site)
    correct(database, site, comment_id, Status.REJECTED)
    assert row_of(database, comment_id).status == "rejected"
    event = events_of(database, comment_id)[-1]
    assert (event.actor_kind, event.actor) == (ActorKind.CLIENT, "zora")
    (label,) = labels_of(database)
    assert (label.source, label.actor, label.unwanted) == (LabelSource.CLIENT, "zora", 1.0)
    assert (label.selection, label.reason) == (Selection.HELD, "spam")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestFeedback:
    def test_the_same_said_twice_is_said_once(self, database: Database) -> None:
        site = add_site(database)
        comment_id = held_by_worker(database, site)
        for _ in range(3):
            correct(database, site, comment_id, Status.REJECTED)
        assert len(labels_of(database)) == 1
        correct(database, site, comment_id, Status.APPROVED)
        correct(database, site, comment_id, Status.REJECTED)
        assert len(labels_of(database)) == 3

    def test_the_later_word_counts_between_the_desk_and_the_site(self, database: Database) -> None:
        site = add_site(database)
        comment_id = add_comment(database, site, status=Status.APPROVED)
        correct(database, site, comment_id, Status.REJECTED)
        with database.read() as connection:
            (found,) = labels.effective(connection, site)
        assert (found.unwanted, found.source) == (1.0, LabelSource.CLIENT)
        assert row_of(database, comment_id).status == "rejected"

    def test_what_readers_report_counts_a_little_until_somebody_decides(
        self, database: Database
    ) -> None:
        site, other = add_site(database), add_site(database, "other")
        comment_id = published(database, site)
        for reader in ("one", "one", "another"):
            report(database, site, comment_id, by=reader)
        first, second = labels_of(database)
        assert first.actor != second.actor
        with database.read() as connection:
            (found,) = labels.effective(connection, site)
        assert (found.unwanted, found.source) == (1.0, LabelSource.READER)
        assert (found.strength, found.selection) == (0.3, Selection.PUBLISHED)
        assert row_of(database, comment_id).status == "approved"
        correct(database, site, comment_id, Status.APPROVED)
        report(database, site, comment_id, by="a third")
        with database.read() as connection:
            (found,) = labels.effective(connection, site)
        assert (found.unwanted, found.source) == (0.0, LabelSource.CLIENT)
        with pytest.raises(NotFound):
            report(database, other, comment_id)

    def test_what_is_erased_is_reported_no_more(self, database: Database) -> None:
        site = add_site(database)
        comment_id = add_comment(database, site, status=Status.APPROVED)
        report(database, site, comment_id, by="one")
        with database.write() as connection:
            erasure.erase(connection, [comment_id], actor=Actor(ActorKind.MODERATOR, "ada"))
        with pytest.raises(NotFound):
            report(database, site, comment_id, by="another")
        with database.read() as connection:
            assert list(labels.effective(connection, site)) == []

    def test_a_site_says_nothing_of_another_sites_comments(self, database: Database) -> None:
        site, other = add_site(database), add_site(database, "other")
        comment_id = held_by_worker(database, site)
        for whose, which in ((other, comment_id), (site, "0" * 32)):
            with pytest.raises(NotFound):
                correct(database, whose, which, Status.APPROVED)
        assert row_of(database, comment_id).status == "held"

    def test_what_was_never_sent_here_becomes_an_example_once(self, database: Database) -> None:
        site = add_site(database)
        for unwanted in (1.0, 1.0, 0.0, 0.0):
            teach(database, site, unwanted)
        with database.read() as connection:
            assert len(connection.execute(select(Example.id)).all()) == 1
            (found,) = labels.effective(connection, site)
        assert (found.unwanted, found.text) == (0.0, "Cheap pills")
        assert [row.selection for row in labels_of(database)] == ["published", "rejected"]
