"""`moderation demo-data` against a running service."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sqlalchemy import select

from moderation.demo_data import run as running
from moderation.demo_data.client import Client
from moderation.demo_data.report import report
from moderation.demo_data.rows import SAMPLE, Row, Unusable, read
from moderation.demo_data.run import Grounds, Outcome, Posted
from moderation.domain import Status
from moderation.models import Comment, Event, Thread
from tests.support.ports import free_port
from tests.support.service import ROOT, SITE_KEY, Service, running_service

LINKS = "See http://one.example http://two.example http://three.example for the timetable."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("demo-data") / "home") as service:
        yield service


def demo_data(
    service: Service, *arguments: object, **settings: str
) -> "subprocess.CompletedProcess[str]":
    environment = service.environment | {f"MODERATION_{k.upper()}": v for k, v in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "moderation", "demo-data", *map(str, arguments)],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def stored(service: Service, page: str) -> list[Any]:
    database = service.database()
    query = select(Comment).join(Thread, Thread.id == Comment.thread_id).where(Thread.page == page)
    with database.read() as connection:
        rows = connection.execute(query).all()
    database.close()
    return list(rows)


def write_rows(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def cells(output: str, first: str) -> list[str]:
    """The cells of the table row that begins with `first`."""
    rows = [line.strip("│ \n").split("│") for line in output.splitlines() if "│" in line]
    return next([c.strip() for c in row] for row in rows if row[0].strip() == first)


def test_the_sample_is_posted_to_the_demo_article_and_compared_with_its_labels(
    service: Service,
) -> None:
    ended = demo_data(service)

    assert ended.returncode == 0, ended.stderr
    rows = stored(service, "/demo")
    labels = {row["text"]: row["label"] for row in map(json.loads, SAMPLE.read_text().splitlines())}
    assert {row.text for row in rows} == set(labels)
    for label, word in enumerate(("wanted", "unwanted")):
        statuses = [row.status for row in rows if labels[row.text] == label]
        shown = [int(cell.split()[0]) for cell in cells(ended.stdout, word)[1:]]
        counted = [statuses.count(status) for status in ("approved", "held", "rejected")]
        assert shown == [*counted, len(statuses)]


def test_no_two_rows_have_the_same_sender(service: Service) -> None:
    demo_data(service)

    rows = stored(service, "/demo")
    assert len({row.email for row in rows}) == len({row.ip for row in rows}) == len(rows)
    assert all(row.email.endswith("@example.org") for row in rows)
    assert "flood" not in {row.reason for row in rows}


def test_a_file_that_is_posted_again_is_not_stored_again(service: Service, tmp_path: Path) -> None:
    text = "The landing was repaired twice, in 1951 and in 1987."
    file = write_rows(tmp_path / "again.jsonl", {"text": text, "label": 0, "page": "/again"})
    demo_data(service, file)

    again = demo_data(service, file)

    assert "1 had been posted before" in again.stdout
    assert len(stored(service, "/again")) == 1


def test_unusable_lines_are_named_by_number_and_the_others_are_posted(
    service: Service, tmp_path: Path
) -> None:
    lines = [
        b'{"text": "Is there a timetable for the bus that is to come?", "label": 0, "page": "/u"}',
        b"no JSON",
        b'{"text": "without a label"}',
        b'{"text": "with another label", "label": 2}',
        b'{"text": "\xff", "label": 0}',
        b'{"text": " ", "label": 0, "page": "/u"}',
        json.dumps({"text": "x" * 20_001, "label": 0, "page": "/u"}).encode(),
        b'{"text": "I would sign for the museum, as would my sister.", "label": 0, "page": "/u"}',
    ]
    file = tmp_path / "comments.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))

    ended = demo_data(service, file)

    assert ended.returncode == 0, ended.stderr
    assert "6 lines could not be used" in ended.stdout
    named = [line.split(":")[0].strip() for line in ended.stdout.splitlines() if "  line" in line]
    assert named == [f"line {number}" for number in (2, 3, 4, 5, 6, 7)]
    assert len(stored(service, "/u")) == 2


def test_what_a_rule_stopped_is_counted_apart_from_the_classifier(
    service: Service, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "links.jsonl", {"text": LINKS, "label": 1, "page": "/links"})

    ended = demo_data(service, file)

    assert cells(ended.stdout, "too_many_links") == ["too_many_links", "rule", "0", "1"]
    assert "Stopped by a rule: 1; by the classifier: 0." in ended.stdout
    assert f"Model: {model_of(service)}." in ended.stdout


def model_of(service: Service) -> str:
    database = service.database()
    with database.read() as connection:
        model = connection.execute(select(Event.model).limit(1)).scalar_one()
    database.close()
    return str(model)


def test_without_the_database_the_decisions_are_counted_and_the_reasons_left_out(
    service: Service, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "far.jsonl", {"text": LINKS, "label": 1, "page": "/far"})

    ended = demo_data(service, file, home=str(tmp_path / "nowhere"))

    assert ended.returncode == 0, ended.stderr
    assert cells(ended.stdout, "unwanted")[2].startswith("1 ")
    assert "too_many_links" not in ended.stdout
    assert "the service's database, which was not found here" in ended.stdout


def test_no_more_lines_are_posted_than_the_limit(service: Service, tmp_path: Path) -> None:
    rows = [
        {"text": f"Pier number {n} is the one I mean.", "label": 0, "page": "/limit"}
        for n in range(5)
    ]

    demo_data(service, write_rows(tmp_path / "five.jsonl", *rows), "--limit", 3)

    assert len(stored(service, "/limit")) == 3


def test_the_source_names_the_page_where_no_page_is_given(service: Service, tmp_path: Path) -> None:
    row = {"text": "A ferry is a road that thinks.", "label": 0, "id": "1", "source": "letters"}

    demo_data(service, write_rows(tmp_path / "source.jsonl", row))

    assert len(stored(service, "demo-data/letters")) == 1


def broken_gzip(folder: Path) -> Path:
    file = folder / "broken.jsonl.gz"
    file.write_bytes(gzip.compress(SAMPLE.read_bytes())[:-200])
    return file


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (["--key", "not-the-sites-key"], {}, "does not know the key"),
        ([], {"site_key": ""}, "the site's key is needed"),
        (["--url", "http://127.0.0.1:{port}"], {}, "no service answers at http://127.0.0.1:"),
        (["--url", "127.0.0.1:8000"], {}, "127.0.0.1:8000 is no address"),
        (["{folder}/missing.jsonl"], {}, "missing.jsonl cannot be read"),
        (["{folder}/broken.jsonl.gz"], {}, "broken.jsonl.gz cannot be read"),
    ],
)
def test_what_keeps_it_from_posting_is_one_line(
    service: Service,
    tmp_path: Path,
    arguments: list[str],
    settings: dict[str, str],
    message: str,
) -> None:
    broken_gzip(tmp_path)
    places = {"port": free_port(), "folder": tmp_path}

    ended = demo_data(service, *(a.format(**places) for a in arguments), **settings)

    assert ended.returncode == 1
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@contextmanager
def stopped_worker(service: Service) -> Iterator[None]:
    """The service, its workers frozen meanwhile."""
    pids = service.processes("moderation worker")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_comments_that_nobody_decides_are_reported_as_pending(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PATIENCE", 1.0)
    rows = [{"text": f"Who paid for lamp number {n}?", "label": 0} for n in range(3)]
    file = write_rows(tmp_path / "pending.jsonl", *rows)
    console = Console(file=StringIO())

    with stopped_worker(service), Client(service.url, SITE_KEY) as client:
        outcome = running.run(file, client, console)

    assert [posted.status for posted in outcome.posted] == [Status.PENDING] * 3
    assert cells(rendered(outcome), "wanted")[4] == "3 (100.0%)"


def test_a_service_that_was_started_again_is_found_again(tmp_path: Path) -> None:
    with (
        running_service(tmp_path / "home") as service,
        Client(service.url, SITE_KEY) as client,
    ):
        row = Row(1, "The last ferry left without me.", 0, "/restart")
        first = client.post(row)
        service.stop()
        service.start()

        again = client.post(row)

        assert not isinstance(first, Unusable)
        assert not isinstance(again, Unusable)
        assert first.id == again.id


def rendered(outcome: Outcome) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(report(outcome))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_report_counts_by_label_and_by_reason() -> None:
    toxic = Grounds("toxic", by_rule=False, model="m-1")
    repeat = Grounds("duplicate", by_rule=True, model="m-1")
    fine = Grounds("below_thresholds", by_rule=False, model="m-1")
    outcome = Outcome(
        [
            Posted("1", 0, Status.APPROVED, repeated=False, grounds=fine),
            Posted("2", 0, Status.HELD, repeated=False, grounds=repeat),
            Posted("3", 1, Status.HELD, repeated=False, grounds=toxic),
            Posted("4", 1, Status.REJECTED, repeated=False, grounds=toxic),
        ]
    )

    text = rendered(outcome)

    assert cells(text, "wanted")[1:] == ["1 (50.0%)", "1 (50.0%)", "0 (0.0%)", "2"]
    assert cells(text, "unwanted")[1:] == ["0 (0.0%)", "1 (50.0%)", "1 (50.0%)", "2"]
    assert cells(text, "toxic")[1:] == ["classifier", "0", "2"]
    assert cells(text, "duplicate")[1:] == ["rule", "1", "0"]
    assert "below_thresholds" not in text
    assert "Stopped by a rule: 1; by the classifier: 2." in text


def test_an_outcome_without_comments_can_be_reported() -> None:
    assert "1 lines could not be used" in rendered(Outcome([], [Unusable(1, "no JSON")]))


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line), max_size=5))
def test_whatever_a_line_holds_it_is_a_row_or_unusable(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.jsonl"
        file.write_bytes(b'{"text": "first", "label": 1}\n' + b"".join(b + b"\n" for b in lines))

        found = list(read(file))

    assert found[0] == Row(1, "first", 1, "demo-data/comments")
    assert [entry.line for entry in found] == list(range(1, len(lines) + 2))
