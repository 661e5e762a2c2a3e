"""A simulated newspaper, run whole through the service: how it learns from who moderates it.

    python -m benchmarks.newspaper run --site NAME --data DIR --models DIR --output FILE.jsonl
    python -m benchmarks.newspaper page FILE.jsonl ... --output docs/benchmarks-newspaper.md

Comments of a set are posted over HTTP to a `moderation up` of its own, whose general model was
trained without the set. What it holds, and what it draws for the random audit, is decided over the
desk's API as the set's labels say. After so many decisions the trainer trains, the gate judges, and
a model that it recommends is promoted and scores again what is held. Then the model that decides
scores later comments, which are never posted.
"""

import os

# Before NumPy is loaded: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import urllib3
from rich.console import Console
from sqlalchemy import func, select

from benchmarks import adaptation, newspaper_page, servers
from benchmarks.adaptation import Comments
from benchmarks.load import BenchmarkError
from benchmarks.newspaper_page import COUNTS, PAPERS, Paper
from moderation import site_settings
from moderation.access import accounts, tokens
from moderation.classifier import artifact
from moderation.classifier.adaptation import Adaptation, adapted
from moderation.classifier.prediction import REJECT, Document
from moderation.clock import now_ms
from moderation.db import Database
from moderation.domain import ActorKind, EventKind, Status
from moderation.learning import audits, site_models, training_runs
from moderation.models import Comment, Event
from moderation.policy import SiteSettings
from moderation.queues import connect, enqueue_train
from moderation.rules import Rules
from moderation.running.redis_server import RedisServer
from moderation.schemas import prose
from training import metrics

LATER = 3000
AUDIT_SHARE = 0.05
"""Of what is published by itself; more than a site would draw, because it has fewer comments."""

BATCH = 200
"""Comments that come in before the moderators look again."""

AFTER = 500
"""Comments that come in after the last training, so that there is something to say of its model."""

RESAMPLES = 1000
PAGE = 20
"""Comments of a page, where the set has no pages."""

SITE = "demo"
_WAIT = 900.0
_AT_ONCE = 8

console = Console(stderr=True, highlight=False)


@click.group()
def main() -> None:
    """Simulate newspapers."""


@main.command()
@click.option("--site", "name", type=click.Choice([paper.name for paper in PAPERS]), required=True)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--decisions", default=COUNTS[-1], show_default=True, type=click.IntRange(0))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def run(name: str, data: Path, models: Path, decisions: int, output: Path) -> None:
    """Run one newspaper, and append what was measured as a line of JSON."""
    (paper,) = [one for one in PAPERS if one.name == name]
    adaptation.general(data, models, paper.site.without)  # Trained now, if it was not before.
    model = adaptation.model_path(models, paper.site.without)
    given = adaptation.read(data, paper.site)
    counts = [count for count in paper.counts if count <= decisions]
    # Not in the system's folder for temporary files: that one may be kept in memory.
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=Path(__file__).parents[1]) as folder,
        started(Path(folder) / "home", paper, model) as service,
    ):
        found = simulate(service, given, counts)
    with output.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"site": paper.name, **found}) + "\n")


@main.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def page(files: tuple[Path, ...], output: Path) -> None:
    """Write what was measured as Markdown, with a plot beside it in images/newspaper.svg."""
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    found = {line["site"]: line for line in lines}
    output.write_text(newspaper_page.markdown(found), "utf-8")
    (output.parent / "images" / "newspaper.svg").write_text(newspaper_page.svg(found), "utf-8")


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training: the model's version, empty where none was made, what the service
    says of it, and whether the editor promoted it though the gate did not recommend it."""

    version: str
    outcome: str
    by_editor: bool


@dataclass(frozen=True, slots=True)
class Newspaper:
    """A running service, and what it takes to write to it, to moderate it, and to look into it."""

    paper: Paper
    http: urllib3.PoolManager
    url: str
    key: str
    token: str
    database: Database
    site_id: int
    home: Path
    environment: dict[str, str]
    general: str
    """The version of the general model."""

    def post(self, given: Comments, row: int, page: str) -> str | None:
        """Post a comment as the site's server does; its id, None where it is refused."""
        comment = {
            "page": f"https://newspaper.example/{page}",
            "name": given.documents[row].name or f"Reader {row}",
            "email": f"reader{row}@example.org",
            "text": given.documents[row].text,
        }
        status, answer = self._ask("POST", "/v1/comments", self.key, comment)
        return str(answer["id"]) if status == HTTPStatus.ACCEPTED else None

    def waiting(self, most: int) -> list[dict[str, Any]]:
        """Cards of comments that wait for a moderator."""
        path = f"/v1/queue?site={SITE}&limit={min(most, 100)}"
        cards: list[dict[str, Any]] = self._answer("GET", path, self.token)["comments"]
        return cards

    def decide(self, cards: Sequence[dict[str, Any]], to: Status) -> None:
        """Decide about comments at the desk."""
        if not cards:
            return
        wish = {"to": to, "comments": [{"id": c["id"], "version": c["version"]} for c in cards]}
        if to is Status.REJECTED:
            wish["reason"] = self.paper.reason
        outcome = self._answer("POST", "/v1/decisions", self.token, wish)
        if len(outcome["applied"]) != len(cards):
            raise BenchmarkError(f"not all was decided: {outcome}")

    def score(self, texts: Sequence[str]) -> tuple[str, list[float]]:
        """The version of the model that scored, and the probability of `reject` of each text; one
        that nothing is said of would be held, and comes last."""
        wanted = {"comments": [{"text": text} for text in texts]}
        found = self._answer("POST", "/v1/score", self.key, wanted)
        return found["model"], [
            one["scores"][REJECT] if one["scores"] else 1.0 for one in found["scores"]
        ]

    def deciding(self) -> str:
        """The version of the model that decides."""
        with self.database.read() as connection:
            own = site_models.current(connection, self.site_id)
        return f"{self.general}+{own.version}" if own else self.general

    def train(self) -> Trained:
        """Have the trainer train, and wait until all held comments were scored again."""
        with self.database.write() as connection:
            number = training_runs.ask(connection, self.site_id, by="newspaper")
        redis = connect(RedisServer(self.home / "redis").url, timeout=10)
        enqueue_train(redis, number)
        wait_for("the training", lambda: self._run(number).state not in training_runs.UNFINISHED)
        trained = self._run(number)
        by_editor = bool(trained.version) and self.promote(trained.version)
        wait_for("scoring again", lambda: not self._is_rescoring())
        if self.paper.goal is not None:
            # The sweep does this every ten minutes, which are not waited for here.
            self._command("site", "weigh", SITE)
        return Trained(trained.version, trained.outcome, by_editor)

    def scores_of(self, version: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """What a stored model says of the texts, whoever decides."""
        with self.database.read() as connection:
            number = site_models.model(connection, self.site_id, version).id
            data = site_models.artifact(connection, number)
        general = artifact.load(Path(self.environment["MODERATION_MODEL"]))
        own = adapted(general, Adaptation.from_bytes(data or b""))
        return np.array([one.reject for one in own.predict([Document(text) for text in texts])])

    def promote(self, version: str) -> bool:
        """Promote a model as an editor would whom only the site concerns: if the gate finds it
        better at the site's own later decisions and at nothing there worse; whether it was."""
        with self.database.read() as connection:
            model = site_models.model(connection, self.site_id, version)
        compared = model.report["figures"].get("compared", {}).values()
        better, worse = (any(one[what] for one in compared) for what in ("better", "worse"))
        if model.state is not site_models.State.CANDIDATE or worse or not better:
            return False
        self._command("models", "promote", SITE, version)
        return True

    def _command(self, *words: str) -> None:
        command = [sys.executable, "-m", "moderation", *words]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def _run(self, number: int) -> training_runs.Run:
        with self.database.read() as connection:
            return training_runs.run(connection, number)

    def _is_rescoring(self) -> bool:
        with self.database.read() as connection:
            return bool(list(site_models.to_rescore(connection)))

    def _answer(self, method: str, path: str, key: str, body: Any = None) -> Any:
        status, answer = self._ask(method, path, key, body)
        if status != HTTPStatus.OK:
            raise BenchmarkError(f"{path} was answered {status}: {answer}")
        return answer

    def _ask(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = self.http.request(method, self.url + path, json=body, headers=headers)
        return answer.status, answer.json()


@contextmanager
def started(home: Path, paper: Paper, model: Path) -> Iterator[Newspaper]:
    """A service that has begun with this general model, for one site."""
    settings = {"model": str(model.resolve()), "sweep_seconds": "2"}
    with servers.everything(home, **settings) as (target, database_url):
        database = Database(database_url, pool_size=4)
        with database.write() as connection:
            number = accounts.id_of(connection, "admin")
            token = tokens.create(connection, account_id=number, label="newspaper")
            site = site_settings.site_named(connection, SITE)
            wanted = SiteSettings(
                # Rows of a set are no conversation: what repeats there says nothing of the model.
                rules=Rules(duplicate_hours=0, flood_comments=0),
                audit_share=AUDIT_SHARE,
                approve_precision=paper.goal,
                promote_automatically=True,
                retrain_after_labels=None,
            )
            site_settings.save(
                connection, name=SITE, before=site.settings, after=wanted, actor="newspaper"
            )
        environment = os.environ | {
            "MODERATION_HOME": str(home),
            "MODERATION_DATABASE_URL": database_url,
            "MODERATION_MODEL": settings["model"],
        }
        yield Newspaper(
            paper=paper,
            http=urllib3.PoolManager(maxsize=_AT_ONCE, timeout=120, retries=False),
            url=target.url,
            key=target.key,
            token=token,
            database=database,
            site_id=site.id,
            home=home,
            environment=environment,
            general=artifact.thresholds(model)[0],
        )
        database.close()


@dataclass(slots=True)
class Period:
    """What came in while one model decided, between two counts of decisions."""

    decisions: int
    model: str
    outcome: str
    """Of the training, in the service's words; empty of the general model."""
    by_editor: bool
    """Whether it decides though the gate does not recommend it: see `Newspaper.promote`."""
    seconds: float
    """How long the training took."""
    auc: tuple[float, float, float]
    """Of the model that decides, on the later comments, with the ends of its interval."""
    gain: tuple[float, float, float]
    """Over the general model; paired."""
    candidate: tuple[float, float, float] | None
    """AUC of the model that was trained, whether or not it decides; None where none was."""
    since: int
    until: int = 0
    ids: list[str] = field(default_factory=list)


def simulate(service: Newspaper, given: Comments, counts: Sequence[int]) -> dict[str, Any]:
    """Post, decide and train up to each of the counts; what was measured."""
    order = [row for row in _order(given) if prose(given.documents[row].text)]
    size = min(LATER, len(order) // 3)
    coming, later = order[:-size], order[-size:]
    labels: dict[str, bool] = {}
    texts, truth = [given.documents[row].text for row in later], given.unwanted[later]
    before = _scores(service, texts)
    periods: list[Period] = []
    posted = decided = 0
    for count, following in zip(counts, [*counts[1:], None], strict=True):
        if count and decided < count:
            break
        periods.append(_period(service, count, texts, truth, before))
        console.print(_words(periods[-1]))
        end = len(coming) if following else posted + AFTER
        while posted < min(end, len(coming)) and (following is None or decided < following):
            left = BATCH if following is None else following - decided
            rows = coming[posted : posted + max(20, min(BATCH, left))]
            ids = _come_in(service, given, rows, posted)
            labels |= {one: bool(given.unwanted[row]) for one, row in ids.items()}
            periods[-1].ids += ids
            posted += len(rows)
            decided += _moderate(service, labels, left)
            console.print(f"  {posted:,} came in, {decided:,} decided", end="\r")
        periods[-1].until = now_ms()
    return {
        "later": len(later),
        "unwanted": float(truth.mean()),
        "comments": len(given.documents),
        "audit_share": AUDIT_SHARE,
        "goal": service.paper.goal,
        "periods": [_figures(service, period, labels) for period in periods],
    }


def _order(given: Comments) -> list[int]:
    return adaptation.history(given.pages, np.random.default_rng(1))


def _come_in(
    service: Newspaper, given: Comments, rows: Sequence[int], before: int
) -> dict[str, int]:
    """Post comments, and wait until each is decided; their ids, with the rows that they are."""
    pages = [given.pages[row] or str((before + place) // PAGE) for place, row in enumerate(rows)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(pool.map(service.post, [given] * len(rows), rows, pages))
    wait_for("the decisions", lambda: _count_pending(service.database) == 0)
    return {one: row for one, row in zip(ids, rows, strict=True) if one}


def _moderate(service: Newspaper, labels: dict[str, bool], most: int) -> int:
    """Decide about all that waits, and at most so many."""
    decided = 0
    while decided < most and (cards := service.waiting(most - decided)):
        for unwanted, to in ((False, Status.APPROVED), (True, Status.REJECTED)):
            service.decide([card for card in cards if labels[card["id"]] is unwanted], to)
        decided += len(cards)
    return decided


def _period(
    service: Newspaper,
    count: int,
    texts: Sequence[str],
    truth: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
) -> Period:
    """Train, if there is something to train on, and ask who decides about the later comments."""
    outcome, by_editor, seconds, candidate, scores = "", False, 0.0, None, before
    if count:
        began = time.monotonic()
        trained = service.train()
        seconds = time.monotonic() - began
        outcome, by_editor = trained.outcome, trained.by_editor
        if trained.version:
            candidate = _interval(truth, service.scores_of(trained.version, texts))
        scores = _scores(service, texts)
    return Period(
        decisions=count,
        model=service.deciding(),
        outcome=outcome,
        by_editor=by_editor,
        seconds=seconds,
        auc=_interval(truth, scores),
        gain=_interval(truth, scores, before),
        candidate=candidate,
        since=now_ms(),
    )


def _scores(service: Newspaper, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """What the model that decides says of the texts, over HTTP."""
    wanted = service.deciding()
    wait_for("the web processes", lambda: _all_answer_by(service, wanted))
    batches = [texts[start : start + 100] for start in range(0, len(texts), 100)]
    found: list[float] = []
    for model, scores in map(service.score, batches):
        if model != wanted:
            raise BenchmarkError(f"{model} scored in the place of {wanted}")
        found += scores
    return np.array(found)


def _all_answer_by(service: Newspaper, model: str) -> bool:
    """Whether several requests at the same time, to any of the web processes, are answered by this
    model."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {one for one, _ in pool.map(service.score, [["Hello."]] * 4 * _AT_ONCE)} == {model}


def _interval(
    labels: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64] | None = None,
) -> tuple[float, float, float]:
    """AUC, or what it is above that of other scores, and the ends of its 95 % bootstrap interval;
    both are of the same resamples."""

    def measure(counts: npt.NDArray[np.float64] | None) -> float:
        value = metrics.auc(labels, scores, counts)
        return value if other is None else value - metrics.auc(labels, other, counts)

    draw = metrics.resamples(labels, None, np.random.default_rng(1))
    values = [measure(counts) for counts, _ in zip(draw, range(RESAMPLES), strict=False)]
    low, high = np.percentile(values, [2.5, 97.5])
    return measure(None), float(low), float(high)


def _figures(service: Newspaper, period: Period, labels: dict[str, bool]) -> dict[str, Any]:
    """Of what came in: how much was held at first, how much of what was published by itself was
    unwanted, and what the audit says of that."""
    ids = set(period.ids)
    query = select(Event.comment_id, Event.kind, Event.to_status).where(
        Event.site_id == service.site_id, Event.actor_kind == ActorKind.WORKER
    )
    with service.database.read() as connection:
        rows = [row for row in connection.execute(query) if row.comment_id in ids]
        found = audits.verdicts(
            connection,
            since=period.since,
            until=period.until,
            sites=frozenset({service.site_id}),
        )
    held = sum(r.to_status == Status.HELD for r in rows if r.kind == EventKind.DECISION)
    published = {row.comment_id for row in rows if row.to_status == Status.APPROVED}
    values = asdict(period)
    for name in ("ids", "since", "until"):
        del values[name]
    return values | {
        "came": len(ids),
        "held": held,
        "published": len(published),
        "wrong": sum(labels[one] for one in published),
        "audit": audits.rate_of(found)._asdict(),
    }


def _words(period: Period) -> str:
    auc, low, high = period.auc
    return (
        f"{period.decisions:,} decisions: AUC {auc:.3f} ({low:.3f} to {high:.3f}), "
        f"{period.gain[0]:+.3f}; trained in {period.seconds:.0f} s. {period.outcome}"
    )


def _count_pending(database: Database) -> int:
    query = select(func.count()).where(Comment.status == Status.PENDING)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    """Wait until it holds.

    Raises:
        BenchmarkError: it takes too long.
    """
    deadline = time.monotonic() + _WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what} took too long")
        time.sleep(0.1)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.newspaper")
