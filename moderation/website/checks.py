"""Decides at once, in the web process, for senders whose protocol wants the decision as its answer.

A comment is stored first, as every other is; those that come in at the same time are decided
together. Whatever keeps it from being decided here, a worker decides it later.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from moderation.classifier.pipeline import Classifier, Reading
from moderation.classifier.prediction import Document, Prediction
from moderation.db import Database
from moderation.deciding import WORKER, decide_comments
from moderation.domain import Status
from moderation.errors import Overloaded
from moderation.grouping import Groups, Waiting
from moderation.models import Comment
from moderation.policy import Decision
from moderation.queues import DecideNotifier
from moderation.review import Change, set_status
from moderation.scorer import Scorer, predict_each
from moderation.sites import SiteRef
from moderation.submissions import NewComment, Receipt, Submissions

log = logging.getLogger(__name__)

# Seconds a caller waits for the decision; clients give up after one, or after fifteen.
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class _Ask:
    comment_id: str
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of some texts; None for one that it failed on."""

    classifier: Classifier
    predictions: Sequence[Prediction | None]
    reading: Reading | None


class Checks:
    """The synchronous way of one process."""

    def __init__(
        self,
        database: Database,
        submissions: Submissions,
        notifier: DecideNotifier,
        scorer: Scorer,
    ) -> None:
        self._database = database
        self._submissions = submissions
        self._notifier = notifier
        self._scorer = scorer
        self._groups: Groups[_Ask, Status] = Groups("checks", self._decide_group)

    def check(self, comment: NewComment, *, decision: Decision | None = None) -> Receipt:
        """Store a comment and decide it; where it stands then.

        It stands at `pending` when it could not be decided here and now: a worker will, and until
        then it is as good as held.

        Args:
            decision: what is clear without the model and the rules.

        Raises:
            InvalidInput, Conflict, Overloaded: as `Submissions.submit`.
        """
        receipt = self._submissions.submit(comment, notify=False)
        if receipt.status is not Status.PENDING:
            return receipt
        return Receipt(receipt.id, self._decided(_Ask(receipt.id, decision)))

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
        threading.Thread(target=self._scorer.classifier, name="warm-up", daemon=True).start()

    def _decided(self, ask: _Ask) -> Status:
        answer = self._groups.ask(ask).answer(PATIENCE)
        if isinstance(answer, Status):
            return answer
        log.warning("a comment could not be decided in time: %s", type(answer).__name__)
        self._notifier.notify([ask.comment_id])
        return Status.PENDING

    def _decide_group(self, group: Sequence[Waiting[_Ask, Status]]) -> None:
        try:
            statuses = self._decide([waiting.asked for waiting in group])
        except Exception as error:
            log.error("comments could not be decided: %s", type(error).__name__)
            for waiting in group:
                waiting.settle(error)
            return
        for waiting in group:
            waiting.settle(statuses.get(waiting.asked.comment_id, Status.PENDING))

    def _decide(self, asked: Sequence[_Ask]) -> dict[str, Status]:
        known = [ask for ask in asked if ask.decision is not None]
        unknown = [ask.comment_id for ask in asked if ask.decision is None]
        applied = decide_comments(self._database, self._scorer, unknown) if unknown else []
        if known:
            with self._database.write() as connection:
                applied += set_status(connection, list(map(_change, known)), actor=WORKER)
        found = {one.comment_id: one.to_status for one in applied}
        others = {ask.comment_id for ask in asked}.difference(found)
        return found | self._statuses(others) if others else found

    def _statuses(self, comment_ids: set[str]) -> dict[str, Status]:
        """Where those stand that somebody else was first with."""
        query = select(Comment.id, Comment.status).where(Comment.id.in_(sorted(comment_ids)))
        with self._database.read() as connection:
            return {row.id: Status(row.status) for row in connection.execute(query)}


def _change(ask: _Ask) -> Change:
    decision = ask.decision
    assert decision is not None  # noqa: S101 - for the type checker: the caller selected these
    return Change(
        comment_id=ask.comment_id,
        to=decision.status,
        reason=decision.reason,
        evidence=decision.evidence,
    )
