"""Labels: what people decided, with where it comes from."""

from sqlalchemy import Connection, insert, select

from moderation import review
from moderation.access.accounts import AccountRef
from moderation.db import Database
from moderation.domain import ActorKind, LabelSource, Role, Selection, Status
from moderation.learning import labels
from moderation.learning.labels import Labelled, NewLabel
from moderation.models import Example, Label
from moderation.review import Actor, Change, set_status
from tests.support.comments import add_comment, add_site

WORKER = Actor(ActorKind.WORKER, "worker")
MONA = AccountRef(1, "mona", Role.MODERATOR, None)
CLIENT = Actor(ActorKind.CLIENT, "akismet")


def person(name: str) -> Actor:
    return Actor(ActorKind.MODERATOR, name)


def move(database: Database, comment_id: str, to: Status, actor: Actor, reason: str = "") -> None:
    with database.write() as connection:
        set_status(connection, [Change(comment_id=comment_id, to=to, reason=reason)], actor=actor)


def counted(database: Database, site_id: int) -> list[Labelled]:
    with database.read() as connection:
        return list(labels.effective(connection, site_id))


def add_example(connection: Connection, site_id: int, **values: object) -> int:
    row = {"origin": "wordpress", "origin_id": "7", "text": "Well said.", "created_at": 5}
    result = connection.execute(insert(Example).values(site_id=site_id, **row | values))
    (number,) = result.inserted_primary_key or ()
    return int(number)


def test_what_a_moderator_decides_is_a_label_with_where_it_comes_from(database: Database) -> None:
    site = add_site(database)
    comment = add_comment(database, site, text="Well said.")
    move(database, comment, Status.HELD, WORKER)

    move(database, comment, Status.REJECTED, person("ann"), "spam")

    (label,) = counted(database, site)
    assert label.key == comment
    assert label.text == "Well said."
    assert (label.source, label.actor) == (LabelSource.MODERATOR, "ann")
    assert (label.unwanted, label.strength, label.reason) == (1.0, 1.0, "spam")
    assert (label.selection, label.propensity) == (Selection.HELD, 1.0)
    assert label.at >= label.created_at > 0


def test_what_the_service_decides_by_itself_is_no_label(database: Database) -> None:
    site = add_site(database)
    for to in (Status.APPROVED, Status.HELD, Status.REJECTED):
        move(database, add_comment(database, site), to, WORKER)

    assert counted(database, site) == []


def test_how_somebody_came_to_look_at_it_is_kept(database: Database) -> None:
    site = add_site(database)
    published, rejected = add_comment(database, site), add_comment(database, site)
    move(database, published, Status.APPROVED, WORKER)
    move(database, rejected, Status.REJECTED, WORKER)

    move(database, published, Status.REJECTED, CLIENT)
    move(database, rejected, Status.APPROVED, person("ann"))

    selections = {label.key: label.selection for label in counted(database, site)}
    assert selections == {published: Selection.PUBLISHED, rejected: Selection.REJECTED}


def test_of_two_people_the_later_counts_and_their_disagreement_is_shown(
    database: Database,
) -> None:
    site = add_site(database)
    comment = add_comment(database, site)
    move(database, comment, Status.REJECTED, person("ann"))
    move(database, comment, Status.APPROVED, person("ben"))

    (label,) = counted(database, site)
    assert (label.actor, label.unwanted) == ("ben", 0.0)
    with database.read() as connection:
        (found,) = labels.disagreements(connection, site, limit=10)
    assert found.comment_id == comment
    assert [row.actor for row in found.labels] == ["ann", "ben"]


def test_who_corrects_himself_disagrees_with_nobody(database: Database) -> None:
    site = add_site(database)
    comment = add_comment(database, site)
    move(database, comment, Status.REJECTED, person("ann"))
    move(database, comment, Status.APPROVED, person("ann"))

    with database.read() as connection:
        assert labels.disagreements(connection, site, limit=10) == []


def test_a_person_speaks_louder_than_an_import_however_late_that_comes(database: Database) -> None:
    site = add_site(database)
    comment = add_comment(database, site)
    move(database, comment, Status.APPROVED, person("ann"))
    with database.write() as connection:
        imported = NewLabel(
            site_id=site,
            comment_id=comment,
            source=LabelSource.IMPORT,
            actor="wordpress",
            unwanted=1.0,
            selection=Selection.IMPORTED,
        )
        labels.record(connection, [imported])

    (label,) = counted(database, site)
    assert (label.source, label.unwanted) == (LabelSource.MODERATOR, 0.0)


def test_what_is_taken_back_counts_no_more_and_what_it_replaced_counts_again(
    database: Database,
) -> None:
    site = add_site(database)
    comment = add_comment(database, site)
    move(database, comment, Status.APPROVED, person("ann"))
    move(database, comment, Status.REJECTED, person(MONA.name))
    with database.write() as connection:
        review.undo(connection, moderator=MONA)

    (label,) = counted(database, site)
    assert (label.actor, label.unwanted) == ("ann", 0.0)
    with database.read() as connection:
        assert len(connection.execute(select(Label.id)).all()) == 2


def test_what_is_put_back_in_the_queue_has_no_label(database: Database) -> None:
    site = add_site(database)
    comment = add_comment(database, site)
    move(database, comment, Status.REJECTED, person("ann"))
    move(database, comment, Status.HELD, person("ben"))

    assert counted(database, site) == []


def test_an_example_that_was_never_posted_here_is_labelled_too(database: Database) -> None:
    site, other = add_site(database), add_site(database, name="other")
    with database.write() as connection:
        number = add_example(connection, site, page="/ferry", name="Kim")
        labels.record(
            connection,
            [
                NewLabel(
                    site_id=site,
                    example_id=number,
                    source=LabelSource.IMPORT,
                    actor="wordpress",
                    unwanted=0.25,
                    strength=0.5,
                    selection=Selection.IMPORTED,
                    at=9,
                )
            ],
        )

    (label,) = counted(database, site)
    assert label.key == f"example-{number}"
    assert (label.text, label.name, label.page, label.created_at) == (
        "Well said.",
        "Kim",
        "/ferry",
        5,
    )
    assert (label.unwanted, label.strength, label.at, label.score) == (0.25, 0.5, 9, None)
    assert counted(database, other) == []


def test_labels_are_counted_from_one_on(database: Database) -> None:
    site = add_site(database)
    for _ in range(3):
        move(database, add_comment(database, site), Status.APPROVED, person("ann"))

    first = min(label.label_id for label in counted(database, site))
    with database.read() as connection:
        assert labels.count_since(connection, site) == 3
        assert labels.count_since(connection, site, first) == 2
