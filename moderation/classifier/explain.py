"""Which characters of the original text gave a head its log-odds."""
# ruff: noqa: PLR0917  (compiled functions take their arrays by position)

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderation.classifier.compiled import callee, inlined, kernel
from moderation.classifier.features import (
    AHEAD,
    block_of,
    bucket_of,
)
from moderation.classifier.hashing import has_rank, place_of, prefetch, rank
from moderation.classifier.parameters import HEADS, Parameters
from moderation.classifier.prediction import Explanation, Span
from moderation.classifier.scoring import (
    HEADS_IN_A_ROW,
    KINDS,
    LAST_HEAD,
    Scan,
    kind_of,
    weight_of,
)


class Layer(NamedTuple):
    """Weights, and what they are worth in the sum that is explained.

    `ranks`, `rows`: `index` and `rows` of `Parameters`. `worth`: as in `Scan`, with these features.
    `factors`: per document and head, what one unit of a weight counts (float64). `kinds`: per
    document and kind (see `scoring.KINDS`), what one unit of a weight of `reject` counts besides.
    """

    ranks: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.uint64]
    worth: npt.NDArray[np.float64]
    factors: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.float64]


def explain(
    given: Parameters, scan: Scan, heads: Sequence[str], most: int | None
) -> list[Explanation]:
    """The exact parts of the log-odds of each document's head, the documents as `scoring.score`
    kept them: see `explain_sum`."""
    columns = np.array([HEADS.index(head) for head in heads], np.int64)
    factors = np.where(np.arange(len(HEADS)) == columns[:, None], given.scales, 0.0)
    layer = Layer(given.index, given.rows, scan.worth, factors, np.zeros((len(heads), KINDS)))
    return explain_sum((layer,), scan, heads, given.bias[columns], most)


def explain_sum(
    layers: tuple[Layer, ...],
    scan: Scan,
    heads: Sequence[str],
    bias: npt.NDArray[np.float64],
    most: int | None,
) -> list[Explanation]:
    """The exact parts of each document's sum over all layers, on top of its `bias`.

    A feature that occurs several times counts once in the model; its weight is shared equally
    among its occurrences here. Of the spans, the `most` that weigh most are shown, or all.
    """
    limit = len(scan.units) if most is None else most
    rests, ends, units, weights = _attribute(scan, layers, limit)
    spans = list(map(_SPAN, zip(*units.T.tolist(), weights.tolist(), strict=True)))
    return [
        Explanation(head, start_with, elsewhere, tuple(spans[start:end]), others)
        for head, start_with, (elsewhere, others), (start, end) in zip(
            heads, bias.tolist(), rests.tolist(), pairwise(ends.tolist()), strict=True
        )
    ]


# What `Span` does of three values, without a call of Python's for each.
_SPAN = partial(tuple.__new__, Span)


@inlined
def _find_rows(keys, count, index, rows, places, numbers):  # type: ignore[no-untyped-def]
    """Write which features are kept to `numbers`, and their rows, which are fetched meanwhile, to
    `places`; return how many there are.

    No branch, as in `features.keep_distinct`.
    """
    found = np.int64(0)
    for number in range(count):
        prefetch(index, np.uint64(bucket_of(keys[number + AHEAD]) >> np.uint32(5)))
        bucket = np.uint64(bucket_of(keys[number]))
        row = rank(index, bucket)
        numbers[found], places[found] = number, row
        prefetch(rows, row)
        found += np.int64(has_rank(index, bucket))
    return found


@inlined
def _count(keys, found, seen, owners, repeats, places, numbers):  # type: ignore[no-untyped-def]
    """Count the occurrences of rows.

    `seen` is a set as in `hashing.place_of`, cleared here, of rows + 1; at a row's slot there, the
    block that it was met in first is in `owners` and its occurrences in `repeats`. In `places`, the
    slot of each feature takes the place of its row.
    """
    size = 64
    while size < 2 * found:
        size *= 2
    seen[:size] = 0
    for kept in range(found):
        key = np.uint32(places[kept]) + np.uint32(1)
        slot = place_of(seen, np.uint32(size - 1), key)
        is_new = seen[slot] == 0
        seen[slot] = key
        owners[slot] = block_of(keys[numbers[kept]]) if is_new else owners[slot]
        repeats[slot] = 1 if is_new else repeats[slot] + 1
        places[kept] = slot


@callee
def _share(  # type: ignore[no-untyped-def]
    found, units, rows, factors, kinds, used, seen, owners, repeats, places, numbers, worth, totals
):
    """Add each feature's part of the sum to its unit's total; the last is the whole comment's.

    `used`: room for the heads whose factor is not 0.
    """
    heads = 0
    for head in range(HEADS_IN_A_ROW):
        used[heads] = head
        heads += factors[head] != 0
    by_kind = kinds.any()
    last = len(units) - 1
    kept = 0
    for unit in range(last + 1):
        end = units[unit + 1, 0] if unit < last else np.iinfo(np.int32).max
        total = 0.0
        while kept < found and numbers[kept] < end:
            slot = places[kept]
            row = seen[slot] - np.uint32(1)
            weight = 0.0
            for place in range(heads):
                weight += weight_of(rows, row, used[place]) * factors[used[place]]
            if by_kind:
                weight += weight_of(rows, row, LAST_HEAD) * kinds[kind_of(rows, row, owners[slot])]
            total += weight * worth[owners[slot]] / repeats[slot]
            kept += 1
        totals[unit] += total


@callee
def _smallest_shown(totals, count, largest):  # type: ignore[no-untyped-def]
    """Size of the smallest of the totals that are shown: as many as there is room in `largest`."""
    largest[:] = 0
    for number in range(count):
        size = abs(totals[number])
        place = 0
        while place < len(largest) and largest[place] < size:
            if place > 0:
                largest[place - 1] = largest[place]
            largest[place] = size
            place += 1
    return largest[0]


@callee
def _show(units, totals, largest, spans, weights, shown):  # type: ignore[no-untyped-def]
    """Append the units that weigh most, as many as there is room in `largest`, in their order, to
    `spans` and `weights`, of which `shown` are in use; return how many are then, and the sum of the
    rest."""
    count, most = len(units) - 1, len(largest)
    limit, ties = 0.0, 0
    if count > most:
        limit, ties = _smallest_shown(totals, count, largest), most
        for number in range(count):
            ties -= abs(totals[number]) > limit
    others = 0.0
    for number in range(count):
        size = abs(totals[number])
        if size > limit or (ties > 0 and size == limit and size > 0):
            ties -= size == limit
            spans[shown, 0] = units[number, 1]
            spans[shown, 1] = units[number, 2]
            weights[shown] = totals[number]
            shown += 1
        else:
            others += totals[number]
    return shown, others


@kernel
def _attribute(scan, layers, most):  # type: ignore[no-untyped-def]
    """Share the sum of each document out.

    Returns per document what belongs to the whole comment, and to the units that are not shown;
    where in what follows each document's begin and the last ends; per unit that is shown its start
    and end in the text; and what belongs to it.
    """
    documents = len(scan.ends) - 1
    ends_of = scan.ends
    longest = longest_units = 0
    for document in range(documents):
        longest = max(longest, ends_of[document + 1, 0] - ends_of[document, 0])
        longest_units = max(longest_units, ends_of[document + 1, 1] - ends_of[document, 1])
    size = 64
    while size < 2 * longest:
        size *= 2
    seen, owners, repeats = (
        np.empty(size, np.uint32),
        np.empty(size, np.uint8),
        np.empty(size, np.int32),
    )
    places, numbers = np.empty(longest, np.int32), np.empty(longest, np.int32)
    totals, largest = np.empty(longest_units), np.empty(min(most, longest_units))
    used = np.empty(HEADS_IN_A_ROW + 1, np.int64)
    rests, ends = np.empty((documents, 2)), np.zeros(documents + 1, np.int64)
    room = min(ends_of[documents, 1], documents * most)
    spans, weights = np.empty((room, 2), np.int32), np.empty(room)
    for document in range(documents):
        first, count = ends_of[document, 0], ends_of[document + 1, 0] - ends_of[document, 0]
        keys = scan.keys[first:]
        units = scan.units[ends_of[document, 1] : ends_of[document + 1, 1]]
        totals[: len(units)] = 0
        for layer in layers:
            worth, factors, kinds = (
                layer.worth[document],
                layer.factors[document],
                layer.kinds[document],
            )
            found = _find_rows(keys, count, layer.ranks, layer.rows, places, numbers)
            _count(keys, found, seen, owners, repeats, places, numbers)
            _share(
                found,
                units,
                layer.rows,
                factors,
                kinds,
                used,
                seen,
                owners,
                repeats,
                places,
                numbers,
                worth,
                totals,
            )
        rests[document, 0] = totals[len(units) - 1]
        ends[document + 1], rests[document, 1] = _show(
            units, totals, largest, spans, weights, ends[document]
        )
    shown = ends[documents]
    return rests, ends, spans[:shown], weights[:shown]
