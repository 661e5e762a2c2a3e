from collections.abc import Sequence

import numpy as np

from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document
from training import invented, measures
from training.softlabels import Floats

HATEFUL = {
    text
    for known in (True, False)
    for row, hateful in zip(
        *(
            getattr(invented.crossed(measures.CROSSED, 1, known_words=known), name)
            for name in ("texts", "hateful")
        ),
        strict=True,
    )
    for text in row
    if hateful
}


def fair(documents: Sequence[Document]) -> Floats:
    margins = np.array([1.0 if document.text in HATEFUL else -1.0 for document in documents])
    return np.repeat(margins[:, None], len(HEADS), axis=1)


def unfair(documents: Sequence[Document]) -> Floats:
    named = np.array(["lesbians" in document.text.lower() for document in documents])
    return fair(documents) + 2 * named[:, None]


def test_who_judges_all_groups_alike_has_no_gap() -> None:
    figures = measures.identities(fair, seed=1)["known"][REJECT]
    assert figures["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert figures["gap"]["value"] == 0


def test_who_holds_all_that_is_said_of_one_group_has_a_gap() -> None:
    figures = measures.identities(unfair, seed=1)["new"][REJECT]
    assert figures["gap"]["value"] > 0.5
    assert figures["gap"]["low"] <= figures["gap"]["value"] <= figures["gap"]["high"]
