"""Streams comments through a model: JSON lines in, JSON lines out, in the same order."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document, Explanation, Prediction

BATCH = 500


def score_lines(
    classifier: Classifier, lines: Iterable[bytes], *, source: str, explain: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """Batches of results, one per line; for a line that is not an object with a text, what is wrong
    with it under "error"."""
    numbered = enumerate(lines, start=1)
    while batch := list(islice(numbered, BATCH)):
        read = [_document(line, f"{source}, line {number}") for number, line in batch]
        documents = [one for one in read if isinstance(one, Document)]
        results = iter(_results(classifier, documents, explain=explain))
        yield [next(results) if isinstance(one, Document) else {"error": one} for one in read]


def _document(line: bytes, place: str) -> Document | str:
    """The comment in a line, or what is wrong with it."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"{place}: not JSON: {error}"
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return f"{place}: an object with a string 'text' is needed"
    extras = {name: row.get(name) or "" for name in ("name", "website")}
    if not all(isinstance(value, str) for value in extras.values()):
        return f"{place}: 'name' and 'website' must be strings"
    return Document(row["text"], **extras)


def _results(
    classifier: Classifier, documents: Sequence[Document], *, explain: bool
) -> list[dict[str, Any]]:
    if not explain:
        return [_result(one, classifier.version) for one in classifier.predict(documents)]
    reading = classifier.read(documents)
    results = [
        _result(one, classifier.version) | {"explanations": {}} for one in reading.predictions
    ]
    for head in HEADS:
        explanations = reading.explain([one.summed(head) for one in reading.predictions])
        for result, explanation in zip(results, explanations, strict=True):
            result["explanations"][str(head)] = _explanation(explanation)
    return results


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
        "spans": list(map(list, explanation.spans)),
    }
