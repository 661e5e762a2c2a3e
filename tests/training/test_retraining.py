import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, update

from moderation import sites
from moderation.classifier.pipeline import Classifier
from moderation.clock import DAY, MINUTE, now_ms
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.learning import labels, operating_points, site_models, training_runs
from moderation.learning.labels import NewLabel
from moderation.learning.site_models import State as ModelState
from moderation.learning.training_runs import State
from moderation.learning.verdict_report import render
from moderation.learning.weighing import weigh_deciding
from moderation.models import Example, TrainingRun
from moderation.scorer import Scorer
from tests.support.comments import add_site
from tests.support.site_models import LENIENT, decides
from training import gate, retraining
from training.retraining import retrain

WORDS = [
    "bridge",
    "market",
    "tower",
    "garden",
    "museum",
    "canal",
    "theatre",
    "station",
    "harbour",
    "lamp",
    "winter",
    "committee",
    "budget",
    "tram",
    "ferry",
    "school",
    "winner",
    "letter",
    "engine",
    "kitchen",
    "village",
    "forest",
    "ticket",
    "mirror",
    "painter",
    "bottle",
    "captain",
    "orchard",
    "pepper",
    "saddle",
    "violin",
    "wagon",
]


def sentence(place: int, *, unwanted: bool) -> str:
    """A text that resembles no other, with a word that tells."""
    words = Random(place).sample(WORDS, 14)
    return " ".join([*words, "zorbly" if unwanted else "newspaper", str(place * 7919)])


def teach(
    database: Database, site: int, number: int, *, unwanted_each: int = 2, first: int = 0
) -> None:
    """Labels of examples of two kinds, one a minute, on a page each."""
    begin = now_ms() - DAY
    with database.write() as connection:
        for place in range(first, first + number):
            bad = unwanted_each and place % unwanted_each == 0
            at = begin + place * MINUTE
            row = connection.execute(
                insert(Example)
                .values(
                    site_id=site,
                    origin="test",
                    origin_id=f"{at}-{place}",
                    page=f"/{place}",
                    text=sentence(place, unwanted=bool(bad)),
                    created_at=at,
                )
                .returning(Example.id)
            )
            label = NewLabel(
                site_id=site,
                example_id=row.scalar_one(),
                source=LabelSource.IMPORT,
                actor="test",
                unwanted=float(bool(bad)),
                selection=Selection.IMPORTED,
                at=at,
            )
            labels.record(connection, [label])


def run(database: Database, scorer: Scorer, site: int, **told: Any) -> training_runs.Run:
    """A training, done here and now."""
    with database.write() as connection:
        number = training_runs.ask(connection, site, by="mona")
    retrain(database, scorer, number, **told)
    with database.read() as connection:
        return training_runs.run(connection, number)


def models(database: Database, site: int) -> list[site_models.StoredModel]:
    with database.read() as connection:
        return site_models.models(connection, site)


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the gate is asked; it recommends everything."""
    asked: list[Any] = []

    def judge(current: Any, candidate: Any, trials: Any, **options: Any) -> gate.Verdict:
        later = [label for trial in trials for label in trial.later]
        asked.append((current.version, candidate.version, later))
        return gate.Verdict(True, ("It is better.",), {"auc": 1.0})

    monkeypatch.setattr(gate, "judge", judge)
    return asked


def test_a_training_makes_a_candidate_with_the_gates_report_and_lets_nothing_else_decide(
    database: Database, scorer: Scorer, shipped: Classifier
) -> None:
    site = add_site(database, "news", approve_precision=0.9, imports_complete=True)
    teach(database, site, 120)
    told: list[tuple[str, float]] = []
    found = run(database, scorer, site, watch=lambda step, done: told.append((step, done)))
    assert found.state is State.DONE
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1][1] > 0.9
    (model,) = models(database, site)
    assert found.version == model.version
    assert model.version in found.outcome
    assert model.version.startswith("news-")
    assert (model.state, model.base, model.labels) == (ModelState.CANDIDATE, shipped.version, 120)
    assert model.made_by == "mona"
    assert model.report["sentences"][0] in found.outcome
    assert model.report["figures"]["later"] > 0
    with database.read() as connection:
        site_ref = sites.get(connection, site)
        assert site_ref.current is None
        adapted = f"{shipped.version}+{model.version}"
        # What was learned has evidence to meet the site's goal by, before it decides anything.
        assert adapted in operating_points.points(connection, site, site_ref.settings)
        evidence = operating_points.evidence(connection, site_id=site, model=adapted)
        assert evidence is not None
        assert model.report["figures"]["later"] < evidence[0].labels <= 120
    # Weighed again once it decides, its labels say what they said.
    with database.write() as connection:
        site_models.promote(connection, site, model.version, general=shipped.version, actor="mona")
    weighed = weigh_deciding(database, scorer, site)
    assert weighed is not None
    assert weighed[0] == adapted
    assert weighed[1].labels == evidence[0].labels
    assert weighed[1].below.wrong == pytest.approx(evidence[0].below.wrong, abs=0.01)


def test_the_gate_judges_the_model_that_is_stored_and_names_it(
    database: Database,
    scorer: Scorer,
    shipped: Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is stored does not go all the way.
    monkeypatch.setattr(retraining.guard, "farthest", lambda *_, **__: 0.5)
    site = add_site(database)
    teach(database, site, 60)
    run(database, scorer, site)

    (model,) = models(database, site)

    named = f"{shipped.version}+{model.version}"
    assert model.report["figures"]["candidate"] == named
    html = render(model.report["sentences"], model.report["figures"])
    assert f"<title>{named} against {shipped.version}</title>" in html


@pytest.mark.parametrize(
    ("setting", "state"), [(True, ModelState.CURRENT), (False, ModelState.CANDIDATE)]
)
def test_what_the_gate_recommends_decides_where_the_site_says_so(
    database: Database, scorer: Scorer, verdict: list[Any], setting: bool, state: ModelState
) -> None:
    site = add_site(database, promote_automatically=setting)
    teach(database, site, 60)
    found = run(database, scorer, site)
    assert [model.state for model in models(database, site)] == [state]
    assert ("decides from now on" in found.outcome) is setting
    with database.read() as connection:
        changes = site_models.changes(connection, site, limit=5)
    assert [change.actor for change in changes] == (["the gate"] if setting else [])


def test_what_somebody_else_promoted_meanwhile_is_not_replaced(
    database: Database, scorer: Scorer, shipped: Classifier, verdict: list[Any]
) -> None:
    site = add_site(database, promote_automatically=True)
    teach(database, site, 60)

    def watch(step: str, _done: float) -> None:
        if step == "storing the model":
            decides(database, site, shipped, LENIENT)

    run(database, scorer, site, watch=watch)
    states = [model.state for model in models(database, site)]
    assert sorted(states) == [ModelState.CANDIDATE, ModelState.CURRENT]
    with database.read() as connection:
        assert len(site_models.changes(connection, site, limit=5)) == 1


def test_the_current_model_is_asked_about_what_it_was_not_trained_on(
    database: Database, scorer: Scorer, shipped: Classifier, verdict: list[Any]
) -> None:
    site = add_site(database, promote_automatically=True)
    teach(database, site, 60)
    run(database, scorer, site)
    (first,) = models(database, site)
    teach(database, site, 40, first=60)
    run(database, scorer, site)
    current, _, later = verdict[1]
    assert current == f"{shipped.version}+{first.version}"
    assert later
    assert all(label.label_id > first.last_label_id for label in later)


@pytest.mark.parametrize(
    ("number", "unwanted_each", "why"), [(20, 2, "at least 40"), (50, 0, "approvals")]
)
def test_from_too_little_nothing_is_learned_and_it_is_said(
    database: Database, scorer: Scorer, number: int, unwanted_each: int, why: str
) -> None:
    site = add_site(database)
    teach(database, site, number, unwanted_each=unwanted_each)
    found = run(database, scorer, site)
    assert found.state is State.DONE
    assert why in found.outcome
    assert models(database, site) == []


def test_without_a_general_model_a_training_fails(database: Database, no_scorer: Scorer) -> None:
    site = add_site(database)
    found = run(database, no_scorer, site)
    assert found.state is State.FAILED
    assert "general model" in found.outcome


def test_a_training_that_fails_says_so_and_changes_nothing(
    database: Database, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = add_site(database)
    teach(database, site, 60)
    monkeypatch.setattr(retraining, "fit", lambda *_, **__: 1 / 0)
    found = run(database, scorer, site)
    assert found.state is State.FAILED
    assert "ZeroDivisionError" in found.outcome
    assert models(database, site) == []


def test_a_training_that_counts_as_interrupted_stores_nothing(
    database: Database, scorer: Scorer, verdict: list[Any]
) -> None:
    site = add_site(database, promote_automatically=True)
    teach(database, site, 60)

    def watch(step: str, _done: float) -> None:
        if step == "storing the model":
            with database.write() as connection:
                connection.execute(update(TrainingRun).values(beat_at=0))
                training_runs.mark_interrupted(connection)

    found = run(database, scorer, site, watch=watch)
    assert found.state is State.INTERRUPTED
    assert models(database, site) == []


def test_a_run_that_was_done_is_not_done_again(
    database: Database, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = add_site(database)
    found = run(database, scorer, site)
    monkeypatch.setattr(retraining, "_retrain", lambda *_: pytest.fail("it ran again"))
    retrain(database, scorer, found.id)


def test_a_run_gives_signs_of_life_and_learns_that_it_was_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_runs, "BEAT", 10)
    site = add_site(database)
    with database.write() as connection:
        number = training_runs.ask(connection, site, by="mona")
        begun = training_runs.begin(connection, number)
    assert begun is not None
    with retraining._Telling(database, begun, lambda *_: None) as tell:
        tell("half of it", 0.5)
        with database.read() as connection:
            while training_runs.run(connection, number).done < 0.5:
                connection.rollback()
        with database.write() as connection:
            connection.execute(update(TrainingRun).values(beat_at=0))
            training_runs.mark_interrupted(connection)
        tell._thread.join(20)
        with pytest.raises(retraining.InterruptedRunError):
            tell("more", 0.6)
