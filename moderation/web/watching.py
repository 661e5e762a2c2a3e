"""What the numbers say of the random audit and of drift."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, select

from moderation.clock import DAY
from moderation.desk import numbers
from moderation.desk.numbers import SCORE_EDGES, UNKNOWN_EDGES, Figures
from moderation.domain import ActorKind, Audit, Status
from moderation.learning import audits, drift, watch
from moderation.learning.audits import Sample, Verdict
from moderation.learning.bounds import Rate
from moderation.learning.drift import Shift
from moderation.learning.watch import LOOKBACK, Drift
from moderation.models import Site
from moderation.policy import SiteSettings
from moderation.web import sentences
from moderation.web.plots import Data, Plot, Series, nice_top, trend

TRAILING = 28
"""Days that each point of the plot of the audit takes together."""

_OfSite = TypeVar("_OfSite", Verdict, Sample)

_TOPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit found on a site, of the comments of some days."""

    site: str
    rate: Rate
    allowed: float
    drawn: int
    waiting: int
    covered: float | None
    """The share of what was published by itself that was in the draw, as far as that can be told
    from how many were drawn; None of nothing."""

    @property
    def verdict(self) -> str:
        """How the error stands to what the site allows."""
        if self.rate.low > self.allowed:
            return "missed"
        return "met" if self.rate.high <= self.allowed else "not clear yet"


@dataclass(frozen=True, slots=True)
class Drifting:
    """Whether what comes in on a site has changed for the model, and how that is seen."""

    site: str
    model: str
    sentence: str
    plots: Sequence[Plot]


def audited(
    connection: Connection,
    *,
    first: int,
    last: int,
    sites: Mapping[int, str],
    figures: Mapping[tuple[int, int], Figures],
) -> list[Audited]:
    """The audit of the comments of the days from `first` to `last`, site by site."""
    there = frozenset(sites)
    span = {"since": first * DAY, "until": (last + 1) * DAY}
    verdicts = _by_site(audits.verdicts(connection, sites=there, **span))
    samples = _by_site(audits.samples(connection, sites=there, **span))
    settings = _settings(connection, there)
    published: dict[int, int] = defaultdict(int)
    for (day, site), counted in figures.items():
        if day <= last:
            published[site] += _published(counted)
    return [
        Audited(
            name,
            audits.rate_of(verdicts[site]),
            watch.allowed_error(settings[site]),
            sum(sample.number for sample in samples[site]),
            sum(sample.number for sample in samples[site] if sample.audit is Audit.OPEN),
            _covered(samples[site], published[site]),
        )
        for site, name in sorted(sites.items(), key=lambda item: item[1])
        if samples[site] or settings[site].audit_share
    ]


def audit_plot(
    connection: Connection, *, days: Sequence[int], sites: frozenset[int] | None
) -> Plot:
    """The error of what was published by itself, each day with the days before it."""
    found = audits.verdicts(
        connection,
        since=(days[0] - TRAILING + 1) * DAY,
        until=(days[-1] + 1) * DAY,
        sites=sites,
    )
    rates = []
    for day in days:
        within = range(day - TRAILING + 1, day + 1)
        rates.append(audits.rate_of(v for v in found if numbers.day_of(v.arrived_at) in within))
    largest = max((rate.high for rate in rates if rate.value is not None), default=1)
    return trend(
        Data(
            "Published, and wrong by the audit",
            f"Each day with the {TRAILING - 1} days before it, by when the comments came in; boxes "
            "are 95 % intervals.",
            [_date(day) for day in days],
            [
                Series(
                    "main",
                    "share",
                    [rate.value for rate in rates],
                    [None if rate.value is None else (rate.low, rate.high) for rate in rates],
                )
            ],
        ),
        top=_top(largest),
        words=sentences.percent,
    )


def unknown_plot(by_day: Sequence[Figures], days: Sequence[int]) -> Plot:
    """The share of words that the model does not know."""
    shares = [_mean_unknown(figures) for figures in by_day]
    return trend(
        Data(
            "Words that the model does not know",
            "Their share in a comment, on average.",
            [_date(day) for day in days],
            [Series("main", "share", shares)],
        ),
        top=_top(max((share for share in shares if share is not None), default=1)),
        words=sentences.percent,
    )


def drifting(
    connection: Connection, site_id: int, site: str, days: Sequence[int]
) -> Drifting | None:
    """How the comments of a site have drifted up to the last of `days`; None where nothing was
    decided."""
    first, last = days[-1] - LOOKBACK + 1, days[-1]
    found = numbers.by_day(connection, first=first, last=last, sites=frozenset({site_id}))
    by_day = {day: figures for (day, _), figures in found.items()}
    latest = watch.drift_of(by_day, last=last)
    if latest is None:
        return None
    scores = watch.histograms(by_day, "scores", latest.model)
    unknown = watch.histograms(by_day, "unknown", latest.model)
    plots = [_index_plot(scores, unknown, days)] if latest.scores or latest.unknown else []
    if latest.scores:
        plots.append(
            _spread_plot("Scores, then and now", "Probability", scores, SCORE_EDGES, latest.scores)
        )
    if latest.unknown:
        plots.append(
            _spread_plot(
                "Unknown words, then and now", "Share", unknown, UNKNOWN_EDGES, latest.unknown
            )
        )
    return Drifting(site, latest.model, _sentence(latest), plots)


def _sentence(found: Drift) -> str:
    first = found.scores or found.unknown
    if first is None:
        return (
            f"Nothing to compare yet: this model’s first {drift.REFERENCE_DAYS} days on the site "
            f"and {drift.RECENT_DAYS} days after them have to be over."
        )
    if first.psi is None:
        return (
            f"Too few comments to compare: {drift.LEAST_REFERENCE:,} in the first "
            f"{drift.REFERENCE_DAYS} days and {drift.LEAST_RECENT:,} in the last "
            f"{drift.RECENT_DAYS} are needed."
        )
    what = "has changed" if found.is_large else "is as it was" if found.is_small else "is unclear"
    (start, end), (since, until) = first.reference, first.recent
    return (
        f"What comes in {what}: {_date(since)} to {_date(until)} against this model’s first days "
        f"here, {_date(start)} to {_date(end)}."
    )


def _index_plot(
    scores: Mapping[int, Sequence[int]], unknown: Mapping[int, Sequence[int]], days: Sequence[int]
) -> Plot:
    values = [
        [None if (at := drift.shift(counts, last=day)) is None else at.psi for day in days]
        for counts in (scores, unknown)
    ]
    largest = max((v for row in values for v in row if v is not None), default=0.0)
    return trend(
        Data(
            "Shift against the model’s first days here",
            f"Population stability index of the {drift.RECENT_DAYS} days up to each: below "
            f"{drift.SMALL:.2f} nothing has changed, from {drift.LARGE:.2f} on something has.",
            [_date(day) for day in days],
            [
                Series("main", "scores", values[0]),
                Series("held", "unknown words", values[1]),
            ],
        ),
        top=max(_top(largest), 0.5),
        words=lambda value: f"{value:.2f}",
    )


def _spread_plot(
    title: str,
    axis: str,
    days: Mapping[int, Sequence[int]],
    edges: Sequence[float],
    shift: Shift,
) -> Plot:
    then, now = (_shares(days, span) for span in (shift.reference, shift.recent))
    return trend(
        Data(
            title,
            "Share of the comments with each figure; finer where most of them are.",
            [f"under {edges[0]}", *(f"{edge} or more" for edge in edges)],
            [Series("held", "then", then), Series("main", "now", now)],
            axis,
        ),
        top=_top(max((share for share in (*then, *now) if share is not None), default=1)),
        words=sentences.percent,
    )


def _shares(days: Mapping[int, Sequence[int]], span: tuple[int, int]) -> list[float | None]:
    within = [counts for day, counts in days.items() if span[0] <= day <= span[1]]
    sums = [sum(column) for column in zip(*within, strict=True)]
    whole = sum(sums)
    return [count / whole for count in sums] if whole else []


def _mean_unknown(figures: Figures) -> float | None:
    edges = (0.0, *UNKNOWN_EDGES, 1.0)
    whole = figures.unknown.total()
    middles = [
        count * (edges[key.place] + edges[key.place + 1]) / 2
        for key, count in figures.unknown.items()
    ]
    return sum(middles) / whole if whole else None


def _published(figures: Figures) -> int:
    return sum(
        count
        for key, count in figures.decided.items()
        if key.kind == ActorKind.WORKER and key.to_status == Status.APPROVED
    )


def _covered(samples: Iterable[Sample], published: int) -> float | None:
    stands_for = sum(sample.number / sample.propensity for sample in samples)
    return min(1.0, stands_for / published) if published else None


def _by_site(found: Iterable[_OfSite]) -> Mapping[int, list[_OfSite]]:
    groups: dict[int, list[_OfSite]] = defaultdict(list)
    for one in found:
        groups[one.site_id].append(one)
    return groups


def _settings(connection: Connection, sites: frozenset[int]) -> dict[int, SiteSettings]:
    query = select(Site.id, Site.settings).where(Site.id.in_(sites))
    return {
        site_id: SiteSettings.model_validate(stored)
        for site_id, stored in connection.execute(query)
    }


def _top(most: float) -> float:
    return next((top for top in _TOPS if top >= most), nice_top(most))


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(days=day):%-d %b}"
