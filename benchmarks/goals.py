"""Whether the promise of a goal is kept: random histories of sites, decided by
`moderation.learning.goals`.

    python -m benchmarks.goals --output docs/benchmarks-goals.md

A site begins with a goal and no labels, so everything is held and looked at. After every thousand
comments its threshold follows from the labels so far; what is approved from then on is looked at
only when it is drawn for the audit, and what is rejected never is. Each comment's score and its
truth are drawn from distributions that are known here, so that the true share of errors below (or
above) a threshold is known too. The oracle is the farthest threshold that truly meets the goal.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import click
import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.special import expit, logit, ndtr

from moderation.learning.goals import RISK, Evidence, Sample, operating_point, smoothed

Floats = npt.NDArray[np.float64]

PERIOD = 1_000
"""Comments between two settings of the thresholds."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site, and how the model's log-odds are distributed there (normally) by the truth."""

    name: str
    unwanted: float
    """Share of the comments, in the first period."""
    goal: float
    good: tuple[float, float]
    """Mean and standard deviation of the log-odds of what may be published."""
    bad: tuple[float, float]
    audit: float = 0.05
    """Share of what is approved that is looked at all the same."""
    rejects: bool = False
    """Whether the goal is that of rejecting."""
    rises_by: float = 0.0
    """What the share of unwanted comments gains until the last period, as a factor less one."""
    hides_by: float = 0.0
    """What the log-odds of unwanted comments lose until the last period."""

    def share(self, done: float) -> float:
        """The share of unwanted comments when this share of the history is over."""
        return self.unwanted * (1 + self.rises_by * done)

    def mean(self, done: float) -> float:
        """The mean of the log-odds of unwanted comments then."""
        return self.bad[0] - self.hides_by * done

    def draw(
        self, number: int, done: float, generator: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Scores of comments, and whether each is unwanted."""
        unwanted = generator.random(number) < self.share(done)
        bad = generator.normal(self.mean(done), self.bad[1], number)
        good = generator.normal(*self.good, number)
        return expit(np.where(unwanted, bad, good)), unwanted

    def decided(self, log_odds: Floats, done: float = 1.0) -> tuple[Floats, Floats]:
        """The true share of comments that a threshold there decides, and of wrong ones of them."""
        sign = -1 if self.rejects else 1
        share = self.share(done)
        bad = share * ndtr(sign * (log_odds - self.mean(done)) / self.bad[1])
        good = (1 - share) * ndtr(sign * (log_odds - self.good[0]) / self.good[1])
        return bad + good, (good if self.rejects else bad) / np.maximum(bad + good, 1e-300)


# Mean and spread of the log-odds that the shipped model gives, as it is after training on comments
# of the kind: hate below a newspaper's articles, and attacks on talk pages.
NEWSPAPER = Site("newspaper, 8 % unwanted", 0.08, 0.98, (-2.0, 1.15), (0.5, 1.5))
TALK = Site("talk pages, 3 % unwanted", 0.03, 0.99, (-3.5, 1.05), (-0.1, 2.2))
SPAM = Site("blog, 30 % spam", 0.3, 0.99, (-4.0, 1.3), (3.0, 2.0))
SITES = (
    NEWSPAPER,
    replace(NEWSPAPER, name="the same, audit of 1 %", audit=0.01),
    replace(NEWSPAPER, name="the same, unwanted rising by half", rises_by=0.5),
    replace(NEWSPAPER, name="the same, unwanted ever better hidden", hides_by=0.7),
    TALK,
    SPAM,
    replace(SPAM, name="the same, rejecting", goal=0.995, rejects=True),
    replace(SPAM, name="the same, spam falling by half", goal=0.995, rejects=True, rises_by=-0.5),
    replace(NEWSPAPER, name="newspaper, rejecting", goal=0.9, rejects=True),
)
LENGTHS = (2_000, 5_000, 10_000, 20_000)


class Outcome(NamedTuple):
    """What became of a history."""

    missed: bool
    """Whether what the last threshold decides truly misses the goal."""
    ever: bool
    """Whether what all thresholds so far have decided, together, truly misses it."""
    decided: float
    """Share of the comments that the last threshold decides."""
    labels: int


def oracle(site: Site, done: float = 1.0) -> float:
    """The share of comments that the best threshold would decide then."""
    shares, errors = site.decided(np.linspace(-12, 12, 24_001), done)
    meets = errors <= 1 - site.goal
    return float(shares[meets].max(initial=0))


def history(site: Site, comments: int, seed: int) -> Iterator[Outcome]:
    """What has become of one history after each thousand comments."""
    generator = np.random.default_rng(seed)
    allowed = 1 - site.goal
    threshold: float | None = None
    passed = wrong = 0.0
    scores, unwanted, weights, numbers = (np.empty(0) for _ in range(4))
    for first in range(0, comments, PERIOD):
        done = _done(first)
        drawn, bad = site.draw(PERIOD, done, generator)
        chance = np.where(_decides(site, threshold, drawn), 0 if site.rejects else site.audit, 1.0)
        seen = np.flatnonzero(generator.random(PERIOD) < chance)
        scores = np.append(scores, drawn[seen])
        unwanted = np.append(unwanted, bad[seen])
        weights = np.append(weights, 1 / chance[seen])
        numbers = np.append(numbers, first + seen)
        share, errors = _truth(site, threshold, done)
        passed, wrong = passed + share, wrong + share * errors
        ages = first + PERIOD - 1 - numbers
        found = Evidence.of(Sample(scores, unwanted, smoothed(weights, scores), ages))
        threshold = _threshold(site, found)
        share, errors = _truth(site, threshold, done)
        yield Outcome(errors > allowed, wrong > allowed * passed, share, len(scores))


def _done(first: int) -> float:
    """How much of the longest history is over when the period begins with this comment."""
    return first / (LENGTHS[-1] - PERIOD)


def _threshold(site: Site, found: Evidence) -> float | None:
    if site.rejects:
        return operating_point(found, approve=None, reject=site.goal).reject_from
    return operating_point(found, approve=site.goal, reject=None).approve_below or None


def _decides(site: Site, threshold: float | None, scores: Floats) -> npt.NDArray[np.bool_]:
    if threshold is None:
        return np.zeros(len(scores), np.bool_)
    return scores >= threshold if site.rejects else scores < threshold


def _truth(site: Site, threshold: float | None, done: float) -> tuple[float, float]:
    if threshold is None:
        return 0.0, 0.0
    share, errors = site.decided(logit(np.array([threshold])), done)
    return float(share[0]), float(errors[0])


def _row(outcomes: Sequence[Outcome], comments: int, best: float) -> Iterator[str]:
    number = len(outcomes)
    decided = mean(outcome.decided for outcome in outcomes)
    yield f"{comments:,}"
    yield f"{mean(outcome.labels for outcome in outcomes):,.0f}"
    yield f"{sum(outcome.missed for outcome in outcomes) / number:.1%}"
    yield f"{sum(outcome.ever for outcome in outcomes) / number:.1%}"
    yield f"{decided:.1%}"
    yield f"{decided / best:.0%}"


def _heading(site: Site, histories: int) -> list[str]:
    did = "rejected" if site.rejects else "approved"
    does = "rejects" if site.rejects else "approves"
    audited = "none" if site.rejects else f"{site.audit:.0%}"
    return [
        "",
        f"## {site.name[0].upper()}{site.name[1:]}",
        "",
        f"{histories} histories. Goal {site.goal:.1%} right; {audited} of what is {did} is "
        f"audited; the oracle {does} {_or_two(oracle(site, 0), oracle(site))}.",
        "",
        f"| comments | labels | last threshold misses the goal | all {did} so far misses it | "
        f"{did} by the last threshold | of what the oracle {does} |",
        "|---:|---:|---:|---:|---:|---:|",
    ]


def _or_two(before: float, after: float) -> str:
    if before == after:
        return f"{after:.1%}"
    return f"{before:.1%} at the beginning, {after:.1%} at the end"


def report(sites: Iterable[Site], histories: int) -> str:
    """The whole measurement as Markdown."""
    lines: list[str] = []
    for site in sites:
        found = [list(history(site, LENGTHS[-1], seed)) for seed in range(histories)]
        lines += _heading(site, histories)
        for comments in LENGTHS:
            outcomes = [one[comments // PERIOD - 1] for one in found]
            best = oracle(site, _done(comments - PERIOD))
            lines.append(f"| {' | '.join(_row(outcomes, comments, best))} |")
    return _INTRODUCTION + "\n".join(lines) + "\n"


_INTRODUCTION = f"""# Benchmarks of the goals

Written by `python -m benchmarks.goals --output docs/benchmarks-goals.md`. Each table is
of random histories of a site that begins with a goal and no labels; every
{PERIOD:,} comments its threshold follows from the labels so far ([how](thresholds.md),
why: decisions [0019](decisions/0019-thresholds-from-goals.md) and
[0027](decisions/0027-goals-when-things-change.md)). Scores and truth are drawn from distributions
that are known, so what a threshold truly lets pass is known; their means and spreads are those of
our model on a newspaper's comments and on talk pages, and of a good filter of spam. The promise: in
at most {RISK:.0%} of the histories what is decided automatically misses the goal. What changes does
so evenly from the first thousand comments to the last.
"""


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--histories", default=200, show_default=True, help="Of each site.")
def main(output: Path, histories: int) -> None:
    """Measure, and write the tables."""
    output.write_text(report(track(SITES, "Sites"), histories), encoding="utf-8")


if __name__ == "__main__":
    main()
