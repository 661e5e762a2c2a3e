from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.desk.event_schemas import EventQuery, EventsFollowed
from moderation.desk.history import EventFilter
from moderation.domain import ActorKind, EventKind, Status
from moderation.errors import InvalidInput
from moderation.schemas import parse


def ms(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2026-01-31", "2026-01-31", (ms(2026, 1, 31), ms(2026, 2, 1))),
        (
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:30",
            (ms(2026, 1, 31, 12), ms(2026, 1, 31, 13, 30)),
        ),
        ("2026-01-31T12:00:00+02:00", "", (ms(2026, 1, 31, 10), None)),
        ("", "", (None, None)),
    ],
)
def test_a_day_has_a_begin_and_an_end(since: str, until: str, found: Any) -> None:
    wanted = parse(EventQuery, {"since": since, "until": until}).filter(None)
    assert (wanted.since, wanted.until) == found


@given(st.dates(date(1971, 1, 1), date(9999, 12, 30)))
def test_every_day_is_as_long_as_a_day(day: date) -> None:
    wanted = parse(EventQuery, {"since": day.isoformat(), "until": day.isoformat()}).filter(None)
    assert wanted.since is not None
    assert wanted.until is not None
    assert wanted.until - wanted.since == timedelta(days=1) / timedelta(milliseconds=1)


@given(st.text() | st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31", "2026-W05"]))
def test_what_is_no_time_is_refused_with_its_field(text: str) -> None:
    wrong: set[str] = set()
    try:
        parse(EventQuery, {"since": text, "until": text})
    except InvalidInput as error:
        wrong = {f"{one.field} {one.detail[:25]}" for one in error.errors}
    assert wrong <= {f"{name} has to be a day or a time" for name in ("since", "until")}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "moderator": st.text("abc", max_size=64),
            "actor_kind": st.sampled_from(["", *ActorKind]),
            "kind": st.sampled_from(["", *EventKind]),
            "comment": st.text("0123456789abcdef", max_size=32),
            "to": st.sampled_from(["", *Status]),
            "reason": st.text("abc_", max_size=64),
        },
    )
)
def test_a_filter_is_what_was_sent_and_the_empty_narrows_nothing(sent: dict[str, str]) -> None:
    wanted = parse(EventQuery, {name: str(value) for name, value in sent.items()}).filter(None)
    for name in ("moderator", "actor_kind", "kind", "comment", "to", "reason"):
        assert (getattr(wanted, name) or "") == sent.get(name, "")
    if not any(sent.values()):
        assert wanted == EventFilter()


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "nonsense"), ("to", "gone"), ("actor_kind", "x"), ("after", "-1"), ("limit", "1001")],
)
def test_a_wrong_value_is_refused_with_its_field(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(EventsFollowed, {field: value})
    assert [wrong.field for wrong in refused.value.errors] == [field]
