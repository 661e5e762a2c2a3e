"""`python -m benchmarks.demo_report FILE`: what a fresh service decides about a labelled file of
real comments, as docs/demo-data.md shows it."""

import math
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import click
from rich.console import Console

from benchmarks import servers
from moderation.db import Database
from moderation.demo_data.client import Client
from moderation.demo_data.report import report
from moderation.demo_data.run import Outcome, Posted, add_grounds, run
from moderation.domain import Status

_PAGE = """\
# Real comments through the service

What a new service, with the model and the settings that ship, decides about real comments. Measured
on {date} with

    python -m benchmarks.demo_report {file} --limit {limit}

which starts `moderation up` in an empty data folder, posts the first {limit:,} lines of the file
over HTTP as `make demo-data` does, and waits until all are decided. The file's label 1, "unwanted"
here, is what its raters called toxic; no row of it is in this repository.

```text
{table}
```

## What it means

{meaning}
"""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(1), default=5_000, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write the page.")
def main(file: Path, limit: int, output: Path | None) -> None:
    """Post FILE to a service of its own, and print a page in Markdown."""
    with tempfile.TemporaryDirectory(prefix="moderation-demo-data-") as folder:
        outcome = _outcome(Path(folder) / "home", file, limit)
    page = _page(outcome, file.name, limit)
    click.echo(page)
    if output is not None:
        output.write_text(page)


def interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share."""
    z = 1.96
    middle = (successes + z * z / 2) / (trials + z * z)
    spread = successes * (trials - successes) / trials + z * z / 4
    half = z / (trials + z * z) * math.sqrt(spread)
    return middle - half, middle + half


def _outcome(home: Path, file: Path, limit: int) -> Outcome:
    with servers.everything(home) as (target, database_url):
        with Client(target.url, target.key) as client:
            outcome = run(file, client, Console(stderr=True), limit=limit)
        database = Database(database_url, pool_size=1)
        add_grounds(outcome.posted, database)
        database.close()
    return outcome


def _page(outcome: Outcome, file: str, limit: int) -> str:
    text = StringIO()
    Console(file=text, width=100).print(report(outcome))
    return _PAGE.format(
        date=datetime.now(UTC).date(),
        file=file,
        limit=limit,
        table="\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines()),
        meaning="\n".join(_meaning(outcome.posted)),
    )


def _meaning(posted: Sequence[Posted]) -> Iterator[str]:
    """The tables in words, as the items of a list."""
    wanted, unwanted = (sum(p.label == label for p in posted) for label in (0, 1))
    if not wanted or not unwanted:
        raise click.ClickException("the file needs comments of both labels")
    published, missed = (
        sum(p.label == label and p.status is Status.APPROVED for p in posted) for label in (0, 1)
    )
    approved = published + missed
    low, high = interval(unwanted - missed, unwanted)
    sentences = (
        f"Of {unwanted} unwanted comments, {unwanted - missed} ({1 - missed / unwanted:.0%}) did "
        f"not go straight to the page, and {missed} did. With so few, the true share of those that "
        f"are stopped may lie anywhere from {low:.0%} to {high:.0%} (95 % interval).",
        f"Of {wanted:,} wanted comments, {published:,} ({published / wanted:.1%}) were published "
        f"with nobody looking. The other {wanted - published:,} wait for a moderator, and are "
        "published as soon as one approves them.",
        f"Of {approved:,} comments that were published at once, {missed} ({missed / approved:.2%}) "
        "are unwanted by the label.",
        f"A moderator looks at {len(posted) - approved:,} comments instead of {len(posted):,}: "
        f"{approved / len(posted):.0%} fewer.",
        "The model that ships was trained on the sets that its model card names. On comments of "
        "one of these it does better than on comments that it has not seen: the card has the "
        "honest figures.",
    )
    for sentence in sentences:
        yield textwrap.fill(sentence, 100, initial_indent="- ", subsequent_indent="  ")


if __name__ == "__main__":
    main()
