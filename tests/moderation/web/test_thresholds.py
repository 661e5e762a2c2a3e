"""The page of a site's goals."""

import re
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from redis import Redis

from moderation.classifier.artifact import DEFAULT_ARTIFACT, thresholds
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.learning import operating_points
from moderation.learning.goals import Evidence, Sample
from moderation.learning.labels import NewLabel, record
from moderation.policy import SiteSettings
from moderation.queues import JobPath, QueueName, queue
from moderation.site_settings import history, site_named
from tests.support.comments import add_comment
from tests.support.decisions import settle
from tests.support.web import csrf_token, sign_in

# What is asked of the database is tested with `operating_points`.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATH = "/desk/sites/demo/thresholds"


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


@pytest.fixture
def weighed(admin: FlaskClient, database: Database) -> None:
    """Labels of 3,000 comments, of which the higher scored ones are unwanted more often."""
    generator = np.random.default_rng(3)
    scores = generator.random(3_000)
    unwanted = (generator.random(3_000) < scores**6).astype(float)
    with database.write() as connection:
        operating_points.keep(
            connection,
            site_id=site_id(database),
            model=thresholds(DEFAULT_ARTIFACT)[0],
            evidence=Evidence.of(Sample(scores, unwanted, np.ones(3_000), np.zeros(3_000))),
        )


def save(client: FlaskClient, **fields: str) -> Any:
    return client.post(PATH, data=fields | {"csrf_token": csrf_token(client, PATH)})


def site_id(database: Database) -> int:
    with database.read() as connection:
        return site_named(connection, "demo").id


def settings(database: Database) -> SiteSettings:
    with database.read() as connection:
        return site_named(connection, "demo").settings


def test_goals_are_saved_with_who_did_it_and_leave_other_settings_alone(
    admin: FlaskClient, database: Database, redis: Redis
) -> None:
    before = settings(database)

    answer = save(admin, approve_precision="0,98", reject_precision="", imports_complete="on")

    assert answer.status_code == 303
    assert settings(database) == before.model_copy(
        update={"approve_precision": 0.98, "imports_complete": True}
    )
    with database.read() as connection:
        changes = history(connection, site_id(database), limit=1)[0].changes
    assert {"setting": "approve_precision", "before": None, "after": 0.98} in changes
    (job,) = queue(redis, QueueName.MAINTENANCE).jobs
    assert (job.func_name, list(job.args)) == (JobPath.WEIGH, [site_id(database)])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("1", "has to be less than 1"),
        ("0.2", "has to be 0.5 or more"),
        ("often", "has to be a number from 0 to 1, such as 0.75"),
    ],
)
def test_a_goal_that_cannot_be_one_is_refused_beside_its_field(
    admin: FlaskClient, database: Database, typed: str, message: str
) -> None:
    answer = save(admin, approve_precision=typed)

    assert answer.status_code == 422
    assert f'id="approve_precision-message">This {message}.' in answer.text
    assert f'value="{typed}"' in answer.text
    assert settings(database).approve_precision is None


def test_without_weighed_labels_it_says_that_everything_is_held(
    admin: FlaskClient, database: Database
) -> None:
    assert "There is no goal for approving" in admin.get(PATH).text

    save(admin, approve_precision="0.99")

    page = admin.get(PATH).text
    assert "Everything is held" in page
    assert 'id="trade"' not in page


def test_weighing_is_offered_where_there_is_something_to_weigh(
    admin: FlaskClient, database: Database
) -> None:
    save(admin, approve_precision="0.99")

    page = admin.get(PATH).text
    assert "there is nothing to weigh" in page
    assert "/weigh" not in page

    comment = add_comment(database, site_id(database))
    label = NewLabel(
        site_id=site_id(database),
        comment_id=comment,
        source=LabelSource.MODERATOR,
        actor="mona",
        unwanted=0.0,
        selection=Selection.HELD,
    )
    with database.write() as connection:
        record(connection, [label])

    page = admin.get(PATH).text
    assert "have not been weighed" in page
    assert "Weigh them" in page


@pytest.mark.usefixtures("weighed")
def test_it_says_what_follows_and_draws_the_trade(admin: FlaskClient, database: Database) -> None:
    save(admin, approve_precision="0.95", reject_precision="0.6")

    page = admin.get(PATH).text

    found = re.search(r"What scores below <b>([\d.]+)</b> is approved: about (\d+)", page)
    assert found is not None
    with database.read() as connection:
        (point,) = operating_points.points(
            connection, site_id(database), settings(database)
        ).values()
    assert point.approve_below == pytest.approx(float(found[1]), abs=0.001)
    assert "or more</b> is rejected" in page or "or more is rejected" in page
    assert page.count('<line class="handle"') == 2
    assert "Wrong, of 1,000 rejected" in page


@pytest.mark.usefixtures("weighed")
def test_without_a_goal_for_rejecting_its_trade_is_not_drawn(admin: FlaskClient) -> None:
    save(admin, approve_precision="0.95")

    assert "Wrong, of 1,000 rejected" not in admin.get(PATH).text


@pytest.mark.usefixtures("weighed")
def test_another_threshold_shows_what_the_last_comments_would_have_met(
    admin: FlaskClient, database: Database
) -> None:
    site = site_id(database)
    for score in (0.1, 0.3, 0.7):
        settle(database, site, text=f"It scores {score}", reject=score)

    low, high = (admin.get(PATH, query_string={"below": b}).text for b in ("0.2", "0.6"))

    assert "1 would have been approved, 2 would have been held and 0" in low
    assert "1 held instead of approved" in low
    assert "It scores 0.3" in low
    assert "2 would have been approved, 1 would have been held and 0" in high


@pytest.mark.usefixtures("weighed")
def test_the_goal_that_a_threshold_meets_can_be_taken(
    admin: FlaskClient, database: Database
) -> None:
    page = admin.get(PATH, query_string={"below": "0.5"}).text
    found = re.search(r'name="approve_precision" value="(0\.\d+)">', page)
    assert found is not None

    save(admin, approve_precision=found[1], reject_precision="")

    with database.read() as connection:
        (point,) = operating_points.points(
            connection, site_id(database), settings(database)
        ).values()
    assert point.approve_below is not None
    assert point.approve_below >= 0.5


def site_of(database: Database) -> int:
    return site_id(database)


@pytest.mark.parametrize("below", ["-1", "2", "nan", "x"])
def test_a_threshold_that_is_none_is_refused(admin: FlaskClient, below: str) -> None:
    assert admin.get(PATH, query_string={"below": below}).status_code == 422


def test_labels_are_weighed_when_asked_for(
    admin: FlaskClient, database: Database, redis: Redis
) -> None:
    answer = admin.post(f"{PATH}/weigh", data={"csrf_token": csrf_token(admin, PATH)})

    assert answer.status_code == 303
    (job,) = queue(redis, QueueName.MAINTENANCE).jobs
    assert job.func_name == JobPath.WEIGH


def test_the_form_of_the_other_settings_leaves_the_goals_alone(
    admin: FlaskClient, database: Database
) -> None:
    save(admin, approve_precision="0.98")
    page = admin.get("/desk/sites/demo/").text
    fields = dict(re.findall(r'<input id="([\w.]+)" name="[\w.]+" value="([^"]*)"', page))
    fields["rules.max_links"] = "7"

    answer = admin.post(
        "/desk/sites/demo/preview",
        data=fields | {"csrf_token": csrf_token(admin, PATH), "rules.max_length": "5000"},
    )
    assert answer.status_code == 200
    proposal = re.search(r'name="proposal" value="([^"]+)"', answer.text)
    assert proposal is not None
    admin.post(
        "/desk/sites/demo/save",
        data={"proposal": proposal[1], "csrf_token": csrf_token(admin, PATH)},
    )

    assert settings(database).rules.max_links == 7
    assert settings(database).approve_precision == 0.98
