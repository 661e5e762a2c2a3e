"""`moderation user …`: accounts of those who moderate."""

import sys

import click

from moderation.access import accounts
from moderation.command_line.commands import changing, open_database
from moderation.domain import Role

_ROLES = click.Choice([role.value for role in Role])
_SITES = click.option(
    "--site", "sites", multiple=True, metavar="SITE", help="A site to moderate; repeatable."
)


@click.group()
def user() -> None:
    """Add accounts, remove them, set their passwords, roles and sites.

    A password is asked for, or read from the first line of the standard input.
    """


@user.command()
@click.argument("name")
@click.option("--role", type=_ROLES, default=Role.MODERATOR.value, help="[default: moderator]")
@_SITES
def add(name: str, role: str, sites: tuple[str, ...]) -> None:
    """Add the account NAME."""
    password = _password()
    with changing() as connection:
        accounts.create_account(
            connection, name=name, password=password, role=Role(role), sites=sites
        )


@user.command(name="list")
def list_accounts() -> None:
    """Show the accounts: name, role and sites, separated by tabs."""
    with open_database().read() as connection:
        for account in accounts.listed(connection):
            sites = "*" if account.role is Role.ADMINISTRATOR else ",".join(account.sites)
            click.echo(f"{account.name}\t{account.role}\t{sites}")


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """Set the password of the account NAME, and sign it out everywhere."""
    new = _password()
    with changing() as connection:
        accounts.set_password(connection, accounts.id_of(connection, name), new)


@user.command(name="set")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True)
@_SITES
def set_role(name: str, role: str, sites: tuple[str, ...]) -> None:
    """Give the account NAME this role and these sites, in place of those it has."""
    with changing() as connection:
        accounts.set_role(connection, accounts.id_of(connection, name), Role(role), sites)


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the account NAME and its tokens. What it decided stays, under its name."""
    with changing() as connection:
        accounts.remove(connection, accounts.id_of(connection, name))


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
