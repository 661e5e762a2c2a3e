"""Whether the promise of a goal is kept: random histories of sites, decided by
`moderation.learning.goals`.

    python -m benchmarks.goals --output docs/benchmarks-goals.md

A site begins with a goal and no labels, so everything is held and looked at. After every thousand
comments its threshold follows from the labels so far; what is approved from then on is looked at
only when it is drawn for the audit, and what is rejected never is. Each comment's score and its
truth are drawn from distributions that are known here, so that the true share of errors below (or
above) a threshold is known too. The oracle is the farthest threshold that truly meets the goal.

Histories are numbered, and a number is the seed of its chance. Constants were chosen by those below
`FIRST`; what is reported begins there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import click
import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.special import expit, logit, ndtr

from moderation.learning.goals import RISK, Evidence, Sample, operating_point, smoothed
from training.thresholds import wilson

Floats = npt.NDArray[np.float64]

FIRST = 1_000_000
"""The first history that is reported, by default: nothing was chosen by it or by any after it."""

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
RISING = replace(NEWSPAPER, name="newspaper, unwanted rising by half", rises_by=0.5)
SITES = (
    NEWSPAPER,
    replace(NEWSPAPER, name="newspaper, audit of 1 %", audit=0.01),
    RISING,
    replace(NEWSPAPER, name="newspaper, unwanted ever better hidden", hides_by=0.7),
    TALK,
    SPAM,
    replace(SPAM, name="blog, rejecting", goal=0.995, rejects=True),
    replace(SPAM, name="blog, rejecting, spam falling", goal=0.995, rejects=True, rises_by=-0.5),
    replace(NEWSPAPER, name="newspaper, rejecting", goal=0.9, rejects=True),
)
LENGTHS = (2_000, 5_000, 10_000, 20_000)


def any_site(number: int) -> Site:
    """A site that nobody has chosen: each of its figures lies anywhere between those of the three
    kinds above, or somewhat beyond."""
    generator = np.random.default_rng([number, 1])
    return Site(
        "any site",
        unwanted=float(np.exp(generator.uniform(np.log(0.02), np.log(0.4)))),
        goal=float(generator.choice([0.97, 0.98, 0.99])),
        good=(generator.uniform(-4.5, -2.0), generator.uniform(1.0, 1.5)),
        bad=(generator.uniform(0.0, 3.0), generator.uniform(1.2, 2.2)),
        audit=float(generator.choice([0.02, 0.05, 0.1])),
    )


class Outcome(NamedTuple):
    """What became of a history."""

    missed: bool
    """Whether what the last threshold decides truly misses the goal."""
    ever: bool
    """Whether what all thresholds so far have decided, together, truly misses it."""
    decided: float
    """Share of the comments that the last threshold decides."""
    passed: float
    """Comments that all thresholds so far have decided."""
    wrong: float
    """How many of them wrongly."""
    labels: int


@cache
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
        passed, wrong = passed + PERIOD * share, wrong + PERIOD * share * errors
        ages = first + PERIOD - 1 - numbers
        found = Evidence.of(Sample(scores, unwanted, smoothed(weights, scores), ages))
        threshold = _threshold(site, found)
        share, errors = _truth(site, threshold, done)
        yield Outcome(errors > allowed, wrong > allowed * passed, share, passed, wrong, len(scores))


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


class Told(NamedTuple):
    """A history as far as it is told in one row of a table."""

    outcome: Outcome
    best: float
    """Share of the comments that the oracle decides then."""
    best_so_far: float
    """Comments that it would have decided so far."""


def told(sites: Sequence[Site], first: int) -> dict[int, list[Told]]:
    """A history of each of these sites, by how many comments they have had; `first`: number of the
    first history."""
    found: dict[int, list[Told]] = {comments: [] for comments in LENGTHS}
    for number, site in enumerate(sites, first):
        outcomes = list(history(site, LENGTHS[-1], number))
        best = [oracle(site, _done(begin)) for begin in range(0, LENGTHS[-1], PERIOD)]
        so_far = [PERIOD * share for share in accumulate(best)]
        for comments, rows in found.items():
            last = comments // PERIOD - 1
            rows.append(Told(outcomes[last], best[last], so_far[last]))
    return found


def _row(rows: Sequence[Told]) -> Iterator[str]:
    outcomes = [one.outcome for one in rows]
    yield f"{mean(one.labels for one in outcomes):,.0f}"
    yield _share(sum(one.missed for one in outcomes), len(rows))
    yield _share(sum(one.ever for one in outcomes), len(rows))
    right = [1 - one.wrong / one.passed for one in outcomes if one.passed]
    yield f"{np.quantile(right, 0.05):.1%}" if right else ""
    yield f"{mean(one.decided for one in outcomes):.1%}"
    yield _of_the_oracle([one.outcome.decided for one in rows], [one.best for one in rows])
    yield _of_the_oracle([one.outcome.passed for one in rows], [one.best_so_far for one in rows])


def _share(count: int, number: int) -> str:
    low, high = wilson(count, number)
    return f"{count / number:.1%} ({low:.1%} to {high:.1%})"


def _of_the_oracle(decided: Sequence[float], best: Sequence[float]) -> str:
    return f"{sum(decided) / sum(best):.0%}"


def _table(found: dict[int, list[Told]], *, rejects: bool) -> list[str]:
    did, does = ("rejected", "rejects") if rejects else ("approved", "approves")
    return [
        "",
        f"| comments | labels | last threshold misses the goal | all {did} so far misses it | "
        f"right of it in 19 of 20 histories, at least | "
        f"{did} by the last threshold | of what the oracle {does} then | of what it would have "
        f"{did} so far |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(f"| {comments:,} | {' | '.join(_row(rows))} |" for comments, rows in found.items()),
    ]


def _heading(site: Site) -> list[str]:
    did, does = ("rejected", "rejects") if site.rejects else ("approved", "approves")
    audited = "none" if site.rejects else f"{site.audit:.0%}"
    return [
        "",
        f"## {site.name[0].upper()}{site.name[1:]}",
        "",
        f"Goal {site.goal:.1%} right; {audited} of what is {did} is audited; the oracle {does} "
        f"{_or_two(oracle(site, 0), oracle(site))}.",
    ]


def _or_two(before: float, after: float) -> str:
    if before == after:
        return f"{after:.1%}"
    return f"{before:.1%} at the beginning, {after:.1%} at the end"


_OF_ANY = """
## Any site

Each history is of another site, whose figures are drawn: 2 to 40% unwanted; a goal of 97, 98 or
99%; 2, 5 or 10% of what is approved is audited; means of the log-odds from -4.5 to -2 of what may
be published, from 0 to 3 of what is unwanted, spreads from 1 to 1.5 and from 1.2 to 2.2.
As the goals differ, how much is right tells little here."""


def report(sites: Iterable[Site], first: int, histories: int) -> str:
    """The whole measurement as Markdown."""
    drawn = [any_site(number) for number in range(first, first + histories)]
    lines = _OF_ANY.splitlines() + _table(told(drawn, first), rejects=False)
    for place, site in enumerate(sites, 1):
        found = told([site] * histories, first + place * histories)
        lines += _heading(site) + _table(found, rejects=site.rejects)
    return _introduction(first, histories) + "\n".join(lines) + "\n"


def _introduction(first: int, histories: int) -> str:
    return f"""# Benchmarks of the goals

Written by `python -m benchmarks.goals --output docs/benchmarks-goals.md`. Each table is of
{histories:,} random histories of a site that begins with a goal and no labels; every {PERIOD:,}
comments its threshold follows from the labels so far ([how](thresholds.md), why: decisions
[0019](decisions/0019-thresholds-from-goals.md) and
[0027](decisions/0027-goals-when-things-change.md)). Scores and truth are drawn from distributions
that are known, so what a threshold truly lets pass is known; but for the first table, their means
and spreads are those of our model on a newspaper's comments and on talk pages, and of a good filter
of spam. What changes does so evenly from the first thousand comments to the last.

The promise: in at most {RISK:.0%} of the histories what was decided automatically misses the goal.
In brackets 95% intervals (Wilson). The oracle knows the truth, and decides from the first comment
on; here everything is held at first.

The histories are numbered from {first:,} on, no two alike, and the number is the seed of all chance
in it. The constants of decision 0027 were chosen by others, which were numbered from 0 on.
"""


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--first", default=FIRST, show_default=True, help="Number of the first history.")
@click.option("--histories", default=200, show_default=True, help="Of each site.")
def main(output: Path, first: int, histories: int) -> None:
    """Measure, and write the tables."""
    output.write_text(report(track(SITES, "Sites"), first, histories), encoding="utf-8")


if __name__ == "__main__":
    main()
