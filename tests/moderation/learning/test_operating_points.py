"""What labels say about thresholds, kept for each site and model."""

import numpy as np
import pytest
from sqlalchemy import insert

from moderation import site_settings
from moderation.classifier.prediction import Document
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.domain import LabelSource, Selection, Status
from moderation.learning import labels, operating_points, site_models
from moderation.learning.goals import THRESHOLDS, Evidence, Sample
from moderation.learning.held_out import HeldOut
from moderation.learning.labels import NewLabel
from moderation.learning.weighing import weigh
from moderation.models import Example
from moderation.policy import BELOW_THRESHOLDS, TOO_FEW_LABELS, OperatingPoint, SiteSettings
from moderation.scorer import Scorer
from tests.support.comments import add_comment, add_site, events_of, row_of
from tests.support.site_models import BASE, add_model, promote

GOAL = SiteSettings(approve_precision=0.99)


def some_evidence(number: int = 500) -> Evidence:
    nothing = np.zeros(number)
    return Evidence.of(Sample(np.full(number, 0.1), nothing, np.ones(number), nothing))


def keep(database: Database, site: int, model: str = "model-1", number: int = 500) -> None:
    with database.write() as connection:
        operating_points.keep(connection, site_id=site, model=model, evidence=some_evidence(number))


def points(database: Database, site: int) -> operating_points.Points:
    with database.read() as connection:
        settings = operating_points.settings_of(connection, site)
        return operating_points.points(connection, site, settings)


def test_each_model_of_a_site_has_its_own(database: Database) -> None:
    site, other = (add_site(database, name, approve_precision=0.99) for name in ("news", "courier"))
    keep(database, site)
    keep(database, site, "model-2", 10)

    found = points(database, site)

    assert found["model-1"].approve_below == pytest.approx(0.1, abs=0.01)
    assert found["model-2"] == OperatingPoint(0.0, None)
    assert points(database, other) == {}


def test_what_is_weighed_again_takes_the_place_of_what_was(database: Database) -> None:
    site = add_site(database, approve_precision=0.99)
    keep(database, site)
    keep(database, site, number=3)

    assert points(database, site)["model-1"].approve_below == 0.0
    with database.read() as connection:
        found = operating_points.evidence(connection, site_id=site, model="model-1")
    assert found is not None
    assert found[0].labels == 3


def test_a_changed_goal_moves_the_thresholds_in_the_same_transaction(database: Database) -> None:
    site = add_site(database, audit_share=SiteSettings().audit_share)
    keep(database, site)
    assert points(database, site) == {}

    with database.write() as connection:
        site_settings.save(connection, name="news", before=SiteSettings(), after=GOAL, actor="ada")

    assert points(database, site)["model-1"].approve_below == pytest.approx(0.1, abs=0.01)


def test_thresholds_for_another_goal_are_none(database: Database) -> None:
    site = add_site(database, approve_precision=0.9)
    keep(database, site)

    with database.read() as connection:
        assert operating_points.points(connection, site, GOAL) == {}


def add_judged(database: Database, site: int, number: int, *, text: str) -> list[str]:
    comments = [add_comment(database, site, text=f"{text} ({n})") for n in range(number)]
    for comment in comments:
        judge(database, site, comment, unwanted=0.0)
    return comments


def judge(database: Database, site: int, comment: str, *, unwanted: float) -> None:
    label = NewLabel(
        site_id=site,
        comment_id=comment,
        source=LabelSource.MODERATOR,
        actor="mona",
        unwanted=unwanted,
        selection=Selection.HELD,
    )
    with database.write() as connection:
        labels.record(connection, [label])


def test_from_labels_to_a_decision_that_names_its_goal(database: Database, scorer: Scorer) -> None:
    site = add_site(
        database, approve_precision=0.8, rules={"duplicate_hours": 0, "flood_comments": 0}
    )
    classifier = scorer.classifier()
    assert classifier is not None
    friendly = "Thank you for this article about the old bridge and its tram line."
    held = add_comment(database, site, text=friendly)

    decide_comments(database, scorer, [held])
    assert (row_of(database, held).status, row_of(database, held).reason) == (
        Status.HELD,
        TOO_FEW_LABELS,
    )

    add_judged(database, site, 40, text=friendly)
    weigh(database, site, classifier)
    approved = add_comment(database, site, text=friendly)
    decide_comments(database, scorer, [approved])

    assert (row_of(database, approved).status, row_of(database, approved).reason) == (
        Status.APPROVED,
        BELOW_THRESHOLDS,
    )
    goals = events_of(database, approved)[-1].evidence["goals"]
    assert goals["approve_precision"] == 0.8
    assert 0 < goals["approve_below"] < 1


def test_what_a_model_was_trained_on_says_nothing_about_it(
    database: Database, scorer: Scorer
) -> None:
    site = add_site(database, approve_precision=0.8)
    classifier = scorer.classifier()
    assert classifier is not None
    comments = add_judged(database, site, 4, text="Thank you for this article about the bridge.")

    assert weigh(database, site, classifier).labels == 4
    assert weigh(database, site, classifier, HeldOut(last_label_id=3)).labels == 1
    # Not even after somebody else has looked at it again.
    judge(database, site, comments[0], unwanted=1.0)
    assert weigh(database, site, classifier, HeldOut(last_label_id=3)).labels == 1


def test_models_that_were_trained_without_a_comment_speak_for_the_one_that_was_trained_on_it(
    database: Database, scorer: Scorer
) -> None:
    site = add_site(database, approve_precision=0.8)
    classifier = scorer.classifier()
    assert classifier is not None
    comments = add_judged(database, site, 6, text="Thank you for this article about the bridge.")
    with database.read() as connection:
        trained_on = list(labels.effective(connection, site))
    known = HeldOut.from_bytes(HeldOut.of(trained_on, [0.9] * 5 + [None]).to_bytes())
    add_judged(database, site, 1, text="A later word on it.")

    found = weigh(database, site, classifier, known)

    assert found.labels == 6
    assert up_to(found, 0.8) == (1, 0)
    assert up_to(found, 0.95) == (6, 0)
    # A correction since the training counts, with the score from before.
    judge(database, site, comments[0], unwanted=1.0)
    assert up_to(weigh(database, site, classifier, known), 0.95) == (6, pytest.approx(1, abs=0.05))
    with database.write() as connection:
        labels.withdraw(connection, comments[1:3])
    assert weigh(database, site, classifier, known).labels == 4


def up_to(found: Evidence, score: float) -> tuple[float, float]:
    """Labels of comments that score less, and the weight of what is unwanted among them."""
    place = int(np.searchsorted(THRESHOLDS, score))
    return found.below.labels[place], found.below.wrong[place]


def test_what_was_learned_long_ago_is_brought_to_the_present(
    database: Database, scorer: Scorer
) -> None:
    """A model was trained on 600 comments of which one in ten was unwanted; of as many since, at
    the same scores, every second one is."""
    site = add_site(database, approve_precision=0.8, imports_complete=True)
    classifier = scorer.classifier()
    assert classifier is not None
    friendly = "Thank you for this article about the old bridge."
    import_judged(database, site, 600, text=friendly, unwanted_each=10)
    with database.read() as connection:
        trained_on = list(labels.effective(connection, site))
    [prediction] = classifier.predict([Document(friendly)])
    known = HeldOut.of(trained_on, [prediction.reject] * 600)
    then = weigh(database, site, classifier, known)

    import_judged(database, site, 600, text=friendly, unwanted_each=2, first=600)
    now = weigh(database, site, classifier, known)

    assert (then.labels, now.labels) == (600, 1_200)
    shares = [float(one.below.wrong[-1] / one.below.weight[-1]) for one in (then, now)]
    assert shares[0] == pytest.approx(0.1, abs=0.02)
    # Counted once each, the wrong ones would be three in ten.
    assert shares[1] > 0.33


def import_judged(
    database: Database, site: int, number: int, *, text: str, unwanted_each: int, first: int = 0
) -> None:
    """Another system's decisions, one after the other."""
    numbers = range(first, first + number)
    texts = {"site_id": site, "origin": "test", "page": "/", "text": text}
    with database.write() as connection:
        rows = [texts | {"origin_id": str(n), "created_at": n} for n in numbers]
        found = connection.execute(insert(Example).returning(Example.id), rows)
        labels.record(
            connection,
            [
                NewLabel(
                    site_id=site,
                    example_id=example_id,
                    source=LabelSource.IMPORT,
                    actor="test",
                    unwanted=float(n % unwanted_each == 0),
                    selection=Selection.IMPORTED,
                )
                for n, example_id in zip(numbers, sorted(found.scalars()), strict=True)
            ],
        )


def outdated(database: Database) -> list[int]:
    with database.read() as connection:
        return list(operating_points.outdated(connection, BASE))


def test_labels_are_weighed_again_where_a_goal_waits_for_it(database: Database) -> None:
    site = add_site(database, approve_precision=0.99)
    add_site(database, "courier")

    assert outdated(database) == [site]
    keep(database, site, BASE)
    assert outdated(database) == []


@pytest.mark.parametrize("complete", [True, False])
def test_labels_are_weighed_again_where_other_ones_count(
    database: Database, complete: bool
) -> None:
    before = SiteSettings(approve_precision=0.99, imports_complete=not complete)
    site = add_site(database, **before.model_dump())
    keep(database, site, BASE)

    after = before.model_copy(update={"imports_complete": complete})
    with database.write() as connection:
        site_settings.save(connection, name="news", before=before, after=after, actor="ada")

    # Until they are, the old thresholds count no more.
    assert points(database, site) == {}
    assert outdated(database) == [site]


def test_labels_are_weighed_for_whatever_comes_to_decide(database: Database) -> None:
    site = add_site(database, approve_precision=0.99)
    add_model(database, site, "news-1")
    keep(database, site, f"{BASE}+news-1")
    promote(database, site, "news-1")
    assert outdated(database) == []

    with database.write() as connection:
        site_models.roll_back(connection, site, actor="mona")
    assert outdated(database) == [site]
    keep(database, site, BASE)
    assert outdated(database) == []


def test_labels_are_weighed_for_the_general_model_where_that_of_the_site_cannot_be_used(
    database: Database,
) -> None:
    site = add_site(database, approve_precision=0.99)
    number = add_model(database, site, "news-1")
    keep(database, site, f"{BASE}+news-1")
    promote(database, site, "news-1")

    with database.write() as connection:
        site_models.report_problem(connection, number, "it is damaged")

    assert outdated(database) == [site]
