"""What has happened: the history of everything, and a file of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask import Response, render_template, request, url_for
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug import Response as AnyResponse

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.files import as_file
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.admin.words import iso
from semantest_server.database import db
from semantest_server.models import EventType
from semantest_server.snapshots import TROUBLE, WINDOW, EventFilter, Line
from semantest_server.spreadsheets import csv_text

LINES_ON_A_PAGE = 100
LINES_IN_A_FILE = 100_000
LINES_AT_ONCE = 2_000  # of a file, so that nothing long is held in memory
COLUMNS = ("id", "at", "type", "comic", "title", "panel", "task", "attempt", "worker", "message")
TYPE_WORDS = {
    EventType.QUEUED: "queued",
    EventType.HANDED_OUT: "handed out",
    EventType.RUNNING: "drawing began",
    EventType.COMPLETED: "drawn",
    EventType.FAILED: "failed",
    EventType.GIVEN_BACK: "given back",
    EventType.EXPIRED: "fell silent",
    EventType.REVIVED: "came back",
    EventType.CANCELLED: "cancelled",
    EventType.RETRIED: "queued again",
    EventType.NOTED: "noted",
}


@dataclass(frozen=True)
class View:
    """What of the history is looked at, from the address."""

    wanted: EventFilter
    before: int | None

    @property
    def address(self) -> dict[str, Any]:
        """The filter as the address says it, without the page."""
        types = [kind.value for kind in EventType if kind in self.wanted.types]
        given = {"type": types, "comic": self.wanted.comic_id, "worker": self.wanted.worker_id}
        return {name: value for name, value in given.items() if value}

    @property
    def is_trouble(self) -> bool:
        """Whether exactly what went wrong is looked at."""
        return self.wanted.types == TROUBLE


@pages.get("/activity")
def activity() -> str:
    """Show what has happened, newest first."""
    view = _view()
    workers = {one.id: one.shown for one in snapshots.workers(db.session(), asked.policy())}
    return render_template(
        "activity.html",
        part=_part(view),
        view=view,
        types=TYPE_WORDS,
        comics=snapshots.titles(db.session(), also=view.wanted.comic_id),
        workers=workers,
        trouble=url_for(".activity", type=[kind.value for kind in EventType if kind in TROUBLE]),
    )


@pages.get("/activity/live")
def activity_live() -> AnyResponse:
    """Show what has happened again, if anything has."""
    return renewed(_part(_view()))


@pages.get("/activity.csv")
def activity_file() -> Response:
    """Send what has happened as a file, 100,000 lines at most."""
    lines = islice(_every_line(db.engine, _view().wanted), LINES_IN_A_FILE)
    return as_file(csv_text(COLUMNS, map(_cells, lines)), "activity.csv", "text/csv")


def _cells(line: Line) -> Sequence[object]:
    """A line as `COLUMNS` have it."""
    about = (line.comic_id, line.title, line.number, line.task_id, line.attempt, line.worker, line.message)
    return line.id, iso(line.at), line.type, *about


def _view() -> View:
    known = {kind.value: kind for kind in EventType}
    types = frozenset(known[value] for value in request.args.getlist("type") if value in known)
    wanted = EventFilter(types, comic_id=asked.number("comic"), worker_id=asked.number("worker"))
    return View(wanted, asked.number("before"))


def _part(view: View) -> Live:
    found = snapshots.history(db.session(), view.wanted, LINES_ON_A_PAGE, view.before)
    return live(
        ".activity_live",
        "activity_live.html",
        {**view.address, **({"before": view.before} if view.before else {})},
        found=found,
        view=view,
        types=TYPE_WORDS,
        window=WINDOW,
    )


def _every_line(engine: Engine, wanted: EventFilter) -> Iterator[Line]:
    """The lines one after the other, each lot read by itself: events are only ever added, so none is missed.

    It is read while it is sent, when the request and its session are over.
    """
    following = None
    while True:
        with Session(engine) as session:
            found = snapshots.history(session, wanted, LINES_AT_ONCE, following)
        yield from found.lines
        if found.following is None:
            return
        following = found.following
