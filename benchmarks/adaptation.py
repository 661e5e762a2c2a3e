"""How well, how fast and how small a site's own model is, against the number of its labels.

    python -m benchmarks.adaptation sites --data DIR --models DIR --output FILE.jsonl
    python -m benchmarks.adaptation cost --data DIR --models DIR --output FILE.jsonl
    python -m benchmarks.adaptation page FILE.jsonl ... --output docs/benchmarks-adaptation.md

Sets of labelled comments stand for sites. The general model of each was trained without it, and is
kept in `--models` for the next run. A history is a random order of the comments (of pages, where
there are pages); the last third, at most 3,000, is what comes later, and is only judged. Single
thread.
"""

import os

# Before NumPy is loaded: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks import adaptation_page
from benchmarks.adaptation_page import Site
from moderation.classifier import artifact
from moderation.classifier.adaptation import adapted
from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document
from training import recipe as recipes
from training.adapt import Example, fit
from training.datasets.loading import load_set
from training.metrics import auc
from training.progress import progress_bars
from training.train import Table, collect, parameters
from training.train import fit as train

LATER = 3000
NOW = 1_800_000_000_000
LABELS = 10_000
BATCH, ROUNDS = 200, 5
OPEN = 3
"""Pages that are commented on at a time."""

_LATIN = "abcdefghijklmnopqrstuvwxyz"
_OTHER = "оейтнвлкъмпхсюыщгзрдуябцшф"
_CIPHER = str.maketrans(_LATIN + _LATIN.upper(), _OTHER + _OTHER.upper())


SMALL, LARGE = (50, 100, 200, 500), (100, 500, 1000, 2000)
NEWS = ("civil_toxic_spans", "fox_news_comments")
TWEETS, WIKIPEDIA = ("davidson_tweets",), ("cat_wikipedia_natural",)
CHATS, PHONES = ("youtube_spam", "tg_spam"), ("scamspot_instagram", "sms_spam")

SITES = (
    Site("news, toxic or borderline", NEWS[0], NEWS, 3, (*LARGE, 5000), tuned=True),
    Site("news, hate speech", NEWS[1], NEWS, 20, SMALL, page="article", tuned=True),
    Site("tweets, offensive", TWEETS[0], TWEETS, 3, (50, *LARGE), tuned=True),
    Site("YouTube spam", CHATS[0], CHATS, 10, SMALL, tuned=True),
    Site("tweets, 1 decision in 10 wrong", TWEETS[0], TWEETS, 3, (100, 500, 1000, 4000), noise=0.1),
    Site("tweets, in a cipher", TWEETS[0], TWEETS, 3, (100, 200, 400, 800), cipher=True),
    Site("Wikipedia, 1 % toxic", WIKIPEDIA[0], WIKIPEDIA, 3, LARGE),
    Site("sentences about groups", "toxigen_safenlp", (), 6, LARGE, page="target"),
    Site("Russian chats, spam", CHATS[1], CHATS, 20, SMALL),
    Site("Instagram spam", PHONES[0], PHONES, 6, SMALL, page="page"),
    Site("text messages, spam", PHONES[1], PHONES, 6, SMALL),
)


@dataclass(frozen=True, slots=True)
class Comments:
    """Of a site."""

    documents: Sequence[Document]
    unwanted: npt.NDArray[np.float64]
    pages: Sequence[str]


_data = click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True
)
_models = click.option("--models", type=click.Path(file_okay=False, path_type=Path), required=True)
_output = click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)


@click.group()
def main() -> None:
    """Measure what labels give a site."""


@main.command()
@_data
@_models
@_output
@click.option("--only", multiple=True, help="Name of a site to measure; default: all of them.")
def sites(data: Path, models: Path, output: Path, only: tuple[str, ...]) -> None:
    """AUC against labels, appended as JSON, one line a site."""
    for site in SITES:
        if not only or site.name in only:
            found = measure(site, general(data, models, site.without), read(data, site))
            _append(output, {"site": site.name, **found})
            print(site.name, {count: round(mean(x), 4) for count, x in found["gains"].items()})


@main.command()
@_data
@_models
@_output
def cost(data: Path, models: Path, output: Path) -> None:
    """Time to train, size, and time to score, appended as JSON."""
    site = SITES[0]
    base, given = general(data, models, site.without), read(data, site)
    examples = _examples(given, given.unwanted, range(LABELS))
    start, began = time.process_time(), time.perf_counter()
    adaptation = fit(base, examples, name="site", now=NOW)
    seconds, elapsed = time.process_time() - start, time.perf_counter() - began
    _append(
        output,
        {
            "seconds": seconds,
            "elapsed": elapsed,
            "bytes": len(adaptation.to_bytes()),
            "features": len(adaptation.weights.buckets),
            "ratios": ratios(base, adapted(base, adaptation), given.documents[-LATER:]),
        },
    )


def ratios(base: Classifier, own: Classifier, documents: Sequence[Document]) -> dict[str, float]:
    """Time of the site's model by that of the general one, medians of rounds that take turns."""
    batches = [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
    for classifier in (base, own):
        classifier.warm_up()

    def scored(classifier: Classifier, batch: Sequence[Document]) -> None:
        classifier.read(batch)

    def explained(classifier: Classifier, batch: Sequence[Document]) -> None:
        classifier.read(batch).explain([REJECT] * len(batch), most=5)

    return {
        what.__name__: median(
            _seconds(what, own, batch) / _seconds(what, base, batch) for batch in batches * ROUNDS
        )
        for what in (scored, explained)
    }


def _seconds(
    what: Callable[[Classifier, Sequence[Document]], None],
    classifier: Classifier,
    batch: Sequence[Document],
) -> float:
    start = time.process_time()
    what(classifier, batch)
    return time.process_time() - start


@main.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_output
def page(files: tuple[Path, ...], output: Path) -> None:
    """Write what was measured as Markdown, with a plot beside it in images/adaptation.svg."""
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    found = {line["site"]: line for line in lines if "site" in line}
    costs = [line for line in lines if "seconds" in line]
    measured = [site for site in SITES if site.name in found]
    output.write_text(adaptation_page.markdown(measured, found, costs), "utf-8")
    plot = output.parent / "images" / "adaptation.svg"
    plot.write_text(adaptation_page.svg(measured, found), "utf-8")


def _append(output: Path, line: Mapping[str, Any]) -> None:
    with output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def general(data: Path, models: Path, without: tuple[str, ...]) -> Classifier:
    """The shipped model, or one like it that was trained without some sets."""
    if not without:
        return artifact.load(DEFAULT_ARTIFACT)
    path = model_path(models, without)
    if not path.exists():
        recipe = recipes.read(recipes.DEFAULT_RECIPE)
        sets = [item for item in recipe.sets if item.name not in without]
        recipe = recipe.model_copy(update={"sets": sets})
        with progress_bars(Console(stderr=True)) as progress:
            table = Table(collect(recipe, [load_set(data, item) for item in sets]), recipe)
            model = train(recipe, table, 1, progress)
        metadata = {
            "name": "without",
            "date": recipe.date,
            "languages": recipe.languages,
            "thresholds": dict.fromkeys(HEADS, 0.5),
        }
        artifact.dump(path, parameters(model), metadata)
    return artifact.load(path)


def model_path(models: Path, without: tuple[str, ...]) -> Path:
    """Where `general` keeps the model that was trained without some sets."""
    return models / f"without-{'-'.join(without)}.safetensors" if without else DEFAULT_ARTIFACT


def read(data: Path, site: Site) -> Comments:
    """The set's comments, as the site has them."""
    with gzip.open(data / f"{site.file}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    # The reported rows of this set keep their capitals, and nearly all of them are spam.
    rows = [row for row in rows if row.get("split") != "reported"]
    texts = [row["text"].translate(_CIPHER) if site.cipher else row["text"] for row in rows]
    names = [str(row.get("author") or "") for row in rows]
    return Comments(
        [Document(text, name) for text, name in zip(texts, names, strict=True)],
        np.array([float(row["label"]) for row in rows]),
        [str(row.get(site.page, "")) for row in rows],
    )


def measure(site: Site, base: Classifier, given: Comments) -> dict[str, Any]:
    """AUC of the general model on later comments ("general"), and what labels add to it ("gains",
    by count), for each history."""
    found: list[float] = []
    gains: dict[int, list[float]] = {}
    for number in range(site.histories):
        generator = np.random.default_rng(number)
        order = history(given.pages, generator)
        size = min(LATER, len(order) // 3)
        earlier, later = order[:-size], order[-size:]
        turned = generator.random(len(order)) < site.noise
        unwanted = np.where(turned, 1 - given.unwanted, given.unwanted)
        documents, labels = [given.documents[row] for row in later], unwanted[later]
        before = auc(labels, _reject(base, documents))
        found.append(before)
        for count in site.counts:
            if count <= len(earlier):
                examples = _examples(given, unwanted, earlier[:count])
                own = adapted(base, fit(base, examples, name="site", now=NOW))
                gains.setdefault(count, []).append(auc(labels, _reject(own, documents)) - before)
    return {"general": found, "gains": gains}


def history(pages: Sequence[str], generator: np.random.Generator) -> list[int]:
    """The order in which comments come."""
    names = np.unique(pages)
    place = dict(zip(names.tolist(), generator.permutation(len(names)).tolist(), strict=True))
    moments = [
        place[page] + 3 * chance
        for page, chance in zip(pages, generator.random(len(pages)), strict=True)
    ]
    order: list[int] = np.argsort(moments).tolist()
    return order


def _examples(
    given: Comments, unwanted: npt.NDArray[np.float64], rows: Sequence[int]
) -> list[Example]:
    return [
        Example(
            text=given.documents[row].text,
            name=given.documents[row].name,
            page=given.pages[row],
            labelled_at=NOW - 60_000 * (len(rows) - number),
            unwanted=unwanted[row],
        )
        for number, row in enumerate(rows)
    ]


def _reject(classifier: Classifier, documents: Sequence[Document]) -> npt.NDArray[np.float64]:
    return classifier.log_odds(documents)[0][:, HEADS.index(REJECT)]


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.adaptation")
