from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert

from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document
from moderation.clock import HOUR, SECOND
from moderation.db import Database
from moderation.deciding import decide_comments
from moderation.domain import Standing, Status
from moderation.models import AuthorStanding
from moderation.policy import HEADS
from moderation.review import Change, set_status
from moderation.scorer import Scorer
from tests.support.comments import MODERATOR, add_comment, add_site, events_of, row_of

KIND = (
    "I have crossed on this ferry since I was a child, and in winter the ferryman lent us his "
    "gloves. A bridge does not do that."
)
KIND_TOO = "Thank you for this article. My grandfather helped to build the landing, years ago."
RUDE = "You are a stupid idiot and a pathetic liar, shut up you moron."
POISON = "A text that the model fails on."

LENIENT = {"thresholds": dict.fromkeys(HEADS, 1.0)}


class Scripted(Scorer):
    """The real classifier, which fails on one text, or does something before it answers."""

    def __init__(self, real: Classifier, before: Any = lambda: None) -> None:
        self._real = real
        self._before = before

    def classifier(self) -> Classifier:
        before = self._before

        class Wrapped(Classifier):
            def read(self, documents: Sequence[Document]) -> Reading:
                before()
                if any(document.text == POISON for document in documents):
                    raise ValueError("a bug")
                return super().read(documents)

        return Wrapped(self._real.parameters, self._real.version, self._real.metadata)


def decided(database: Database, scorer: Scorer, *ids: str) -> list[tuple[str, str]]:
    """Decide the comments together; status and reason of each."""
    decide_comments(database, scorer, ids)
    return [(row.status, row.reason) for row in (row_of(database, i) for i in ids)]


class TestTheModel:
    def test_what_is_fine_is_approved_and_what_is_not_is_held(
        self, database: Database, scorer: Scorer
    ) -> None:
        site = add_site(database, thresholds={"reject": 0.5, "toxic": 1.0, "insult": 1.0})
        kind = add_comment(database, site, text=KIND)
        rude = add_comment(database, site, text=RUDE, email="eve@example.org")
        outcome = decided(database, scorer, kind, rude)
        assert outcome[0] == ("approved", "below_thresholds")
        assert outcome[1][0] == "held"
        assert outcome[1][1] in HEADS

    def test_a_decision_is_stored_with_all_that_it_stands_on(
        self, database: Database, scorer: Scorer, shipped: Classifier
    ) -> None:
        comment_id = add_comment(database, add_site(database), text=RUDE)
        decide_comments(database, scorer, [comment_id])
        row = row_of(database, comment_id)
        (prediction,) = shipped.predict([Document(RUDE, "Zoë", "")])
        assert row.score == pytest.approx(prediction.reject)
        assert len(row.fingerprint) == 16
        (event,) = events_of(database, comment_id)
        assert (event.actor_kind, event.from_status) == ("worker", "pending")
        assert (event.to_status, event.reason) == (row.status, row.reason)
        assert event.model == shipped.version
        evidence = event.evidence
        assert evidence.keys() == {
            "rules",
            "facts",
            "able",
            "unknown",
            "scores",
            "thresholds",
            "explanation",
        }
        assert evidence["scores"].keys() == evidence["thresholds"].keys() == set(HEADS)
        assert evidence["scores"]["reject"] == pytest.approx(prediction.reject, abs=1e-4)
        assert evidence["thresholds"] == shipped.thresholds
        explanation = evidence["explanation"]
        assert explanation["head"] == row.reason
        words = {RUDE[start:end]: weight for start, end, weight in explanation["spans"]}
        assert max(words.values()) > 0

    def test_without_a_model_everything_is_held(
        self, database: Database, no_scorer: Scorer
    ) -> None:
        site = add_site(database)
        ids = [add_comment(database, site, text=text) for text in (KIND, RUDE)]
        assert decided(database, no_scorer, *ids) == [("held", "scorer_unavailable")] * 2
        (event,) = events_of(database, ids[0])
        assert (event.model, event.evidence["rules"]) == (None, [])
        assert event.evidence.keys() == {"rules", "facts"}

    def test_a_text_that_the_model_fails_on_is_held_and_the_others_are_decided(
        self, database: Database, shipped: Classifier
    ) -> None:
        site = add_site(database, **LENIENT)
        ids = [
            add_comment(database, site, text=text, email=f"{n}@example.org")
            for n, text in enumerate((KIND, POISON, KIND_TOO))
        ]
        outcome = decided(database, Scripted(shipped), *ids)
        assert outcome == [
            ("approved", "below_thresholds"),
            ("held", "scorer_failed"),
            ("approved", "below_thresholds"),
        ]

    def test_a_language_that_the_model_does_not_know_is_held(
        self, database: Database, scorer: Scorer
    ) -> None:
        comment_id = add_comment(database, add_site(database, **LENIENT), text="漢字仮名交じり文")
        assert decided(database, scorer, comment_id) == [("held", "not_able_to_judge")]


class TestBatches:
    def test_each_site_is_judged_by_its_own_settings(
        self, database: Database, scorer: Scorer
    ) -> None:
        strict = add_site(database, "strict", rules={"banned_words": ["ferry"]})
        lenient = add_site(database, "lenient", **LENIENT)
        ids = [add_comment(database, site, text=KIND) for site in (strict, lenient)]
        assert decided(database, scorer, *ids) == [
            ("rejected", "banned_word"),
            ("approved", "below_thresholds"),
        ]

    def test_deciding_twice_makes_one_event(self, database: Database, scorer: Scorer) -> None:
        comment_id = add_comment(database, add_site(database))
        assert len(decide_comments(database, scorer, [comment_id, comment_id])) == 1
        assert decide_comments(database, scorer, [comment_id]) == []
        assert len(events_of(database, comment_id)) == 1

    def test_ids_of_no_comment_are_passed_over(self, database: Database, scorer: Scorer) -> None:
        comment_id = add_comment(database, add_site(database))
        (applied,) = decide_comments(database, scorer, ["0" * 32, comment_id, "none"])
        assert applied.comment_id == comment_id
        assert decide_comments(database, scorer, []) == []

    def test_a_decision_of_a_person_meanwhile_stays(
        self, database: Database, shipped: Classifier
    ) -> None:
        site = add_site(database, **LENIENT)
        ids = [add_comment(database, site, text=text) for text in (KIND, KIND_TOO)]

        def a_moderator_is_faster() -> None:
            with database.write() as connection:
                change = Change(comment_id=ids[0], to=Status.REJECTED, reason="rude to ferries")
                set_status(connection, [change], actor=MODERATOR)

        scorer = Scripted(shipped, before=a_moderator_is_faster)
        assert decided(database, scorer, *ids) == [
            ("rejected", "rude to ferries"),
            ("approved", "below_thresholds"),
        ]
        (event,) = events_of(database, ids[0])
        assert event.actor == "mona"


def rules(**settings: Any) -> dict[str, Any]:
    return {"rules": settings} | LENIENT


class TestRules:
    @pytest.mark.parametrize(
        ("settings", "columns", "outcome"),
        [
            (rules(banned_words=["glove*"]), {}, ("rejected", "banned_word")),
            (rules(suspect_words=["zoë"]), {}, ("held", "suspect_word")),
            (rules(max_length=20), {}, ("held", "too_long")),
            (rules(max_links=0), {"text": f"{KIND} www.a.example"}, ("held", "too_many_links")),
            (rules(hold_first_comment=True), {}, ("held", "first_comment")),
            (rules(), {}, ("approved", "below_thresholds")),
        ],
        ids=str,
    )
    def test_a_rule_holds_or_rejects(
        self,
        database: Database,
        scorer: Scorer,
        settings: dict[str, Any],
        columns: dict[str, Any],
        outcome: tuple[str, str],
    ) -> None:
        site = add_site(database, **settings)
        comment_id = add_comment(database, site, **({"text": KIND} | columns))
        assert decided(database, scorer, comment_id) == [outcome]
        (event,) = events_of(database, comment_id)
        if outcome[0] != "approved":
            assert event.evidence["rules"][0]["rule"] == outcome[1]

    def test_who_has_an_approved_comment_is_known(self, database: Database, scorer: Scorer) -> None:
        site = add_site(database, **rules(hold_first_comment=True))
        other = add_site(database, "blog", **rules(hold_first_comment=True))
        add_comment(database, site, status=Status.APPROVED, email="known@example.org", age=HOUR)
        add_comment(database, site, status=Status.HELD, email="held@example.org", age=HOUR)
        ids = [
            add_comment(database, where, text=text, email=email)
            for where, text, email in (
                (site, KIND, "KNOWN@example.org"),
                (site, KIND_TOO, "held@example.org"),
                (other, KIND, "known@example.org"),
            )
        ]
        assert [reason for _, reason in decided(database, scorer, *ids)] == [
            "below_thresholds",
            "first_comment",
            "first_comment",
        ]


class TestRepeats:
    def test_a_repeat_is_held_whoever_sends_it(self, database: Database, scorer: Scorer) -> None:
        site = add_site(database, **rules())
        first = add_comment(database, site, text=KIND, email="a@example.org")
        decide_comments(database, scorer, [first])
        again = add_comment(database, site, text=KIND.upper(), email="b@example.org")
        nearly = add_comment(database, site, text=f"{KIND} Really!", email="c@example.org")
        another = add_comment(database, site, text=KIND_TOO, email="d@example.org")
        assert [reason for _, reason in decided(database, scorer, again, nearly, another)] == [
            "duplicate",
            "duplicate",
            "below_thresholds",
        ]

    def test_in_one_batch_the_first_is_no_repeat(self, database: Database, scorer: Scorer) -> None:
        site = add_site(database, **rules())
        ids = [
            add_comment(database, site, text=KIND, email=f"{n}@example.org", age=10 - n)
            for n in range(3)
        ]
        assert [reason for _, reason in decided(database, scorer, *ids)] == [
            "below_thresholds",
            "duplicate",
            "duplicate",
        ]

    def test_what_is_short_repeats_only_its_own_author(
        self, database: Database, scorer: Scorer
    ) -> None:
        site = add_site(database, **rules())
        thanks = "Thank you for the article!"
        ids = [
            add_comment(database, site, text=thanks, email=email, age=10 - n)
            for n, email in enumerate(("a@example.org", "b@example.org", "a@example.org"))
        ]
        assert [reason for _, reason in decided(database, scorer, *ids)] == [
            "below_thresholds",
            "below_thresholds",
            "duplicate",
        ]

    def test_other_sites_and_older_comments_are_not_compared(
        self, database: Database, scorer: Scorer
    ) -> None:
        site = add_site(database, **rules(duplicate_hours=1))
        other = add_site(database, "blog", **rules())
        old = add_comment(database, site, text=KIND, age=2 * HOUR)
        foreign = add_comment(database, other, text=KIND)
        decide_comments(database, scorer, [old, foreign])
        again = add_comment(database, site, text=KIND)
        assert decided(database, scorer, again) == [("approved", "below_thresholds")]


class TestFloods:
    @pytest.mark.parametrize("sender", ["author", "address"])
    def test_what_one_sender_posts_too_fast_is_held(
        self, database: Database, scorer: Scorer, sender: str
    ) -> None:
        site = add_site(database, **rules(flood_comments=2, flood_seconds=60, duplicate_hours=0))

        def post(number: int, age: int) -> str:
            email = "a@example.org" if sender == "author" else f"{number}@example.org"
            ip = "203.0.113.7" if sender == "address" else f"203.0.113.{number}"
            return add_comment(database, site, text=KIND, email=email, ip=ip, age=age * SECOND)

        long_ago = post(1, age=120)
        burst = [post(2 + n, age=10 - n) for n in range(3)]
        assert [reason for _, reason in decided(database, scorer, long_ago, *burst)] == [
            "below_thresholds",
            "below_thresholds",
            "below_thresholds",
            "flood",
        ]

    def test_those_without_an_address_are_not_one_sender(
        self, database: Database, scorer: Scorer
    ) -> None:
        site = add_site(database, **rules(flood_comments=1, duplicate_hours=0))
        ids = [
            add_comment(database, site, text=KIND, email=f"{n}@example.org", age=10 - n)
            for n in range(3)
        ]
        assert {reason for _, reason in decided(database, scorer, *ids)} == {"below_thresholds"}

    def test_another_site_does_not_count(self, database: Database, scorer: Scorer) -> None:
        site = add_site(database, **rules(flood_comments=1))
        other = add_site(database, "blog")
        add_comment(database, other, text=KIND_TOO, ip="203.0.113.7", age=SECOND)
        comment_id = add_comment(database, site, text=KIND, ip="203.0.113.7")
        assert decided(database, scorer, comment_id) == [("approved", "below_thresholds")]


class TestWhatTheDeskNeeds:
    def test_the_language_of_what_is_held_is_stored(
        self, database: Database, scorer: Scorer, no_scorer: Scorer
    ) -> None:
        site = add_site(database, thresholds={"reject": 0.0})
        german = "Der Fährmann hat uns im Winter seine Handschuhe geliehen, das macht keine Brücke."
        texts = (KIND, german, "You stupid moron.", "漢字")
        ids = [
            add_comment(database, site, text=text, email=f"{n}@example.org")
            for n, text in enumerate(texts)
        ]
        decide_comments(database, scorer, ids)
        # Too short for the detector, but in the words of a model of one language.
        assert [row_of(database, i).language for i in ids] == ["en", "de", "en", ""]
        unscored = add_comment(database, site, text=german, email="z@example.org")
        decide_comments(database, no_scorer, [unscored])
        row = row_of(database, unscored)
        assert (row.language, row.uncertainty, row.harm) == ("de", 1.0, 0.0)

    def test_what_is_held_has_its_sort_keys(self, database: Database, scorer: Scorer) -> None:
        comment_id = add_comment(database, add_site(database), text=RUDE)
        decide_comments(database, scorer, [comment_id])
        row = row_of(database, comment_id)
        assert row.head == row.reason
        assert 0 < row.harm <= 1
        assert 0 <= row.uncertainty < 1

    @pytest.mark.parametrize(
        ("standing", "text", "outcome"),
        [
            (Standing.TRUSTED, RUDE, ("approved", "trusted_author")),
            (Standing.BLOCKED, KIND, ("rejected", "blocked_author")),
        ],
    )
    def test_a_moderators_opinion_of_the_author_counts_on_the_site(
        self,
        database: Database,
        scorer: Scorer,
        *,
        standing: Standing,
        text: str,
        outcome: tuple[str, str],
    ) -> None:
        site, other = add_site(database), add_site(database, "blog")
        here, elsewhere = (add_comment(database, where, text=text) for where in (site, other))
        with database.write() as connection:
            values = {
                "site_id": site,
                "author_id": row_of(database, here).author_id,
                "standing": standing,
                "at": 0,
                "moderator": "mona",
            }
            connection.execute(insert(AuthorStanding).values(values))
        assert decided(database, scorer, here) == [outcome]
        assert decided(database, scorer, elsewhere) != [outcome]
