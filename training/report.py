"""The HTML reports of evaluations: one file, no script, nothing fetched."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from moderation.learning.verdict_report import HEIGHT, WIDTH, svg_path
from training.evaluation import Evaluation, Slice
from training.metrics import Interval


def render(evaluations: Sequence[Evaluation], cautions: Sequence[str] = ()) -> str:
    """The report as HTML, with sentences of caution on top; comments in it are escaped."""
    return (
        _environment()
        .get_template("report.html")
        .render(evaluations=evaluations, cautions=cautions, width=WIDTH, height=HEIGHT)
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
    }
    return environment


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
