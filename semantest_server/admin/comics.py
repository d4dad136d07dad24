"""The list of comics."""

from flask import render_template
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.database import db


@pages.get("/comics")
def comics() -> str:
    """Show every comic, how far it is and what holds it back, and whether any worker polls."""
    return render_template("comics.html", part=_part())


@pages.get("/comics/live")
def comics_live() -> Response:
    """Show the comics again if anything changed."""
    return renewed(_part())


def _part() -> Live:
    before = asked.number("before")
    rows, older = snapshots.comics(db.session(), asked.policy(), before=before)
    workers = snapshots.workers(db.session(), asked.policy())
    return live(
        ".comics_live",
        "comics_live.html",
        {"before": before},
        comics=rows,
        older=older,
        is_first_page=before is None,
        workers=workers,
        connected=sum(worker.is_connected for worker in workers),
    )
