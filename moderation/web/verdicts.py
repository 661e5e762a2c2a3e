"""What the gate said of a model, as plots."""

from collections.abc import Mapping
from typing import Any

from moderation.web.plots import Data, Plot, Series, columns

_MODELS = {"current": "current model", "candidate": "this model"}


def plots(figures: Mapping[str, Any]) -> list[Plot]:
    """Of the figures of a model's report: those that there are."""
    compared, guard = figures.get("compared", {}), figures.get("guard", {})
    found = []
    if "auc" in compared:
        found.append(_telling_apart(compared["auc"], figures["later"]))
    if "approvable" in compared:
        found.append(_held(compared["approvable"], figures["goal"]))
    sentences = {
        place: guard[key]
        for place, key in (("of every kind", "sentences"), ("about groups of people", "groups"))
        if key in guard
    }
    if sentences:
        found.append(_guard(sentences))
    if "gap" in guard:
        found.append(_gap(guard["gap"]))
    return found


def _telling_apart(figure: Mapping[str, Any], later: int) -> Plot:
    data = Data(
        "Telling unwanted comments from others",
        "Chance that it gives an unwanted comment more than another one (AUC); 50\u00a0% is "
        "guessing. More is better.",
        [f"{later:,} later decisions"],
        [
            Series(key, name, [figure[key]["value"]], [(figure[key]["low"], figure[key]["high"])])
            for key, name in _MODELS.items()
        ],
        axis="On",
    )
    return columns(data, bottom=0.5, top=1.0, words=_percent)


def _held(figure: Mapping[str, Any], goal: float) -> Plot:
    data = Data(
        "Held at the goal",
        f"Share of the comments on which a person would have to decide if {100 * goal:g}\u00a0% of "
        "what is approved is to be right. Less is better.",
        ["later decisions"],
        [
            Series(
                key,
                name,
                [1 - figure[key]["value"]],
                [(1 - figure[key]["high"], 1 - figure[key]["low"])],
            )
            for key, name in _MODELS.items()
        ],
        axis="On",
    )
    return columns(data, top=1.0, words=_percent)


def _guard(sentences: Mapping[str, Mapping[str, Any]]) -> Plot:
    data = Data(
        "Invented sentences",
        "The same chance on sentences that are the same for every site. It may not be "
        "noticeably less.",
        list(sentences),
        [
            Series(key, name, [one[key] for one in sentences.values()])
            for key, name in _MODELS.items()
        ],
        axis="Sentences",
    )
    return columns(data, bottom=0.5, top=1.0, words=_percent)


def _gap(figure: Mapping[str, Any]) -> Plot:
    widest = max(figure[key] for key in _MODELS)
    top = next(end for end in (0.1, 0.2, 0.4, 1.0) if end >= widest)
    data = Data(
        "Groups of people treated alike",
        "Widest gap between two groups in the share of harmless sentences naming them that would "
        "be held. Less is better.",
        ["harmless sentences"],
        [Series(key, name, [figure[key]]) for key, name in _MODELS.items()],
        axis="On",
    )
    return columns(data, top=top, words=_percent)


def _percent(share: float) -> str:
    whole = round(100 * share, 6)
    return f"{whole:.0f}\u00a0%" if whole == round(whole) else f"{whole:.1f}\u00a0%"
