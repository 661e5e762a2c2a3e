import pytest
from sqlalchemy import func, select

from moderation import sites
from moderation.db import Database
from moderation.domain import ModelRef
from moderation.errors import Conflict, NotFound
from moderation.learning import site_models
from moderation.learning.site_models import Deed, State
from moderation.models import SiteModel
from tests.support.comments import add_site
from tests.support.site_models import BASE, add_model, promote


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database)


def states(database: Database, site: int) -> dict[str, State]:
    with database.read() as connection:
        return {m.version: m.state for m in site_models.models(connection, site)}


def current(database: Database, site: int) -> str:
    with database.read() as connection:
        found = site_models.current(connection, site)
    return found.version if found else ""


def roll_back(database: Database, site: int, *, to_general: bool = False) -> str:
    with database.write() as connection:
        before = site_models.before(connection, site)
        found = site_models.roll_back(connection, site, actor="noor", to_general=to_general)
    foretold = before.version if before and not to_general else ""
    assert foretold == (found.version if found else "")
    return found.version if found else ""


def test_a_model_is_a_candidate_until_somebody_promotes_it(database: Database, site: int) -> None:
    number = add_model(database, site, "news-1")
    assert states(database, site) == {"news-1": State.CANDIDATE}
    assert current(database, site) == ""
    promote(database, site, "news-1")
    assert states(database, site) == {"news-1": State.CURRENT}
    with database.read() as connection:
        assert sites.get(connection, site).current == ModelRef(number, "news-1")


def test_another_site_has_models_of_its_own(database: Database, site: int) -> None:
    other = add_site(database, "courier")
    add_model(database, site, "same")
    add_model(database, other, "same")
    promote(database, site, "same")
    assert current(database, other) == ""
    assert states(database, other) == {"same": State.CANDIDATE}
    add_model(database, site, "only-here")
    with pytest.raises(NotFound):
        promote(database, other, "only-here")


def test_one_model_at_a_time_is_current_and_the_one_before_retires(
    database: Database, site: int
) -> None:
    for version in ("a", "b"):
        add_model(database, site, version)
        promote(database, site, version)
    assert states(database, site) == {"b": State.CURRENT, "a": State.RETIRED}


def test_rolling_back_goes_back_step_by_step_to_the_general_model(
    database: Database, site: int
) -> None:
    for version in ("a", "b", "c"):
        add_model(database, site, version)
        promote(database, site, version)
    assert [roll_back(database, site) for _ in range(3)] == ["b", "a", ""]
    with pytest.raises(Conflict, match="nothing to roll back"):
        roll_back(database, site)


def test_rolling_back_may_go_to_the_general_model_at_once(database: Database, site: int) -> None:
    for version in ("a", "b"):
        add_model(database, site, version)
        promote(database, site, version)
    assert roll_back(database, site, to_general=True) == ""


def test_rolling_back_passes_over_what_was_refused(database: Database, site: int) -> None:
    for version in ("a", "b", "c"):
        add_model(database, site, version)
        promote(database, site, version)
    with database.write() as connection:
        site_models.refuse(connection, site, "b", actor="noor")
    assert roll_back(database, site) == "a"


def test_rolling_back_ends_where_models_took_turns(database: Database, site: int) -> None:
    for version in ("a", "b", "c"):
        add_model(database, site, version)
    for version in ("b", "c", "b", "a"):
        promote(database, site, version)
    with database.write() as connection:
        for version in ("b", "c"):
            site_models.refuse(connection, site, version, actor="noor")
    assert roll_back(database, site) == ""


@pytest.mark.parametrize(
    ("version", "general", "why"),
    [
        ("a", BASE, "current model already"),
        ("refused", BASE, "was refused"),
        ("b", "general-2", "trained on the general model"),
    ],
)
def test_what_cannot_be_promoted_says_why(
    database: Database, site: int, version: str, general: str, why: str
) -> None:
    for one in ("a", "b", "refused"):
        add_model(database, site, one)
    promote(database, site, "a")
    with database.write() as connection:
        site_models.refuse(connection, site, "refused", actor="noor")
    with pytest.raises(Conflict, match=why):
        promote(database, site, version, general)
    assert current(database, site) == "a"


def test_the_end_of_a_version_names_it_where_it_names_one(database: Database, site: int) -> None:
    for version in ("news-11", "news-21", "1"):
        add_model(database, site, version)
    with database.read() as connection:
        assert site_models.model(connection, site, "-21").version == "news-21"
        assert site_models.model(connection, site, "1").version == "1"
        for wrong in ("", "%", "_1", "2"):
            with pytest.raises(NotFound):
                site_models.model(connection, site, wrong)
    add_model(database, site, "more-21")
    with database.read() as connection, pytest.raises(Conflict, match="news-21, more-21"):
        site_models.model(connection, site, "-21")


def test_the_same_model_is_kept_once_with_the_newer_report(database: Database, site: int) -> None:
    first = add_model(database, site, "a", recommended=False)
    assert add_model(database, site, "a", recommended=True, report={"sentences": []}) == first
    with database.read() as connection:
        (found,) = site_models.models(connection, site)
        assert connection.scalar(select(func.count()).select_from(SiteModel)) == 1
    assert found.recommended
    assert found.report == {"sentences": []}


def test_who_did_what_is_on_record(database: Database, site: int) -> None:
    for version in ("a", "b"):
        add_model(database, site, version)
    promote(database, site, "a")
    with database.write() as connection:
        site_models.shadow(connection, site, "b", actor="noor")
        site_models.refuse(connection, site, "b", actor="mona")
    roll_back(database, site)
    with database.read() as connection:
        found = site_models.changes(connection, site, limit=10)
        assert site_models.changes(connection, site, limit=1) == found[:1]
    assert [(one.actor, one.deed, one.before, one.after) for one in found] == [
        ("noor", Deed.ROLL_BACK, "a", ""),
        ("mona", Deed.REFUSE, "b", ""),
        ("noor", Deed.SHADOW, "", "b"),
        ("mona", Deed.PROMOTE, "", "a"),
    ]


def test_the_current_model_is_not_refused(database: Database, site: int) -> None:
    add_model(database, site, "a")
    promote(database, site, "a")
    with database.write() as connection, pytest.raises(Conflict, match="roll back first"):
        site_models.refuse(connection, site, "a", actor="noor")


class TestShadow:
    def test_a_model_shadows_until_it_is_told_not_to(self, database: Database, site: int) -> None:
        number = add_model(database, site, "a")
        with database.write() as connection:
            site_models.shadow(connection, site, "a", actor="noor")
            assert sites.get(connection, site).shadow == ModelRef(number, "a")
            shadow = site_models.shadowing(connection, site)
            assert shadow is not None
            assert (shadow.version, shadow.is_shadow) == ("a", True)
            with pytest.raises(Conflict):
                site_models.shadow(connection, site, "a", actor="noor")
            site_models.shadow(connection, site, None, actor="noor")
            assert sites.get(connection, site).shadow is None
            assert site_models.shadowing(connection, site) is None
            with pytest.raises(Conflict):
                site_models.shadow(connection, site, None, actor="noor")

    def test_what_is_promoted_or_refused_shadows_no_more(
        self, database: Database, site: int
    ) -> None:
        for version in ("a", "b"):
            add_model(database, site, version)
            with database.write() as connection:
                site_models.shadow(connection, site, version, actor="noor")
                if version == "a":
                    site_models.refuse(connection, site, version, actor="noor")
            if version == "b":
                promote(database, site, version)
            with database.read() as connection:
                assert sites.get(connection, site).shadow is None

    def test_what_decides_or_was_refused_cannot_shadow(self, database: Database, site: int) -> None:
        for version in ("a", "b"):
            add_model(database, site, version)
        promote(database, site, "a")
        with database.write() as connection:
            site_models.refuse(connection, site, "b", actor="noor")
            for version in ("a", "b"):
                with pytest.raises(Conflict, match="cannot shadow"):
                    site_models.shadow(connection, site, version, actor="noor")


def test_a_change_of_what_decides_has_all_that_is_held_scored_again(
    database: Database, site: int
) -> None:
    add_model(database, site, "a")
    with database.write() as connection:
        assert list(site_models.to_rescore(connection)) == []
    promote(database, site, "a")
    with database.write() as connection:
        assert list(site_models.to_rescore(connection)) == [(site, "")]
        assert site_models.advance(connection, site, after="", to="0a")
        assert not site_models.advance(connection, site, after="", to="0b")
        assert list(site_models.to_rescore(connection)) == [(site, "0a")]
    roll_back(database, site)
    with database.write() as connection:
        assert list(site_models.to_rescore(connection)) == [(site, "")]
        assert site_models.advance(connection, site, after="", to=None)
        assert list(site_models.to_rescore(connection)) == []


def test_why_a_model_cannot_be_used_is_noted(database: Database, site: int) -> None:
    number = add_model(database, site, "a")
    for problem in ("x" * 400, ""):
        with database.write() as connection:
            site_models.report_problem(connection, number, problem)
            assert site_models.models(connection, site)[0].problem == problem[:300]
