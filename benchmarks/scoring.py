"""Speed of scoring on one thread, side by side with others in one run.

    python -m benchmarks.scoring

Ours against a plain scikit-learn pipeline (TF-IDF of words and pairs, one logistic regression per
head) and the alt-profanity-check package, which runs in the environment of what we compare with,
because it pins other versions. Comments are invented. Every figure is a median of interleaved
rounds, in the processor's time, so that other work on the machine counts for less.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# Before NumPy is loaded: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from benchmarks import isso
from benchmarks.deciding import EARLIER, Decided, decided
from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document
from moderation.domain import Status
from moderation.policy import SiteSettings, decide
from moderation.rules import Facts
from training import invented

OURS, PLAIN, ALT = "ours", "plain scikit-learn", "alt-profanity-check"

BATCHES = (1, 10, 50, 200, 500, 1000)
LENGTHS = (100, 370, 1000, 5000, 20_000)
LENGTH = 370
"""Characters of a comment."""

JOB_SIZES = (50, 200, 500)

HELD = 0.1
"""Share of the comments in a usual stream that are held: the others cost the worker less."""

_DECIDED = 6_000
_WORDS = Path(__file__).with_name("words.txt")

# Runs in the other environment: one line of JSON texts in, one line of seconds out.
_ALT = """
import json, sys, time
from profanity_check import predict_prob
predict_prob(["warm up"])
for line in sys.stdin:
    texts = json.loads(line)
    start = time.process_time()
    predict_prob(texts)
    print(time.process_time() - start, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Scoring:
    """All that was measured.

    `loading`: seconds until the model is there. `rates`: comments a second, by batch size and
    system. `alone`, `explained`: seconds for one comment, without and with its explanation.
    `lengths`: seconds for a comment by its characters. `decisions`: of one worker process, by the
    size of a job; the last where all are held.
    """

    loading: float
    rates: Mapping[int, Mapping[str, float]]
    alone: float
    explained: float
    lengths: Mapping[int, float]
    decisions: Sequence[Decided]


def measure(folder: Path, *, rounds: int) -> Scoring:
    """Measure all of it; `folder` is for the database of the decisions.

    Raises:
        BenchmarkError: the environment of the others could not be made, or a worker failed.
    """
    isso.install()
    loading = median(_seconds(load, DEFAULT_ARTIFACT) for _ in range(rounds))
    classifier = load(DEFAULT_ARTIFACT)
    classifier.warm_up()
    single = [[Document(text)] for text in comments(300, LENGTH)]
    return Scoring(
        loading=loading,
        rates=_rates(classifier, rounds),
        alone=_median(classifier.predict, single * rounds),
        explained=_median(lambda given: _predict_and_explain(classifier, given), single * rounds),
        lengths={length: _at_length(classifier, length, rounds) for length in LENGTHS},
        decisions=[
            decided(
                folder / f"deciding-{size}-{share}",
                stream(classifier, EARLIER + _DECIDED, held=share),
                job_size=size,
            )
            for size, share in [*((size, HELD) for size in JOB_SIZES), (max(JOB_SIZES), 1.0)]
        ],
    )


def comments(number: int, length: int, seed: int = 1) -> list[str]:
    """Invented comments of about `length` characters each, no two alike."""
    generator = random.Random(seed)
    sentences = [record.document.text for record in invented.templates(8, seed, 1)]
    texts = []
    for _ in range(number):
        text = ""
        while len(text) < length:
            text += generator.choice(sentences) + " "
        texts.append(text[:length])
    return texts


def stream(classifier: Classifier, number: int, *, held: float) -> list[str]:
    """Invented comments of about `LENGTH` characters of which the model has a share held, evenly
    spread; the others are of everyday words."""
    generator = random.Random(number)
    words = _WORDS.read_text().split()
    plain = _judged(
        classifier, (_everyday(words, generator) for _ in range(2 * number)), held=False
    )
    unwanted = _judged(classifier, iter(comments(number + 100, LENGTH, seed=2)), held=True)
    return [
        next(unwanted if int((place + 1) * held) > int(place * held) else plain)
        for place in range(number)
    ]


def _everyday(words: Sequence[str], generator: random.Random) -> str:
    return " ".join(generator.choices(words, k=LENGTH // 5))[:LENGTH]


def _judged(classifier: Classifier, texts: Iterable[str], *, held: bool) -> Iterator[str]:
    """Those of the texts that the model would have held, or would not."""
    for text in texts:
        (prediction,) = classifier.predict([Document(text)])
        decision = decide(
            prediction,
            Facts(text, "", "", False, 0, 0),
            SiteSettings(),
            model=None,
            thresholds=classifier.thresholds,
        )
        if (decision.status is Status.HELD) == held:
            yield text


def _rates(classifier: Classifier, rounds: int) -> dict[int, dict[str, float]]:
    texts = comments(2 * max(BATCHES), LENGTH)
    plain = _plain()
    rates = {}
    with _alt() as alt:
        systems: dict[str, Callable[[Sequence[str]], float]] = {
            OURS: lambda batch: _seconds(
                lambda given: classifier.predict([Document(text) for text in given]), batch
            ),
            PLAIN: lambda batch: _seconds(plain, batch),
            ALT: alt,
        }
        for size in BATCHES:
            starts = range(0, min(len(texts), size * 10), size)
            times: dict[str, list[float]] = {name: [] for name in systems}
            for start in list(starts) * rounds:
                for name, run in systems.items():
                    times[name].append(run(texts[start : start + size]))
            rates[size] = {name: size / median(taken) for name, taken in times.items()}
    return rates


def _plain() -> Callable[[Sequence[str]], object]:
    """The plain scikit-learn pipeline, fitted on invented comments."""
    records = list(invented.templates(8, 2, 1))
    labels = [[record.labels.get(head, 0) >= 0.5 for head in HEADS] for record in records]
    for number in range(len(HEADS)):
        labels[number][number] = True
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression()),
    )
    model.fit([record.document.text for record in records], labels)
    predict: Callable[[Sequence[str]], object] = model.predict_proba
    return predict


@contextmanager
def _alt() -> Iterator[Callable[[Sequence[str]], float]]:
    """alt-profanity-check behind a pipe; the time is taken on its side."""
    with subprocess.Popen(
        [isso.program("python"), "-c", _ALT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def seconds(texts: Sequence[str]) -> float:
            questions.write(json.dumps(list(texts)) + "\n")
            questions.flush()
            return float(answers.readline())

        yield seconds


def _predict_and_explain(classifier: Classifier, documents: Sequence[Document]) -> None:
    reading = classifier.read(documents)
    reading.explain([prediction.summed(REJECT) for prediction in reading.predictions])


def _at_length(classifier: Classifier, length: int, rounds: int) -> float:
    documents = [Document(text) for text in comments(50, length)]
    return _median(classifier.predict, [documents] * rounds) / len(documents)


def _median(run: Callable[[Any], object], given: Sequence[Any]) -> float:
    return median(_seconds(run, one) for one in given)


def _seconds(run: Callable[[Any], object], given: Any) -> float:
    start = time.process_time()
    run(given)
    return time.process_time() - start


def main() -> None:
    """Measure, and print the figures as they stand in the report."""
    from benchmarks.report import scoring_tables  # noqa: PLC0415  (the report knows this module)

    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder:
        print(scoring_tables(measure(Path(folder), rounds=7)))


if __name__ == "__main__":
    main()
