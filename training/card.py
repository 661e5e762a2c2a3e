"""The model card: what a model was made of, what it is for, and how well it does."""

from collections.abc import Iterator, Mapping
from typing import Any

from moderation.classifier.pipeline import Classifier

_PURPOSE = """\
## For, and not for

It sorts reader comments in English for moderators: what is very probably fine may be published,
everything else waits for a person. It is not for judging people, for other languages, for
private messages, or for rejecting anything without a person being able to see it.

Probabilities are calibrated on a mixture of the sets below, in which unwanted comments are more
frequent than on most sites; thresholds should be chosen from a site's own decisions.

## Known failures

- Words are judged with little context: irony, allusion and politeness that wounds go unseen.
- Naming a group of people raises the score of harmless comments.
- Comments unlike those of the training sets, news comments among them, are judged less well.
- The name and the website of the author are not looked at.
"""


def model_card(classifier: Classifier) -> str:
    """The card of a model, in Markdown, from its metadata alone."""
    metadata = classifier.metadata
    parts = [
        f"# Model card: {classifier.version}\n",
        "Written by the training command from the model's own metadata.\n",
        _PURPOSE,
        "## Data\n",
        *_data(metadata),
        "\n## Figures\n",
        "On comments that neither the weights nor the calibration nor the thresholds have seen, "
        "set by set, with 95 % bootstrap intervals. *Approved* is the share of comments below the "
        "threshold, *right* the share of those that their label calls publishable (Wilson "
        "interval).\n",
        *_figures(metadata),
        "\n## Thresholds\n",
        f"A comment is held from this probability on; goal: {metadata['goal']:.0%} of the "
        "comments below it are right.\n",
        *(f"- {head}: {value:.3f}" for head, value in metadata["thresholds"].items()),
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
        "| calibration error | approved | right |"
    )
    yield "|---|---|---:|---:|---|---|---|---:|---|"
    for source, heads in metadata["metrics"].items():
        for head, figures in heads.items():
            yield (
                f"| {source} | {head} | {figures['comments']:,} | {figures['positives']:,} "
                f"| {_interval(figures['auc'])} "
                f"| {_interval(figures['recall_at_5_percent_false_positives'])} "
                f"| {_interval(figures['calibration_error'])} "
                f"| {figures['approved']['share']:.0%} "
                f"| {_interval(figures['approved']['right'])} |"
            )


def _interval(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
