"""The commands for upkeep: `prune`, `backup`, `check`, `db copy`."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from semantest_server import create_app, standing
from semantest_server.cli_ages import Age
from semantest_server.clock import clock
from semantest_server.database import db, write_transaction
from semantest_server.upgrade import reason, set_up_migrations, upgrade, where
from semantest_server.upkeep.backup import BackupError, backup
from semantest_server.upkeep.check import check
from semantest_server.upkeep.copy import CopyError, copy
from semantest_server.upkeep.prune import prune

MOST_SHOWN = 100


def register(main: click.Group) -> None:
    """Add the commands to `semantest-server`."""
    for command in (prune_command, backup_command, check_command):
        main.add_command(command)


def database_commands() -> click.Group:
    """The group `db`: the commands of Flask-Migrate, which is imported here and not before, and `copy`."""
    from flask_migrate.cli import db as group

    @with_appcontext
    def begin(**options: Any) -> None:
        set_up_migrations(current_app)
        group.callback(**options)

    commands = {**group.commands, "copy": copy_command}
    return click.Group("db", commands, params=group.params, callback=begin, help=group.help)


@click.command("prune")
@click.option("--older-than", type=Age(), required=True, metavar="AGE", help="Such as 30d, 12h or 45m.")
@with_appcontext
def prune_command(older_than: timedelta) -> None:
    """Delete what was finished long ago: comics, single pictures, and their history."""
    policy = standing.policy()
    before = clock.now(db.session()) - older_than
    pruned = prune(lambda: write_transaction(db.session()), policy, before)
    click.echo(f"Deleted {pruned.comics} finished comics and {pruned.tasks} panels with their history.")


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_appcontext
def backup_command(file: Path) -> None:
    """Copy the SQLite database to FILE while the server runs."""
    url = db.engine.url
    if url.get_backend_name() != "sqlite" or not url.database:
        raise click.ClickException(
            "The queue is on PostgreSQL, which has its own tools: pg_dump --format=custom --file=FILE, "
            "or continuous archiving."
        )
    try:
        size = backup(Path(url.database), file)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: {size / 1_000_000:.1f} MB. To restore, stop the server and put it at {url.database}.")


@click.command("check")
@with_appcontext
def check_command() -> None:
    """Check that the database keeps the rules, while the server runs; exit with 1 if it does not."""
    found = 0
    for line in check(db.session()):
        found += 1
        if found <= MOST_SHOWN:
            click.echo(line)
    if found:
        raise click.ClickException(f"{found} things are wrong in {where(db.engine.url)}.")
    click.echo(f"All is well in {where(db.engine.url)}.")


@click.command("copy")
@click.argument("url")
@with_appcontext
def copy_command(url: str) -> None:
    """Move everything to the empty database at URL, such as postgresql+psycopg://USER:PASSWORD@HOST/NAME.

    Stop the server first: until the copy is done it can write nothing.
    """
    target_app = create_app({"SEMANTEST_DATABASE_URL": url, "SEMANTEST_INSTANCE": current_app.instance_path})
    target_url = target_app.config["SQLALCHEMY_DATABASE_URI"]
    if make_url(target_url) == db.engine.url:
        raise click.ClickException("That is the database that is in use.")
    upgrade(target_app)
    target = create_engine(target_url)
    try:
        copy(db.engine, target, lambda name, rows: click.echo(f"  {name}: {rows} rows"))
        with Session(target) as session:
            problems = list(check(session))
    except CopyError as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        raise click.ClickException(f"Nothing was copied: {reason(error)}") from error
    finally:
        target.dispose()
    if problems:
        raise click.ClickException("The copy breaks rules, as the original may: " + " ".join(problems[:5]))
    click.echo(f"Everything is in {where(make_url(target_url))}. Start with SEMANTEST_DATABASE_URL set to it.")
