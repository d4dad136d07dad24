"""The workers: which poll, what they hold, how well they do, what a person calls them, and holding them back."""

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.forms_settings import LabelForm
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.database import db
from semantest_server.errors import Invalid
from semantest_server.queue.oversight import hold_worker, label_worker

WORKER = "/workers/<int(max=9223372036854775807):worker_id>"  # the largest id that databases take


@pages.get("/workers")
def workers() -> str:
    """Show the workers; one of them with a form for its label, if the address says so."""
    renamed = asked.number("rename")
    return _page(renamed) if renamed is not None else render_template("workers.html", part=_part())


@pages.get("/workers/live")
def workers_live() -> Response:
    """Show the workers again if anything changed."""
    return renewed(_part())


@pages.post(f"{WORKER}/label")
def change_label(worker_id: int) -> Response:
    """Call a worker something else, or show what is wrong with that."""
    form = LabelForm()
    try:
        with db.writing() as session:
            shown = label_worker(session, worker_id, form.label.data)
            name = shown.label or shown.name
    except Invalid as invalid:
        form.label.errors = [error.message for error in invalid.errors]
        return asked.refused(_page(worker_id, form))
    flash(f"It is called {name} now.")
    return redirect(url_for(".workers", _anchor=f"worker-{worker_id}"), 303)


@pages.post(f"{WORKER}/hold")
def hold(worker_id: int) -> Response:
    """Give a worker nothing new."""
    return _held(worker_id, True, "gets nothing new. What it has, it draws to the end.")


@pages.post(f"{WORKER}/release")
def release(worker_id: int) -> Response:
    """Let a worker have panels again."""
    return _held(worker_id, False, "gets panels again.")


def _held(worker_id: int, held: bool, said: str) -> Response:
    with db.writing() as session:
        worker = hold_worker(session, worker_id, held)
        name = worker.label or worker.name
    flash(f"{name} {said}")
    return redirect(url_for(".home" if request.args.get("back") == "home" else ".workers"), 303)


def _part() -> Live:
    return live(
        ".workers_live", "workers_live.html", {}, records=snapshots.worker_records(db.session(), asked.policy())
    )


def _page(renamed: int, form: LabelForm | None = None) -> str:
    """The page with a form in the place of a worker's name. It stands still, so that nobody is disturbed in typing."""
    records = snapshots.worker_records(db.session(), asked.policy())
    labels = {record.worker.id: record.worker.label for record in records}
    form = form or LabelForm(formdata=None, label=labels.get(renamed))
    return render_template("workers.html", records=records, renamed=renamed, form=form)
