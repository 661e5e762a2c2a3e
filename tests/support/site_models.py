"""Models of sites for tests, made by hand: no training."""

from typing import Any

import numpy as np

from moderation.classifier.adaptation import Adaptation, SiteWeights
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT
from moderation.classifier.scoring import KINDS
from moderation.db import Database
from moderation.domain import ModelRef
from moderation.learning import site_models
from moderation.learning.site_models import NewModel
from moderation.policy import HEADS as ALL_HEADS

BASE = "general-2026-11-01-00000000"

ONLY_REJECT = dict.fromkeys([head for head in ALL_HEADS if head != REJECT], 1.0)
"""Thresholds with which nothing but the probability of `reject` holds a comment."""

NO_RULES = {"duplicate_hours": 0, "flood_comments": 0}
"""Rules that let the same text come again."""

LENIENT, STRICT = -20.0, 20.0
"""Log-odds that make a model approve everything, or nothing."""


def add_model(database: Database, site_id: int, version: str = "news-1", **fields: Any) -> int:
    """A stored candidate whose artifact is none; its number."""
    values = {
        "base": BASE,
        "made_by": "mona",
        "labels": 100,
        "last_label_id": 0,
        "recommended": True,
        "report": {"sentences": ["It may decide."], "figures": {}},
        "artifact": b"none",
    }
    new = NewModel(site_id=site_id, version=version, **(values | fields))
    with database.write() as connection:
        return site_models.store(connection, new)


def promote(database: Database, site_id: int, version: str, general: str = BASE) -> None:
    """Let the model decide."""
    with database.write() as connection:
        site_models.promote(connection, site_id, version, general=general, actor="mona")


def adaptation(general: Classifier, bias: float, name: str = "news") -> Adaptation:
    """A model that adds `bias` to the log-odds of every comment's `reject`."""
    nothing = np.zeros(0)
    weights = SiteWeights(
        buckets=nothing.astype(np.uint32),
        weights=nothing.astype(np.int8),
        idf=nothing.astype(np.uint8),
        scale=1.0,
        factors=np.where(np.arange(len(HEADS)) == HEADS.index(REJECT), 1.0, 0.0),
        kinds=np.zeros(KINDS),
        bias=bias,
        words=nothing.astype(np.uint32),
    )
    metadata = {"name": name, "date": "2026-11-24", "languages": []}
    return Adaptation(general.version, weights, metadata)


def add_adaptation(
    database: Database, site_id: int, general: Classifier, bias: float, **fields: Any
) -> ModelRef:
    """The same, stored."""
    made = adaptation(general, bias)
    values = {"base": general.version, "artifact": made.to_bytes()} | fields
    return ModelRef(add_model(database, site_id, made.version, **values), made.version)


def decides(database: Database, site_id: int, general: Classifier, bias: float) -> ModelRef:
    """The same, and it decides."""
    model = add_adaptation(database, site_id, general, bias)
    promote(database, site_id, model.version, general.version)
    return model
