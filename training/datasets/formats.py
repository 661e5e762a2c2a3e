"""What the labels of each published set say about our heads.

A reader takes a row and returns (labels, group); it raises KeyError, TypeError or ValueError for a
row that it cannot read. What a set does not say stays out of the labels.

A label means something else in every set. So a reason is learnt only where it was rated under
that name; what other sets say is learnt as a task of its own (the names below), and the heads
take from each task what has proved to help (see `training.model`).
"""

from collections.abc import Callable

from moderation.classifier.prediction import REJECT, Reason
from training.datasets.rows import Row

POOLED = "pooled"
PERSPECTIVE = "perspective"
NEWS = "news"
TWEET_OFFENSIVE = "tweet_offensive"
TWEET_HATE = "tweet_hate"

AUXILIARY_TASKS = (POOLED, PERSPECTIVE, NEWS, TWEET_OFFENSIVE, TWEET_HATE)

Labels = dict[str, float]
Reader = Callable[[Row], tuple[Labels, str]]

_JIGSAW = {
    "toxic": Reason.TOXIC,
    "severe_toxic": Reason.SEVERE_TOXIC,
    "obscene": Reason.OBSCENE,
    "threat": Reason.THREAT,
    "insult": Reason.INSULT,
    "identity_hate": Reason.IDENTITY_ATTACK,
}

_CIVIL = {
    "insult": Reason.INSULT,
    "profane/obscene": Reason.OBSCENE,
    "threat": Reason.THREAT,
    "identity based attack": Reason.IDENTITY_ATTACK,
}


def jigsaw(row: Row) -> tuple[Labels, str]:
    """Wikipedia talk pages, six labels; a comment with none of them is taken as publishable."""
    labels: Labels = {head: float(row["labels"][name]) for name, head in _JIGSAW.items()}
    labels[REJECT] = max(labels.values())
    labels |= {Reason.SPAM: 0.0, POOLED: labels[Reason.TOXIC]}
    if not labels[REJECT]:
        labels[NEWS] = 0.0
    return labels, ""


def civil(row: Row) -> tuple[Labels, str]:
    """News comments that had all been rated toxic: label 0 is borderline, so it says nothing of
    toxicity; only the share of annotators of label 1 does."""
    labels: Labels = {Reason.SPAM: 0.0}
    if row["label"] == 1:
        labels |= {NEWS: 1.0, POOLED: 1.0, REJECT: 1.0}
    return labels, ""


def context(row: Row) -> tuple[Labels, str]:
    """Wikipedia at natural prevalence: three raters' majority, softened by Perspective's score."""
    score = float(row["perspective_score"])
    share = (float(row["label"]) + score) / 2
    return {PERSPECTIVE: score, POOLED: score, NEWS: share, REJECT: share, Reason.SPAM: 0.0}, ""


def davidson(row: Row) -> tuple[Labels, str]:
    """Tweets picked by keyword. Three raters chose hate, offensive or neither."""
    hate, offensive, neither = row["votes"]
    raters = hate + offensive + neither
    unwanted = (hate + offensive) / raters
    return {
        TWEET_OFFENSIVE: unwanted,
        TWEET_HATE: hate / raters,
        POOLED: unwanted,
        REJECT: unwanted,
    }, ""


def toxic_or_not(row: Row) -> tuple[Labels, str]:
    """One label, toxic."""
    label = float(row["label"])
    return {NEWS: label, POOLED: label, REJECT: label, Reason.SPAM: 0.0}, ""


def fox(row: Row) -> tuple[Labels, str]:
    """News comments, hate speech or not."""
    label = float(row["label"])
    return {NEWS: label, POOLED: label, REJECT: label, Reason.SPAM: 0.0}, str(row["article"])


def hate_or_not(row: Row) -> tuple[Labels, str]:
    """Generated sentences about a group, hateful or not."""
    label = float(row["label"])
    return {NEWS: label, REJECT: label}, str(row["target"])


def spam(row: Row) -> tuple[Labels, str]:
    """Spam or not; grouped by page (Instagram) or video (YouTube) where there is one."""
    label = float(row["label"])
    return {Reason.SPAM: label, REJECT: label}, str(row.get("page") or row.get("split") or "")


READERS: dict[str, Reader] = {
    "jigsaw": jigsaw,
    "civil": civil,
    "context": context,
    "davidson": davidson,
    "toxic_or_not": toxic_or_not,
    "fox": fox,
    "hate_or_not": hate_or_not,
    "spam": spam,
}
