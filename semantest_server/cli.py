"""The command `semantest-server`: run the server, queue a comic from a file, look at what is queued."""

import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click
import flask_migrate.cli
from click.exceptions import Exit
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo
from sqlalchemy.exc import SQLAlchemyError

from semantest_server import cli_accounts, cli_upkeep, create_app, server, snapshots, standing
from semantest_server.cli_table import table
from semantest_server.clock import clock
from semantest_server.config import SettingError
from semantest_server.database import db, write_transaction
from semantest_server.errors import FieldError, Invalid, QueueError
from semantest_server.models import Comic, Priority
from semantest_server.prompts import PromptLine, read_lines
from semantest_server.queue.drafts import PARALLEL, ComicDraft, PanelDraft
from semantest_server.queue.submit import submit_comic
from semantest_server.server import StartError
from semantest_server.snapshots import ComicSnapshot, WorkerSnapshot
from semantest_server.upgrade import UpgradeError, prepare, reason

PRIORITIES = [priority.name.lower() for priority in Priority]
PANEL_POINTER = re.compile(r"/panels/(\d+)/")
OPTIONS = {
    "/title": "--title",
    "/style": "--style",
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
        return sorted(self.commands)


main = Commands(
    create_app=lambda: create_app(),
    add_default_commands=False,
    add_version_option=False,
    context_settings={"auto_envvar_prefix": None},
    help="The server that browser extensions poll for panels to draw.",
)
main.params.clear()  # FlaskGroup's options say which app to load; there is one
main.add_command(flask_migrate.cli.db)
cli_upkeep.register(main)
cli_accounts.register(main)


@main.command("run", with_appcontext=False)
@click.option("--bind", metavar="HOST:PORT", help="Where to listen; overrides SEMANTEST_BIND.")
def run_command(bind: str | None) -> None:
    """Run the server until Ctrl-C."""
    if bind:
        os.environ["SEMANTEST_BIND"] = bind  # the worker processes read it too
    server.run(_app())


@main.command("queue")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--title", help="The comic's title. [default: the file's name]")
@click.option("--style", help="Added to every prompt.")
@click.option("--priority", type=click.Choice(PRIORITIES), default="normal", show_default=True)
@click.option("--parallel", type=int, default=PARALLEL, show_default=True, help="Panels drawn at once, at most.")
@click.option("--domain", metavar="SITE", help="The site that draws. [default: SEMANTEST_DOMAIN]")
@click.option("--download-folder", metavar="FOLDER", help="[default: made from the title]")
def queue_command(file: TextIO, title: str | None, priority: str, **options: Any) -> None:
    """Queue a comic: FILE has one prompt a line; - is standard input.

    Empty lines and lines that begin with # are passed over.
    """
    lines = _read(file)
    panels = [PanelDraft(prompt=line.prompt) for line in lines]
    title = title or (Path(file.name).stem if file.name != STANDARD_INPUT else "Untitled")
    draft = ComicDraft(title, panels, priority=Priority[priority.upper()], **options)
    prepare(_app())
    try:
        with write_transaction(db.session()) as session:
            comic = submit_comic(session, draft, _app().extensions["semantest"].site_defaults)
            made = f"Queued comic {comic.id}, {comic.title}, with {_count(comic.total, 'panel')}: {_page(comic)}"
    except Invalid as invalid:
        _fail(_place(file.name, lines, error) for error in invalid.errors)
    click.echo(made)


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


def _read(file: TextIO) -> list[PromptLine]:
    try:
        lines = read_lines(file.read())
    except UnicodeDecodeError:
        _fail([f"{file.name}: This is not UTF-8 text."])
    if not lines:
        _fail([f"{file.name}: There is no prompt in it; write one a line."])
    return lines


def _fail(messages: Iterable[str]) -> NoReturn:
    for message in messages:
        click.echo(message, err=True)
    raise Exit(1)


def _place(name: str, lines: list[PromptLine], error: FieldError) -> str:
    """The error with the line of the file, or the option, that it is about."""
    if panel := PANEL_POINTER.match(error.pointer):
        return f"{name}:{lines[int(panel[1])].line}: {error.message}"
    return f"{OPTIONS.get(error.pointer, name)}: {error.message}"


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
