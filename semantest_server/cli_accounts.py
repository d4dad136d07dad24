"""The commands for who may use the server: `account` and `token`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import click
from flask import current_app
from flask.cli import with_appcontext

from semantest_server.accounts import people, tokens
from semantest_server.accounts.tables import Scope, Token
from semantest_server.cli_ages import Age
from semantest_server.cli_table import table
from semantest_server.clock import clock
from semantest_server.database import db, write_transaction
from semantest_server.upgrade import upgrade

PASSWORD = click.password_option(help="Asked for if it is not given.")
PERSONS = [scope.value for scope in (Scope.CREATOR, Scope.ADMIN)]


def register(main: click.Group) -> None:
    """Add the commands to `semantest-server`."""
    main.add_command(account)
    main.add_command(token)


@click.group("account")
@with_appcontext
def account() -> None:
    """Make, list and remove the accounts with which people sign in."""
    upgrade(current_app)


@account.command("add")
@click.argument("name")
@click.option("--scope", type=click.Choice(PERSONS), default=Scope.ADMIN.value, show_default=True)
@PASSWORD
def add_account(name: str, scope: str, password: str) -> None:
    """Make an account: an `admin` does everything, a `creator` queues and reads."""
    with write_transaction(db.session()) as session:
        made = people.add(session, name, password, Scope(scope))
        click.echo(f"{made.name} can sign in. Start the server with SEMANTEST_ACCOUNTS=1.")


@account.command("password")
@click.argument("name")
@PASSWORD
def change_password(name: str, password: str) -> None:
    """Set a password anew, and sign the account out everywhere."""
    with write_transaction(db.session()) as session:
        people.set_password(session, people.find(session, name), password)
    click.echo("Changed. Whoever was signed in with the old password no longer is.")


@account.command("remove")
@click.argument("name")
def remove_account(name: str) -> None:
    """Remove an account, and sign it out everywhere."""
    with write_transaction(db.session()) as session:
        people.remove(session, people.find(session, name))
    click.echo("Removed.")


@account.command("list")
def list_accounts() -> None:
    """List the accounts."""
    rows = [[one.name, one.scope, _day(one.created_at)] for one in people.everyone(db.session())]
    table(["ACCOUNT", "SCOPE", "SINCE"], rows, "There are no accounts.")


@click.group("token")
@with_appcontext
def token() -> None:
    """Make, list and revoke the tokens that programs send."""
    upgrade(current_app)


@token.command("create")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice([scope.value for scope in Scope]), default=Scope.WORKER.value, show_default=True
)
@click.option("--expires", type=Age(), metavar="AGE", help="Such as 90d. [default: never]")
def create_token(name: str, scope: str, expires: timedelta | None) -> None:
    """Make a token and show it, once: a `worker` polls and reports, a `creator` queues and reads."""
    with write_transaction(db.session()) as session:
        _, text = tokens.create(session, name, Scope(scope), expires)
    click.echo(text)
    click.echo("It is not shown again. A program sends it as `Authorization: Bearer …`.", err=True)


@token.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """End a token for good."""
    with write_transaction(db.session()) as session:
        tokens.revoke_named(session, name)
    click.echo("Revoked.")


@token.command("list")
def list_tokens() -> None:
    """List the tokens, without what is secret of them."""
    now = clock.now(db.session())
    table(
        ["TOKEN", "SCOPE", "MADE", "LAST USED", ""],
        list(_rows(tokens.every(db.session()), now)),
        "There are no tokens.",
    )


def _rows(every: Sequence[Token], now: datetime) -> list[list[str]]:
    return [
        [
            one.name,
            one.scope,
            _day(one.created_at),
            _day(one.used_at) if one.used_at else "never",
            _end(one, now),
        ]
        for one in every
    ]


def _end(one: Token, now: datetime) -> str:
    if one.revoked_at:
        return f"revoked {_day(one.revoked_at)}"
    if one.expires_at:
        return f"{'expires' if tokens.is_live(one, now) else 'expired'} {_day(one.expires_at)}"
    return ""


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
