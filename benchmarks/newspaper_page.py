"""The figures of `benchmarks.newspaper` as a page of Markdown, and as a plot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.adaptation_page import Site


@dataclass(frozen=True, slots=True)
class Paper:
    """A set that stands for a newspaper. `goal`: what it wants of what is approved by itself; None:
    the thresholds of the general model. `reason`: why its moderators reject."""

    name: str
    site: Site
    goal: float | None
    reason: str


NEWS = ("civil_toxic_spans", "fox_news_comments")

PAPERS = (
    Paper("news", Site("", NEWS[0], NEWS, 1, ()), None, "abuse"),
    Paper("tweets", Site("", "davidson_tweets", ("davidson_tweets",), 1, ()), 0.9, "abuse"),
    Paper(
        "spam",
        Site("", "scamspot_instagram", ("scamspot_instagram", "sms_spam"), 1, (), page="page"),
        0.95,
        "spam",
    ),
)

Found = Mapping[str, Any]


def markdown(found: Mapping[str, Found]) -> str:
    """The page."""
    return ""


def svg(found: Mapping[str, Found]) -> str:
    """AUC and share held against decisions."""
    return ""
