from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from moderation import review
from moderation.access.accounts import AccountRef
from moderation.classifier.pipeline import Classifier
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.desk import authors, rehearsal
from moderation.domain import ActorKind, EventKind, Role, Standing, Status
from moderation.learning import site_models
from moderation.learning.rescoring import Progress, progress, rescore
from moderation.models import Comment
from moderation.policy import SiteSettings
from moderation.review import Actor, Change, set_status
from moderation.scorer import Scorer
from tests.support.comments import (
    MODERATOR,
    WORKER,
    add_comment,
    add_site,
    events_of,
    held_by_worker,
    row_of,
)
from tests.support.service import UNFRIENDLY
from tests.support.site_models import LENIENT, NO_RULES, ONLY_REJECT, STRICT, decides

CLIENT = Actor(ActorKind.CLIENT, "news")
MONA = AccountRef(1, "mona", Role.ADMINISTRATOR, None)


@pytest.fixture
def site(database: Database) -> int:
    return add_site(database, thresholds=ONLY_REJECT, rules=NO_RULES)


def held(database: Database, scorer: Scorer, site: int, **columns: Any) -> str:
    """A comment that the general model holds."""
    comment_id = add_comment(database, site, **({"text": UNFRIENDLY} | columns))
    decide_comments(database, scorer, [comment_id])
    assert row_of(database, comment_id).status == "held"
    return comment_id


def test_how_far_it_is_can_be_told(
    database: Database,
    site: int,
    scorer: Scorer,
    shipped: Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moderation.learning.rescoring.BATCH", 2)
    for _ in range(3):
        held(database, scorer, site)
    spoken_of = held(database, scorer, site)
    # A person has spoken, so the model has nothing to say.
    for to in (Status.REJECTED, Status.HELD):
        with database.write() as connection:
            set_status(
                connection,
                [Change(comment_id=spoken_of, to=to, reason="other")],
                actor=MODERATOR,
            )

    def told() -> Progress | None:
        with database.read() as connection:
            return progress(connection, site)

    assert told() is None
    decides(database, site, shipped, STRICT)
    assert told() == Progress(3, 0.0)
    rescore(database, scorer, site, "")
    assert told() == Progress(1, pytest.approx(2 / 3))
    rescore_all(database, scorer)
    assert told() is None


def rescore_all(database: Database, scorer: Scorer) -> int:
    """Score all that is to be scored again; in how many batches."""
    batches = 0
    while True:
        with database.read() as connection:
            wanted = list(site_models.to_rescore(connection))
        if not wanted:
            return batches
        for site, after in wanted:
            rescore(database, scorer, site, after)
            batches += 1


def again(comment_id: str, to: Status = Status.APPROVED, version: int | None = 1) -> Change:
    return Change(
        comment_id=comment_id,
        to=to,
        reason="below_thresholds",
        kind=EventKind.RESCORE,
        seen_version=version,
    )


def try_again(database: Database, change: Change, actor: Actor = WORKER) -> bool:
    with database.write() as connection:
        return bool(set_status(connection, [change], actor=actor))


class TestWhatTheWriterOfAStatusAllows:
    """Held to approved, by a worker, where no person ever decided: nothing else."""

    def test_a_held_comment_is_approved_with_an_event(self, database: Database, site: int) -> None:
        comment_id = held_by_worker(database, site)
        assert try_again(database, again(comment_id))
        row, event = row_of(database, comment_id), events_of(database, comment_id)[-1]
        assert (row.status, row.version) == ("approved", 2)
        assert (event.kind, event.from_status, event.to_status) == ("rescore", "held", "approved")

    def test_what_stays_held_is_still_the_version_that_a_moderator_looks_at(
        self, database: Database, site: int
    ) -> None:
        comment_id = held_by_worker(database, site)
        assert try_again(database, again(comment_id, Status.HELD))
        assert row_of(database, comment_id).version == 1
        change = Change(comment_id=comment_id, to=Status.REJECTED, reason="spam", seen_version=1)
        assert try_again(database, change, MODERATOR)

    @pytest.mark.parametrize("status", [Status.PENDING, Status.APPROVED, Status.REJECTED])
    def test_only_what_is_held(self, database: Database, site: int, status: Status) -> None:
        comment_id = add_comment(database, site)
        if status is not Status.PENDING:
            first = Change(comment_id=comment_id, to=status, reason="")
            assert try_again(database, first, WORKER)
        version = row_of(database, comment_id).version
        assert not try_again(database, again(comment_id, version=version))
        assert row_of(database, comment_id).status == status

    @pytest.mark.parametrize("to", [Status.PENDING, Status.REJECTED])
    def test_only_to_held_or_approved(self, database: Database, site: int, to: Status) -> None:
        comment_id = held_by_worker(database, site)
        assert not try_again(database, again(comment_id, to))
        assert row_of(database, comment_id).status == "held"

    @pytest.mark.parametrize("version", [None, 0, 2])
    def test_only_in_the_version_that_was_scored(
        self, database: Database, site: int, version: int | None
    ) -> None:
        comment_id = held_by_worker(database, site)
        assert not try_again(database, again(comment_id, version=version))

    @pytest.mark.parametrize("actor", [MODERATOR, CLIENT])
    def test_only_by_a_worker(self, database: Database, site: int, actor: Actor) -> None:
        comment_id = held_by_worker(database, site)
        assert not try_again(database, again(comment_id), actor)

    @pytest.mark.parametrize("person", [MODERATOR, CLIENT])
    @pytest.mark.parametrize("verdict", [Status.APPROVED, Status.REJECTED, Status.HELD])
    def test_never_what_a_person_decided_even_if_it_is_held_again(
        self, database: Database, site: int, person: Actor, verdict: Status
    ) -> None:
        comment_id = held_by_worker(database, site)
        for to in (verdict, Status.HELD):
            change = Change(comment_id=comment_id, to=to, reason="")
            assert try_again(database, change, person)
        for to in (Status.APPROVED, Status.HELD):
            version = row_of(database, comment_id).version
            assert not try_again(database, again(comment_id, to, version))
        assert row_of(database, comment_id).status == "held"

    def test_never_what_a_person_decided_and_took_back(self, database: Database, site: int) -> None:
        comment_id = held_by_worker(database, site)
        with database.write() as connection:
            review.decide(
                connection, [(comment_id, 1)], to=Status.REJECTED, reason="spam", moderator=MONA
            )
            review.undo(connection, moderator=MONA)
        assert row_of(database, comment_id).status == "held"
        assert not try_again(database, again(comment_id, version=3))

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @settings(
        max_examples=60,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from([MODERATOR, CLIENT, WORKER]),
                st.sampled_from(list(Status)),
                st.sampled_from([EventKind.DECISION, EventKind.RESCORE]),
                st.sampled_from([None, 0, 1, 2, 3]),
            ),
            max_size=6,
        )
    )
    def test_whatever_comes_in_whichever_order_a_persons_word_stands(
        self, database: Database, site: int, steps: list[Any]
    ) -> None:
        comment_id = add_comment(database, site)
        word: str | None = None
        for actor, to, kind, version in steps:
            change = Change(
                comment_id=comment_id, to=to, reason="", kind=kind, seen_version=version
            )
            made = try_again(database, change, actor)
            if made and actor is not WORKER:
                word = to
            if made and word is not None:
                assert actor is not WORKER
        assert word is None or row_of(database, comment_id).status == word


class TestRescoring:
    def test_a_promotion_approves_what_the_new_model_would_and_says_so(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = held(database, scorer, site)
        model = decides(database, site, shipped, LENIENT)
        rescore_all(database, scorer)
        row, event = row_of(database, comment_id), events_of(database, comment_id)[-1]
        assert row.status == "approved"
        assert row.score < 0.01
        assert event.kind == "rescore"
        assert event.model == f"{shipped.version}+{model.version}"
        assert event.evidence["scores"]["reject"] < 0.01

    def test_what_stays_held_gets_the_new_score_and_rank(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = held(database, scorer, site)
        before = row_of(database, comment_id)
        decides(database, site, shipped, STRICT)
        rescore_all(database, scorer)
        row = row_of(database, comment_id)
        assert (row.status, row.version, row.language) == ("held", before.version, before.language)
        assert row.score > before.score
        assert row.uncertainty < before.uncertainty
        assert row.fingerprint == before.fingerprint

    def test_what_would_be_rejected_stays_held(
        self, database: Database, scorer: Scorer, shipped: Classifier
    ) -> None:
        site = add_site(
            database, "courier", thresholds=ONLY_REJECT, rules=NO_RULES, reject_above=1 - 1e-9
        )
        comment_id = held(database, scorer, site)
        decides(database, site, shipped, STRICT)
        rescore_all(database, scorer)
        assert row_of(database, comment_id).status == "held"
        assert events_of(database, comment_id)[-1].kind == "rescore"

    def test_a_roll_back_scores_again_too_and_what_is_scored_by_it_already_is_left_alone(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        first = held(database, scorer, site)
        decides(database, site, shipped, STRICT)
        with database.write() as connection:
            site_models.roll_back(connection, site, actor="mona")
        rescore_all(database, scorer)
        assert len(events_of(database, first)) == 1

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_what_a_person_decided_another_site_holds_or_could_not_be_decided_is_left_alone(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        texts = [f"{UNFRIENDLY} {n}" for n in range(3)]
        requeued, hopeless = (held(database, scorer, site, text=t) for t in texts[:2])
        foreign = held(database, scorer, add_site(database, "courier"), text=texts[2])
        for to in (Status.REJECTED, Status.HELD):
            change = Change(comment_id=requeued, to=to, reason="")
            assert try_again(database, change, MODERATOR)
        with database.write() as connection:
            connection.execute(
                update(Comment).where(Comment.id == hopeless).values(reason="undecided")
            )
        before = [len(events_of(database, i)) for i in (requeued, hopeless, foreign)]
        decides(database, site, shipped, LENIENT)
        rescore_all(database, scorer)
        assert [len(events_of(database, i)) for i in (requeued, hopeless, foreign)] == before
        assert {row_of(database, i).status for i in (requeued, hopeless, foreign)} == {"held"}

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_rule_that_spoke_still_holds(
        self, database: Database, scorer: Scorer, shipped: Classifier
    ) -> None:
        site = add_site(database, "courier", thresholds=ONLY_REJECT)
        first = add_comment(database, site, email="a@example.org")
        decide_comments(database, scorer, [first])
        repeat = add_comment(database, site, email="b@example.org")
        decide_comments(database, scorer, [repeat])
        assert row_of(database, repeat).reason == "duplicate"
        decides(database, site, shipped, LENIENT)
        rescore_all(database, scorer)
        assert (row_of(database, repeat).status, row_of(database, repeat).reason) == (
            "held",
            "duplicate",
        )

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_an_author_who_was_blocked_since_is_not_approved(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = held(database, scorer, site)
        with database.write() as connection:
            authors.set_standing(
                connection, comment_id=comment_id, standing=Standing.BLOCKED, moderator=MONA
            )
        decides(database, site, shipped, LENIENT)
        rescore_all(database, scorer)
        assert row_of(database, comment_id).status == "held"

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_without_a_usable_model_nothing_changes(
        self, database: Database, site: int, scorer: Scorer, no_scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = held(database, scorer, site)
        decides(database, site, shipped, LENIENT)
        rescore_all(database, no_scorer)
        assert len(events_of(database, comment_id)) == 1

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_many_are_scored_in_batches_each_once(
        self,
        database: Database,
        site: int,
        scorer: Scorer,
        shipped: Classifier,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("moderation.learning.rescoring.BATCH", 2)
        texts = [f"{UNFRIENDLY} {n}" for n in range(5)]
        ids = [held(database, scorer, site, text=t, email=f"{t[-1]}@example.org") for t in texts]
        decides(database, site, shipped, STRICT)
        assert rescore_all(database, scorer) == 3
        assert [len(events_of(database, i)) for i in ids] == [2] * 5

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_batch_that_was_scored_while_another_model_was_promoted_is_thrown_away(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = held(database, scorer, site)
        decides(database, site, shipped, LENIENT)
        with database.write() as connection:
            assert site_models.advance(connection, site, after="", to="f")
        assert rescore(database, scorer, site, "") is None
        assert row_of(database, comment_id).status == "held"

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_rehearsal_counts_what_was_scored_again_once(
        self, database: Database, site: int, scorer: Scorer, shipped: Classifier
    ) -> None:
        held(database, scorer, site)
        decides(database, site, shipped, LENIENT)
        rescore_all(database, scorer)
        same = SiteSettings()
        with database.read() as connection:
            found = rehearsal.rehearse(connection, site, present=same, proposed=same, thresholds={})
        assert found.tried == 1
