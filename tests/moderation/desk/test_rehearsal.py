from typing import Any

import pytest

from moderation.db import Database
from moderation.desk import rehearsal
from moderation.desk.rehearsal import Rehearsal, rehearse
from moderation.domain import Standing, Status
from moderation.policy import HEADS, OperatingPoint, SiteSettings
from moderation.review import Change, set_status
from tests.support.comments import MODERATOR, add_comment, add_site
from tests.support.decisions import OWN, settle

PRESENT = SiteSettings()


def tried(
    database: Database,
    site: int,
    proposed: dict[str, Any],
    *,
    present: SiteSettings = PRESENT,
    thresholds: rehearsal.Thresholds | None = None,
) -> Rehearsal:
    with database.read() as connection:
        return rehearse(
            connection,
            site,
            present=present,
            proposed=SiteSettings.model_validate(proposed),
            thresholds={"model-1": OWN} if thresholds is None else thresholds,
        )


def moves(found: Rehearsal) -> dict[tuple[str, str], int]:
    return {(str(move.now), str(move.then)): move.count for move in found.moves}


def test_another_threshold_moves_what_lies_between(database: Database) -> None:
    site = add_site(database)
    for score in (0.2, 0.4, 0.55, 0.7, 0.9):
        settle(database, site, insult=score)
    assert moves(tried(database, site, {"thresholds": {"insult": 0.8}})) == {
        ("held", "approved"): 2
    }
    assert moves(tried(database, site, {"thresholds": {"insult": 0.3}})) == {
        ("approved", "held"): 1
    }
    found = tried(database, site, {})
    assert (found.tried, found.moves) == (5, ())


def test_rules_are_tried_on_the_text(database: Database) -> None:
    site = add_site(database)
    settle(database, site, text="Win at the casinos")
    settle(database, site, text="Look at www.a.example", insult=0.9)
    settle(database, site)
    found = tried(database, site, {"rules": {"banned_words": ["casino*"], "max_links": 0}})
    assert moves(found) == {("approved", "rejected"): 1}
    (example,) = found.moves[0].examples
    assert example.text == "Win at the casinos"
    assert example.then.evidence["rules"][0]["detail"] == "has the banned word “casinos”"


def test_what_the_rules_knew_besides_is_remembered(database: Database) -> None:
    site = add_site(database)
    settle(database, site, facts={"author_approved": False})
    settle(database, site, facts={"earlier_from_sender": 3})
    settle(database, site, facts={"agreement": 16})
    assert moves(tried(database, site, {"rules": {"hold_first_comment": True}})) == {
        ("approved", "held"): 1
    }
    assert moves(tried(database, site, {"rules": {"flood_comments": 2}})) == {
        ("approved", "held"): 1
    }
    assert moves(tried(database, site, {"rules": {"duplicate_hours": 0}})) == {
        ("held", "approved"): 1
    }


def test_what_was_thought_of_the_author_is_remembered(database: Database) -> None:
    site = add_site(database)
    settle(database, site, insult=0.9, facts={"standing": Standing.TRUSTED})
    settle(database, site, insult=0.1, facts={"standing": Standing.BLOCKED})
    assert tried(database, site, {"thresholds": {"insult": 0.05}}).moves == ()


def test_a_decision_from_before_facts_were_stored_is_tried_by_the_rules_that_spoke(
    database: Database,
) -> None:
    site = add_site(database)
    strict = SiteSettings.model_validate({"rules": {"hold_first_comment": True}})
    for fact in ({"author_approved": False}, {"earlier_from_sender": 9}, {"agreement": 16}):
        settle(database, site, settings=strict, facts=fact, without_facts=True)
    lenient = {"rules": {"flood_comments": 0, "duplicate_hours": 0}}
    assert moves(tried(database, site, lenient, present=strict)) == {("held", "approved"): 3}
    assert tried(database, site, strict.model_dump(), present=strict).moves == ()


def test_a_threshold_that_is_given_up_is_the_models_own_again(database: Database) -> None:
    site = add_site(database)
    strict = SiteSettings(thresholds={"insult": 0.2})
    settle(database, site, settings=strict, insult=0.3)
    assert moves(tried(database, site, {}, present=strict)) == {("held", "approved"): 1}
    # Without the model at hand, the threshold of then is all that is known.
    assert tried(database, site, {}, present=strict, thresholds={}).moves == ()


def test_only_the_change_counts_and_not_what_people_decided_since(database: Database) -> None:
    site = add_site(database)
    comment_id = settle(database, site, insult=0.9)
    with database.write() as connection:
        change = Change(comment_id=comment_id, to=Status.REJECTED, reason="abuse")
        set_status(connection, [change], actor=MODERATOR)
    found = tried(database, site, {"thresholds": {"insult": 1.0}})
    assert (found.tried, moves(found)) == (1, {("held", "approved"): 1})


def test_what_no_model_scored_stays_held(database: Database) -> None:
    site = add_site(database)
    settle(database, site, scored=False)
    assert tried(database, site, {"thresholds": dict.fromkeys(HEADS, 1.0)}).moves == ()


def test_only_the_sites_own_latest_decisions_are_tried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "DECISIONS", 3)
    site, other = add_site(database), add_site(database, "other")
    for number in range(5):
        settle(database, site, text=f"Number {number}", insult=0.9)
    settle(database, other, insult=0.9)
    add_comment(database, site)
    found = tried(database, site, {"thresholds": {"insult": 1.0}})
    assert (found.tried, moves(found)) == (3, {("held", "approved"): 3})
    texts = [example.text for example in found.moves[0].examples]
    assert texts == ["Number 4", "Number 3", "Number 2"]
    assert tried(database, other, {}).tried == 1


def test_a_goal_is_tried_by_the_threshold_that_follows_for_the_model(database: Database) -> None:
    site = add_site(database)
    for score in (0.1, 0.3, 0.7):
        settle(database, site, reject=score)
    goal = SiteSettings(approve_precision=0.9)
    with database.read() as connection:
        found = rehearse(
            connection,
            site,
            present=PRESENT,
            proposed=goal,
            thresholds={"model-1": OWN},
            proposed_point={"model-1": OperatingPoint(0.2, None)}.get,
        )

    assert moves(found) == {("approved", "held"): 1}
    assert found.outcome == {Status.APPROVED: 1, Status.HELD: 2}
