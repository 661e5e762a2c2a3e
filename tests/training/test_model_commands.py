from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moderation.classifier import artifact
from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.cli import cli
from moderation.db import Database
from moderation.learning import site_models
from tests.support.comments import add_site
from tests.support.site_models import add_model
from tests.training.test_retraining import teach

# Which database it is makes no difference here.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


@pytest.fixture
def general() -> str:
    """The version of the model that ships."""
    return artifact.thresholds(DEFAULT_ARTIFACT)[0]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    monkeypatch.setenv("MODERATION_DATABASE_URL", database.url)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", *arguments])


def said(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def current(database: Database, site: int) -> str:
    with database.read() as connection:
        found = site_models.current(connection, site)
    return found.version if found else ""


def test_a_model_is_promoted_and_rolled_back_and_it_is_on_record(
    database: Database, site: int, general: str
) -> None:
    for version in ("news-1", "news-2"):
        add_model(database, site, version, base=general)
    assert "The general model alone decides." in said("list", "news")
    said("promote", "news", "1")
    assert "news-2 decides" in said("promote", "news", "2")
    assert current(database, site) == "news-2"
    assert "news-1 decides" in said("rollback", "news")
    assert current(database, site) == "news-1"
    assert "The general model alone decides" in said("rollback", "news", "--to-general")
    said("refuse", "news", "news-1")
    assert "shadows from now on" in said("shadow", "news", "news-2")
    listed = said("list", "news")
    assert "retired, shadows" in listed
    assert "refused" in listed
    for deed in ("promote", "roll back", "refuse", "shadow"):
        assert deed in listed
    assert "command line" in listed
    assert "No model shadows" in said("shadow", "news")


def test_what_the_gate_said_is_shown(database: Database, site: int) -> None:
    add_model(database, site, "news-1", report={"sentences": ["Better at spam.", "No worse."]})
    shown = said("show", "news", "1")
    assert "Better at spam." in shown
    assert "No worse." in shown
    assert "100 labels" in shown


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["promote", "news", "news-1"], "trained on the general model"),
        (["promote", "news", "none"], "no model none"),
        (["rollback", "news"], "nothing to roll back"),
        (["list", "gazette"], "no site gazette"),
        (["show", "news", "none"], "no model none"),
        (["train", "gazette"], "no site gazette"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    database: Database, site: int, arguments: list[str], why: str
) -> None:
    add_model(database, site, "news-1")
    result = call(*arguments)
    assert result.exit_code == 1
    assert why in result.output
    assert "Traceback" not in result.output
    assert current(database, site) == ""


def test_a_training_in_the_foreground_tells_what_came_of_it(
    database: Database, site: int, tmp_path: Path
) -> None:
    teach(database, site, 20)
    assert "There are 20 labels" in said("train", "news")
    teach(database, site, 40, first=20)
    assert "was trained on 60 labels" in said("train", "news")
    with database.read() as connection:
        (model,) = site_models.models(connection, site)
    assert model.version in said("list", "news")
    report = tmp_path / "report.html"
    said("show", "news", model.version, "--report", str(report))
    assert model.report["sentences"][0] in report.read_text()
