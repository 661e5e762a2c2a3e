from typing import Any

import pytest
from sqlalchemy import func, select

from moderation.classifier.pipeline import Classifier
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.domain import Status
from moderation.learning import shadows, site_models
from moderation.models import ShadowScore
from moderation.scorer import Scorer
from tests.support.comments import add_comment, add_site, row_of
from tests.support.service import FRIENDLY, UNFRIENDLY
from tests.support.site_models import (
    LENIENT,
    NO_RULES,
    ONLY_REJECT,
    STRICT,
    add_adaptation,
    add_model,
)


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database, thresholds=ONLY_REJECT, rules=NO_RULES)


def let_shadow(database: Database, site: int, version: str) -> None:
    with database.write() as connection:
        site_models.shadow(connection, site, version, actor="mona")


def test_a_shadow_scores_what_comes_in_and_decides_nothing(
    database: Database, site: int, scorer: Scorer, shipped: Classifier
) -> None:
    before = add_comment(database, site, text=FRIENDLY)
    decide_comments(database, scorer, [before])
    model = add_adaptation(database, site, shipped, LENIENT)
    let_shadow(database, site, model.version)
    ids = [add_comment(database, site, text=text) for text in (FRIENDLY, UNFRIENDLY)]
    elsewhere = add_comment(database, add_site(database, "courier"), text=FRIENDLY)
    decide_comments(database, scorer, [*ids, elsewhere])
    decide_comments(database, scorer, [*ids, elsewhere])
    assert [row_of(database, i).status for i in ids] == ["approved", "held"]
    with database.read() as connection:
        found = shadows.agreement(connection, model.id)
        (differs,) = shadows.disagreements(connection, model.id, limit=10)
        assert shadows.disagreements(connection, model.id, limit=10, before=ids[1]) == []
    assert (found.compared, found.agreed) == (2, 1)
    assert found.since is not None
    assert found.table == {
        (Status.APPROVED, Status.APPROVED): 1,
        (Status.HELD, Status.APPROVED): 1,
    }
    assert (differs.comment_id, differs.text) == (ids[1], UNFRIENDLY)
    assert (differs.live_status, differs.shadow_status) == (Status.HELD, Status.APPROVED)
    assert differs.live_score is not None
    assert differs.shadow_score is not None
    assert differs.shadow_score < 0.01 < differs.live_score
    assert differs.status is Status.HELD


def test_what_a_shadow_said_of_a_comment_can_be_forgotten(
    database: Database, site: int, scorer: Scorer, shipped: Classifier
) -> None:
    model = add_adaptation(database, site, shipped, STRICT)
    let_shadow(database, site, model.version)
    ids = [add_comment(database, site, text=f"{FRIENDLY} {n}") for n in range(2)]
    decide_comments(database, scorer, ids)
    with database.write() as connection:
        shadows.forget(connection, ids[:1])
        assert list(connection.scalars(select(ShadowScore.comment_id))) == ids[1:]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("how", ["cannot be loaded", "fails", "cannot be written"])
def test_a_shadow_that_fails_disturbs_nothing(
    database: Database, scorer: Scorer, shipped: Classifier, how: str, monkeypatch: Any
) -> None:
    site = add_site(database)
    if how == "cannot be loaded":
        add_model(database, site, "broken-1")
        let_shadow(database, site, "broken-1")
    else:
        let_shadow(database, site, add_adaptation(database, site, shipped, STRICT).version)
        where = "_beside" if how == "fails" else "shadows.record"
        monkeypatch.setattr(f"moderation.deciding.{where}", lambda *_: 1 / 0)
    comment_id = add_comment(database, site, text=FRIENDLY)
    (applied,) = decide_comments(database, scorer, [comment_id])
    assert applied.to_status is Status.APPROVED
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(ShadowScore)) == 0
