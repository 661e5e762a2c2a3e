"""The figures of `benchmarks.adaptation` as a page of Markdown, and as a plot."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

RESAMPLES = 2000
WIDTH, HEIGHT, LEFT, TOP = 560, 300, 60, 20
HUE = 360 / 11


@dataclass(frozen=True, slots=True)
class Site:
    """A set that stands for a site.

    `without`: sets that its general model was trained without, none for the shipped model.
    `counts`: of labels. `page`: the field that names a comment's page. `noise`: share of the
    decisions that are turned round. `cipher`: letters are replaced one by one, so that the model
    knows no word. `tuned`: whether constants of the method were chosen by this one.
    """

    name: str
    file: str
    without: tuple[str, ...]
    histories: int
    counts: tuple[int, ...]
    page: str = ""
    noise: float = 0.0
    cipher: bool = False
    tuned: bool = False


_HEAD = """\
# Benchmarks of a site's own model

What labels of a site's own give on top of the general model
([decision](decisions/0018-adaptation.md)), measured by `python -m benchmarks.adaptation`.

Sets of labelled comments stand for sites. The general model of each was trained without the set
(and what is like it); for the sentences about groups, which it never sees, it is the shipped one. A
history is a random order of the comments, or of the pages where the set has pages; what comes
later (the last third, at most 3,000) is judged only. In a cipher, each letter is replaced by
another one of another script: a language of which the model knows no word.

![AUC gained against labels](images/adaptation.svg)

## AUC

Mean over histories of the AUC gained over the general model, with its 95 % interval (bootstrap of
histories); and that of the worst history. Constants of the method were chosen by the first table's
sites and never by the second's. With few histories and few later comments a gain is as uncertain as
its interval says; a worst history even more so.

Constants of the [anchors](decisions/0018-adaptation.md#anchors) were chosen on Instagram, too,
which is in the second table. Before there were anchors models learned faster (YouTube +0.249 with
50 labels, Instagram +0.182 with 200) and forgot more, for which the gate then held them back.
"""

_COST = """
## Cost

| | |
|---|---:|
| training with {labels:,} labels, processor time of one core | {seconds:.0f} s |
| size of the site's model then | {size:.2f} MB |
| its features | {features:,} |
| time to score, by that of the general model alone | {scored:.2f} |
| the same with explanations of all | {explained:.2f} |
"""


def markdown(
    sites: Sequence[Site], found: Mapping[str, Any], costs: Sequence[Mapping[str, Any]]
) -> str:
    """The page, with the last of the costs if there are any."""
    parts = [_HEAD]
    for title, tuned in (("Chosen by", True), ("Reported", False)):
        parts.append(f"\n### {title}\n\n| Site | General | Labels | Gain | Worst |\n")
        parts.append("|---|---:|---:|---:|---:|\n")
        for site in sites:
            if site.tuned == tuned:
                parts += _rows(site, found[site.name])
    parts += [
        _COST.format(
            labels=10_000,
            seconds=cost["seconds"],
            size=cost["bytes"] / 1e6,
            features=cost["features"],
            scored=cost["ratios"]["scored"],
            explained=cost["ratios"]["explained"],
        )
        for cost in costs[-1:]
    ]
    return "".join(parts)


def _rows(site: Site, line: Mapping[str, Any]) -> list[str]:
    rows: list[str] = []
    before = f"{mean(line['general']):.3f}"
    for count, gains in line["gains"].items():
        low, high = _interval(gains)
        first = (f"{site.name} ({len(gains)} histories)", before) if not rows else ("", "")
        rows.append(
            f"| {first[0]} | {first[1]} | {int(count):,} "
            f"| {mean(gains):+.3f} ({low:+.3f} to {high:+.3f}) | {min(gains):+.3f} |\n"
        )
    return rows


def _interval(values: Sequence[float]) -> tuple[float, float]:
    generator = np.random.default_rng(1)
    drawn = generator.choice(np.array(values), (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def svg(sites: Sequence[Site], found: Mapping[str, Any]) -> str:
    """AUC against labels, a line a site."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 260} {HEIGHT + 70}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH + 260}" height="{HEIGHT + 70}" fill="white"/>',
    ]
    for level in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        y = _y(level)
        parts.append(f'<path d="M{LEFT},{y:.1f} H{LEFT + WIDTH - 60}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{level:.1f}</text>')
    for count in (0, 50, 100, 200, 500, 1000, 2000, 5000):
        text = f"{count:,}"
        parts.append(
            f'<text x="{_x(count):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{text}</text>'
        )
    parts.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 40}">labels</text>')
    parts.append(f'<text x="8" y="{TOP - 6}">AUC</text>')
    for number, site in enumerate(sites):
        colour, before = f"hsl({HUE * number:.0f},55%,42%)", mean(found[site.name]["general"])
        points = [(0, before)]
        points += [
            (int(count), before + mean(gains)) for count, gains in found[site.name]["gains"].items()
        ]
        path = " L".join(f"{_x(count):.1f},{_y(level):.1f}" for count, level in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = TOP + 18 * number
        parts.append(f'<path d="M{LEFT + WIDTH - 45},{y} h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + WIDTH - 20}" y="{y + 4}">{site.name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(count: int) -> float:
    """Labels, on a scale that widens small counts."""
    return LEFT + (WIDTH - 60) * math.log1p(count / 50) / math.log1p(5000 / 50)


def _y(level: float) -> float:
    return TOP + HEIGHT * (1 - (level - 0.5) / 0.5)
