"""Labels for tests, without a database."""

import hashlib
from typing import Any

from moderation.domain import LabelSource, Selection
from moderation.learning.labels import Labelled


def labelled(number: int = 0, *, unwanted: float = 0.0, **fields: Any) -> Labelled:
    """A label as `labels.effective` gives it."""
    values: dict[str, Any] = {
        "key": f"{number:032x}",
        # Nothing like any other.
        "text": hashlib.sha256(str(number).encode()).hexdigest(),
        "name": "Zoë",
        "website": "",
        "page": str(number),
        "created_at": number,
        "label_id": number + 1,
        "source": LabelSource.MODERATOR,
        "actor": "mona",
        "at": number,
        "unwanted": unwanted,
        "strength": 1.0,
        "reason": "",
        "selection": Selection.HELD,
        "propensity": 1.0,
        "score": 0.5,
    }
    values |= fields
    return Labelled(**{"first_label_id": values["label_id"]} | values)
