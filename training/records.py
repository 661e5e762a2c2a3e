"""The one shape every data set is read into."""

from collections.abc import Mapping
from dataclasses import dataclass

from moderation.classifier.prediction import Document


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled comment.

    `labels`: per head the probability (0 to 1) that it applies; a head that is not named is
    unknown, not 0. `weight`: how much it counts in training. `group`: comments of one group
    (thread, page, video, article) never end up on both sides of a split. `source`: the data set.
    `key`: where the row stands in it.
    """

    document: Document
    labels: Mapping[str, float]
    weight: float
    group: str
    source: str
    key: str
