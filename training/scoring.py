"""Streams comments through a model: JSON lines in, JSON lines out, in the same order."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Explanation, Prediction

BATCH = 500


class LineError(Exception):
    """A line that is no comment; the message says which and why."""


def score_lines(
    classifier: Classifier, lines: Iterable[bytes], *, source: str, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """One result per line; LineError at the first line that is not an object with a text."""
    numbered = enumerate(lines, start=1)
    documents = (_document(line, f"{source}, line {number}") for number, line in numbered)
    while batch := list(islice(documents, BATCH)):
        predictions = classifier.predict(batch)
        results = [_result(prediction, classifier.version) for prediction in predictions]
        if explain:
            for head in HEADS:
                summed = [prediction.summed(head) for prediction in predictions]
                for result, explanation in zip(
                    results, classifier.explain(batch, summed), strict=True
                ):
                    result.setdefault("explanations", {})[head] = _explanation(explanation)
        yield from results


def _document(line: bytes, place: str) -> Document:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise LineError(f"{place}: not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise LineError(f"{place}: an object with a string 'text' is needed")
    extras = {name: row.get(name) or "" for name in ("name", "website")}
    if not all(isinstance(value, str) for value in extras.values()):
        raise LineError(f"{place}: 'name' and 'website' must be strings")
    return Document(row["text"], **extras)


def _result(prediction: Prediction, version: str) -> dict[str, Any]:
    return {
        "reject": prediction.reject,
        "reasons": {reason.value: p for reason, p in prediction.reasons.items()},
        "able": prediction.able,
        "model": version,
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "head": explanation.head,
        "bias": explanation.bias,
        "elsewhere": explanation.elsewhere,
        "spans": [[span.start, span.end, span.weight] for span in explanation.spans],
    }
