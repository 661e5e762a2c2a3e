"""The page of a site's models."""

import html
import re
from itertools import chain
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import update

from moderation.classifier.artifact import DEFAULT_ARTIFACT, thresholds
from moderation.clock import DAY, now_ms
from moderation.db import Database
from moderation.domain import Status
from moderation.learning import shadows, site_models, training_runs
from moderation.learning.shadows import Beside
from moderation.learning.training_runs import State
from moderation.models import TrainingRun
from moderation.policy import Decision
from moderation.queues import JobPath, QueueName, queue
from tests.moderation.learning.test_training_runs import add_labels
from tests.support.comments import add_comment, add_site, held_by_worker
from tests.support.site_models import add_model
from tests.support.web import csrf_token, first_site, sign_in

# What is asked of the database is tested with the services.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATH = "/desk/sites/demo/models"
GENERAL = thresholds(DEFAULT_ARTIFACT)[0]

INTERVAL = {"value": 0.9, "low": 0.85, "high": 0.94}
FIGURES = {
    "later": 1234,
    "unwanted": 300,
    "goal": 0.99,
    "current": "a",
    "candidate": "b",
    "compared": {
        name: {"words": name, "current": INTERVAL, "candidate": INTERVAL, "difference": INTERVAL}
        for name in ("auc", "approvable", "error")
    },
    "curves": {
        key: {"roc": [(0.0, 0.0), (1.0, 1.0)], "errors": [(1.0, 0.2)]}
        for key in ("current", "candidate")
    },
    "guard": {
        name: {"words": name, "current": 0.97, "candidate": 0.98, "allowed": -0.01}
        for name in ("sentences", "groups", "gap")
    },
}
REPORT = {"sentences": ["To be promoted: <b>better</b>.", "It is no worse."], "figures": FIGURES}


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


@pytest.fixture
def site(client: FlaskClient) -> int:
    return first_site(client)


def add(database: Database, site: int, version: str, **fields: Any) -> int:
    return add_model(database, site, version, **({"base": GENERAL, "report": REPORT} | fields))


def press(client: FlaskClient, path: str, **fields: str) -> str:
    """What the page says after a button was pressed."""
    form = fields | {"csrf_token": csrf_token(client, "/desk/account")}
    answer = client.post(f"{PATH}/{path}", data=form, follow_redirects=True)
    assert answer.status_code == 200
    return answer.text


def current(database: Database, site: int) -> str:
    with database.read() as connection:
        found = site_models.current(connection, site)
    return found.version if found else ""


def test_a_new_site_is_told_what_is_needed_and_where_it_comes_from(admin: FlaskClient) -> None:
    page = admin.get(PATH).text
    assert "The general model alone" in page
    assert GENERAL in page
    assert "<b>0 labels</b>; at least 40 are needed" in page
    assert 'href="/desk/import"' in page
    assert "Train a new model" not in page


def test_the_way_to_it_is_on_the_other_pages(admin: FlaskClient, database: Database) -> None:
    for page in ("/desk/sites/demo/", "/desk/sites/demo/thresholds"):
        assert f'href="{PATH}"' in admin.get(page).text
    assert 'href="/desk/models"' in admin.get("/desk/").text
    assert admin.get("/desk/models").location == PATH
    add_site(database, "gazette")
    listed = admin.get("/desk/models").text
    assert f'href="{PATH}"' in listed
    assert 'href="/desk/sites/gazette/models"' in listed


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "due after 150 more labels."),
        ({"retrain_after_labels": 50}, "The next training is due: it begins"),
        ({"retrain_after_labels": None}, "It trains only when somebody asks"),
        ({"retrain_after_labels": 200, "retrain_every_days": 3}, "150 more labels, or on <time"),
    ],
)
def test_it_says_when_the_next_training_is_due(
    admin: FlaskClient, database: Database, wanted: dict[str, Any], words: str
) -> None:
    site = add_site(database, "gazette", **wanted)
    with database.write() as connection:
        run = training_runs.ask(connection, site, by="mona")
        training_runs.begin(connection, run)
        training_runs.finish(connection, run, State.DONE, outcome="There are 0 labels.")
    add_labels(database, site, 50)
    page = admin.get("/desk/sites/gazette/models").text
    assert words in " ".join(page.split())
    assert "There are 0 labels." in page


def test_a_training_is_asked_for_once_and_followed(
    admin: FlaskClient, database: Database, site: int, redis: Redis
) -> None:
    add_labels(database, site, 40)
    page = press(admin, "train")
    assert "It waits for the trainer." in page
    assert "moderation trainer" in page
    (job,) = queue(redis, QueueName.TRAIN).jobs
    with database.read() as connection:
        (run,) = training_runs.runs(connection, site, limit=2)
    assert (job.func_name, job.args) == (JobPath.TRAIN, [run.id])
    assert run.asked_by == "admin"
    assert "model is being trained already" in press(admin, "train")

    with database.write() as connection:
        training_runs.begin(connection, run.id)
        training_runs.beat(connection, run.id, step="weighing the decisions", done=0.42)
    assert 'value="0.42"' in admin.get(PATH).text
    assert admin.get(f"{PATH}/training").json == {
        "state": "under way",
        "share": 0.42,
        "words": "Weighing the decisions: 42% done.",
    }

    with database.write() as connection:
        connection.execute(update(TrainingRun).values(beat_at=now_ms() - DAY))
        training_runs.mark_interrupted(connection)
    assert admin.get(f"{PATH}/training").json == {"state": "over"}
    page = admin.get(PATH).text
    assert "<b>Interrupted</b>" in page
    assert "What decides has not changed." in page
    assert "Train a new model" in page


def test_a_recommended_model_is_promoted_with_one_click_and_rolled_back(
    admin: FlaskClient, database: Database, site: int, redis: Redis
) -> None:
    add(database, site, "news-1")
    add(database, site, "news-2")
    held_by_worker(database, site)

    page = press(admin, "news-1/promote")
    assert "news-1 decides from now on" in page
    assert "1 is left" in page
    assert current(database, site) == "news-1"
    (job,) = queue(redis, QueueName.MAINTENANCE).jobs
    assert (job.func_name, job.args) == (JobPath.RESCORE, [site])
    assert admin.get(f"{PATH}/rescoring").json == {
        "state": "under way",
        "share": 0.0,
        "words": "Held comments are scored again; 1 is left.",
    }

    press(admin, "news-2/promote")
    assert "Roll back to news-1" in admin.get(PATH).text
    assert "somebody else has changed" in press(admin, "roll-back", version="news-1")
    assert current(database, site) == "news-2"
    press(admin, "roll-back", version="news-2")
    assert current(database, site) == "news-1"
    page = press(admin, "roll-back", version="news-1", general="on")
    assert current(database, site) == ""
    assert page.count('<td data-label="What">rolled back</td>') == 2
    assert '<td data-label="Who"><bdi>admin</bdi></td>' in page


def test_against_the_gates_advice_it_asks_once_more(
    admin: FlaskClient, database: Database, site: int
) -> None:
    add(database, site, "news-1", recommended=False)
    asked = press(admin, "news-1/promote")
    assert "against the gate’s advice?" in asked
    assert "It is no worse." in asked
    assert current(database, site) == ""
    press(admin, "news-1/promote", anyway="on")
    assert current(database, site) == "news-1"


def test_a_model_is_refused_and_what_cannot_be_done_says_why(
    admin: FlaskClient, database: Database, site: int
) -> None:
    add(database, site, "news-1")
    add(database, site, "news-2", base="general-of-old")
    assert "news-1 is refused" in press(admin, "news-1/refuse")
    assert "Nothing was done: news-1 was refused" in press(admin, "news-1/promote")
    assert "Nothing was done: news-2 was trained on" in press(admin, "news-2/promote")
    assert "general-of-old" in admin.get(f"{PATH}/news-2").text
    assert "there is nothing to roll back" in press(admin, "roll-back")
    assert "no model shadows" in press(admin, "no-shadow")


def test_the_verdict_is_read_drawn_and_downloaded(
    admin: FlaskClient, database: Database, site: int
) -> None:
    add(database, site, "news-1")
    page = admin.get(f"{PATH}/news-1").text
    assert "To be promoted: &lt;b&gt;better&lt;/b&gt;." in page
    assert page.count('<svg class="area"') == 4
    assert page.count('class="whisker"') == 4
    assert "<td>85\u00a0% to 94\u00a0%</td>" in page
    # Of what would be approved, the rest is held.
    assert "<td>6\u00a0% to 15\u00a0%</td>" in page

    report = admin.get(f"{PATH}/news-1/report")
    assert report.headers["Content-Disposition"] == "attachment; filename=news-1.html"
    assert "On 1,234 later decisions, 300 of them rejections" in report.text
    assert report.text.count("<svg") == 2
    add(database, site, "news-2", report={})
    page = admin.get(f"{PATH}/news-2").text
    assert '<svg class="area"' not in page
    assert "Download" not in page
    assert admin.get(f"{PATH}/news-2/report").status_code == 404


def disagree(database: Database, site: int, model_id: int, number: int) -> list[str]:
    """Comments that the shadow would have approved, and one about which it agreed."""
    ids = [
        add_comment(database, site, status=Status.HELD, text=f"Number {n}\u202e", name="Ted")
        for n in range(number)
    ]
    held = Decision(status=Status.HELD, reason="insult", score=0.71, model=GENERAL, evidence={})
    fine = Decision(
        status=Status.APPROVED, reason="below_thresholds", score=0.04, model="x", evidence={}
    )
    agreed = add_comment(database, site, text="Agreed upon")
    rows = [Beside(model_id, comment_id, fine, held) for comment_id in ids]
    with database.write() as connection:
        shadows.record(connection, [*rows, Beside(model_id, agreed, held, held)])
    return ids


def test_a_shadow_is_compared_with_what_was_decided(
    admin: FlaskClient, database: Database, site: int
) -> None:
    number = add(database, site, "news-1")
    assert "shadows from now on" in press(admin, "news-1/shadow")
    assert "Nothing has come in since" in admin.get(PATH).text
    ids = disagree(database, site, number, 25)

    assert "It agreed on 1 of 26 comments" in " ".join(admin.get(PATH).text.split())
    page = " ".join(admin.get(f"{PATH}/news-1").text.split())
    assert "it agreed on 1 of 26 comments (3.8&nbsp;%)" in page
    assert "<td>approved</td><td>25</td>" in page
    assert page.count('<dl class="beside">') == 20
    assert "<b>held</b>, score 0.71: insult" in page
    assert "<b>approved</b>, score 0.04" in page
    assert "RLO" in page
    assert f'href="/desk/comments/{ids[24]}"' in page
    assert "Agreed upon" not in page

    further = admin.get(f"{PATH}/news-1", query_string={"before": ids[5]}).text
    assert further.count('<dl class="beside">') == 5
    assert "Further back" not in further

    assert "No model shadows any more" in press(admin, "no-shadow")
    assert "it agreed on 1 of 26" in " ".join(admin.get(f"{PATH}/news-1").text.split())


@pytest.mark.parametrize("deed", ["promote", "refuse", "shadow"])
def test_another_sites_model_is_not_found(
    admin: FlaskClient, database: Database, site: int, deed: str
) -> None:
    there = add_site(database, "gazette")
    add(database, there, "gazette-1")
    form = {"csrf_token": csrf_token(admin, "/desk/account"), "anyway": "on"}
    assert admin.post(f"{PATH}/gazette-1/{deed}", data=form).status_code == 404
    for page in ("gazette-1", "gazette-1/report"):
        assert admin.get(f"{PATH}/{page}").status_code == 404
    assert admin.get("/desk/sites/nowhere/models").status_code == 404
    with database.read() as connection:
        assert site_models.changes(connection, there, limit=1) == []


def test_many_models_are_turned_over_page_by_page(
    admin: FlaskClient, database: Database, site: int
) -> None:
    for number in range(45):
        add(database, site, f"news-{number:02}")
    path, pages = PATH, []
    while path:
        page = admin.get(path).text
        pages.append(re.findall(r'<th scope="row"><a[^>]*><bdi>(news-\d+)', page))
        older = re.search(r'href="([^"]+)" rel="next">Older models', page)
        path = html.unescape(older[1]) if older else ""
        assert ("The latest models" in page) == (len(pages) > 1)
    assert [len(page) for page in pages] == [20, 20, 5]
    assert list(chain(*pages)) == [f"news-{number:02}" for number in reversed(range(45))]
    assert admin.get(f"{PATH}?before=nonsense").status_code == 422


def test_a_damaged_model_says_so(admin: FlaskClient, database: Database, site: int) -> None:
    number = add(database, site, "news-1")
    press(admin, "news-1/promote")
    with database.write() as connection:
        site_models.report_problem(connection, number, "its digest is wrong")
    page = admin.get(PATH).text
    assert "cannot be used, and the general model decides in its place: its digest is" in page
