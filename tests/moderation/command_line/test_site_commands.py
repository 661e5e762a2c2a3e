"""`moderation site …` on a real database."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from moderation import site_settings
from moderation.classifier.pipeline import Classifier
from moderation.cli import cli
from moderation.db import Database
from moderation.models import Webhook
from moderation.outbox import deliveries
from moderation.policy import SiteSettings
from moderation.sites import SiteDirectory
from tests.support.comments import add_site
from tests.support.site_models import LENIENT, decides


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    url = f"sqlite:///{tmp_path / 'sites.sqlite3'}"
    monkeypatch.setenv("MODERATION_DATABASE_URL", url)
    database = Database(url)
    database.migrate()
    return database


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["site", *words])


def test_an_added_site_is_listed_and_its_key_works(database: Database) -> None:
    key = run("add", "courier").output.strip()

    assert run("list").output == "courier\n"
    site = SiteDirectory(database).by_key(key)
    assert site is not None
    assert site.name == "courier"


def test_a_name_is_given_once(database: Database) -> None:
    run("add", "courier")

    again = run("add", "courier")

    assert again.exit_code == 1
    assert "there is a site courier already" in again.output


def test_a_further_key_works_beside_the_first(database: Database) -> None:
    keys = [run("add", "courier").output.strip(), run("key", "courier").output.strip()]

    assert len(set(keys)) == 2
    assert all(SiteDirectory(database).by_key(key) for key in keys)


def test_a_key_for_akismets_clients_is_12_hexadecimal_digits(database: Database) -> None:
    run("add", "courier")
    key = run("key", "courier", "--akismet").output.strip()

    assert re.fullmatch("[0-9a-f]{12}", key)
    assert SiteDirectory(database).by_key(key)


def test_corals_secret_is_stored(database: Database) -> None:
    run("add", "courier")
    run("coral-secret", "courier", "--secret", "a-secret-of-corals")

    site = SiteDirectory(database).by_name("courier")
    assert site is not None
    with database.read() as connection:
        found = site_settings.secret_of(connection, site.id, "coral")
    assert found == "a-secret-of-corals"


def test_changed_settings_are_stored_and_the_others_stay(database: Database) -> None:
    run("add", "courier")
    run("settings", "courier", "rules.max_links=1", 'rules.banned_words=["casino*"]')

    shown = json.loads(run("settings", "courier", "thresholds.insult=0.5").output)

    site = SiteDirectory(database).by_name("courier")
    assert site is not None
    assert SiteSettings.model_validate(shown) == site.settings
    assert site.settings.rules.max_links == 1
    assert site.settings.rules.banned_words == ("casino*",)
    assert site.settings.thresholds == {"insult": 0.5}
    assert site.settings.rules.flood_comments == SiteSettings().rules.flood_comments


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("rules.nope=1", "rules.nope"),
        ("rules.max_links=-1", "rules.max_links"),
        ("thresholds.rudeness=0.5", "has to be one of reject, toxic"),
        ("thresholds.insult=1.5", "thresholds.insult"),
        ("rules.max_links", "has to have the form KEY=VALUE"),
        ("rules.banned_words=casino", "the value of rules.banned_words is no JSON"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_changes(
    database: Database, change: str, complaint: str
) -> None:
    run("add", "courier")

    result = run("settings", "courier", change)

    assert result.exit_code == 1
    assert complaint in result.output
    site = SiteDirectory(database).by_name("courier")
    assert site is not None
    assert site.settings == SiteSettings()


@pytest.mark.parametrize("command", ["key", "settings"])
def test_a_site_that_does_not_exist_is_named(database: Database, command: str) -> None:
    result = run(command, "gazette")

    assert result.exit_code == 1
    assert "there is no site gazette" in result.output


def test_what_is_changed_here_is_in_the_record_of_changes_too(database: Database) -> None:
    run("add", "courier")
    run("settings", "courier", "rules.max_links=1")
    run("settings", "courier")

    with database.read() as connection:
        site = site_settings.site_named(connection, "courier")
        entries = site_settings.history(connection, site.id, limit=9)
    assert [entry.actor for entry in entries] == ["command line"] * 2
    assert entries[0].changes == [{"setting": "rules.max_links", "before": 2, "after": 1}]


@pytest.mark.usefixtures("database")
class TestWebhooks:
    URL = "https://courier.example/hook"

    def test_a_webhook_is_added_listed_and_removed(self) -> None:
        run("add", "courier")
        secret = run("webhook", "add", "courier", self.URL, "--type", "comment.held").output
        assert secret.startswith("whsec_")
        assert run("webhook", "list", "courier").output == f"1 {self.URL} comment.held\n"
        assert run("webhook", "remove", "courier", "1").exit_code == 0
        assert run("webhook", "list", "courier").output == ""

    def test_its_secret_is_changed_and_printed_once(self) -> None:
        run("add", "courier")
        first = run("webhook", "add", "courier", self.URL).output
        second = run("webhook", "rotate", "courier", "1").output
        assert second.startswith("whsec_")
        assert first != second
        assert "whsec_" not in run("webhook", "list", "courier").output

    def test_messages_are_sent_by_hand(self, database: Database) -> None:
        run("add", "courier")
        run("webhook", "add", "courier", self.URL)
        assert run("webhook", "test", "courier", "1").exit_code == 0
        with database.read() as connection:
            (message,) = deliveries.recent(connection, 1, limit=9)
        assert (message.type, message.url) == ("webhook.test", self.URL)
        assert run("webhook", "redeliver", "courier").output == "0\n"

    def test_one_that_was_gone_is_told_again(self, database: Database) -> None:
        run("add", "courier")
        run("webhook", "add", "courier", self.URL)
        with database.write() as connection:
            connection.execute(update(Webhook).values(gone_at=1))
        assert "(gone)" in run("webhook", "list", "courier").output
        run("webhook", "revive", "courier", "1")
        assert "(gone)" not in run("webhook", "list", "courier").output

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("add", "nowhere", URL), "there is no site nowhere"),
            (("add", "courier", "nowhere"), "url: has to look like https://"),
            (("add", "courier", URL, "--type", "x"), "comment.approved"),
            (("rotate", "courier", "7"), "the site has no such webhook"),
            (("test", "courier", "7"), "the site has no such webhook"),
            (("remove", "courier", "7"), "the site has no such webhook"),
        ],
    )
    def test_what_is_wrong_is_told(self, words: tuple[str, ...], message: str) -> None:
        run("add", "courier")
        result = run("webhook", *words)
        assert result.exit_code != 0
        assert message in result.output


def test_labels_are_weighed_for_a_goal(database: Database) -> None:
    run("add", "courier")
    run("settings", "courier", "approve_precision=0.9")

    answer = json.loads(run("weigh", "courier").output)

    assert answer["labels"] == 0
    assert (answer["approve_below"], answer["reject_from"]) == (0.0, None)
    assert answer["model"].startswith("general-")


def test_labels_are_weighed_for_the_model_of_the_site_where_that_decides(
    database: Database, shipped: Classifier
) -> None:
    site = add_site(database, approve_precision=0.9)
    model = decides(database, site, shipped, LENIENT)

    answer = json.loads(run("weigh", "news").output)

    assert answer["model"] == f"{shipped.version}+{model.version}"


def test_labels_of_a_site_that_is_not_there_are_not_weighed(database: Database) -> None:
    answer = run("weigh", "courier")

    assert answer.exit_code == 1
    assert "there is no site courier" in answer.output
