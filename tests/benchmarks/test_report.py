"""The benchmarks' report says what was measured, and what was missed."""

from dataclasses import replace

import pytest

from benchmarks.deciding import Decided
from benchmarks.demo_report import interval
from benchmarks.load import Load
from benchmarks.pipeline import Memory, Throughput
from benchmarks.report import Results, goals, markdown, percentile
from benchmarks.scoring import ALT, OURS, PLAIN, Scoring
from benchmarks.servers import Size


def loads(*rates: int) -> list[Load]:
    return [Load(requests=rate, seconds=1.0, p50_ms=10.0, p99_ms=50.0) for rate in rates]


SCORING = Scoring(
    loading=0.3,
    rates={
        1: {OURS: 300.0, PLAIN: 200.0, ALT: 100.0},
        200: {OURS: 50_000.0, PLAIN: 10_000.0, ALT: 20_000.0},
    },
    alone=100e-6,
    explained=300e-6,
    lengths={370: 20e-6, 20_000: 1e-3},
    decisions=[Decided(6_000, 600, 50, 1.0, 0.5), Decided(6_000, 600, 200, 0.6, 0.5)],
)

RESULTS = Results(
    size=Size(1, 64),
    seconds=6.0,
    loads={
        "noop": loads(8_000, 4_000, 9_000),
        "durable": loads(2_000, 2_000, 2_700),
        "per_request": loads(500, 1_000, 900),
        "isso": loads(200, 250, 100),
    },
    pipeline=[Throughput(2_000, 1_299), Throughput(2_000, 1_400), Throughput(2_000, 1_500)],
    latency_rate=20.0,
    latencies=[100.0] * 99 + [301.0],
    memory=Memory(resident=399.0, proportional=200.0, decided=20_001),
    scoring=SCORING,
)


def test_a_ratio_is_the_median_of_the_ratios_in_the_rounds() -> None:
    measured = [goal.measured for goal in goals(RESULTS)]

    # 0.25, 0.5, 0.3; 4, 2, 3; 10, 8, 27.
    assert measured[:3] == ["0.30 times", "3.00 times", "10.00 times"]


def test_what_reaches_its_target_exactly_has_reached_it() -> None:
    assert all(goal.reached for goal in goals(RESULTS))
    assert "Every target is reached." in markdown(RESULTS)


@pytest.mark.parametrize(
    ("results", "missed"),
    [
        (replace(RESULTS, latencies=[101.0]), "POST to decision, median"),
        (replace(RESULTS, latencies=[1.0, 301.0]), "POST to decision, 99th percentile"),
        (replace(RESULTS, pipeline=[Throughput(2_000, 1_299)]), "posting at full speed"),
        (replace(RESULTS, memory=Memory(400.0, 1.0, 20_000)), "A worker's memory"),
        (
            replace(RESULTS, loads=dict(RESULTS.loads) | {"isso": loads(300, 300, 300)}),
            "Durable POST against Isso",
        ),
        (replace(RESULTS, scoring=replace(SCORING, loading=0.31)), "Loading the model"),
        (replace(RESULTS, scoring=replace(SCORING, alone=101e-6)), "One comment scored"),
        (replace(RESULTS, scoring=replace(SCORING, explained=301e-6)), "One comment explained too"),
        (
            replace(RESULTS, scoring=replace(SCORING, decisions=[Decided(999, 99, 200, 0.1, 0.1)])),
            "Decisions in one worker",
        ),
        (
            replace(
                RESULTS,
                scoring=replace(SCORING, rates={200: {OURS: 49_999.0, PLAIN: 1.0, ALT: 1.0}}),
            ),
            "Scoring in batches of 200 to 1,000",
        ),
        (
            replace(
                RESULTS,
                scoring=replace(SCORING, rates={500: {OURS: 60_000.0, PLAIN: 1.0, ALT: 60_000.0}}),
            ),
            "Scoring against alt-profanity-check, at every batch size",
        ),
    ],
)
def test_a_missed_target_is_named(results: Results, missed: str) -> None:
    assert [goal.what for goal in goals(results) if not goal.reached] == [
        next(goal.what for goal in goals(results) if missed in goal.what)
    ]
    assert f"{missed}.**" in markdown(results)


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    values = [float(n) for n in range(1, 101)]

    assert [percentile(values, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
    assert percentile([7.0], 0.5) == 7


def test_the_interval_is_wilsons() -> None:
    # From Newcombe 1998, table I: 81 of 263.
    low, high = interval(81, 263)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
