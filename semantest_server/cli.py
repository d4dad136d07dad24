"""The command `semantest-server`: run the server, queue a comic from a file, look at what is queued."""

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click
from click.exceptions import Exit
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo
from sqlalchemy.exc import SQLAlchemyError

from semantest_server import cli_accounts, cli_upkeep, create_app, server, snapshots, standing
from semantest_server.addresses import StartError
from semantest_server.cli_table import table
from semantest_server.clock import clock
from semantest_server.config import SettingError
from semantest_server.database import db, write_transaction
from semantest_server.errors import Invalid, QueueError
from semantest_server.imports.checked import Checked, CheckedRow
from semantest_server.imports.known import check_against
from semantest_server.imports.reading import read_file
from semantest_server.imports.rows import Options, Problem, Unreadable
from semantest_server.models import Comic, Priority
from semantest_server.queue.drafts import PARALLEL
from semantest_server.queue.submit import submit_comic
from semantest_server.snapshots import ComicSnapshot, WorkerSnapshot
from semantest_server.upgrade import UpgradeError, prepare, reason

PRIORITIES = [priority.name.lower() for priority in Priority]
OPTIONS = {
    "/title": "--title",
    "/style": "--style",
    "/priority": "--priority",
    "/parallel": "--parallel",
    "/domain": "--domain",
    "/downloadFolder": "--download-folder",
}
STANDARD_INPUT = "<stdin>"  # the name that Python gives it
UNITS = {"day": 86_400, "hour": 3_600, "minute": 60}


class Commands(FlaskGroup):
    """A group of commands that says in one line what went wrong, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Invalid as error:
            raise click.ClickException(" ".join([error.detail, *(one.message for one in error.errors)])) from error
        except (SettingError, StartError, UpgradeError, QueueError) as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {reason(error)}") from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, even where the settings are wrong."""
        return sorted({*self.commands, "db"})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name; `db` is made once it is asked for, so that `run` need not import it."""
        if name == "db" and name not in self.commands:
            self.add_command(cli_upkeep.database_commands())
        return super().get_command(ctx, name)


main = Commands(
    create_app=lambda: create_app(),
    add_default_commands=False,
    add_version_option=False,
    context_settings={"auto_envvar_prefix": None},
    help="The server that browser extensions poll for panels to draw.",
)
main.params.clear()  # FlaskGroup's options say which app to load; there is one
cli_upkeep.register(main)
cli_accounts.register(main)


@main.command("run", with_appcontext=False)
@click.option("--bind", metavar="HOST:PORT", help="Where to listen; overrides SEMANTEST_BIND.")
def run_command(bind: str | None) -> None:
    """Run the server until Ctrl-C."""
    if bind:
        os.environ["SEMANTEST_BIND"] = bind
    server.run(_app())


@main.command("queue")
@click.argument("file", type=click.File("rb"))
@click.option("--title", help="The comic's title. [default: as the file says, or is called]")
@click.option("--style", help="Added to every prompt: a preset, none, or own words.")
@click.option("--priority", type=click.Choice(PRIORITIES), help="[default: as the file says, or normal]")
@click.option("--parallel", type=int, help=f"Panels drawn at once, at most. [default: as the file says, or {PARALLEL}]")
@click.option("--domain", metavar="SITE", help="The site that draws. [default: as the file says, or SEMANTEST_DOMAIN]")
@click.option("--download-folder", metavar="FOLDER", help="[default: as the file says, or made from the title]")
@click.option("--dry-run", is_flag=True, help="Only say what is wrong, and queue nothing.")
def queue_command(file: BinaryIO, dry_run: bool, **options: Any) -> None:
    """Queue a comic from FILE: lines, CSV or JSON; - is standard input.

    Of lines, each is a prompt. `# Chapter: X` begins a chapter, a blank line a strip; other lines that begin with #
    say nothing. A CSV file begins with a line that names its columns, of which prompt is one.
    """
    name = getattr(file, "name", STANDARD_INPUT)
    is_piped = name == STANDARD_INPUT
    given = Options(**{name: str(value) for name, value in options.items() if value is not None})
    called = Options(title="Untitled" if is_piped else Path(name).stem)
    try:
        reading = read_file(file.read(), "" if is_piped else name)
    except Unreadable as error:
        _fail([f"{name}:{error.line}: {error.message}" if error.line else f"{name}: {error.message}"])
    prepare(_app())
    with write_transaction(db.session()) as session:
        checked = check_against(session, reading, given.over(reading.options).over(called))
        _tell(name, checked)
        if not dry_run:
            comic = submit_comic(session, checked.draft(), _app().extensions["semantest"].site_defaults)
            made = f"Queued comic {comic.id}, {comic.title}, with {_count(comic.total, 'panel')}: {_page(comic)}"
    click.echo(f"{_count(len(checked.good), 'panel')} can be queued." if dry_run else made)


@main.command("status")
def status_command() -> None:
    """Show the comics, how far they are, and the extensions that poll."""
    prepare(_app())
    session, policy = db.session(), standing.policy()
    comics, following = snapshots.comics(session, policy)
    rows = [_comic_row(snapshot) for snapshot in comics]
    table(["ID", "COMIC", "STATUS", "DONE", "DRAWING", "FAILED", ""], rows, "No comic is queued.")
    if following:
        click.echo("Older comics are on the pages.")
    click.echo()
    now = clock.now(session)
    rows = [_worker_row(worker, now - worker.seen_at) for worker in snapshots.workers(session, policy)]
    table(["WORKER", "LAST SEEN", "HOLDS", "NEEDS A TAB OF"], rows, "No extension has polled yet.")


def _app() -> Flask:
    return click.get_current_context().ensure_object(ScriptInfo).load_app()


def _fail(messages: Iterable[str]) -> NoReturn:
    for message in messages:
        click.echo(message, err=True)
    raise Exit(1)


def _tell(name: str, checked: Checked) -> None:
    """Say what is strange about a file, then what is wrong with it; the latter ends the command."""
    for notice in checked.notices:
        click.echo(f"{name}:{notice.line}: {notice.message}" if notice.line else f"{name}: {notice.message}", err=True)
    for row in checked.rows:
        for problem in row.warnings:
            click.echo(f"{_place(name, checked, row, problem)}: warning: {problem.message}", err=True)
    errors = [f"{OPTIONS.get(error.pointer, name)}: {error.message}" for error in checked.errors]
    of_rows = [f"{_place(name, checked, row, one)}: {one.message}" for row in checked.wrong for one in row.errors]
    if errors or of_rows:
        _fail([*errors, *of_rows])


def _place(name: str, checked: Checked, row: CheckedRow, problem: Problem) -> str:
    """Where something is in a file, as compilers say it: `comic.csv:12:prompt`."""
    at = row.row.place if checked.kind.place == "line" else f"item {row.row.place}"
    return f"{name}:{at}:{problem.column}" if problem.column else f"{name}:{at}"


def _page(comic: Comic) -> str:
    """The address of the comic's page, on the first address that the server listens on."""
    urls = _app().url_map.bind(_app().config["SEMANTEST_BIND"][0])
    return urls.build("admin.comic", {"comic_id": comic.id}, force_external=True)


def _comic_row(snapshot: ComicSnapshot) -> list[str]:
    comic, progress = snapshot.comic, snapshot.progress
    done = f"{progress.completed}/{progress.total}"
    blocked = progress.blocked and snapshots.BLOCKED_WORDS[progress.blocked.reason]
    remark = progress.eta or blocked or ""
    return [
        str(comic.id),
        comic.title,
        snapshot.status,
        done,
        str(progress.running),
        str(progress.failed),
        remark,
    ]


def _worker_row(worker: WorkerSnapshot, silence: timedelta) -> list[str]:
    return [worker.name, _ago(silence), str(worker.holding), ", ".join(worker.missing_tabs)]


def _ago(silence: timedelta) -> str:
    for unit, seconds in UNITS.items():
        if silence.total_seconds() >= seconds:
            return f"{_count(int(silence.total_seconds() // seconds), unit)} ago"
    return "just now"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
