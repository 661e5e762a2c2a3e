"""Plots as shapes in a square of 100 by 100, which a template draws as SVG.

The square is stretched to its place on the page, so that words are HTML: they keep their size on a
phone, and a screen reader has the table of the same figures. Colours are classes. See
docs/decisions/0013.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from moderation.clock import SECOND

SIZE = 100.0

# Spaces between the lines that divide a y axis.
_SPACES = 4


class Rect(NamedTuple):
    """A box; y runs downwards. `kind` is the class by which it is coloured, as everywhere here."""

    x: float
    y: float
    width: float
    height: float
    kind: str


class Path(NamedTuple):
    """A line: what SVG calls `points`."""

    points: str
    kind: str


@dataclass(frozen=True, slots=True)
class Series:
    """Figures that belong together, one for each place on the x axis; None where there is none.

    `ranges` are the ends of their intervals.
    """

    kind: str
    name: str
    values: Sequence[float | None]
    ranges: Sequence[tuple[float, float] | None] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """What is to be plotted, and how it is called."""

    title: str
    note: str
    places: Sequence[str]
    series: Sequence[Series]
    axis: str = "Day"
    """What the places are."""

    @property
    def largest(self) -> float:
        """The largest of all figures and ends of intervals; 0 without any."""
        figures = [v for s in self.series for v in s.values if v is not None]
        ends = [ends[1] for s in self.series for ends in s.ranges if ends is not None]
        return max([*figures, *ends], default=0)


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, and the same as a table."""

    data: Data
    rects: list[Rect]
    paths: list[Path]
    y_labels: list[str]
    """Evenly spaced, the topmost first."""
    words: Callable[[float], str]
    each: bool = False
    """Whether each place has a width of its own, below which its label stands."""

    @property
    def x_labels(self) -> list[str]:
        """The first, the middle and the last place."""
        places = list(self.data.places)
        return places if len(places) <= 3 else [places[0], places[len(places) // 2], places[-1]]

    @property
    def header(self) -> list[str]:
        """The table's columns, after that of the places."""
        columns: list[str] = []
        for one in self.data.series:
            columns += [one.name, "95 % interval"] if one.ranges else [one.name]
        return columns

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table's rows: the place, and its cells."""
        return [
            (place, [cell for one in self.data.series for cell in self._cells(one, number)])
            for number, place in enumerate(self.data.places)
        ]

    def _cells(self, one: Series, number: int) -> list[str]:
        value = one.values[number]
        cells = ["–" if value is None else self.words(value)]
        if one.ranges:
            ends = one.ranges[number]
            cells.append("–" if ends is None else " to ".join(map(self.words, ends)))
        return cells


def count_words(value: float) -> str:
    """A number, with its thousands apart."""
    return f"{value:,.0f}"


def stacked(data: Data) -> Plot:
    """Columns of counts, one on top of the other."""
    totals = [sum(s.values[place] or 0 for s in data.series) for place in range(len(data.places))]
    top = nice_top(max(totals, default=0))
    width = SIZE / max(len(data.places), 1)
    rects = []
    for place in range(len(data.places)):
        height = 0.0
        for one in data.series:
            part = SIZE * (one.values[place] or 0) / top
            height += part
            if part:
                rects.append(
                    _rect((place + 0.1) * width, SIZE - height, width * 0.8, part, one.kind)
                )
    return Plot(data, rects, [], _labels(top, count_words), count_words)


def columns(data: Data, *, bottom: float = 0.0, top: float, words: Callable[[float], str]) -> Plot:
    """Columns from `bottom` to `top`, those of a place beside one another, each with its interval
    as a line."""
    width = SIZE / max(len(data.places), 1)
    part = width * 0.6 / max(len(data.series), 1)

    def height(value: float) -> float:
        return SIZE * min(max((value - bottom) / (top - bottom), 0.0), 1.0)

    rects, paths = [], []
    for number, one in enumerate(data.series):
        for place, value in enumerate(one.values):
            x = place * width + width * 0.2 + number * part
            if value is not None:
                tall = height(value)
                rects.append(_rect(x + part * 0.1, SIZE - tall, part * 0.8, tall, one.kind))
        for place, ends in enumerate(one.ranges):
            if ends is not None:
                middle = place * width + width * 0.2 + (number + 0.5) * part
                points = [(middle, SIZE - height(end)) for end in ends]
                paths.append(_path(points, part, "whisker"))
    return Plot(data, rects, paths, _labels(top, words, bottom), words, each=True)


def trend(
    data: Data, *, top: float | None = None, words: Callable[[float], str] = count_words
) -> Plot:
    """Lines through figures from 0 to `top` (the largest, if not given), over their intervals."""
    end = top or nice_top(data.largest)
    return _lines(data, lambda value: value / end, _labels(end, words), words)


def trend_of_waits(data: Data, words: Callable[[int], str]) -> Plot:
    """Lines through times in milliseconds, on a scale on which each mark is 60 times the one
    below: a second, a minute, an hour, 60 hours."""
    spaces = max(1, math.ceil(math.log(max(data.largest / SECOND, 1), 60)))
    labels = [words(60**space * SECOND) for space in range(spaces, -1, -1)]
    return _lines(
        data,
        lambda value: math.log(max(value / SECOND, 1), 60) / spaces,
        labels,
        lambda value: words(round(value)),
    )


def nice_top(most: float) -> float:
    """The end of an axis: four times a round number, and no less than `most`."""
    if most <= _SPACES:
        return _SPACES
    unit: float = 10.0 ** math.floor(math.log10(most / _SPACES))
    ends = (_SPACES * unit * factor for factor in (1, 2, 2.5, 5, 10))
    return next(end for end in ends if end >= most)


def _labels(top: float, words: Callable[[float], str], bottom: float = 0.0) -> list[str]:
    height = top - bottom
    return [words(bottom + height * space / _SPACES) for space in range(_SPACES, -1, -1)]


def _lines(
    data: Data,
    height: Callable[[float], float],
    labels: list[str],
    words: Callable[[float], str],
) -> Plot:
    width = SIZE / max(len(data.places), 1)
    rects, paths = [], []
    for one in data.series:
        for place, ends in enumerate(one.ranges):
            if ends is not None:
                low, high = (SIZE * (1 - height(end)) for end in ends)
                kind = f"{one.kind} range"
                rects.append(_rect((place + 0.25) * width, high, width / 2, low - high, kind))
        points = [
            None if value is None else ((place + 0.5) * width, SIZE * (1 - height(value)))
            for place, value in enumerate(one.values)
        ]
        for there, run in groupby(points, key=lambda point: point is not None):
            if there:
                paths.append(_path([point for point in run if point], width, one.kind))
    return Plot(data, rects, paths, labels, words)


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Rect:
    return Rect(round(x, 2), round(y, 2), round(width, 2), round(height, 2), kind)


def _path(run: list[tuple[float, float]], width: float, kind: str) -> Path:
    """A line through the points; a single one is drawn as a dash."""
    if len(run) == 1:
        ((x, y),) = run
        run = [(x - width / 4, y), (x + width / 4, y)]
    return Path(" ".join(f"{x:.2f},{y:.2f}" for x, y in run), kind)
