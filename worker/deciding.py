"""One batch of pending comments: load, score, apply the policy, write. Free of RQ."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from moderation import similarity
from moderation.classifier.prediction import Document, Prediction
from moderation.clock import HOUR, SECOND, now_ms
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.ids import floor_id
from moderation.models import Comment, Site
from moderation.policy import (
    SCORER_FAILED,
    SCORER_UNAVAILABLE,
    Decision,
    SiteSettings,
    decide,
    explained,
)
from moderation.review import Actor, Applied, Change, set_status
from moderation.rules import LONG_ENOUGH_TO_REPEAT, Facts
from worker.scorer import Scorer, explain_each, predict_each

WORKER = Actor(ActorKind.WORKER, "worker")

# Recent comments of a site that a new one is compared with.
_COMPARED_WITH = 1000


def decide_comments(
    database: Database, scorer: Scorer, comment_ids: Sequence[str]
) -> list[Applied]:
    """Decide those of the comments that are still pending; what was changed.

    Nothing is locked while the model works. What somebody else decided meanwhile stays.
    """
    with database.read() as connection:
        settings = _settings(connection, comment_ids)
        rows = _load(connection, comment_ids, settings)
        recent = {
            site: _recent(connection, site, settings[site]) for site in {r.site_id for r in rows}
        }
    if not rows:
        return []
    prints = [similarity.fingerprint(row.text) for row in rows]
    agreements = _agreements(rows, prints, recent)
    facts = [_facts(row, agreement) for row, agreement in zip(rows, agreements, strict=True)]
    decisions = _decide(scorer, rows, facts, settings)
    changes = [
        Change(
            comment_id=row.id,
            to=decision.status,
            reason=decision.reason,
            model=decision.model,
            score=decision.score,
            fingerprint=fingerprint,
            evidence=decision.evidence,
        )
        for row, decision, fingerprint in zip(rows, decisions, prints, strict=True)
    ]
    with database.write() as connection:
        return set_status(connection, changes, actor=WORKER)


def _decide(
    scorer: Scorer,
    rows: Sequence[Any],
    facts: Sequence[Facts],
    settings: Mapping[int, SiteSettings],
) -> list[Decision]:
    documents = [Document(row.text, row.name, row.website) for row in rows]
    classifier = scorer.classifier()
    predictions: Sequence[Prediction | None] = [None] * len(rows)
    if classifier is not None:
        predictions = predict_each(classifier, documents)
    decisions = [
        decide(
            prediction,
            fact,
            settings[row.site_id],
            model=classifier.version if classifier else None,
            thresholds=classifier.thresholds if classifier else {},
            unavailable=SCORER_FAILED if classifier else SCORER_UNAVAILABLE,
        )
        for row, fact, prediction in zip(rows, facts, predictions, strict=True)
    ]
    if classifier is None:
        return decisions
    heads = [decision.head for decision in decisions]
    explanations = explain_each(classifier, documents, heads)
    return [
        explained(decision, explanation) if explanation and decision.score is not None else decision
        for decision, explanation in zip(decisions, explanations, strict=True)
    ]


def _settings(connection: Connection, comment_ids: Sequence[str]) -> dict[int, SiteSettings]:
    sites = select(Comment.site_id).where(Comment.id.in_(comment_ids))
    rows = connection.execute(select(Site.id, Site.settings).where(Site.id.in_(sites)))
    return {row.id: SiteSettings.model_validate(row.settings) for row in rows}


def _load(
    connection: Connection, comment_ids: Sequence[str], settings: Mapping[int, SiteSettings]
) -> list[Any]:
    """The pending comments with what the rules want to know of their authors, oldest first."""
    rows: list[Any] = []
    by_rules = defaultdict(list)
    for site_id, site in settings.items():
        by_rules[site.rules].append(site_id)
    for rules, site_ids in by_rules.items():
        flood = (rules.flood_seconds, rules.flood_comments)
        query = (
            select(
                Comment.id,
                Comment.site_id,
                Comment.author_id,
                Comment.name,
                Comment.website,
                Comment.text,
                _author_approved().label("author_approved"),
                _earlier(lambda c: c.author_id, *flood).label("earlier_of_author"),
                _earlier(lambda c: c.ip, *flood).label("earlier_of_address"),
            )
            .where(
                Comment.id.in_(comment_ids),
                Comment.site_id.in_(site_ids),
                Comment.status == Status.PENDING,
            )
            .order_by(Comment.id)
        )
        rows += connection.execute(query).all()
    return rows


def _author_approved() -> ColumnElement[bool]:
    other = aliased(Comment)
    return (
        select(other.id)
        .where(
            other.site_id == Comment.site_id,
            other.author_id == Comment.author_id,
            other.status == Status.APPROVED,
        )
        .correlate(Comment)
        .exists()
    )


def _earlier(
    sender: Callable[[type[Comment]], InstrumentedAttribute[Any]], seconds: int, at_most: int
) -> ScalarSelect[int]:
    """How many comments the same sender sent in the time before, counted to `at_most`.

    One question for each kind of sender, because "this author or that address" would use no index.
    """
    other = aliased(Comment)
    earlier = (
        select(other.id)
        .where(
            other.site_id == Comment.site_id,
            sender(other) == sender(Comment),
            other.created_at > Comment.created_at - seconds * SECOND,
            other.created_at <= Comment.created_at,
            other.id < Comment.id,
        )
        .limit(at_most)
        .correlate(Comment)
        .subquery()
    )
    return select(func.count()).select_from(earlier).scalar_subquery()


def _recent(connection: Connection, site_id: int, settings: SiteSettings) -> list[Any]:
    """Fingerprints of the site's latest decided comments, as far back as its rules look."""
    since = floor_id(now_ms() - settings.rules.duplicate_hours * HOUR)
    query = (
        select(Comment.id, Comment.author_id, Comment.fingerprint)
        .where(Comment.site_id == site_id, Comment.id >= since, Comment.fingerprint.is_not(None))
        .order_by(Comment.id.desc())
        .limit(_COMPARED_WITH)
    )
    return list(connection.execute(query))


def _agreements(
    rows: Sequence[Any], prints: Sequence[bytes], recent: Mapping[int, Sequence[Any]]
) -> list[int]:
    """For each comment, how much the most similar one that came before it agrees with it."""
    best = [0] * len(rows)
    for site_id, others in recent.items():
        places = [place for place, row in enumerate(rows) if row.site_id == site_id]
        mine = [prints[place] for place in places]
        authors = np.array([row.author_id for row in [*others, *(rows[p] for p in places)]])
        table = similarity.agreement(mine, [other.fingerprint for other in others] + mine)
        for line, place in enumerate(places):
            came_before = len(others) + line
            candidates = table[line, :came_before]
            if len(similarity.normalize(rows[place].text)) < LONG_ENOUGH_TO_REPEAT:
                candidates = candidates[authors[:came_before] == rows[place].author_id]
            best[place] = int(candidates.max(initial=0))
    return best


def _facts(row: Any, agreement: int) -> Facts:
    return Facts(
        text=row.text,
        name=row.name,
        website=row.website,
        author_approved=row.author_approved,
        earlier_from_sender=max(row.earlier_of_author, row.earlier_of_address),
        agreement=agreement,
    )
