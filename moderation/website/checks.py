"""Decides at once, in the web process, for senders whose protocol wants the decision as its answer.

A comment is decided first, and then stored with its decision in one transaction, before all that
nobody waits for; those that come in at the same time go together. Whatever keeps it from being
decided here, it is stored as every other is, and a worker decides it later.
"""

import gc
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from moderation import submissions
from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document, Prediction
from moderation.db import Database
from moderation.deciding import WORKER, Judged, decide_comments, judge, keep_shadows
from moderation.domain import Status
from moderation.errors import Overloaded
from moderation.facts import Incoming, gather_incoming
from moderation.grouping import Groups, Waiting
from moderation.ids import time_of
from moderation.models import Comment
from moderation.policy import Decision
from moderation.review import Change, set_status
from moderation.scorer import Scorer, predict_each
from moderation.sites import SiteRef
from moderation.submissions import (
    Arrival,
    NewComment,
    Outcome,
    Receipt,
    Submissions,
    receipt_of,
)

log = logging.getLogger(__name__)

# Seconds a caller waits for the decision; clients give up after one, or after fifteen.
PATIENCE = 5.0

_Group = Sequence[Waiting[Arrival, Outcome]]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of some texts; None for one that it failed on."""

    classifier: Classifier
    predictions: Sequence[Prediction | None]
    reading: Reading | None


class Checks:
    """The synchronous way of one process."""

    def __init__(self, database: Database, submissions: Submissions, scorer: Scorer) -> None:
        self._database = database
        self._submissions = submissions
        self._scorer = scorer
        self._groups: Groups[Arrival, Outcome] = Groups("checks", self._answer_group)

    def check(self, comment: NewComment, *, decision: Decision | None = None) -> Receipt:
        """Decide a comment and store it; where it stands then, which is durable.

        It stands at `pending` when it could not be decided here and now: a worker will, and until
        then it is as good as held.

        Args:
            decision: what is clear without the model and the rules.

        Raises:
            InvalidInput, Conflict, Overloaded: as `Submissions.submit`.
        """
        self._submissions.check_parent(comment)
        arrival = Arrival.of(comment)
        with self._submissions.precedence.first():
            if decision is not None:
                return self._stored(arrival, decision)
            answer = self._decided(arrival)
        if isinstance(answer, Outcome):
            return receipt_of(answer)
        log.warning("a comment could not be decided in time: %s", type(answer).__name__)
        return self._submissions.submit(comment)

    def _decided(self, arrival: Arrival) -> Outcome | Exception:
        """What came of it, or why nothing has come of it and nothing will.

        Raises:
            Overloaded: nobody knows what came of it.
        """
        waiting = self._groups.ask(arrival)
        answer = waiting.answer(PATIENCE)
        if isinstance(answer, TimeoutError) and not waiting.claim():
            # It is on its way into the database, and must not be stored twice.
            answer = waiting.answer(submissions.PATIENCE)
            if isinstance(answer, TimeoutError):
                return receipt_of(answer)
        return answer

    def score(self, documents: Sequence[Document], site: SiteRef) -> Scored:
        """What the site's model says of texts that are not stored.

        Raises:
            Overloaded: there is no usable model.
        """
        classifier = self._scorer.for_site(self._database, site.current)
        if classifier is None:
            raise Overloaded("there is no usable model at the moment")
        return Scored(classifier, *predict_each(classifier, documents))

    def warm_up(self) -> None:
        """Load the model in the background, before the first comment waits for it."""
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        self._scorer.classifier()
        # What is loaded stays: the collector would look at all of it again and again, which takes
        # a seventh of a second, and nobody is answered meanwhile.
        gc.freeze()

    def _stored(self, arrival: Arrival, decision: Decision) -> Receipt:
        change = Change(
            comment_id=arrival.id,
            to=decision.status,
            reason=decision.reason,
            evidence=decision.evidence,
        )
        answer: Outcome | Exception
        try:
            (answer,) = self._write([arrival], [change])
        except Exception as error:
            answer = error
        return receipt_of(answer)

    def _answer_group(self, group: _Group) -> None:
        try:
            judged = self._judge([waiting.asked for waiting in group])
            claimed = [waiting for waiting in group if waiting.claim()]
            arrivals = [waiting.asked for waiting in claimed]
            outcomes = self._write(arrivals, judged.changes) if arrivals else []
        except Exception as error:
            log.error("comments could not be decided: %s", type(error).__name__)
            for waiting in group:
                waiting.settle(error)
            return
        for waiting, outcome in zip(claimed, outcomes, strict=True):
            waiting.settle(self._decide_earlier(outcome))
        new = {one.id for one in outcomes if isinstance(one, Receipt) and one.is_new}
        # The next checks wait for this thread.
        keep_shadows(self._database, self._scorer, judged, new, urgent=True)

    def _judge(self, arrivals: Sequence[Arrival]) -> Judged:
        """What is to become of them; nothing is locked while the model works."""
        with self._database.read() as connection:
            batch = gather_incoming(connection, list(map(_incoming, arrivals)))
        return judge(self._database, self._scorer, batch)

    def _write(self, arrivals: Sequence[Arrival], changes: Sequence[Change]) -> list[Outcome]:
        try:
            return self._try_to_write(arrivals, changes)
        except IntegrityError:
            return self._try_to_write(arrivals, changes)

    def _try_to_write(
        self, arrivals: Sequence[Arrival], changes: Sequence[Change]
    ) -> list[Outcome]:
        with self._submissions.storing(arrivals, urgent=True) as (connection, outcomes):
            applied = set_status(connection, changes, actor=WORKER)
        statuses = {one.comment_id: one.to_status for one in applied}
        return [
            replace(one, status=statuses.get(one.id, one.status))
            if isinstance(one, Receipt)
            else one
            for one in outcomes
        ]

    def _decide_earlier(self, outcome: Outcome) -> Outcome:
        """Where it stands that was sent before, when it has not been decided yet."""
        if not isinstance(outcome, Receipt) or outcome.status is not Status.PENDING:
            return outcome
        try:
            decide_comments(self._database, self._scorer, [outcome.id])
            with self._database.read() as connection:
                # Somebody else may have been first.
                query = select(Comment.status).where(Comment.id == outcome.id)
                status = connection.execute(query).scalar_one()
        except Exception as error:
            log.error("a comment could not be decided: %s", type(error).__name__)
            return outcome
        return replace(outcome, status=Status(status))


def _incoming(arrival: Arrival) -> Incoming:
    comment = arrival.comment
    return Incoming(
        id=arrival.id,
        site_id=comment.site_id,
        author_id=arrival.author_id,
        ip=comment.ip,
        created_at=time_of(arrival.id),
        name=comment.name,
        website=comment.website,
        text=comment.text,
        trap=comment.trap,
    )
