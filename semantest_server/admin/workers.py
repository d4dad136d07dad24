"""Which workers poll."""

from flask import render_template
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.database import db


@pages.get("/workers")
def workers() -> str:
    """Show which workers poll, when each was last seen, and what it holds."""
    return render_template("workers.html", part=_part())


@pages.get("/workers/live")
def workers_live() -> Response:
    """Show the workers again if anything changed."""
    return renewed(_part())


def _part() -> Live:
    return live(".workers_live", "workers_live.html", {}, workers=snapshots.workers(db.session(), asked.policy()))
