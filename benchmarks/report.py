"""The figures as a page of Markdown."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from benchmarks.load import CONNECTIONS, Load
from benchmarks.pipeline import Memory, Throughput
from benchmarks.scoring import ALT, LENGTH, OURS, PLAIN, Scoring
from benchmarks.servers import Size

NAMES = {
    "noop": "Flask endpoint that stores nothing",
    "durable": "`POST /v1/comments`",
    "per_request": "One transaction and one job a request",
    "isso": "Isso under gunicorn",
}

_INTRODUCTION = """\
# Benchmarks

`make bench` measures these figures and writes this page. Rates depend on the machine, and on what
else it does; ratios between systems that took turns within one run depend on it much less. The load
generator runs on the same processors as what it measures.
"""

_METHOD = """\
## How it was measured

- Four systems take turns, round by round; each has the same load: {connections} connections from
  wrk, each of which posts the next comment as soon as the last is answered. Every comment differs
  from all others in text (10 to 90 words), name, e-mail address and IP address. A ratio is the
  median of the ratios in the single rounds.
- The first three systems run on granian with {processes} and {threads} threads, Isso on gunicorn
  with as many, `--preload`, as its manual advises; its limits for guests and its moderation are
  off.
- The endpoint that stores nothing parses the body as JSON and answers 202. The design with one
  transaction and one job a request validates with our schemas, writes the same row to the same
  tables and indexes in a transaction of its own (SQLite, `synchronous=FULL`), and enqueues an RQ
  job. `POST /v1/comments` runs with Redis and without a worker, because the others decide nothing.
- Stored and decided: the web server and one worker, posting at full speed for {seconds:.0f} s in
  each round; counted are the decisions written while the load lasted.
- From POST to decision: comments come at random moments, on average {rate:.0f} a second, over new
  connections; the time from sending one until another connection to the database can read its
  decision. {posted} comments.
- Scoring: one thread, invented comments of {length} characters, medians of interleaved rounds, in
  the processor's time. The plain pipeline is TF-IDF of words and pairs with one logistic regression
  per head. Ours has eight heads, alt-profanity-check (in an environment of its own) one. Batches of
  one take turns with the others too, which leave little of ours in the processor's caches.
- Deciding: {decided_alone:,} invented comments of one site wait as pending in SQLite
  (`synchronous=FULL`), their ids in jobs in Redis; one worker process loads, scores, explains and
  writes. Nine in ten are of everyday words and approved, one in ten is held, which costs more (a
  look at its language, rows by which the like of it is found); the last row holds all. Its
  processor's time leaves out the wait for the disk, Redis and other processes.
- Memory: the process that scores and decides, after it decided {decided:,} comments, in MB of 10^6
  bytes. PSS counts a page that processes share in parts.
"""


@dataclass(frozen=True, slots=True)
class Results:
    """All that one run measured; `loads` has a list over the rounds for each system."""

    size: Size
    seconds: float
    loads: Mapping[str, Sequence[Load]]
    pipeline: Sequence[Throughput]
    latency_rate: float
    latencies: Sequence[float]
    memory: Memory
    scoring: Scoring


@dataclass(frozen=True, slots=True)
class Goal:
    """A target, what was measured, and whether it is reached."""

    what: str
    wanted: str
    measured: str
    reached: bool


def goals(results: Results) -> list[Goal]:
    """Every target with its measurement."""
    decided = median(t.decided for t in results.pipeline)
    p50, p99 = percentile(results.latencies, 0.5), percentile(results.latencies, 0.99)
    memory = results.memory.resident
    return [
        _ratio("Durable POST against an endpoint that stores nothing", results, "noop", 0.25),
        _ratio("Durable POST against the per-request design", results, "per_request", 1.8),
        _ratio("Durable POST against Isso", results, "isso", 8),
        Goal(
            "Decisions while posting at full speed",
            "1,300/s or more",
            f"{decided:,.0f}/s",
            decided >= 1_300,
        ),
        Goal("POST to decision, median", "100 ms or less", f"{p50:.0f} ms", p50 <= 100),
        Goal("POST to decision, 99th percentile", "300 ms or less", f"{p99:.0f} ms", p99 <= 300),
        Goal("A worker's memory", "below 400 MB", f"{memory:.0f} MB", memory < 400),
        *_scoring_goals(results.scoring),
    ]


def _scoring_goals(scoring: Scoring) -> list[Goal]:
    slowest = min(rates[OURS] for size, rates in scoring.rates.items() if size >= 200)
    lead = min(rates[OURS] / rates[ALT] for rates in scoring.rates.values())
    rate = max(one.comments / one.seconds for one in scoring.decisions)
    alone, explained, loading = scoring.alone * 1e6, scoring.explained * 1e6, scoring.loading * 1e3
    return [
        Goal(
            "Scoring in batches of 200 to 1,000",
            "50,000/s or more",
            f"{slowest:,.0f}/s",
            slowest >= 50_000,
        ),
        Goal(
            "Scoring against alt-profanity-check, at every batch size",
            "faster",
            f"{lead:.1f} times or more",
            lead > 1,
        ),
        Goal("One comment scored", "100 µs or less", f"{alone:.0f} µs", alone <= 100),
        Goal(
            "One comment explained too", "300 µs or less", f"{explained:.0f} µs", explained <= 300
        ),
        Goal("Loading the model", "300 ms or less", f"{loading:.0f} ms", loading <= 300),
        Goal("Decisions in one worker", "10,000/s or more", f"{rate:,.0f}/s", rate >= 10_000),
    ]


def markdown(results: Results) -> str:
    """The whole page."""
    reached = goals(results)
    missed = [goal.what for goal in reached if not goal.reached]
    verdict = f"**Missed: {'; '.join(missed)}.**" if missed else "Every target is reached."
    tables = [
        _table(
            ("What", "Target", "Measured", ""),
            [(g.what, g.wanted, g.measured, "reached" if g.reached else "missed") for g in reached],
        ),
        verdict,
        "## Taking comments in",
        _table(
            ("System", "Requests/s, median", "in the rounds", "p50, ms", "p99, ms"),
            [_load_row(NAMES[name], loads) for name, loads in results.loads.items()],
        ),
        "## The whole way",
        _whole_way(results),
        "## Scoring and deciding",
        scoring_tables(results.scoring),
    ]
    return "\n".join([_INTRODUCTION, _machine(), "", *(f"{t}\n" for t in tables), _method(results)])


def scoring_tables(scoring: Scoring) -> str:
    """How scoring and deciding depend on the size of a batch and the length of a text."""
    systems = (OURS, PLAIN, ALT)
    tables = [
        _table(
            ("Comments in a batch", *(f"{name}, comments/s" for name in systems)),
            [
                (f"{size:,}", *(f"{rates[name]:,.0f}" for name in systems))
                for size, rates in scoring.rates.items()
            ],
        ),
        _table(
            ("Characters", "µs a comment", "ns a character"),
            [
                (f"{length:,}", f"{seconds * 1e6:,.1f}", f"{seconds * 1e9 / length:.0f}")
                for length, seconds in scoring.lengths.items()
            ],
        ),
        _table(
            ("Ids in a job", "held", "decisions/s", "by the processor's time alone"),
            [
                (
                    f"{one.job_size:,}",
                    f"{one.held / one.comments:.0%}",
                    f"{one.comments / one.seconds:,.0f}",
                    f"{one.comments / one.cpu_seconds:,.0f}",
                )
                for one in scoring.decisions
            ],
        ),
    ]
    return "\n\n".join(tables)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def _ratio(what: str, results: Results, other: str, target: float) -> Goal:
    rounds = zip(results.loads["durable"], results.loads[other], strict=True)
    ratio = median(ours.rate / theirs.rate for ours, theirs in rounds)
    return Goal(what, f"{target:g} times or more", f"{ratio:.2f} times", ratio >= target)


def _load_row(name: str, loads: Sequence[Load]) -> tuple[str, ...]:
    rates = [load.rate for load in loads]
    return (
        name,
        f"{median(rates):,.0f}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{median(load.p50_ms for load in loads):.0f}",
        f"{median(load.p99_ms for load in loads):.0f}",
    )


def _whole_way(results: Results) -> str:
    memory = results.memory
    quantiles = (0.5, 0.9, 0.99, 1)
    p50, p90, p99, most = (f"{percentile(results.latencies, q):.0f} ms" for q in quantiles)
    rows = [
        ("Stored, posting at full speed", f"{median(t.stored for t in results.pipeline):,.0f}/s"),
        ("Decided meanwhile, one worker", f"{median(t.decided for t in results.pipeline):,.0f}/s"),
        ("POST to decision, median", p50),
        ("POST to decision, 90th percentile", p90),
        ("POST to decision, 99th percentile", p99),
        ("POST to decision, longest", most),
        ("A worker's resident memory (RSS)", f"{memory.resident:.0f} MB"),
        ("A worker's share of memory (PSS)", f"{memory.proportional:.0f} MB"),
    ]
    return _table(("What", "Measured"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date()
    return (
        f"Measured on {today} with {len(os.sched_getaffinity(0))} processor cores, "
        f"{memory:.0f} GB of memory, {platform.system()} and Python {platform.python_version()}."
    )


def _method(results: Results) -> str:
    processes = results.size.processes
    return _METHOD.format(
        connections=CONNECTIONS,
        processes="one process" if processes == 1 else f"{processes} processes",
        threads=results.size.threads,
        seconds=results.seconds,
        rate=results.latency_rate,
        posted=f"{len(results.latencies):,}",
        decided=results.memory.decided,
        length=LENGTH,
        decided_alone=max(one.comments for one in results.scoring.decisions),
    )
