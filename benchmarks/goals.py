"""Whether the promise of a goal is kept: random histories of sites, decided by
`moderation.learning.goals`.

    python -m benchmarks.goals --output docs/benchmarks-goals.md

A site begins with a goal and no labels, so everything is held and looked at. After every thousand
comments its thresholds follow from the labels so far; what is approved from then on is looked at
only when it is drawn for the audit. Each comment's score and its truth are drawn from distributions
that are known here, so that the true share of errors below a threshold is known too. The oracle is
the highest threshold that truly meets the goal.
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
from scipy.special import expit, ndtr

from moderation.learning.goals import RISK, Evidence, Sample, operating_point, smoothed

Floats = npt.NDArray[np.float64]

PERIOD = 1_000
"""Comments between two settings of the thresholds."""

HISTORIES = 200


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
    rises_by: float = 0.0
    """What the share of unwanted comments gains until the last period, as a factor less one."""

    def share(self, done: float) -> float:
        """The share of unwanted comments when this share of the history is over."""
        return self.unwanted * (1 + self.rises_by * done)

    def draw(
        self, number: int, done: float, generator: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Scores of comments, and whether each is unwanted."""
        unwanted = generator.random(number) < self.share(done)
        good, bad = generator.normal(*self.good, number), generator.normal(*self.bad, number)
        return expit(np.where(unwanted, bad, good)), unwanted

    def below(self, log_odds: Floats, done: float = 1.0) -> tuple[Floats, Floats]:
        """The true share of comments that score below, and of unwanted ones among them."""
        share = self.share(done)
        bad = share * ndtr((log_odds - self.bad[0]) / self.bad[1])
        good = (1 - share) * ndtr((log_odds - self.good[0]) / self.good[1])
        return bad + good, bad / np.maximum(bad + good, 1e-300)


# Mean and spread of the log-odds that the shipped model gives, as it is after training on comments
# of the kind: hate below a newspaper's articles, and attacks on talk pages.
NEWSPAPER = Site("newspaper, 8 % unwanted", 0.08, 0.98, (-2.0, 1.15), (0.5, 1.5))
TALK = Site("talk pages, 3 % unwanted", 0.03, 0.99, (-3.5, 1.05), (-0.1, 2.2))
SPAM = Site("blog, 30 % spam", 0.3, 0.99, (-4.0, 1.3), (3.0, 2.0))
SITES = (
    NEWSPAPER,
    replace(NEWSPAPER, name="the same, audit of 1 %", audit=0.01),
    replace(NEWSPAPER, name="the same, unwanted rising by half", rises_by=0.5),
    TALK,
    SPAM,
)
LENGTHS = (2_000, 5_000, 10_000, 20_000)


class Outcome(NamedTuple):
    """What became of a history."""

    missed: bool
    """Whether what the last threshold lets pass truly misses the goal."""
    ever: bool
    """Whether what all thresholds so far have let pass, together, truly misses it."""
    approved: float
    """Share of the comments that the last threshold lets pass."""
    labels: int


def oracle(site: Site) -> float:
    """The share of comments that the best threshold would approve, at the end."""
    shares, errors = site.below(np.linspace(-12, 12, 24_001))
    meets = errors <= 1 - site.goal
    return float(shares[meets].max(initial=0))


def history(site: Site, comments: int, seed: int) -> Outcome:
    """One history, to its end."""
    generator = np.random.default_rng(seed)
    below = passed = wrong = 0.0
    scores, unwanted, weights = (np.empty(0) for _ in range(3))
    periods = comments // PERIOD
    for period in range(periods):
        done = period / max(periods - 1, 1)
        drawn, bad = site.draw(PERIOD, done, generator)
        chance = np.where(drawn < below, site.audit, 1.0)
        seen = generator.random(PERIOD) < chance
        scores = np.append(scores, drawn[seen])
        unwanted = np.append(unwanted, bad[seen])
        weights = np.append(weights, 1 / chance[seen])
        share, errors = _truth(site, below, done)
        passed, wrong = passed + share, wrong + share * errors
        found = Evidence.of(Sample(scores, unwanted, smoothed(weights, scores)))
        below = operating_point(found, approve=site.goal, reject=None).approve_below or 0.0
    share, errors = _truth(site, below, 1.0)
    allowed = 1 - site.goal
    return Outcome(errors > allowed, wrong > allowed * passed, share, len(scores))


def _truth(site: Site, below: float, done: float) -> tuple[float, float]:
    if below <= 0:
        return 0.0, 0.0
    share, errors = site.below(np.log(np.array([below / (1 - below)])), done)
    return float(share[0]), float(errors[0])


def _cell(site: Site, comments: int) -> list[Outcome]:
    return [history(site, comments, seed) for seed in range(HISTORIES)]


def _row(outcomes: Sequence[Outcome], comments: int, best: float) -> Iterator[str]:
    number = len(outcomes)
    approved = mean(outcome.approved for outcome in outcomes)
    yield f"{comments:,}"
    yield f"{mean(outcome.labels for outcome in outcomes):,.0f}"
    yield f"{sum(outcome.missed for outcome in outcomes) / number:.1%}"
    yield f"{sum(outcome.ever for outcome in outcomes) / number:.1%}"
    yield f"{approved:.1%}"
    yield f"{approved / best:.0%}"


_HEAD = """| comments | labels | last threshold misses the goal | all approved so far misses it | \
approved by the last threshold | of what the oracle approves |
|---:|---:|---:|---:|---:|---:|"""


CELLS = [(site, comments) for site in SITES for comments in LENGTHS]


def report(cells: Iterable[tuple[Site, int]]) -> str:
    """The whole measurement as Markdown."""
    lines: list[str] = []
    for site, comments in cells:
        best = oracle(site)
        if comments == LENGTHS[0]:
            lines += [
                "",
                f"## {site.name[0].upper()}{site.name[1:]}",
                "",
                f"Goal {site.goal:.1%} right; {site.audit:.0%} of what is approved is audited; "
                f"the oracle approves {best:.1%}.",
                "",
                _HEAD,
            ]
        row = _row(_cell(site, comments), comments, best)
        lines.append(f"| {' | '.join(row)} |")
    return _INTRODUCTION + "\n".join(lines) + "\n"


_INTRODUCTION = f"""# Benchmarks of the goals

Written by `python -m benchmarks.goals --output docs/benchmarks-goals.md`. Each row is
{HISTORIES} random histories of a site that begins with a goal and no labels; every
{PERIOD:,} comments its thresholds follow from the labels so far ([how](thresholds.md),
[why](decisions/0019-thresholds-from-goals.md)). Scores and truth are drawn from distributions that
are known, so what a threshold truly lets pass is known; their means and spreads are those of our
model on a newspaper's comments and on talk pages, and of a good filter of spam. The promise: in at
most {RISK:.0%} of the histories what is approved misses the goal.
"""


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    """Measure, and write the tables."""
    output.write_text(report(track(CELLS, "Histories")), encoding="utf-8")


if __name__ == "__main__":
    main()
