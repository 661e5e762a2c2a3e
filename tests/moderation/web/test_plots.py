import math

from hypothesis import given
from hypothesis import strategies as st

from moderation.clock import DAY, HOUR, MINUTE, SECOND
from moderation.web.plots import (
    SIZE,
    Data,
    Plot,
    Series,
    columns,
    nice_top,
    stacked,
    trend,
    trend_of_waits,
)
from moderation.web.sentences import duration

values = st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=60)


def data(*series: Series) -> Data:
    places = [str(n) for n in range(len(series[0].values))]
    return Data("Title", "Note", places, series)


def coordinates(plot: Plot) -> list[float]:
    """Everything that is drawn, to the bottom right corner of it."""
    found = [end for r in plot.rects for end in (r.x, r.y, r.x + r.width, r.y + r.height)]
    found += [float(c) for p in plot.paths for point in p.points.split() for c in point.split(",")]
    return found


@given(st.floats(0, 1e12))
def test_an_axis_ends_at_a_round_number_above_all(most: float) -> None:
    top = nice_top(most)
    assert top >= most
    assert top <= max(4, 2.51 * most)
    step = top / 4
    assert math.isclose(step, float(f"{step:.1e}"), rel_tol=1e-9)


@given(values)
def test_nothing_is_drawn_outside_the_square(figures: list[float | None]) -> None:
    ranges = [None if v is None else (v / 2, v) for v in figures]
    plots = [
        stacked(data(Series("a", "a", figures), Series("b", "b", figures))),
        trend(data(Series("a", "a", figures, ranges))),
        trend_of_waits(data(Series("a", "a", figures)), duration),
    ]
    for plot in plots:
        assert all(-0.02 <= place <= SIZE + 0.02 for place in coordinates(plot))


@given(values)
def test_the_table_has_every_figure(figures: list[float | None]) -> None:
    plot = trend(data(Series("a", "a", figures)), words=repr)
    assert [cells for _, cells in plot.rows] == [["–" if v is None else repr(v)] for v in figures]


def test_columns_stand_on_one_another() -> None:
    plot = stacked(data(Series("a", "a", [5]), Series("b", "b", [15])))
    lower, upper = plot.rects
    assert (lower.y, lower.height) == (75, 25)
    assert (upper.y, upper.height) == (0, 75)
    assert plot.y_labels == ["20", "15", "10", "5", "0"]


def test_a_line_is_interrupted_where_there_is_no_figure() -> None:
    plot = trend(data(Series("a", "a", [1, 2, None, 3])), top=4)
    assert [path.points for path in plot.paths] == [
        "12.50,75.00 37.50,50.00",
        # One figure alone is a dash.
        "81.25,25.00 93.75,25.00",
    ]


def test_an_interval_is_a_box_and_a_column_of_the_table() -> None:
    plot = trend(data(Series("a", "share", [0.5], [(0.25, 0.75)])), top=1, words="{:.2f}".format)
    (box,) = plot.rects
    assert (box.y, box.height, box.kind) == (25, 50, "a range")
    assert plot.header == ["share", "95 % interval"]
    assert plot.rows == [("0", ["0.50", "0.25 to 0.75"])]


def test_columns_stand_side_by_side_on_their_own_ground() -> None:
    plot = columns(
        data(Series("a", "a", [0.75, 0.4], [(0.5, 1.0), None]), Series("b", "b", [None, 1.0])),
        bottom=0.5,
        top=1.0,
        words="{:.3f}".format,
    )
    # What is below the ground is not drawn.
    assert [(r.kind, r.y, r.height) for r in plot.rects] == [
        ("a", 50, 50),
        ("a", 100, 0),
        ("b", 0, 100),
    ]
    assert plot.rects[1].x + plot.rects[1].width < plot.rects[2].x
    assert [path.points for path in plot.paths] == ["17.50,100.00 17.50,0.00"]
    assert plot.y_labels == ["1.000", "0.875", "0.750", "0.625", "0.500"]
    assert plot.each


def test_waits_are_drawn_on_a_scale_of_sixties() -> None:
    plot = trend_of_waits(data(Series("a", "a", [SECOND, MINUTE, HOUR])), duration)
    assert plot.y_labels == ["1 h", "1 min", "1 s"]
    assert coordinates(plot)[1::2] == [100, 50, 0]
    assert trend_of_waits(data(Series("a", "a", [DAY])), duration).y_labels[0] == "2 d 12 h"


def test_an_empty_plot_says_so() -> None:
    assert data(Series("a", "a", [None, 0])).largest == 0
    assert stacked(data(Series("a", "a", [None]))).rects == []
