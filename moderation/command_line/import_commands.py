"""`moderation import …`: first what would come in, then, if that is wanted, it comes in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from moderation import site_settings
from moderation.command_line.commands import open_database
from moderation.db import Database
from moderation.errors import NotFound
from moderation.imports import DamagedFile, Format, Source, detect
from moderation.imports.formats import ORIGIN_LENGTH
from moderation.imports.tables import FIELDS
from moderation.records import importing
from moderation.records.importing import Report, Wish


def _columns(_context: Any, _option: Any, values: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not equals or name not in FIELDS:
            raise click.BadParameter(
                f"{value!r} has to have the form FIELD=COLUMN, FIELD one of {', '.join(FIELDS)}"
            )
        columns[name] = column
    return columns


@click.command(name="import")
@click.argument("form", metavar="FORMAT", type=click.Choice(["auto", *map(str, Format)]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--site", required=True, help="Name of the site whose comments they are.")
@click.option("--history", is_flag=True, help="As comments of the site, not only to learn from.")
@click.option("--dry-run", is_flag=True, help="Only say what would come in.")
@click.option("--yes", is_flag=True, help="Do not ask before anything comes in.")
@click.option("--origin", help="What the ids are ids of.  [default: the system; a table's name]")
@click.option("--encoding", help="Of the file, where it does not say.  [default: UTF-8]")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="FIELD=COLUMN",
    help="Which column of a table holds what, as in text=body.",
)
@click.option(
    "--page",
    "pages",
    nargs=2,
    multiple=True,
    metavar="THERE HERE",
    help="Pages whose address begins with THERE have one that begins with HERE; may be repeated.",
)
def import_(
    form: str,
    file: Path,
    *,
    site: str,
    history: bool,
    dry_run: bool,
    yes: bool,
    origin: str | None,
    encoding: str | None,
    columns: dict[str, str],
    pages: tuple[tuple[str, str], ...],
) -> None:
    """Bring in the comments that FILE has, for the service to learn from.

    FORMAT is wordpress, wp-list, disqus, isso or table; auto finds out. FILE may be compressed with
    gzip. Nothing comes in before you have seen what would, and nothing twice: the command may be
    repeated.
    """
    database = open_database()
    try:
        found = Format(form) if form != "auto" else detect(Source(file, encoding))
    except DamagedFile as error:
        raise click.ClickException(f"{file}: {error}") from None
    wish = Wish(
        path=file,
        form=found,
        site_id=_site(database, site),
        origin=(origin or found.origin(file.name))[:ORIGIN_LENGTH],
        history=history,
        encoding=encoding,
        columns=columns,
        pages=dict(pages),
    )
    report = _with_bar("Reading", database, wish, dry=True)
    click.echo(_told(report, wish, file.name))
    if dry_run or not (report.new or report.changed):
        return
    if not yes and not click.confirm(f"Import them into the site {site}?"):
        return
    done = _with_bar("Importing", database, wish, dry=False)
    click.echo(f"{done.new:,} came in, {done.changed:,} labels changed.")


def _site(database: Database, name: str) -> int:
    try:
        with database.read() as connection:
            return site_settings.site_named(connection, name).id
    except NotFound as error:
        raise click.ClickException(str(error)) from None


def _with_bar(doing: str, database: Database, wish: Wish, *, dry: bool) -> Report:
    with _bar(doing) as advance:
        return importing.bring_in(
            database, wish, dry=dry, progress=lambda share, _report: advance(share)
        )


@contextmanager
def _bar(doing: str) -> Iterator[Any]:
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("{task.description:9}"), *columns, console=Console(stderr=True)
    ) as progress:
        task = progress.add_task(doing, total=1.0)
        yield lambda share: progress.update(task, completed=share)
        progress.update(task, completed=1.0)


def _told(report: Report, wish: Wish, file: str) -> str:
    what = "comments with their history" if wish.history else "examples to learn from"
    lines = [
        f"{file}: {wish.form}, from {wish.origin}",
        f"  {report.new:>9,} new {what}: {report.published:,} that were published, "
        f"{report.unwanted:,} that were not",
        f"  {report.weak:>9,} of them on a weak word: a machine's, or a removal without a reason",
        f"  {report.known:>9,} are here already",
        f"  {report.changed:>9,} are here, and judged otherwise there since",
        f"  {report.erased:>9,} were erased here, and stay out",
    ]
    for reason, (count, *where) in sorted(report.skipped.items(), key=lambda one: -one[1][0]):
        more = ", …" if count > len(where) else ""
        lines.append(f"  {count:>9,} skipped, {reason}: line {', '.join(map(str, where))}{more}")
    if report.pages:
        lines += ["Below pages such as", *(f"  {page}" for page in report.pages)]
    if report.damage:
        lines.append(f"Not all of the file was read: {report.damage}.")
    return "\n".join(lines)
