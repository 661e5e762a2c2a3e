"""Speed of scoring, side by side in one run.

    python benchmarks/scoring.py [--alt PYTHON] [--rounds 7]

Ours against a plain scikit-learn pipeline (TF-IDF of words and pairs, one logistic regression per
head) and, with `--alt`, the alt-profanity-check package in an environment of its own (it pins
another scikit-learn): PYTHON is that environment's interpreter. Comments are invented, about 370
characters long. Every figure is the median of interleaved rounds on one thread.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document
from training import invented

BATCHES = (1, 10, 50, 200, 500, 1000)
LENGTHS = (100, 370, 1000, 5000, 20_000)

Score = Callable[[Sequence[str]], object]

# Runs in the other environment: one line of JSON texts in, one line of seconds out.
ALT = """
import json, sys, time
from profanity_check import predict_prob
predict_prob(["warm up"])
for line in sys.stdin:
    texts = json.loads(line)
    start = time.perf_counter()
    predict_prob(texts)
    print(time.perf_counter() - start, flush=True)
"""


def comments(number: int, length: int, seed: int = 1) -> list[str]:
    """Invented comments of about `length` characters each, no two alike."""
    generator = random.Random(seed)
    sentences = [record.document.text for record in invented.templates(8, seed)]
    texts = []
    for _ in range(number):
        text = ""
        while len(text) < length:
            text += generator.choice(sentences) + " "
        texts.append(text[:length])
    return texts


def plain() -> Score:
    """The plain scikit-learn pipeline, fitted on invented comments."""
    records = list(invented.templates(8, 2))
    labels = [[record.labels.get(head, 0) >= 0.5 for head in HEADS] for record in records]
    for number in range(len(HEADS)):
        labels[number][number] = True
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression()),
    )
    model.fit([record.document.text for record in records], labels)
    return model.predict_proba


class Alt:
    """alt-profanity-check behind a pipe; the time is taken on its side."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, "-c", ALT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, texts: Sequence[str]) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(list(texts)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()


def seconds(score: Callable[[Any], object], given: Sequence[Any]) -> float:
    start = time.perf_counter()
    score(given)
    return time.perf_counter() - start


def batches(classifier: Classifier, alt: Alt | None, rounds: int) -> Iterator[list[str]]:
    """Comments per second by batch size."""
    texts = comments(2000, 370)
    others = plain()
    contenders: dict[str, Callable[[Sequence[str]], float]] = {
        "ours": lambda batch: seconds(
            lambda given: classifier.predict([Document(text) for text in given]), batch
        ),
        "plain scikit-learn": lambda batch: seconds(others, batch),
    }
    if alt:
        contenders["alt-profanity-check"] = alt.seconds
    yield ["batch", *(f"{name}, comments/s" for name in contenders)]
    for size in BATCHES:
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for start in range(0, min(len(texts), size * 10), size):
                for name, run in contenders.items():
                    times[name].append(run(texts[start : start + size]))
        yield [str(size), *(f"{size / statistics.median(t):,.0f}" for t in times.values())]


def single(classifier: Classifier, rounds: int) -> Iterator[list[str]]:
    """Microseconds for one comment alone."""
    yield ["one comment", "µs"]
    documents = [Document(text) for text in comments(300, 370)]

    def both(given: list[Document]) -> None:
        classifier.predict(given)
        classifier.explain(given)

    for name, run in (("scored", classifier.predict), ("scored and explained", both)):
        times = []
        for _ in range(rounds):
            for document in documents:
                start = time.perf_counter()
                run([document])
                times.append(time.perf_counter() - start)
        yield [name, f"{statistics.median(times) * 1e6:.0f}"]


def lengths(classifier: Classifier, rounds: int) -> Iterator[list[str]]:
    """Nanoseconds per character by length: a flat column means linear time."""
    yield ["characters", "µs per comment", "ns per character"]
    for length in LENGTHS:
        documents = [Document(text) for text in comments(50, length)]
        median = statistics.median(
            seconds(classifier.predict, documents) for _ in range(rounds)
        ) / len(documents)
        yield [f"{length:,}", f"{median * 1e6:.1f}", f"{median * 1e9 / length:.1f}"]


def show(rows: Iterator[list[str]]) -> None:
    print()
    for number, row in enumerate(rows):
        print("| " + " | ".join(row) + " |")
        if number == 0:
            print("|" + "---:|" * len(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alt", help="interpreter of an environment with alt-profanity-check")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    start = time.perf_counter()
    classifier = load(DEFAULT_ARTIFACT)
    loaded = time.perf_counter()
    classifier.warm_up()
    print(
        f"Python {sys.version.split()[0]}, {classifier.version}: loaded in "
        f"{(loaded - start) * 1e3:.0f} ms, warm after {(time.perf_counter() - loaded) * 1e3:.0f} ms"
    )
    with contextlib.ExitStack() as stack:
        alt = stack.enter_context(contextlib.closing(Alt(arguments.alt))) if arguments.alt else None
        show(batches(classifier, alt, arguments.rounds))
    show(single(classifier, arguments.rounds))
    show(lengths(classifier, arguments.rounds))


if __name__ == "__main__":
    main()
