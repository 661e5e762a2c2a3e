"""Automatic decisions for tests, made by the policy from given probabilities."""

from typing import Any

from moderation.classifier.prediction import Prediction, Reason
from moderation.db import Database
from moderation.policy import HEADS, SiteSettings, decide
from moderation.review import Change, set_status
from moderation.rules import Facts
from tests.support.comments import WORKER, add_comment

OWN = dict.fromkeys(HEADS, 0.5)
"""Thresholds of the model that decides."""


def settle(
    database: Database,
    site: int,
    *,
    text: str = "Hello",
    settings: SiteSettings | None = None,
    without_facts: bool = False,
    facts: dict[str, Any] | None = None,
    scored: bool = True,
    **scores: float,
) -> str:
    """A comment that the worker decided by `settings`; its id."""
    comment_id = add_comment(database, site, text=text)
    figures = dict.fromkeys(HEADS, 0.1) | scores
    prediction = Prediction(
        figures["reject"], {reason: figures[reason] for reason in Reason}, able=True
    )
    known = {"author_approved": True, "earlier_from_sender": 0, "agreement": 0} | (facts or {})
    decision = decide(
        prediction if scored else None,
        Facts(text=text, name="Zoë", website="", **known),
        settings or SiteSettings(),
        model="model-1" if scored else None,
        thresholds=OWN,
    )
    if without_facts:
        decision = decision._replace(
            evidence={k: v for k, v in decision.evidence.items() if k != "facts"}
        )
    change = Change(
        comment_id=comment_id,
        to=decision.status,
        reason=decision.reason,
        model=decision.model,
        evidence=decision.evidence,
    )
    with database.write() as connection:
        set_status(connection, [change], actor=WORKER)
    return comment_id
