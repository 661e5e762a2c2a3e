from collections.abc import Sequence
from pathlib import Path

import pytest

from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.domain import ModelRef
from moderation.learning import site_models
from moderation.scorer import Scorer
from tests.support.comments import add_comment, add_site, events_of, row_of
from tests.support.service import FRIENDLY, UNFRIENDLY
from tests.support.site_models import (
    LENIENT,
    NO_RULES,
    ONLY_REJECT,
    STRICT,
    adaptation,
    add_adaptation,
    add_model,
    decides,
    promote,
)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database, thresholds=ONLY_REJECT, rules=NO_RULES)


def problem(database: Database, site: int) -> str:
    with database.read() as connection:
        return site_models.models(connection, site)[0].problem


def decided(database: Database, scorer: Scorer, site: int, text: str) -> tuple[str, str]:
    """Status and model of a comment that comes in now."""
    comment_id = add_comment(database, site, text=text)
    decide_comments(database, scorer, [comment_id])
    (event,) = events_of(database, comment_id)
    return row_of(database, comment_id).status, event.model


def test_a_promoted_model_decides_the_next_batch_and_is_named(
    database: Database, site: int, scorer: Scorer, shipped: Classifier
) -> None:
    assert decided(database, scorer, site, UNFRIENDLY) == ("held", shipped.version)
    lenient = decides(database, site, shipped, LENIENT)
    assert decided(database, scorer, site, UNFRIENDLY) == (
        "approved",
        f"{shipped.version}+{lenient.version}",
    )
    strict = decides(database, site, shipped, STRICT)
    assert decided(database, scorer, site, FRIENDLY) == (
        "held",
        f"{shipped.version}+{strict.version}",
    )
    with database.write() as connection:
        site_models.roll_back(connection, site, actor="mona", to_general=True)
    assert decided(database, scorer, site, FRIENDLY) == ("approved", shipped.version)


def test_in_one_batch_each_site_has_its_own_model(
    database: Database, site: int, scorer: Scorer, shipped: Classifier
) -> None:
    others = [
        add_site(database, name, thresholds=ONLY_REJECT, rules=NO_RULES)
        for name in ("courier", "herald")
    ]
    decides(database, site, shipped, STRICT)
    decides(database, others[1], shipped, LENIENT)
    sites = [site, *others] * 3
    ids = [
        add_comment(
            database, s, text=f"{UNFRIENDLY} {place}", email=f"r{place}@example.org", name="Ina"
        )
        for place, s in enumerate(sites)
    ]
    decide_comments(database, scorer, ids)
    found = {(s, row_of(database, i).status) for s, i in zip(sites, ids, strict=True)}
    assert found == {(site, "held"), (others[0], "held"), (others[1], "approved")}


def test_a_model_is_loaded_once(
    database: Database, site: int, scorer: Scorer, shipped: Classifier
) -> None:
    model = add_adaptation(database, site, shipped, 0.5)
    assert scorer.for_site(database, model) is scorer.for_site(database, model)
    assert scorer.for_site(database, None) is scorer.classifier()


def test_only_so_many_models_are_kept(
    database: Database,
    site: int,
    scorer: Scorer,
    shipped: Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moderation.scorer._KEPT", 2)
    models = [add_adaptation(database, site, shipped, 0.1 * n) for n in range(1, 4)]
    first, *_ = [scorer.adapted(database, model) for model in models]
    assert len(scorer._of_sites) == 2
    assert scorer.adapted(database, models[0]) is not first


@pytest.mark.parametrize("what", ["damaged", "another base", "another model", "gone"])
def test_where_a_model_cannot_be_used_the_general_one_decides_and_it_is_said(
    database: Database,
    site: int,
    shipped: Classifier,
    what: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scorer = Scorer(DEFAULT_ARTIFACT)
    made = adaptation(shipped, LENIENT)
    data, version = made.to_bytes(), made.version
    match what:
        case "damaged":
            data = data[:-1] + bytes([data[-1] ^ 1])
        case "another base":
            other = Classifier(shipped.parameters, "general-of-last-year", shipped.metadata)
            made = adaptation(other, LENIENT)
            data, version = made.to_bytes(), made.version
        case "another model":
            data = adaptation(shipped, LENIENT, name="courier").to_bytes()
    add_model(database, site, version, base=shipped.version, artifact=data)
    promote(database, site, version, shipped.version)
    if what == "gone":
        assert scorer.for_site(database, ModelRef(999, version)) is scorer.classifier()
        return
    assert decided(database, scorer, site, UNFRIENDLY) == ("held", shipped.version)
    assert decided(database, scorer, site, FRIENDLY) == ("approved", shipped.version)
    assert caplog.text.count("the general model decides alone") == 1
    assert problem(database, site)


def test_a_model_that_can_be_used_again_is_and_the_problem_is_forgotten(
    database: Database, site: int, shipped: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(DEFAULT_ARTIFACT)
    model = decides(database, site, shipped, LENIENT)
    with monkeypatch.context() as broken:
        broken.setattr("moderation.scorer.Adaptation.from_bytes", lambda _: 1 / 0)
        assert scorer.adapted(database, model) is None
        assert "division" in problem(database, site)
    assert scorer.adapted(database, model) is None
    monkeypatch.setattr("moderation.scorer.time.monotonic", lambda: 1e12)
    assert scorer.adapted(database, model) is not None
    assert problem(database, site) == ""


def test_without_a_general_model_everything_is_held(
    database: Database, site: int, no_scorer: Scorer, shipped: Classifier
) -> None:
    decides(database, site, shipped, LENIENT)
    assert decided(database, no_scorer, site, FRIENDLY) == ("held", None)


def test_a_promotion_while_a_batch_is_scored_does_not_reach_it(
    database: Database, site: int, shipped: Classifier
) -> None:
    class Meanwhile(Classifier):
        """Promotes another model in the middle of its first batch."""

        def read(self, documents: Sequence[Document]) -> Reading:
            if len(documents) > 1:
                decides(database, site, shipped, LENIENT)
            return super().read(documents)

    scorer = Scorer(Path("unused"))
    scorer._classifier = Meanwhile(shipped.parameters, shipped.version, shipped.metadata)
    ids = [
        add_comment(database, site, text=f"{UNFRIENDLY} {n}", email=f"r{n}@example.org")
        for n in range(3)
    ]
    decide_comments(database, scorer, ids)
    assert {events_of(database, i)[0].model for i in ids} == {shipped.version}
    assert {row_of(database, i).status for i in ids} == {"held"}
    assert decided(database, scorer, site, UNFRIENDLY)[0] == "approved"
