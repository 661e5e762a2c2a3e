"""The gate: whether a candidate takes the current model's place.

Models made as the candidate is, on the decisions up to some time, are asked about the next ones,
and so is the current model. The candidate passes if they are surely better at one of the things
that count and at none of them worse, and it is no worse itself on a fixed guard set of invented
sentences. How sure, and what keeps luck from passing: docs/decisions/0023.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderation import similarity
from moderation.classifier.prediction import Document
from moderation.domain import Selection
from moderation.learning.goals import weighed
from moderation.learning.labels import Labelled
from training import guard as guarding
from training import metrics
from training.guard import Guard, Model, probabilities
from training.metrics import Interval
from training.softlabels import Floats

FIRST, BLOCKS = 0.4, 3
"""The share of the labels, the earliest, by which nothing is judged, and in how many blocks the
others are judged, each by a model that was trained on what came before it."""

LEAST_OF_A_CLASS = 10
"""Fewer later decisions of a kind cannot tell two models apart."""

LEAST_GROUPS = 30
"""From so many groups on, comments that belong together are drawn together."""

LARGEST_GROUP = 0.2
"""A group with a greater share of all comments cannot be kept on one side."""

RESAMPLES = 2_000

CHANCE = 0.03
"""Of a difference that is called sure though there is none, either way, all figures together; less
than it should be in the end, because with few decisions bootstrap intervals are too narrow."""

GOAL = 0.99
"""Of what is approved automatically, the share that should be right, where the site has no goal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a candidate."""

    promote: bool
    sentences: tuple[str, ...]
    """For a moderator: the verdict first, then what it stands on."""
    figures: dict[str, Any]
    """The same as numbers, with curves; JSON."""


class Block(NamedTuple):
    """Decisions, all later than those that a trial of the candidate is to be trained on."""

    earlier: list[Labelled]
    later: list[Labelled]


class Trial(NamedTuple):
    """A model made as the candidate is, and decisions that it was not trained on."""

    model: Model
    later: Sequence[Labelled]


def blocks(labelled: Sequence[Labelled], seen: int = 0) -> list[Block]:
    """The labels in blocks of time, each with what is earlier (forward chaining); none where all
    were labelled at once.

    The current model was trained on labels up to number `seen`, so it is asked only about comments
    that were first labelled since; 0: about all. What stands below one page as something earlier,
    or says nearly the same, is not asked about. Pages are let go of where they would take more than
    half of what could be: see `straddling`.
    """
    new = sorted(
        (label for label in labelled if label.first_label_id > seen),
        key=lambda label: (label.at, label.key),
    )
    old = [label for label in labelled if label.first_label_id <= seen]
    cuts = [_cut(new, FIRST + (1 - FIRST) * number / BLOCKS) for number in range(BLOCKS + 1)]
    found: list[Block] = []
    for pages in (True, False):
        groups = together([*old, *new], pages=pages)[len(old) :].tolist()
        before = set(together([*old, *new], pages=pages)[: len(old)].tolist())
        found = []
        for start, end in pairwise(cuts):
            taken = before.union(groups[:start])
            later = [new[place] for place in range(start, end) if groups[place] not in taken]
            if later:
                found.append(Block(old + new[:start], later))
        if sum(len(block.later) for block in found) >= (len(new) - cuts[0]) / 2:
            break
    return found


def _cut(ordered: Sequence[Labelled], share: float) -> int:
    """The place at which this share is earlier; what was labelled at the same moment was labelled
    together."""
    cut = round(share * len(ordered))
    while 0 < cut < len(ordered) and ordered[cut].at == ordered[cut - 1].at:
        cut += 1
    return cut


def straddling(given: Iterable[Block]) -> tuple[str, ...]:
    """A sentence if pages are on both sides of a cut; none if all is as it should be."""
    shared: set[str] = set()
    for earlier, later in given:
        shared |= {label.page for label in earlier if label.page} & {one.page for one in later}
    if not shared:
        return ()
    return (
        f"{_count(len(shared), 'page')} had to stand on both sides, because the site has few pages "
        "or discusses on them for long: the figures may flatter the candidate.",
    )


def together(labelled: Sequence[Labelled], *, pages: bool) -> npt.NDArray[np.int64]:
    """A number for each label, the same for those that say nearly the same, or stand below the same
    page (if `pages`), directly or by way of others."""
    parents = list(range(len(labelled)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[Hashable, int] = {}
    prints = similarity.fingerprints([similarity.normalize(label.text) for label in labelled])
    for place, (label, print_) in enumerate(zip(labelled, prints, strict=True)):
        if pages and label.page:
            parents[root(place)] = root(first.setdefault(label.page, place))
        for band in similarity.bands(0, print_):
            other = first.setdefault(band, place)
            if other != place and _alike(print_, prints[other]):
                parents[root(place)] = root(other)
    return np.array([root(place) for place in range(len(labelled))], np.int64)


def _alike(one: bytes, other: bytes) -> bool:
    equal = sum(a == b for a, b in zip(one, other, strict=True))
    return equal >= _ALIKE


_ALIKE = 10
"""Bytes of a fingerprint; see `similarity.SHARED_BANDS`."""


class Asked(NamedTuple):
    """Later decisions, and what both models say about them."""

    labels: Floats
    """0 or 1."""
    weights: Floats
    groups: npt.NDArray[Any]
    current: Floats
    candidate: Floats
    current_able: npt.NDArray[np.bool_]
    candidate_able: npt.NDArray[np.bool_]


class Figure(NamedTuple):
    """Something that counts: how it is called, and measured."""

    words: str
    measure: Callable[[Floats, Floats, npt.NDArray[np.bool_], Floats], float]
    """Of labels, scores, ability to judge, and how often each row counts."""
    sign: int
    """1 where more is better, -1 where less is."""


def judge(
    current: Model,
    candidate: Model,
    trials: Sequence[Trial],
    *,
    guard: Guard | None = None,
    seed: int = 0,
    goal: float | None = None,
    all_seen: bool = False,
    notes: Sequence[str] = (),
) -> Verdict:
    """Whether the candidate should take the current model's place.

    Args:
        trials: models that stand for the candidate, with later labels than theirs, which the
            current model was not trained on either: see `blocks`.
        guard: sentences on which it may not be worse; None for the standard ones.
        goal: of what is approved automatically, the share that should be right.
        all_seen: whether nothing was published without a person's word since the first of the
            later decisions.
        notes: what else the reader of the verdict should know, such as `straddling`.
    """
    asked, cautions = _ask(current, trials, all_seen=all_seen)
    later = sum(len(trial.later) for trial in trials)
    figures: dict[str, Any] = {
        "current": current.version,
        "candidate": candidate.version,
        "later": len(asked.labels),
        "unwanted": int(asked.labels.sum()),
        "left_out": later - len(asked.labels),
        "goal": goal or GOAL,
    }
    guard = guarding.standard() if guard is None else guard
    watched, failed = guarding.watch(current, candidate, guard)
    figures["guard"] = watched
    few = min(asked.labels.sum(), (1 - asked.labels).sum()) < LEAST_OF_A_CLASS
    if few:
        better: list[str] = []
        worse: list[str] = []
        said = [_too_few(asked)]
    else:
        compared = _compare(asked, goal or GOAL, seed)
        figures |= compared | {"curves": _curves(asked)}
        better, worse, said = _said(asked, compared)
    promote = bool(better) and not worse and not failed
    return Verdict(
        promote,
        (
            _verdict(better, [*worse, *failed], few=few),
            *said,
            *_of_guard(guard, failed),
            *cautions,
            *notes,
        ),
        figures,
    )


def _ask(current: Model, trials: Sequence[Trial], *, all_seen: bool) -> tuple[Asked, list[str]]:
    """Both models' answers about what may be compared, and what to know about it."""
    later = [label for trial in trials for label in trial.later]
    places, weights = weighed(later, imports=True)
    chosen = [later[place] for place in places]
    ours = probabilities(current, _documents(chosen))
    theirs = _answers(trials, places)
    labels = np.array([label.unwanted >= 0.5 for label in chosen], float)
    groups = _groups(chosen)
    keep, cautions = _on_both_sides(chosen, ours[0], theirs[0], all_seen=all_seen)
    if len(chosen) < len(later):
        cautions.append(
            f"{_count(len(later) - len(chosen), 'later decision')} did not count here: corrections "
            "of what somebody stumbled upon, comments on which a rule spoke, and weak labels."
        )
    asked = Asked(
        labels=labels[keep],
        weights=weights[keep],
        groups=groups[keep],
        current=ours[0][keep],
        candidate=theirs[0][keep],
        current_able=ours[1][keep],
        candidate_able=theirs[1][keep],
    )
    return asked, cautions


def _answers(
    trials: Sequence[Trial], places: Sequence[int]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """What the trials say, each of its own later decisions, in these places of all of them."""
    scores, able = np.zeros(0), np.zeros(0, bool)
    for trial in trials:
        found = probabilities(trial.model, _documents(trial.later))
        scores, able = np.append(scores, found[0]), np.append(able, found[1])
    return scores[places], able[places]


def _documents(labelled: Iterable[Labelled]) -> list[Document]:
    return [Document(label.text, label.name, label.website) for label in labelled]


def _groups(chosen: Sequence[Labelled]) -> npt.NDArray[Any]:
    """What is drawn together: pages if there are enough of them, near repeats in any case."""
    for pages in (True, False):
        groups = together(chosen, pages=pages)
        _, sizes = np.unique(groups, return_counts=True)
        if len(sizes) >= LEAST_GROUPS and sizes.max() <= LARGEST_GROUP * len(chosen):
            return groups
    return np.arange(len(chosen))


def _on_both_sides(
    chosen: Sequence[Labelled], ours: Floats, theirs: Floats, *, all_seen: bool
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """What is compared. Where nobody looked at what was published, the present model's mistakes
    below its threshold are unknown, and those of the candidate are not: what is left are comments
    that both would have held."""
    keep = np.ones(len(chosen), bool)
    held = np.array([label.selection is Selection.HELD for label in chosen], bool)
    if all_seen or not held.any() or any(label.selection is Selection.AUDIT for label in chosen):
        return keep, []
    lowest = np.quantile(ours[held], 0.01)
    if lowest < _NEARLY_ALL:
        return keep, []
    return ~held | (theirs >= lowest), [
        "Nobody was asked about what was published, so only comments that both would have held "
        "could be compared. A random audit lets the next candidate be judged on all."
    ]


_NEARLY_ALL = 0.02
"""A lowest score of this among the held ones means that hardly anything was published unseen."""


def _approvable(goal: float) -> Callable[..., float]:
    """The share that could be approved automatically at the goal, unable ones never."""

    def measure(
        labels: Floats, scores: Floats, able: npt.NDArray[np.bool_], counts: Floats
    ) -> float:
        limits = np.where(able, scores, np.inf)
        order = np.argsort(limits, kind="stable")
        ordered, counted = limits[order], counts[order]
        weight = np.cumsum(counted)
        wrong = np.cumsum(counted * labels[order])
        last_of_tie = np.append(ordered[1:] > ordered[:-1], True)
        reached = (wrong <= (1 - goal) * weight) & last_of_tie & np.isfinite(ordered)
        return float(weight[reached].max(initial=0) / weight[-1])

    return measure


def _auc(labels: Floats, scores: Floats, _able: npt.NDArray[np.bool_], counts: Floats) -> float:
    return metrics.auc(labels, scores, counts)


def _error(labels: Floats, scores: Floats, _able: npt.NDArray[np.bool_], counts: Floats) -> float:
    """Mean square of what the probability is off (Brier 1950)."""
    return float(np.average((scores - labels) ** 2, weights=counts))


def _what_counts(goal: float) -> dict[str, Figure]:
    percent = f"{100 * goal:g} %"
    return {
        "auc": Figure("telling unwanted comments from others", _auc, 1),
        "approvable": Figure(
            f"the share it could approve with {percent} right", _approvable(goal), 1
        ),
        "error": Figure("how close its probabilities are", _error, -1),
    }


def _compare(asked: Asked, goal: float, seed: int) -> dict[str, Any]:
    """Each figure of both models and the difference, on the same resamples; `better` and `worse`
    where it is sure."""
    counted = _what_counts(goal)
    draw = metrics.resamples(asked.labels, asked.groups, np.random.default_rng(seed))
    values = np.array(
        [_measured(counted, asked, counts * asked.weights) for counts in islice(draw, RESAMPLES)]
    )
    whole = _measured(counted, asked, asked.weights)
    # All figures are looked at, so each has its part of the chance to be wrong.
    part = 100 * CHANCE / 2 / len(counted)
    found: dict[str, Any] = {}
    for number, (name, figure) in enumerate(counted.items()):
        differences = values[:, number, 1] - values[:, number, 0]
        gain = figure.sign * differences
        sure_low, sure_high = np.percentile(gain, [part, 100 - part])
        found[name] = {
            "words": figure.words,
            "current": _interval(whole[number][0], values[:, number, 0]),
            "candidate": _interval(whole[number][1], values[:, number, 1]),
            "difference": _interval(whole[number][1] - whole[number][0], differences),
            "better": bool(sure_low > 0),
            "worse": bool(sure_high < 0),
        }
    return {"compared": found, "right": _right(asked)}


def _measured(
    counted: Mapping[str, Figure], asked: Asked, weights: Floats
) -> list[tuple[float, float]]:
    return [
        (
            figure.measure(asked.labels, asked.current, asked.current_able, weights),
            figure.measure(asked.labels, asked.candidate, asked.candidate_able, weights),
        )
        for figure in counted.values()
    ]


def _interval(value: float, values: Floats) -> dict[str, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return asdict(Interval(float(value), float(low), float(high)))


def _right(asked: Asked) -> dict[str, int]:
    """How many each has right at one half."""
    current, candidate = (
        (scores >= 0.5) == (asked.labels == 1) for scores in (asked.current, asked.candidate)
    )
    return {
        "current": int(current.sum()),
        "candidate": int(candidate.sum()),
        "only_current": int((current & ~candidate).sum()),
        "only_candidate": int((candidate & ~current).sum()),
    }


def _curves(asked: Asked, points: int = 100) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """ROC, and errors among what is approved by the share approved, of both."""
    found = {}
    for name, scores in (("current", asked.current), ("candidate", asked.candidate)):
        _, positives, negatives = metrics.ranking(asked.labels, scores, asked.weights)
        order = np.argsort(scores, kind="stable")
        weight = np.cumsum(asked.weights[order])
        wrong = np.cumsum((asked.weights * asked.labels)[order])
        found[name] = {
            "roc": _thin(
                np.append(0, negatives / negatives[-1]),
                np.append(0, positives / positives[-1]),
                points,
            ),
            "errors": _thin(weight / weight[-1], wrong / weight, points),
        }
    return found


def _thin(x: Floats, y: Floats, points: int) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(x) - 1, points).round().astype(int))
    return [(round(float(x[place]), 4), round(float(y[place]), 4)) for place in places]


def _verdict(better: Sequence[str], worse: Sequence[str], *, few: bool) -> str:
    if worse:
        return f"Not to be promoted: the candidate is worse at {_and(worse)}."
    if better:
        return f"To be promoted: the candidate is better at {_and(better)}, and worse at nothing."
    if few:
        return "Not to be promoted: there are too few later decisions to tell."
    return "Not to be promoted: there is no sure difference; more decisions may show one."


def _too_few(asked: Asked) -> str:
    unwanted = int(asked.labels.sum())
    others = len(asked.labels) - unwanted
    return (
        f"Of the later decisions that could be used, {unwanted} "
        f"{'was a rejection' if unwanted == 1 else 'were rejections'} and {others} "
        f"{'was an approval' if others == 1 else 'were approvals'}; at least {LEAST_OF_A_CLASS} of "
        "each are needed."
    )


def _said(asked: Asked, compared: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """What is surely better, what is worse, and sentences on each figure."""
    figures = compared["compared"]
    better = [one["words"] for one in figures.values() if one["better"]]
    worse = [one["words"] for one in figures.values() if one["worse"]]
    auc = figures["auc"]
    if auc["difference"]["value"] < 0 and auc["words"] not in worse:
        # Better probabilities are no use to a model that sorts worse.
        better = []
    right = compared["right"]
    said = [
        f"On {len(asked.labels):,} later decisions it was right in {right['candidate']:,}, the "
        f"current model in {right['current']:,}: {right['only_candidate']:,} it alone had right, "
        f"{right['only_current']:,} the current model alone."
    ]
    said += [_sentence(name, one) for name, one in figures.items()]
    return better, worse, said


def _sentence(name: str, figure: Mapping[str, Any]) -> str:
    words, tell = _FORMS[name]
    difference = figure["difference"]
    sure = "better" if figure["better"] else "worse" if figure["worse"] else "not enough to tell"
    return (
        f"{words}: {tell(figure['candidate']['value'])}, the current model "
        f"{tell(figure['current']['value'])}. The difference lies between "
        f"{tell(difference['low'])} and {tell(difference['high'])}: {sure}."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _decimal(value: float) -> str:
    return f"{value:.3f}"


_FORMS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "auc": ("Chance that it gives an unwanted comment more than another one", _percent),
    "approvable": ("Share of comments it could approve by itself at the goal", _percent),
    "error": ("Mean square error of its probabilities (less is better)", _decimal),
}


def _of_guard(guard: Guard, failed: Sequence[str]) -> list[str]:
    if not guard.documents and not guard.about:
        return ["There was no guard set to compare them on, so nothing is promoted."]
    if failed:
        return []
    return [
        f"On {len(guard.documents):,} invented sentences and {len(guard.about):,} about each group "
        "of people it is no worse than the current model."
    ]


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
