"""The HTML reports of evaluations and of the gate: one file, no script, nothing fetched."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.evaluation import Evaluation, Points, Slice
from training.gate import Verdict
from training.metrics import Interval

WIDTH, HEIGHT = 320, 240


def render(evaluations: Sequence[Evaluation], cautions: Sequence[str] = ()) -> str:
    """The report as HTML, with sentences of caution on top; comments in it are escaped."""
    return (
        _environment()
        .get_template("report.html")
        .render(evaluations=evaluations, cautions=cautions, width=WIDTH, height=HEIGHT)
    )


def render_verdict(verdict: Verdict) -> str:
    """The gate's verdict as HTML, with its figures and curves; no comment is in it."""
    curves = verdict.figures.get("curves", {})
    errors = [wrong for curve in curves.values() for _, wrong in curve["errors"]]
    return (
        _environment()
        .get_template("verdict.html")
        .render(
            sentences=verdict.sentences,
            figures=verdict.figures,
            errors_top=max(errors, default=1) or 1,
            width=WIDTH,
            height=HEIGHT,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "path": svg_path,
        "interval": interval,
        "difference": difference,
        "by_kind": by_kind,
        "scaled": lambda points, top: [(x, y / top) for x, y in points],
        "spread": lambda figure: interval(Interval(**figure)),
    }
    return environment


def svg_path(points: Points) -> str:
    """The `d` of an SVG path through points of the unit square."""
    return "M" + " L".join(f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in points)


def interval(figure: Interval | None) -> str:
    """A figure with its interval, as text."""
    if figure is None:
        return "–"
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"


def difference(figure: Interval) -> str:
    """The same of a figure that may be negative, and small."""
    return f"{figure.value:+.4f} ({figure.low:+.4f} to {figure.high:+.4f})"


def by_kind(slices: Sequence[Slice]) -> Iterator[tuple[str, list[Slice]]]:
    """(kind, slices of that kind)"""
    for kind, group in groupby(slices, key=lambda part: part.kind):
        yield kind, list(group)
