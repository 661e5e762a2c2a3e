"""`python -m benchmarks`: measures everything that docs/benchmarks.md reports."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import click
from rich.console import Console

from benchmarks import isso, scoring, servers
from benchmarks.load import BenchmarkError, Load, Target, post_at_full_speed, require_wrk
from benchmarks.pipeline import (
    Throughput,
    count_decided,
    latencies,
    throughput,
    worker_memory,
)
from benchmarks.report import NAMES, Results, markdown
from benchmarks.servers import Service, Size
from moderation.config import Settings
from moderation.db import Database

_ROOT = Path(__file__).parents[1]

_SYSTEMS: dict[str, Callable[[Path, Size], AbstractContextManager[Target]]] = {
    "noop": servers.noop,
    "durable": servers.durable,
    "per_request": servers.per_request,
    "isso": servers.isso_server,
}

_WARM_UP = 2.0

# Comments a second, and for how many seconds, when latency is measured.
_LATENCY_RATE = 20.0
_LATENCY_SECONDS = 30.0

# Decisions after which a worker's memory is looked at.
_DECIDED_BEFORE_MEMORY = 20_000


def _default(setting: str) -> int:
    default: int = Settings.model_fields[setting].default
    return default


console = Console(stderr=True, highlight=False)


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=6, type=click.IntRange(1), show_default=True, help="Of a round.")
@click.option("--processes", default=_default("web_processes"), show_default=True)
@click.option("--threads", default=_default("web_threads"), show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write the report.")
def main(rounds: int, seconds: int, processes: int, threads: int, output: Path | None) -> None:
    """Measure, and print a report in Markdown."""
    try:
        report = _measure(Size(processes, threads), rounds=rounds, seconds=seconds)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report)
    if output is not None:
        output.write_text(report)


def _measure(size: Size, *, rounds: int, seconds: float) -> str:
    require_wrk()
    isso.install()
    # Not in the system's folder for temporary files: that one may be kept in memory, where a commit
    # to the disk costs nothing.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=_ROOT) as folder:
        console.print("scoring ...")
        scored = scoring.measure(Path(folder), rounds=rounds)
        loads = _compare(Path(folder), size, rounds=rounds, seconds=seconds)
        return markdown(
            _whole_way(Path(folder), size, loads, scored, rounds=rounds, seconds=seconds)
        )


def _compare(folder: Path, size: Size, *, rounds: int, seconds: float) -> dict[str, list[Load]]:
    """Rates of the systems, which all run all the time and are measured in turn."""
    loads: dict[str, list[Load]] = {name: [] for name in _SYSTEMS}
    with ExitStack() as stack:
        targets = {
            name: stack.enter_context(start(folder / name, size))
            for name, start in _SYSTEMS.items()
        }
        for target in targets.values():
            post_at_full_speed(target, seconds=_WARM_UP)
        for number in range(1, rounds + 1):
            for name, target in targets.items():
                load = post_at_full_speed(target, seconds=seconds)
                loads[name].append(load)
                console.print(f"round {number}: {NAMES[name]}: {load.rate:,.0f}/s")
    return loads


def _whole_way(
    folder: Path,
    size: Size,
    loads: dict[str, list[Load]],
    scored: scoring.Scoring,
    *,
    rounds: int,
    seconds: float,
) -> Results:
    with servers.service(folder / "service", size) as service:
        database = Database(service.database_url)
        throughput(service, database, seconds=_WARM_UP)
        pipeline = []
        for number in range(1, rounds + 1):
            pipeline.append(throughput(service, database, seconds=seconds))
            console.print(f"round {number}: {_words(pipeline[-1])}")
        decided = _decide_enough(service, database)
        memory = worker_memory(service.worker, decided=decided)
        console.print("latency ...")
        waits = latencies(service, database, rate=_LATENCY_RATE, seconds=_LATENCY_SECONDS)
        database.close()
    return Results(size, seconds, loads, pipeline, _LATENCY_RATE, waits, memory, scored)


def _decide_enough(service: Service, database: Database) -> int:
    while (decided := count_decided(database)) < _DECIDED_BEFORE_MEMORY:
        throughput(service, database, seconds=_WARM_UP)
    return decided


def _words(measured: Throughput) -> str:
    return f"{measured.stored:,.0f} stored/s, {measured.decided:,.0f} decided/s"


if __name__ == "__main__":
    main()
