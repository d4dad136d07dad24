"""The first page: what is drawn, how far everything is, what needs a person, and the latest pictures."""

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.comic import COMIC
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.admin.pictures import is_picture_data
from semantest_server.database import db
from semantest_server.errors import Conflict
from semantest_server.models import ComicStatus
from semantest_server.queue import oversight
from semantest_server.queue.steer import change_comic

FINISHED_SHOWN = 3
FAILURES_SHOWN = 5  # comics with failed panels among what needs a person
PAUSED_SHOWN = 3  # paused comics that are named one by one


@pages.get("/")
def home() -> str:
    """Show the whole at a glance."""
    return render_template("home.html", part=_part())


@pages.get("/live")
def home_live() -> Response:
    """Show the whole again if anything changed."""
    return renewed(_part())


@pages.post("/pause")
def pause_everything() -> Response:
    """Pause every comic that has something left to draw."""
    with db.writing() as session:
        paused = oversight.pause_everything(session, asked.policy())
    said = f"Paused {words.count(paused, 'comic')}: no more panels are handed out."
    return _back(said if paused else "There was nothing to pause.")


@pages.post("/resume")
def resume_everything() -> Response:
    """Resume every paused comic."""
    with db.writing() as session:
        resumed = oversight.resume_everything(session, asked.policy())
    return _back(f"Resumed {words.count(resumed, 'comic')}." if resumed else "There was nothing to resume.")


@pages.post(f"{COMIC}/resume")
def resume_comic(comic_id: int) -> Response:
    """Resume one comic."""
    try:
        with db.writing() as session:
            change_comic(session, asked.policy(), comic_id, status=ComicStatus.ACTIVE)
    except Conflict as error:
        return _back(error.detail, "error")
    return _back("Resumed.")


@pages.post(f"{COMIC}/retry-failed")
def retry_failed(comic_id: int) -> Response:
    """Queue a comic's failed panels again."""
    with db.writing() as session:
        retried = oversight.retry_failed(session, asked.policy(), comic_id)
    return _back(f"Queued {words.count(retried, 'panel')} again.")


def _back(said: str, category: str = "message") -> Response:
    flash(said, category)
    return redirect(url_for(".home"), 303)


def _part() -> Live:
    session = db.session()
    home = snapshots.overview(session, asked.policy())
    needs = snapshots.needs(home)
    failures = [need for need in needs if need.kind == "failed"]
    return live(
        ".home_live",
        "home_live.html",
        {},
        home=home,
        needs=[need for need in needs if need not in failures[FAILURES_SHOWN:]],
        more_failures=len(failures[FAILURES_SHOWN:]),
        rests=snapshots.rests(home),
        finished=home.finished[:FINISHED_SHOWN],
        paused_shown=PAUSED_SHOWN,
        is_picture_data=is_picture_data,
        is_safe_address=lambda address: len(address) <= snapshots.ADDRESS_CHARACTERS and words.is_safe_address(address),
    )
