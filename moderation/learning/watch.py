"""What to keep an eye on, site by site: the error of what is published by itself, and whether what
comes in has changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from moderation.clock import DAY, HOUR
from moderation.desk import numbers
from moderation.desk.numbers import SCORE_EDGES, UNKNOWN_EDGES, Bin, Figures
from moderation.learning import audits
from moderation.learning.bounds import Rate
from moderation.learning.drift import Shift, shift
from moderation.policy import SiteSettings

WINDOW = 90
"""Days over which the audit's verdicts are taken together for the alarm."""

LOOKBACK = 120
"""Days in which a model's reference is looked for."""

USUAL_GOAL = 0.99
"""Of what is approved automatically, how much should be right, where the site does not say."""

_SURE = 0.98
"""Confidence of the alarm's interval: its lower end is too high once in a hundred times."""


@dataclass(frozen=True, slots=True)
class Error:
    """The error of automatic approvals as the audit found it, and what the site allows."""

    rate: Rate
    allowed: float

    @property
    def is_missed(self) -> bool:
        """Whether it is shown that the goal is missed."""
        return self.rate.low > self.allowed

    @property
    def is_met(self) -> bool:
        """Whether, at a guess, the goal is met."""
        return self.rate.value is None or self.rate.value <= self.allowed


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the scores of a model and its share of unknown words have shifted on a site."""

    model: str
    scores: Shift | None
    unknown: Shift | None

    @property
    def is_large(self) -> bool:
        """Whether one of them has shifted."""
        return any(one.is_large for one in (self.scores, self.unknown) if one)

    @property
    def is_small(self) -> bool:
        """Whether it is known of both that they have not."""
        return all(one is not None and one.is_small for one in (self.scores, self.unknown))


def allowed_error(settings: SiteSettings) -> float:
    """How much of what is approved automatically may be wrong."""
    # The goal is a setting of its own where the service has goals.
    return 1 - (getattr(settings, "approve_precision", None) or USUAL_GOAL)


def error(connection: Connection, site_id: int, settings: SiteSettings, *, now: int) -> Error:
    """The error on a site over the last `WINDOW` days, for the alarm."""
    found = audits.verdicts(
        connection, since=now - WINDOW * DAY, until=now, sites=frozenset({site_id})
    )
    return Error(audits.rate_of(found, confidence=_SURE), allowed_error(settings))


def drift(connection: Connection, site_id: int, *, now: int) -> Drift | None:
    """The shift on a site up to the last day that is over; None before the first decision."""
    last = numbers.day_of(now - HOUR) - 1
    found = numbers.by_day(
        connection, first=last - LOOKBACK + 1, last=last, sites=frozenset({site_id})
    )
    return drift_of({day: figures for (day, _), figures in found.items()}, last=last)


def drift_of(by_day: Mapping[int, Figures], *, last: int) -> Drift | None:
    """The shift of the model that decided last, up to the day `last`: another model begins with a
    reference of its own."""
    model = _latest_model(by_day)
    if model is None:
        return None
    return Drift(
        model,
        shift(histograms(by_day, "scores", model), last=last),
        shift(histograms(by_day, "unknown", model), last=last),
    )


def histograms(by_day: Mapping[int, Figures], what: str, model: str) -> dict[int, Sequence[int]]:
    """The comments of each day that a model judged, by place: `what` is `scores` or `unknown`."""
    places = range(len(SCORE_EDGES if what == "scores" else UNKNOWN_EDGES) + 1)
    return {
        day: [counts[Bin(model, place)] for place in places]
        for day, figures in by_day.items()
        if (counts := getattr(figures, what))
    }


def _latest_model(by_day: Mapping[int, Figures]) -> str | None:
    for day in sorted(by_day, reverse=True):
        counts: Counter[str] = Counter()
        for key, count in by_day[day].scores.items():
            counts[key.model] += count
        if counts:
            return counts.most_common(1)[0][0]
    return None
