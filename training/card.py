"""The model card: what a model was made of, what it is for, and how well it does."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moderation.classifier.pipeline import Classifier

MEASURED = Path(__file__).with_name("recipes")
"""Where `ablation.json` and `left_out.json` of the shipped recipe are, as the commands
`python -m training.ablation` and `python -m training.left_out` write them."""

_PURPOSE = """\
## For, and not for

It sorts reader comments in English for moderators: what is very probably fine may be published,
everything else waits for a person. It is not for judging people, for other languages, for private
messages, for deciding what is against the law, or for rejecting anything without a person being
able to see it.

Probabilities are calibrated on a mixture of the sets below, in which unwanted comments are more
frequent than on most sites: on yours they will be too high or too low, and thresholds should be
chosen from your own moderators' decisions. Read the figures of sets left out first: they are
nearer to what a new site will see than those of the sets it was trained on.

## How it works

Hashes of characters, words and what stands around them, one weight per feature and head, added up.
Disguised words (look-alike letters, digits and signs for letters, spaces, invisible characters,
repeated letters) are read as what they were meant to be. Listed terms for groups of people, of
several words too, are read as one and the same word, so that what is learnt of one holds for all.
About 7,500 words and terms have a part (they deny, praise, disparage, threaten, tell, condemn, name
a group or a thing), and the order of up to four of these is a feature too.
Each head combines linear models of several kinds of label (see `training/datasets/formats.py`),
on comments that those had not seen, which calibrates it too.

## Known failures

- Words are judged with little context: irony, allusion and politeness that wounds go unseen, and
  so does most hatred that needs no strong word. The comment that is answered, the article and the
  thread are not looked at.
- A slur quoted in order to condemn it, or used by a group of itself, is often held.
- Swearing without a victim scores as unwanted, because raters of the training sets called it so.
- Groups whose names are not in the list (`training/words/groups.txt`) are words like any other:
  there the model may have learnt that a name alone is suspect.
- News comments and comments of other kinds than the training sets are judged clearly less well
  than talk pages: see the figures, set by set.
- Dialects are a known weakness of the tweets used, whose raters marked African-American English
  too often; they have little weight.
- Comments in other languages, and those without a word that it knows, are left to a person. One
  in another language that happens to consist of English words is judged all the same.
- Hatred denied or condemned is often held, and hatred by implication missed: see the kinds of
  sentences below.
- Whoever can ask the model often enough finds a wording that it lets through.
- The sets are from 2011 to 2023: newer slang, newer spam and newer events are unknown.
- Labels are opinions of few raters, for one set half an opinion of another model
  (`cat_wikipedia_natural` comes with scores of Perspective); what all of them overlooked, it
  learnt to overlook.
"""


def model_card(classifier: Classifier, measured: Path = MEASURED) -> str:
    """The card of a model, in Markdown, from its metadata and from what was measured of its recipe
    if the folder `measured` has it."""
    metadata = classifier.metadata
    parts = [
        f"# Model card: {classifier.version}\n",
        "Written by the training command from the model's own metadata.\n",
        _PURPOSE,
        "## Data\n",
        *_data(metadata),
        "\nOn top of these, invented for this project: "
        f"{metadata['invented']['templates']:,} sentences from templates and "
        f"{metadata['invented']['disguised']:,} copies of comments above with words disguised. "
        "None is in the figures of the next section. `toxigen_safenlp` is not trained on: its "
        "authors mean it for research only.\n",
        "## Figures\n",
        f"Of models that had seen neither the comment nor its group (thread, page, video, near "
        f"repeats): each set was split by group into {metadata['recipe']['folds']} parts and "
        "judged by a model trained on the others. The shipped model is trained on all parts. In "
        "brackets 95 % intervals, bootstrapped by group. *Approved* is the share of comments below "
        "the threshold, *right* the share of those that their label calls publishable (Wilson "
        "interval). Labels mean something else in every set. The handful of numbers by which a "
        "head combines its tasks rests on models of other parts, so that they are not quite free "
        "of the part judged.\n",
        *_figures(metadata),
        "\nOrdinary comments with a probability of spam above one half:\n",
        *(
            f"- {source}: {share['value']:.3%} of {share['comments']:,} "
            f"({share['low']:.3%}–{share['high']:.3%})"
            for source, share in metadata["false_alarms"].items()
        ),
        "\nRejected comments found at one half (head reject), and the same comments with their "
        "telling words disguised:\n",
        *(
            f"- {name}: {_interval(share)} of {share['comments']:,}"
            for name, share in metadata["recall_disguised"].items()
        ),
        "\n## Sentences about groups of people\n",
        *_kinds(metadata["kinds"]),
        "",
        *_identities(metadata["identities"]),
        *_left_out(_measured(measured / "left_out.json", metadata)),
        "\n## Thresholds\n",
        f"A comment is held from this probability on; goal: {metadata['goal']:.0%} of the "
        "comments below it are right, over all sets, and never above one half.\n",
        *(f"- {head}: {value:.3f}" for head, value in metadata["thresholds"].items()),
        *_ablation(_measured(measured / "ablation.json", metadata)),
        "\n## Made with\n",
        *(f"- {name} {number}" for name, number in metadata["libraries"].items()),
    ]
    return "\n".join(parts) + "\n"


def _data(metadata: Mapping[str, Any]) -> Iterator[str]:
    yield "| set | comments | licence | attribution | SHA-256 |"
    yield "|---|---:|---|---|---|"
    for item in metadata["data"]:
        yield (
            f"| {item['name']} | {item['rows']:,} | {item['licence']} | {item['attribution']} "
            f"| `{item['sha256'][:16]}…` |"
        )


def _figures(metadata: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "| set | head | comments | unwanted | AUC | recall at 5 % false positives "
        "| F1 at 0.5 | calibration error | approved | right |"
    )
    yield "|---|---|---:|---:|---|---|---|---|---:|---|"
    for source, heads in metadata["metrics"].items():
        for head, figures in heads.items():
            yield (
                f"| {source} | {head} | {figures['comments']:,} | {figures['positives']:,} "
                f"| {_interval(figures['auc'])} "
                f"| {_interval(figures['recall_at_5_percent_false_positives'])} "
                f"| {_interval(figures['f1'])} "
                f"| {_interval(figures['calibration_error'])} "
                f"| {figures['approved']['share']:.0%} "
                f"| {_interval(figures['approved']['right'])} |"
            )


def _kinds(kinds: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Invented sentences by kind, judged by models fitted on neither them nor the words in "
        "their slots (of lists of twelve and more), though the part of these words was listed: "
        "share that head reject has on the right side of one "
        f"half. Means over kinds: unwanted {kinds['means']['unwanted']:.3f}, harmless "
        f"{kinds['means']['harmless']:.3f}.\n"
    )
    yield "| kind | should be | sentences | right |"
    yield "|---|---|---:|---|"
    for name, kind in kinds["kinds"].items():
        yield (
            f"| {name} | {'held' if kind['unwanted'] else 'published'} "
            f"| {kind['right']['comments']:,} | {_interval(kind['right'])} |"
        )


def _identities(identities: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Sentences that no model is trained on, with every group in the same place: how well "
        "hateful and harmless ones are told apart, and the widest gap between two groups in the "
        "share of harmless ones at or above one half; with words that are new to the model, and "
        "with words that it knows.\n"
    )
    yield "| words | head | AUC | gap |"
    yield "|---|---|---|---|"
    for words, heads in identities.items():
        for head, figures in heads.items():
            row = " | ".join(_interval(figure) for figure in figures.values())
            yield f"| {words} | {head} | {row} |"


def _measured(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was measured of the model's own recipe, if anything."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return content if content.get("recipe") == metadata["name"] else None


def _note(content: Mapping[str, Any]) -> Iterator[str]:
    """What has to be known of the measurement: that it was made before the recipe changed."""
    if "note" in content:
        yield f"{content['note']}\n"


def _left_out(content: dict[str, Any] | None) -> Iterator[str]:
    if not content:
        return
    yield "\n## Figures of sets left out\n"
    yield from _note(content)
    yield (
        "Each set judged by a model of all the others, that is by one that has seen no comment of "
        "its kind.\n"
    )
    yield (
        "| set left out | head | comments | unwanted | AUC | recall at 5 % false positives "
        "| F1 at 0.5 | calibration error |"
    )
    yield "|---|---|---:|---:|---|---|---|---|"
    for row in content["sets"]:
        yield (
            f"| {row['set']} | {row['head']} | {row['comments']:,} | {row['positives']:,} "
            f"| {_interval(row['auc'])} "
            f"| {_interval(row['recall_at_5_percent_false_positives'])} "
            f"| {_interval(row['f1'])} | {_interval(row['calibration_error'])} |"
        )


def _ablation(content: dict[str, Any] | None) -> Iterator[str]:
    if not content:
        return
    yield "\n## What each family of features gives\n"
    yield from _note(content)
    yield (
        "One task at a time, without combining them, each third of the comments judged by models "
        "of the others; in brackets 95 % bootstrap intervals. *Toxic*: AUC on talk pages. "
        "*Recall*: share of toxic comments there with a probability of one half and more, as "
        "written and *disguised*. *Templates*: AUC of identity attack on sentences of unseen "
        "templates. *Spam*: AUC and best F1 over all sets of spam.\n"
    )
    yield "| features | number | toxic | recall | disguised | templates | spam | F1 of spam |"
    yield "|---|---:|---|---|---|---|---|---|"
    for row in content["variants"]:
        names = ("toxic", "recall", "recall disguised", "templates", "spam", "spam F1")
        figures = " | ".join(_interval(row[name]) for name in names)
        yield f"| {row['variant']} | {row['features']:,} | {figures} |"


def _interval(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
