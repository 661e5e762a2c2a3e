"""How our scores compare with Perspective's own, on comments that carry them.

    python -m benchmarks.perspective cat_wikipedia_natural.jsonl.gz

Prints aggregates only, as the tables of docs/perspective.md. Each row of the file has `text`,
`label` (1: toxic by majority of three raters) and `perspective_score`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.prediction import Document, Reason
from training.datasets.columns import read_rows
from training.datasets.rows import Skipped
from training.metrics import auc, bootstrap, recall_at
from training.report import interval

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Of Perspective's TOXICITY, as sites use them."""

_SEED = 1

Floats = npt.NDArray[np.float64]


def compare(path: Path) -> str:
    """The tables."""
    rows = [row for _, row in read_rows(path, Skipped(), {})]
    labels = np.array([float(row["label"]) for row in rows])
    theirs = np.array([float(row["perspective_score"]) for row in rows])
    predictions = load(DEFAULT_ARTIFACT).predict([Document(str(row["text"])) for row in rows])
    ours = {
        "`TOXICITY`": np.array([p.reasons[Reason.TOXIC] for p in predictions]),
        "`LIKELY_TO_REJECT`": np.array([p.reject for p in predictions]),
    }
    systems = {"Perspective’s `TOXICITY`": theirs} | {f"our {n}": s for n, s in ours.items()}
    able = np.mean([p.able for p in predictions])
    return "\n".join(
        [
            f"{len(rows):,} comments, {labels.sum():.0f} of them toxic; our model says that it can "
            f"judge {able:.1%}.",
            "",
            *_quality(labels, systems, theirs),
            "",
            *_thresholds(theirs, labels, ours),
        ]
    )


def _quality(labels: Floats, systems: Mapping[str, Floats], theirs: Floats) -> Sequence[str]:
    lines = [
        "| | AUC | Found at 5 % false positives | Rank correlation with Perspective’s |",
        "|---|---|---|---|",
    ]
    for name, scores in systems.items():
        area = interval(bootstrap(auc, labels, scores, _SEED))
        found = interval(bootstrap(recall_at(0.05), labels, scores, _SEED))
        rank = float(spearmanr(scores, theirs).statistic)
        lines.append(f"| {name} | {area} | {found} | {rank:.2f} |")
    return lines


def _thresholds(theirs: Floats, labels: Floats, ours: Mapping[str, Floats]) -> Sequence[str]:
    names = " | ".join(f"our {name}" for name in ours)
    lines = [
        f"| Perspective’s `TOXICITY` | At or above it | Of the toxic ones | {names} |",
        "|---|---|---|" + "---|" * len(ours),
    ]
    for threshold in THRESHOLDS:
        above = theirs >= threshold
        same = [np.quantile(scores, 1 - above.mean()) for scores in ours.values()]
        equal = " | ".join(f"{value:.2f}" for value in same)
        found = np.average(above, weights=labels)
        lines.append(f"| {threshold:.2f} | {above.mean():.2%} | {found:.0%} | {equal} |")
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    print(compare(parser.parse_args().file))


if __name__ == "__main__":
    main()
