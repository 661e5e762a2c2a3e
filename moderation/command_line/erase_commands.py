"""`moderation erase`: what somebody wrote is removed for good."""

import click
from sqlalchemy import Connection, select

from moderation import site_settings
from moderation.command_line.commands import changing
from moderation.domain import ERASED, ActorKind
from moderation.models import Comment
from moderation.records import erasure
from moderation.review import Actor
from moderation.submissions import author_id

_ACTOR = Actor(ActorKind.MODERATOR, "command line")


@click.command()
@click.argument("comment_ids", metavar="[COMMENT]...", nargs=-1)
@click.option("--email", help="Erase what was posted with this address; needs --site.")
@click.option("--site", help="Name of the site on which it was posted.")
@click.option(
    "--examples",
    is_flag=True,
    help="Also imported examples whose authors bear one of the same names.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    comment_ids: tuple[str, ...], *, email: str | None, site: str | None, examples: bool, yes: bool
) -> None:
    """Remove the text of comments and all that tells of their authors, for good.

    COMMENT is the id of a comment. What is erased is gone from the labels too; answers to it stay.
    """
    if bool(comment_ids) == bool(email) or bool(email) != bool(site):
        raise click.UsageError("give ids of comments, or --email with --site")
    with changing() as connection:
        ids, sites = _wanted(connection, comment_ids, email, site)
        names = erasure.names_of(connection, ids) if examples else []
        further = [
            one for site_id in sites for one in erasure.examples_named(connection, site_id, names)
        ]
        if not ids and not further:
            raise click.ClickException("there is nothing of that to erase")
        what = f"{len(ids):,} comments" + (f" and {len(further):,} examples" if examples else "")
        if not yes:
            click.confirm(f"Erase {what}? Nobody can bring them back.", abort=True)
        done = erasure.erase(connection, ids, actor=_ACTOR)
        erasure.erase_examples(connection, further)
    click.echo(f"Erased: {done:,} comments, {len(further):,} examples.")


def _wanted(
    connection: Connection, comment_ids: tuple[str, ...], email: str | None, site: str | None
) -> tuple[list[str], set[int]]:
    """What is to be erased, and the sites it stands on."""
    if email and site:
        site_id = site_settings.site_named(connection, site).id
        return erasure.of_author(connection, site_id, author_id(site_id, email)), {site_id}
    query = select(Comment.id, Comment.site_id).where(
        Comment.id.in_(comment_ids), Comment.reason != ERASED
    )
    found = connection.execute(query).all()
    return [row.id for row in found], {row.site_id for row in found}
