"""The one shape every data set is read into."""

from collections.abc import Mapping
from dataclasses import dataclass

from moderation.classifier.prediction import Document


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled comment.

    `labels`: per head or task the probability (0 to 1) that it applies; what is not named is
    unknown, not 0. `weight`: how much it counts in training. `group`: comments of one group
    (thread, page, video, article) never end up on both sides of a split. `source`: the data set.
    `key`: where the row stands in it. `time`: ISO 8601, where known. `copied_from`: the set of the
    original, for a disguised copy. `domain`: comments of one domain share a base rate.
    `calibration`: how much it counts in combining tasks and calibrating heads.
    """

    document: Document
    labels: Mapping[str, float]
    weight: float
    group: str
    source: str
    key: str = ""
    time: str = ""
    copied_from: str = ""
    domain: str = ""
    calibration: float = 1.0

    @property
    def origin(self) -> str:
        """The set that the comment comes from in the end."""
        return self.copied_from or self.source
