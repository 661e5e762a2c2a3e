"""What the gate said of a model as one HTML file: no script, nothing fetched, no comment in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

WIDTH, HEIGHT = 320, 240
"""Of a plot."""

Points = Sequence[tuple[float, float]]
"""Of the unit square."""


def render(sentences: Sequence[str], figures: Mapping[str, Any]) -> str:
    """A verdict with its figures and curves, as a model's report keeps them."""
    environment = Environment(
        loader=PackageLoader("moderation", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "path": svg_path,
        "scaled": lambda points, top: [(x, y / top) for x, y in points],
        "spread": lambda one: f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})",
    }
    errors = [y for curve in figures.get("curves", {}).values() for _, y in curve["errors"]]
    return environment.get_template("verdict.html").render(
        sentences=sentences,
        figures=figures,
        errors_top=max(errors, default=1) or 1,
        width=WIDTH,
        height=HEIGHT,
    )


def svg_path(points: Points) -> str:
    """The `d` of an SVG path through the points."""
    return "M" + " L".join(f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in points)
