import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from moderation import accounts
from moderation.clock import DAY, HOUR, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import ActorKind, Role, Status
from moderation.numbers import close_days
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
    add_event(database, add_comment(database, first_site(moderator)), at=noon(1), **HELD_BY_MACHINE)
    page = moderator.get("/desk/numbers").text
    plots = re.findall(r'<figure class="plot".*?</figure>', page, re.DOTALL)
    assert len(plots) == 9
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
