import html
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from moderation.access import accounts
from moderation.clock import DAY, HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.desk.numbers import Bin, Figures, close_days, day_of
from moderation.domain import ActorKind, EventKind, Role, Status
from moderation.models import DayFigures
from tests.support.audits import decide, drawn
from tests.support.comments import add_comment, add_site
from tests.support.events import HELD_BY_MACHINE, add_event
from tests.support.web import first_site, sign_in

PASSED = {
    "by": ActorKind.WORKER,
    "to": Status.APPROVED,
    "reason": "below_thresholds",
    "model": "model-1",
}


@pytest.fixture
def moderator(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def text_of(page: str) -> str:
    """What the page says, white space made single."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def noon(days_ago: int) -> int:
    return now_ms() // DAY * DAY - days_ago * DAY + 12 * HOUR


def two_days(database: Database, site: int) -> None:
    """Three comments approved, two held and rejected or approved by hand, a day or two ago."""
    for day in (1, 2, 2):
        add_event(database, add_comment(database, site), at=noon(day), **PASSED)
    for to in (Status.REJECTED, Status.APPROVED):
        held = add_comment(database, site)
        add_event(database, held, at=noon(2), **HELD_BY_MACHINE)
        add_event(database, held, at=noon(2) + 30 * MINUTE, to=to)


def test_the_numbers_of_a_range(moderator: FlaskClient, database: Database) -> None:
    two_days(database, first_site(moderator))
    text = text_of(moderator.get("/desk/numbers").text)
    assert "Decided by the service 5 " in text
    assert "Without a person 60 %" in text
    assert "Decisions of people 2 " in text
    assert re.search(r"Time to a person’s decision (29|30|31) min", text)
    # Wilson's interval of 1 in 2.
    assert "Held, and rejected by a person 50 % 9.5 % to 90.5 %" in text
    assert "held it 2 1 50 %" in text
    assert "approved it 3 0 100 %" in text
    assert "insult 2 0 % 2 50 %" in text
    assert "model-1 5 60 % 2 50 %" in text


def test_what_a_newer_model_approved_no_longer_waits(
    moderator: FlaskClient, database: Database
) -> None:
    comment = add_comment(database, first_site(moderator))
    add_event(database, comment, at=noon(2), **HELD_BY_MACHINE)
    assert "Approved by a newer model" not in moderator.get("/desk/numbers").text
    add_event(database, comment, at=noon(1), kind=EventKind.RESCORE, **PASSED)
    page = moderator.get("/desk/numbers").text
    assert "Approved by a newer model 1 " in text_of(page)
    assert "approved it 1 0 100 %" in text_of(page)
    plot = re.search(r"<figure(?:(?!<figure).)*Waiting at the end.*?</figure>", page, re.DOTALL)
    assert plot
    assert text_of(plot[0]).split()[-6:][2::3] == ["0", "0"]
    assert text_of(plot[0]).split()[-9:][2] == "1"


def test_days_that_are_kept_show_the_same(moderator: FlaskClient, database: Database) -> None:
    two_days(database, first_site(moderator))
    before = text_of(moderator.get("/desk/numbers").text)
    assert close_days(database) == 2
    assert text_of(moderator.get("/desk/numbers").text) == before


def test_a_range_and_a_site_can_be_chosen(moderator: FlaskClient, database: Database) -> None:
    two_days(database, first_site(moderator))
    blog = add_site(database, "blog")
    add_event(database, add_comment(database, blog), at=noon(1), **PASSED)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    for query, decided in (
        ("", 6),
        (f"since={yesterday}&until={yesterday}", 2),
        ("site=blog", 1),
        (f"site=demo&since={yesterday}", 1),
        (f"until={yesterday - timedelta(days=9)}", 0),
    ):
        text = text_of(moderator.get(f"/desk/numbers?{query}").text)
        assert f"Decided by the service {decided} " in text, query


def test_behind_each_plot_there_is_a_table(moderator: FlaskClient, database: Database) -> None:
    two_days(database, first_site(moderator))
    evidence = {"unknown": 0.2}
    held = add_comment(database, first_site(moderator))
    add_event(database, held, at=noon(1), evidence=evidence, **HELD_BY_MACHINE)
    # Nothing is wrong, and that is to be seen.
    decide(database, drawn(database, first_site(moderator)), Status.APPROVED)
    page = moderator.get("/desk/numbers").text
    plots = re.findall(r'<figure class="plot".*?</figure>', page, re.DOTALL)
    assert len(plots) == 8
    for plot in plots:
        assert "<svg" in plot
        assert "<table" in plot
        assert "style=" not in plot


def test_without_any_event_it_says_so(moderator: FlaskClient) -> None:
    text = text_of(moderator.get("/desk/numbers").text)
    assert "Nothing to show for these days." in text
    assert "Nothing was decided in these days." in text


@pytest.mark.parametrize(
    "query",
    [
        "since=nonsense",
        "since=2026-01-02&until=2026-01-01",
        "since=1900-01-01",
        "since=2999-01-01",
        "since=2000-01-01&until=2026-01-01",
        "site=unknown",
    ],
)
def test_a_range_that_is_none_is_refused(moderator: FlaskClient, query: str) -> None:
    assert moderator.get(f"/desk/numbers?{query}").status_code == 422


def test_a_moderator_sees_the_own_sites_only(client: FlaskClient, database: Database) -> None:
    two_days(database, first_site(client))
    add_site(database, "blog")
    with database.write() as connection:
        accounts.create_account(
            connection,
            name="bert",
            password="a password of bert's",
            role=Role.MODERATOR,
            sites=["blog"],
        )
    sign_in(client, name="bert", password="a password of bert's")
    page = client.get("/desk/numbers").text
    assert "Decided by the service 0 " in text_of(page)
    assert "<option>demo" not in page
    assert client.get("/desk/numbers?site=demo").status_code == 422


def test_the_audit_says_how_often_what_is_published_is_wrong(
    moderator: FlaskClient, database: Database
) -> None:
    site = first_site(moderator)
    for to in (Status.APPROVED, Status.REJECTED, Status.REJECTED, None):
        comment_id = drawn(database, site)
        if to is not None:
            decide(database, comment_id, to)
    for _ in range(96):
        add_event(database, add_comment(database, site), at=now_ms(), **PASSED)
    text = text_of(moderator.get("/desk/numbers").text)
    # Clopper and Pearson's interval of 2 in 3; 4 drawn of 100, by one in twenty.
    assert "demo 4 1 3 2 67 % 9.4 % to 99.2 % 1.0 % missed 80 %" in text


def test_what_comes_in_is_compared_with_the_models_first_days(
    moderator: FlaskClient, database: Database
) -> None:
    site = first_site(moderator)
    assert "Nothing was decided" in text_of(moderator.get("/desk/numbers").text)
    today = day_of(now_ms())
    for day in range(today - 40, today):
        places = Counter({Bin("model-1", 9 if day > today - 9 else 2): 150, Bin("model-1", 0): 50})
        with database.write() as connection:
            values = Figures(scores=places, unknown=Counter({Bin("model-1", 1): 200})).to_json()
            connection.execute(insert(DayFigures).values(day=day, site_id=site, figures=values))
    text = text_of(moderator.get("/desk/numbers").text)
    assert "What comes in has changed" in text
    assert "Model model-1; another model begins anew." in text
    assert "Scores, then and now" in text
    add_site(database, "gazette")
    assert "Choose a site" in text_of(moderator.get("/desk/numbers").text)
    assert "has changed" in text_of(moderator.get("/desk/numbers?site=demo").text)
    until = f"{datetime.now(UTC) - timedelta(days=25):%Y-%m-%d}"
    early = text_of(moderator.get(f"/desk/numbers?site=demo&since={until}&until={until}").text)
    assert "Nothing to compare yet" in early
