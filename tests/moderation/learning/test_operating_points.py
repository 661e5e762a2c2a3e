"""What labels say about thresholds, kept for each site and model."""

import numpy as np
import pytest

from moderation import site_settings
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.domain import LabelSource, Selection, Status
from moderation.learning import operating_points, site_models
from moderation.learning.goals import Evidence, Sample
from moderation.learning.labels import NewLabel, record
from moderation.learning.weighing import weigh
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


def add_judged(database: Database, site: int, number: int, *, text: str) -> None:
    for n in range(number):
        comment = add_comment(database, site, text=f"{text} ({n})")
        label = NewLabel(
            site_id=site,
            comment_id=comment,
            source=LabelSource.MODERATOR,
            actor="mona",
            unwanted=0.0,
            selection=Selection.HELD,
        )
        with database.write() as connection:
            record(connection, [label])


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
    add_judged(database, site, 4, text="Thank you for this article about the old bridge.")

    assert weigh(database, site, classifier).labels == 4
    assert weigh(database, site, classifier, after_label=3).labels == 1


def outdated(database: Database) -> list[int]:
    with database.read() as connection:
        return list(operating_points.outdated(connection, BASE))


def test_labels_are_weighed_again_where_a_goal_waits_for_it(database: Database) -> None:
    site = add_site(database, approve_precision=0.99)
    add_site(database, "courier")

    assert outdated(database) == [site]
    keep(database, site, BASE)
    assert outdated(database) == []


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
