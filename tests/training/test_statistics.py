import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given
from hypothesis import strategies as st

from moderation.classifier.prediction import Document
from training import measures, metrics
from training.model import combine
from training.records import Record
from training.softlabels import harden
from training.splits import folds
from training.thresholds import hold_from, wilson


def record(group: str, source: str = "set", copied_from: str = "") -> Record:
    return Record(Document("text"), {}, 1.0, group, source, copied_from=copied_from)


def test_a_group_is_never_on_both_sides() -> None:
    records = [record(f"g{number % 200}") for number in range(1000)]
    sides: dict[str, set[int]] = {}
    for item, fold in zip(records, folds(records, 3, seed=1), strict=True):
        sides.setdefault(item.group, set()).add(int(fold))
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {0, 1, 2}


def test_folds_are_about_equal_and_depend_on_the_seed() -> None:
    records = [record(f"g{number}") for number in range(4000)]
    found = folds(records, 4, seed=1)
    np.testing.assert_allclose(np.bincount(found) / 4000, 0.25, atol=0.03)
    assert (found != folds(records, 4, seed=2)).any()


def test_a_few_large_groups_are_dealt_out_in_turn() -> None:
    records = [record(f"video {number % 3}") for number in range(30)]
    assert np.bincount(folds(records, 3, seed=1)).tolist() == [10, 10, 10]


def test_a_disguised_copy_stays_with_its_original() -> None:
    records = [record(f"g{number}") for number in range(300)]
    copies = [record(f"g{number}", "disguised", "set") for number in range(300)]
    found = folds(records + copies, 3, seed=1)
    assert (found[:300] == found[300:]).all()


def test_an_interval_by_group_is_as_wide_as_the_groups_are_few() -> None:
    generator = np.random.default_rng(1)
    places = np.repeat(np.arange(20), 50)
    scores = generator.random(20)[places] + 0.1 * generator.random(1000)
    labels = (generator.random(1000) < scores / scores.max()).astype(float)
    by_row = metrics.bootstrap(metrics.auc, labels, scores, seed=1)
    by_group = metrics.bootstrap(
        metrics.auc, labels, scores, seed=1, groups=places.astype(str).astype(object)
    )
    assert by_group.value == by_row.value
    assert by_group.low < by_row.low < by_row.high < by_group.high


def test_resampled_groups_have_both_classes() -> None:
    labels, groups = np.array([0.0, 1.0]), np.array(["a", "b"], object)
    found = metrics.bootstrap(metrics.auc, labels, np.array([0.1, 0.9]), seed=1, groups=groups)
    assert (found.low, found.high) == (1, 1)


def test_a_soft_label_is_two_weighted_ones() -> None:
    rows, classes, weights = harden(np.array([1.0, 0.25]), np.array([2.0, 4.0]))
    triples = {tuple(triple) for triple in zip(rows, classes, weights, strict=True)}
    assert triples == {(0, 1, 2.0), (1, 1, 1.0), (1, 0, 3.0)}


def test_calibration_finds_the_slope_and_the_intercept() -> None:
    generator = np.random.default_rng(1)
    margins = generator.normal(size=(5000, 3))
    truth = 1 / (1 + np.exp(-(2 * margins[:, 1] - 1)))
    found = combine(margins, truth, np.ones(5000), uses=[0, 1])
    assert found.weights[1] == pytest.approx(2, abs=0.02)
    assert found.weights[0] == pytest.approx(0, abs=0.02)
    assert found.weights[2] == 0
    assert found.intercept == pytest.approx(-1, abs=0.02)


def test_recall_at_a_rate_counts_by_hand() -> None:
    labels = np.array([0.0] * 20 + [1.0] * 4)
    scores = np.array([0.9] + [0.1] * 19 + [0.95, 0.91, 0.5, 0.05])
    assert metrics.recall_at(0.05)(labels, scores) == 0.75
    assert metrics.recall_at(0.01)(labels, scores) == 0.5


def test_calibration_error_by_hand() -> None:
    labels, scores = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.25, 0.25, 0.95, 0.95])
    assert metrics.calibration_error(labels, scores) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


def test_the_bootstrap_encloses_the_figure_and_repeats() -> None:
    generator = np.random.default_rng(2)
    labels = (generator.random(400) < 0.3).astype(float)
    scores = generator.random(400) * 0.7 + labels * 0.3
    one = metrics.bootstrap(metrics.auc, labels, scores, seed=5)
    assert one.low < one.value < one.high
    assert one == metrics.bootstrap(metrics.auc, labels, scores, seed=5)


def test_a_threshold_keeps_its_goal_and_no_lower_one_would_do_better() -> None:
    labels = np.array([0.0, 0, 0, 0, 1, 0, 0, 0, 1, 1])
    scores = np.linspace(0.05, 0.95, 10)
    threshold = hold_from(labels, scores, goal=0.85)
    approved = scores < threshold
    assert approved.sum() == 8
    assert (1 - labels[approved]).mean() >= 0.85


def test_everything_is_held_when_the_goal_is_out_of_reach() -> None:
    assert hold_from(np.ones(3), np.array([0.1, 0.2, 0.3]), goal=0.9) == 0.0


def test_equal_scores_are_approved_together_or_not_at_all() -> None:
    assert hold_from(np.array([0.0, 1.0]), np.array([0.2, 0.2]), goal=0.6) == 0.0


def test_wilson_matches_the_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3)), min_size=2, max_size=40
    )
)
def test_weighted_figures_are_scikit_learns(rows: list[tuple[bool, int, int]]) -> None:
    labels, scores, counts = (np.array(column, float) for column in zip(*rows, strict=True))
    scores /= 8
    assume(0 < labels @ counts < counts.sum())
    for ours, theirs in (
        (metrics.auc, sklearn.metrics.roc_auc_score),
        (metrics.average_precision, sklearn.metrics.average_precision_score),
        (metrics.f1, lambda y, p, **w: sklearn.metrics.f1_score(y, p >= 0.5, **w)),
        (metrics.recall, lambda y, p, **w: sklearn.metrics.recall_score(y, p >= 0.5, **w)),
    ):
        expected = theirs(labels, scores, sample_weight=counts)
        assert ours(labels, scores, counts) == pytest.approx(expected)


def test_counting_a_row_twice_is_having_it_twice() -> None:
    generator = np.random.default_rng(3)
    labels, scores = generator.integers(2, size=50).astype(float), generator.random(50)
    counts = generator.integers(3, size=50).astype(float)
    twice = np.repeat(np.arange(50), counts.astype(int))
    for measure in (*measures.MEASURES.values(), metrics.false_positive_rate, metrics.best_f1):
        assert measure(labels, scores, counts) == pytest.approx(
            measure(labels[twice], scores[twice])
        )


def test_whole_groups_are_resampled_where_there_are_any() -> None:
    labels = np.tile([0.0, 1.0], 10)
    groups = np.repeat(np.arange(4), 5)
    draw = metrics.resamples(labels, groups, np.random.default_rng(1))
    for _ in range(5):
        counts = next(draw).reshape(4, 5)
        assert (counts == counts[:, :1]).all()


def test_rows_alone_are_resampled_within_their_class() -> None:
    labels = np.array([1.0, 0, 0, 0, 0, 0])
    for groups in (None, np.arange(6)):
        counts = next(metrics.resamples(labels, groups, np.random.default_rng(1)))
        assert counts[0] == 1
        assert counts.sum() == 6


@pytest.mark.parametrize("grouped", [False, True])
def test_many_rows_have_the_intervals_that_each_row_by_itself_would_have(
    monkeypatch: pytest.MonkeyPatch, grouped: bool
) -> None:
    generator = np.random.default_rng(4)
    groups = generator.integers(60, size=4000)
    scores = 0.5 * generator.random(4000) + 0.5 * generator.random(60)[groups]
    labels = (generator.random(4000) < scores).astype(float)
    scores = np.round(scores, 4)
    chosen = {**measures.MEASURES, "false positives": metrics.false_positive_rate}

    def intervals(exact_rows: int) -> dict[str, metrics.Interval]:
        monkeypatch.setattr(metrics, "EXACT_ROWS", exact_rows)
        return metrics.bootstraps(chosen, labels, scores, 1, groups if grouped else None)

    monkeypatch.setattr(metrics, "CELLS", 1500)
    monkeypatch.setattr(metrics, "RESAMPLES", 1000)
    row_by_row, in_cells = intervals(4000), intervals(3999)
    for name, exact in row_by_row.items():
        found, width = in_cells[name], exact.high - exact.low
        assert found.value == exact.value
        assert found.low == pytest.approx(exact.low, abs=width / 10), name
        assert found.high == pytest.approx(exact.high, abs=width / 10), name


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 80))
def test_cells_keep_equal_scores_together_and_bins_apart(scores: list[float], cells: int) -> None:
    ordered = np.sort(scores)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "CELLS", cells)
        places = metrics._places(ordered)
    assert places[0] == 0
    assert set(np.diff(places)) <= {0, 1}
    assert (np.diff(places)[np.diff(ordered) == 0] == 0).all()
    bins = np.minimum((ordered * metrics.BINS).astype(int), metrics.BINS - 1)
    assert (np.diff(places)[np.diff(bins) > 0] == 1).all()
    sizes = np.bincount(places)
    assert len(sizes) <= cells + metrics.BINS
