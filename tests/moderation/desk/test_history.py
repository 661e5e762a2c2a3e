from typing import Any

import pytest

from moderation.clock import HOUR, MINUTE, SECOND
from moderation.db import Database
from moderation.desk import history
from moderation.desk.history import (
    SETTLING,
    EventFilter,
    exported,
    exports,
    following,
    log_export,
    newest,
    of_comment,
)
from moderation.domain import ActorKind, Status
from tests.support.comments import EMAIL, TEXT, add_comment, add_site
from tests.support.events import HELD_BY_MACHINE, add_event

PENDING, APPROVED, HELD, REJECTED = Status

START = 1_700_000_000_000


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def listed(database: Database, *, before: int | None = None, limit: int = 99, **wanted: Any) -> Any:
    with database.read() as connection:
        events = newest(connection, EventFilter(**wanted), before=before, limit=limit)
    return [event.id for event in events]


def followed(
    database: Database, *, after: int = 0, limit: int = 99, now: int, **wanted: Any
) -> Any:
    with database.read() as connection:
        events = following(connection, EventFilter(**wanted), after=after, limit=limit, now=now)
    return [event.id for event in events]


@pytest.fixture
def five(database: Database, site: int) -> list[int]:
    """Ids of five events, an hour apart: of two comments, on two sites, of three actors."""
    first, other = add_comment(database, site), add_comment(database, add_site(database, "blog"))
    held = HELD_BY_MACHINE
    return [
        add_event(database, first, at=START, **held),
        add_event(database, other, at=START + HOUR, **(held | {"reason": "spam"})),
        add_event(database, first, at=START + 2 * HOUR, to=REJECTED, reason="spam"),
        add_event(database, other, at=START + 3 * HOUR, to=APPROVED, actor="nils"),
        add_event(database, first, at=START + 4 * HOUR, to=APPROVED),
    ]


class TestListing:
    def test_the_newest_come_first_page_by_page(self, database: Database, five: list[int]) -> None:
        assert listed(database) == five[::-1]
        assert listed(database, limit=2) == [five[4], five[3]]
        assert listed(database, limit=2, before=five[3]) == [five[2], five[1]]
        assert listed(database, before=five[0]) == []

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"moderator": "mona"}, [2, 4]),
            ({"moderator": "nils"}, [3]),
            # A machine is no moderator, whatever its name.
            ({"moderator": "worker"}, []),
            ({"actor_kind": ActorKind.WORKER}, [0, 1]),
            ({"actor_kind": ActorKind.MODERATOR, "to": APPROVED}, [3, 4]),
            ({"to": HELD}, [0, 1]),
            ({"reason": "spam"}, [1, 2]),
            ({"since": START + HOUR}, [1, 2, 3, 4]),
            ({"until": START + HOUR}, [0]),
            ({"since": START + HOUR, "until": START + 4 * HOUR}, [1, 2, 3]),
            ({"since": START + 5 * HOUR}, []),
            ({"until": START}, []),
            ({"sites": frozenset()}, []),
        ],
        ids=str,
    )
    def test_a_filter_leaves_what_it_says(
        self, database: Database, five: list[int], wanted: dict[str, Any], found: list[int]
    ) -> None:
        assert listed(database, **wanted) == [five[number] for number in reversed(found)]

    @pytest.mark.usefixtures("five")
    def test_what_people_did_at_the_site_is_found_by_their_name_too(
        self, database: Database, site: int
    ) -> None:
        said = add_event(
            database,
            add_comment(database, site),
            at=START + 5 * HOUR,
            to=HELD,
            by=ActorKind.CLIENT,
            actor="zora",
        )
        assert listed(database, moderator="zora") == [said]
        assert listed(database, actor_kind=ActorKind.CLIENT) == [said]

    def test_a_site_has_its_own_events_and_several_have_theirs(
        self, database: Database, site: int, five: list[int]
    ) -> None:
        assert listed(database, sites=frozenset({site})) == [five[4], five[2], five[0]]
        blog = site + 1
        assert listed(database, sites=frozenset({blog})) == [five[3], five[1]]
        assert listed(database, sites=frozenset({site, blog}), limit=3) == five[:1:-1]

    def test_a_comment_has_its_own_events(self, database: Database, site: int) -> None:
        comment = add_comment(database, site, status=APPROVED)
        add_comment(database, site, status=APPROVED)
        (event,) = listed(database, comment=comment)
        assert event == min(listed(database))

    def test_a_range_of_time_finds_events_that_overtook_each_other(
        self, database: Database, site: int
    ) -> None:
        late, early = (
            add_event(database, add_comment(database, site), at=at, to=APPROVED)
            for at in (START + 5 * MINUTE, START)
        )
        assert listed(database, since=START, until=START + MINUTE) == [early]
        assert listed(database, since=START + MINUTE) == [late]

    def test_an_event_comes_with_its_comment_and_without_the_address(
        self, database: Database, site: int
    ) -> None:
        comment = add_comment(database, site)
        add_event(database, comment, at=START, evidence={"x": 1}, **HELD_BY_MACHINE)
        with database.read() as connection:
            (event,) = newest(connection, EventFilter(), before=None, limit=9)
        assert (event.comment_id, event.name, event.text) == (comment, "Zoë", TEXT)
        assert (event.site, event.actor_kind, event.actor) == ("news", "worker", "worker")
        assert (event.from_status, event.to_status) == ("pending", "held")
        assert (event.reason, event.model, event.evidence) == ("insult", "model-1", {"x": 1})
        assert EMAIL not in repr(event)


class TestFollowing:
    def test_the_oldest_come_first_from_the_cursor_on(
        self, database: Database, five: list[int], site: int
    ) -> None:
        now = START + 9 * HOUR
        assert followed(database, now=now) == five
        assert followed(database, now=now, limit=2) == five[:2]
        assert followed(database, now=now, after=five[1]) == five[2:]
        assert followed(database, now=now, after=five[4]) == []
        assert followed(database, now=now, sites=frozenset({site})) == five[::2]

    def test_what_follows_a_fresh_event_waits_for_it(self, database: Database, site: int) -> None:
        comments = [add_comment(database, site) for _ in range(3)]
        times = (START, START + 10 * SECOND, START + SECOND)
        ids = [
            add_event(database, comment, at=at, to=APPROVED)
            for comment, at in zip(comments, times, strict=True)
        ]
        assert followed(database, now=times[1] + SETTLING - 1) == ids[:1]
        assert followed(database, now=times[1] + SETTLING) == ids


class TestComment:
    def test_its_events_come_in_order(self, database: Database, five: list[int]) -> None:
        with database.read() as connection:
            (event, *_) = newest(connection, EventFilter(), before=None, limit=1)
            found = of_comment(connection, event.comment_id, sites=None)
        assert found is not None
        comment, events = found
        assert (comment.name, comment.text, comment.status) == ("Zoë", TEXT, APPROVED)
        assert [event.id for event in events] == five[::2]
        assert EMAIL not in repr(found)

    def test_there_is_none_on_another_site(self, database: Database, site: int) -> None:
        comment = add_comment(database, site)
        with database.read() as connection:
            assert of_comment(connection, comment, sites=frozenset({site})) is not None
            assert of_comment(connection, comment, sites=frozenset({site + 1})) is None
            assert of_comment(connection, "0" * 32, sites=None) is None


class TestExport:
    def test_everything_is_read_in_chunks(
        self, database: Database, five: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for chunk in (1, 2, 5, 6):
            monkeypatch.setattr(history, "_CHUNK", chunk)
            events = list(exported(database, EventFilter()))
            assert [event.id for event in events] == five[::-1]
            assert {event.email for event in events} == {None}

    def test_what_comes_in_meanwhile_does_not_keep_it_going(
        self, database: Database, five: list[int], site: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "_CHUNK", 2)
        found = []
        for event in exported(database, EventFilter()):
            found.append(event.id)
            add_comment(database, site, status=APPROVED)
        assert found == five[::-1]

    @pytest.mark.usefixtures("five")
    def test_the_address_is_there_when_it_is_asked_for(self, database: Database) -> None:
        events = exported(database, EventFilter(), with_emails=True)
        assert {event.email for event in events} == {EMAIL}

    def test_who_exported_what_is_kept(self, database: Database) -> None:
        for actor, with_emails in (("mona", False), ("admin", True)):
            with database.write() as connection:
                log_export(
                    connection,
                    actor=actor,
                    form="csv",
                    filters={"reason": "spam"},
                    with_emails=with_emails,
                )
        with database.read() as connection:
            rows = exports(connection, limit=9)
        assert [(row.actor, row.form, row.with_emails) for row in rows] == [
            ("admin", "csv", True),
            ("mona", "csv", False),
        ]
        assert rows[0].filters == {"reason": "spam"}
