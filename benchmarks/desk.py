"""`python -m benchmarks.desk`: how fast the moderators' desk answers when much waits.

Fills an empty database with held and decided comments, and asks the web application in this
process, so that what is measured is the server's own time.
"""

import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import click
from flask.testing import FlaskClient
from rich.console import Console
from sqlalchemy import Connection, func, insert, select, text

from benchmarks.load import WORDS
from benchmarks.report import percentile
from moderation import similarity
from moderation.access.bootstrap import FIRST_SITE, bootstrap
from moderation.app import create_app
from moderation.clock import MINUTE, now_ms
from moderation.config import Settings
from moderation.db import Database
from moderation.domain import ActorKind, Status
from moderation.ids import new_id
from moderation.models import Comment, Event, Similar, Site, Thread
from moderation.policy import HEADS
from moderation.ranking import rank
from moderation.running.redis_server import RedisServer
from moderation.submissions import author_id

_ROOT = Path(__file__).parents[1]
_JSON = {"Accept": "application/json"}
_PASSWORD = "benchmark-password"
_ROWS_AT_ONCE = 2_000
_PAGES = 200
_AUTHORS = 5_000
_LANGUAGES = ("en",) * 18 + ("de", "")
_THRESHOLDS = dict.fromkeys(HEADS, 0.6)


class Taken(NamedTuple):
    """Milliseconds of a call. The processor's are this process's: without a database's server, but
    hardly longer where other work has the processors too."""

    clock: float
    processor: float


console = Console(stderr=True, highlight=False)


@click.command()
@click.option("--held", multiple=True, type=int, default=(1_000, 100_000), show_default=True)
@click.option("--decided", type=int, default=0, show_default=True, help="Comments besides.")
@click.option("--rounds", type=click.IntRange(1), default=40, show_default=True)
@click.option("--database-url", help="An empty database; a SQLite file of its own if not given.")
def main(held: Sequence[int], decided: int, rounds: int, database_url: str | None) -> None:
    """Measure with each number of held comments, and print a table in Markdown."""
    results = []
    for number in sorted(held):
        # Not in the system's folder for temporary files, which may be kept in memory.
        with (
            tempfile.TemporaryDirectory(prefix=".bench-", dir=_ROOT) as folder,
            _desk(Path(folder), database_url, number, decided) as moderator,
        ):
            results.append(_measure(moderator, rounds))
    click.echo(_table(sorted(held), results))


@contextmanager
def _desk(folder: Path, database_url: str | None, held: int, decided: int) -> Iterator[FlaskClient]:
    """A client that is signed in to a desk with so many comments."""
    redis = RedisServer(folder / "redis")
    redis.start()
    settings = Settings(
        home=folder,
        database_url=database_url or f"sqlite:///{folder / 'desk.sqlite3'}",
        redis_url=redis.url,
        site_key="benchmark-site-key",
        admin_password=_PASSWORD,
        log_level="WARNING",
    )
    database = Database(settings.database)
    try:
        database.migrate()
        bootstrap(database, settings)
        _fill(database, held, decided)
        app = create_app(settings)
        client = app.test_client()
        form = {"name": "admin", "password": _PASSWORD}
        client.post("/sign-in", data=form | {"csrf_token": _token(client.get("/sign-in").text)})
        yield client
        app.extensions["moderation"].database.close()
    finally:
        database.close()
        redis.stop()


def _measure(client: FlaskClient, rounds: int) -> dict[str, list[Taken]]:
    """Milliseconds of each call, by what it does."""
    pages = {
        "the queue by uncertainty": "/desk/?order=uncertainty",
        "the queue by harm": "/desk/?order=harm",
        "the queue by age": "/desk/?order=oldest",
        "a reason": "/desk/?order=harm&reason=threat",
        "a language that is rare": "/desk/?order=harm&language=de&reason=threat",
        "an author": f"/desk/?order=oldest&author={author_id(1, _email(7))}",
        "a word in the text that is rare": "/desk/?order=oldest&text=zyzzyva",
        "what is approved": "/desk/?status=approved",
        "whether something came in": f"/desk/pulse?since={_latest_event(client)}",
    }
    times = {}
    for name, path in pages.items():
        times[name] = [_timed(partial(client.get, path)) for _ in range(rounds)]
        console.print(f"{name}: {percentile([one.clock for one in times[name]], 0.5):.1f} ms")
    times["the tenth page"] = _tenth_page(client, rounds)
    times["a decision"] = _decisions(client, rounds)
    times["taking it back"] = _undo(client, rounds)
    return times


def _latest_event(client: FlaskClient) -> str:
    found = re.search(r'data-since="(\d+)"', client.get("/desk/").text)
    return found[1] if found else "0"


def _tenth_page(client: FlaskClient, rounds: int) -> list[Taken]:
    path = "/desk/?order=harm"
    for _ in range(9):
        found = re.search(r'href="([^"]+)"[^>]*rel="next"', client.get(path).text)
        if found is None:
            break
        path = found[1].replace("&amp;", "&")
    return [_timed(lambda: client.get(path)) for _ in range(rounds)]


def _decisions(client: FlaskClient, rounds: int) -> list[Taken]:
    times: list[Taken] = []
    while len(times) < rounds:
        page = client.get("/desk/?order=harm").text
        forms = re.findall(
            r'action="(/desk/comments/\w+/decision)[^>]*>.*?"version" value="(\d+)"',
            page,
            re.DOTALL,
        )
        for action, version in forms:
            fields = {"to": "approved", "version": version, "csrf_token": _token(page)}
            times.append(_timed(partial(client.post, action, data=fields, headers=_JSON)))
    return times


def _undo(client: FlaskClient, rounds: int) -> list[Taken]:
    fields = {"csrf_token": _token(client.get("/desk/").text)}
    return [
        _timed(lambda: client.post("/desk/undo", data=fields, headers=_JSON)) for _ in range(rounds)
    ]


def _timed(call: Callable[[], Any]) -> Taken:
    start, began = time.perf_counter(), time.process_time()
    answer = call()
    taken = Taken((time.perf_counter() - start) * 1_000, (time.process_time() - began) * 1_000)
    if answer.status_code != 200:
        raise click.ClickException(f"{answer.request.path} was answered {answer.status_code}")
    return taken


def _fill(database: Database, held: int, decided: int) -> None:
    chance = random.Random(1)
    with database.write() as connection:
        site_id = connection.execute(select(Site.id).where(Site.name == FIRST_SITE)).scalar_one()
        threads = _threads(connection, site_id)
    statuses = [Status.HELD] * held + chance.choices(
        [Status.APPROVED, Status.REJECTED], [9, 1], k=decided
    )
    chance.shuffle(statuses)
    start = now_ms() - len(statuses) * 100
    comments = (
        _comment(chance, status, site_id, threads, start + 100 * number)
        for number, status in enumerate(statuses)
    )
    while part := list(islice(comments, _ROWS_AT_ONCE)):
        with database.write() as connection:
            connection.execute(insert(Comment), [comment for comment, _ in part])
            connection.execute(insert(Event), [event for _, event in part])
            connection.execute(insert(Similar), list(_bands(comment for comment, _ in part)))
    if database.engine.dialect.name == "postgresql":
        # As it would do by itself a little later.
        with database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(text("VACUUM ANALYZE"))
    with database.read() as connection:
        found = connection.execute(select(func.count()).select_from(Comment)).scalar_one()
    console.print(f"{found:,} comments, {held:,} of them held")


def _threads(connection: Connection, site_id: int) -> list[int]:
    rows = [
        {"site_id": site_id, "page": f"https://news.example/{n}", "title": f"Article {n}"}
        | {"created_at": now_ms()}
        for n in range(_PAGES)
    ]
    connection.execute(insert(Thread), rows)
    return list(connection.scalars(select(Thread.id).where(Thread.site_id == site_id)))


def _comment(
    chance: random.Random, status: Status, site_id: int, threads: Sequence[int], at: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A comment's row, and the row of the event that decided it."""
    comment_id = new_id(at)
    words = " ".join(chance.choices(_VOCABULARY, k=chance.randint(10, 90)))
    author = chance.randrange(_AUTHORS)
    scores = {head: round(chance.random() ** 3, 4) for head in HEADS}
    evidence = {"rules": [], "able": True, "scores": scores, "thresholds": _THRESHOLDS}
    ranked = rank(evidence)
    reason = ranked.head or "below_thresholds"
    comment = {
        "id": comment_id,
        "site_id": site_id,
        "thread_id": chance.choice(threads),
        "root_id": comment_id,
        "created_at": at,
        "name": f"Reader {author}",
        "email": _email(author),
        "author_id": author_id(site_id, _email(author)),
        "text": words,
        "status": status,
        "reason": reason,
        "score": scores["reject"],
        "version": 1,
        "fingerprint": similarity.fingerprint(words),
        "head": ranked.head,
        "uncertainty": ranked.uncertainty,
        "harm": ranked.harm,
        "language": chance.choice(_LANGUAGES),
    }
    event = {
        "comment_id": comment_id,
        "site_id": site_id,
        "at": at + MINUTE,
        "actor_kind": ActorKind.WORKER,
        "actor": "worker",
        "from_status": Status.PENDING,
        "to_status": status,
        "reason": reason,
        "model": "benchmark",
        "evidence": evidence,
    }
    return comment, event


def _bands(comments: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for comment in comments:
        if comment["status"] is Status.HELD:
            for band in similarity.bands(comment["site_id"], comment["fingerprint"]):
                yield {
                    "band": band,
                    "comment_id": comment["id"],
                    "fingerprint": comment["fingerprint"],
                }


def _email(author: int) -> str:
    return f"reader{author}@example.org"


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    if found is None:
        raise click.ClickException("the page has no form")
    return found[1]


def _table(held: Sequence[int], results: Sequence[dict[str, list[Taken]]]) -> str:
    columns = [f"{number:,} held, {kind}" for number in held for kind in Taken._fields]
    lines = [["Median (95th percentile), ms", *columns], ["---", *["---:"] * len(columns)]]
    for name in results[0]:
        cells = (
            f"{percentile(kind, 0.5):.1f} ({percentile(kind, 0.95):.1f})"
            for one in results
            for kind in zip(*one[name], strict=True)
        )
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_VOCABULARY = WORDS.read_text().split()


if __name__ == "__main__":
    main()
