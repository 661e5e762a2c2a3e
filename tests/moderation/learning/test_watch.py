from collections import Counter
from datetime import UTC, datetime

from moderation.clock import DAY, HOUR
from moderation.db import Database
from moderation.desk import numbers
from moderation.desk.numbers import SCORE_EDGES, Bin, Figures
from moderation.domain import ActorKind, Status
from moderation.learning import watch
from moderation.policy import SiteSettings
from tests.support.audits import decide, drawn
from tests.support.comments import add_comment, add_site
from tests.support.events import add_event


def figures(model: str, place: int, count: int) -> Figures:
    places = Counter({Bin(model, place): count, Bin(model, 0): count})
    return Figures(scores=places, unknown=Counter({Bin(model, 1): 2 * count}))


def test_another_model_begins_with_a_reference_of_its_own() -> None:
    by_day = {day: figures("old", 1, 100) for day in range(30)}
    by_day |= {day: figures("new", 9, 100) for day in range(30, 50)}
    before = watch.drift_of({day: by_day[day] for day in range(30)}, last=29)
    assert before is not None
    assert (before.model, before.is_small) == ("old", True)
    after = watch.drift_of(by_day, last=49)
    assert after is not None
    assert (after.model, after.scores, after.is_large) == ("new", None, False)
    by_day |= {day: figures("new", 9, 100) for day in range(50, 52)}
    later = watch.drift_of(by_day, last=51)
    assert later is not None
    assert later.is_small
    assert watch.drift_of({}, last=9) is None


def test_scores_that_move_are_drift_even_where_words_stay() -> None:
    by_day = {day: figures("one", 2, 100) for day in range(14)}
    by_day |= {day: figures("one", 12, 100) for day in range(14, 21)}
    found = watch.drift_of(by_day, last=20)
    assert found is not None
    assert found.scores is not None
    assert found.unknown is not None
    assert found.scores.is_large
    assert found.unknown.is_small
    assert found.is_large


def test_a_days_scores_and_unknown_words_are_counted_and_kept(database: Database) -> None:
    site = add_site(database)
    noon = (
        numbers.day_of(int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)) * DAY + 12 * HOUR
    )
    by_worker = {"by": ActorKind.WORKER, "to": Status.HELD, "model": "model-1"}
    for score, unknown in ((0.004, 0.0), (0.005, 0.0005), (0.951, 0.3), (1.0, 1.0)):
        comment = add_comment(database, site, score=score)
        add_event(database, comment, at=noon, evidence={"unknown": unknown}, **by_worker)
        add_event(database, comment, at=noon + HOUR, to=Status.APPROVED)
    unscored = add_comment(database, site)
    add_event(database, unscored, at=noon, by=ActorKind.WORKER, to=Status.HELD)
    earlier = add_comment(database, site, score=0.5)
    add_event(database, earlier, at=noon, **by_worker)
    day = numbers.day_of(noon)

    def read() -> Figures:
        with database.read() as connection:
            return numbers.by_day(connection, first=day, last=day, sites=None)[day, site]

    counted = read()
    edges = len(SCORE_EDGES)
    places = {0: 1, 1: 1, edges: 2, SCORE_EDGES.index(0.5) + 1: 1}
    assert counted.scores == {Bin("model-1", place): n for place, n in places.items()}
    assert counted.unknown == {Bin("model-1", place): n for place, n in {0: 2, 9: 1, 12: 1}.items()}
    assert numbers.close_days(database) == 1
    assert read() == counted


def test_figures_that_an_earlier_release_kept_are_read() -> None:
    kept = {"decided": [], "judged": [], "waits": [[3, 1]]}
    assert Figures.from_json(kept) == Figures(waits=Counter({3: 1}))


def test_the_error_of_a_site_is_that_of_its_last_weeks(database: Database) -> None:
    site = add_site(database)
    now = numbers.now_ms()
    for age, to in ((0, Status.APPROVED), (DAY, Status.REJECTED), (100 * DAY, Status.REJECTED)):
        decide(database, drawn(database, site, age=age + HOUR), to)
    with database.read() as connection:
        error = watch.error(connection, site, SiteSettings(), now=now)
    assert (error.rate.wrong, error.rate.judged) == (1, 2)
    assert error.allowed == 1 - watch.USUAL_GOAL
    # One in two is bad, but no proof.
    assert (error.is_missed, error.is_met) == (False, False)
