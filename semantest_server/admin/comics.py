"""The list of comics, and the form that queues one."""

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.forms import ComicForm
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.database import db
from semantest_server.errors import KeyReused
from semantest_server.queue.submit import submit_comic


@pages.get("/")
def comics() -> str:
    """Show every comic, how far it is and what holds it back, and whether any worker polls."""
    return render_template("comics.html", part=_part())


@pages.get("/live")
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


@pages.get("/comics/new")
def new_comic() -> str:
    """Show the form that queues a comic."""
    return _form_page(ComicForm.empty(asked.site_defaults().domain))


@pages.post("/comics/new")
def queue_comic() -> Response:
    """Queue a comic and lead to it, or show the form again with what is wrong."""
    form = ComicForm()
    form.take_in_file()
    comic_id = _queue(form) if form.validate() else None
    if comic_id is None:
        return asked.refused(_form_page(form))
    flash(f"Queued {words.count(len(form.lines), 'panel')}.")
    return redirect(url_for(".comic", comic_id=comic_id), 303)


def _queue(form: ComicForm) -> int | None:
    """Queue what the form says, and give the comic's id, or None once the form says what is wrong."""
    draft = form.draft()
    key = form.idempotency_key(draft)
    try:
        with db.writing() as session:
            return submit_comic(session, draft, asked.site_defaults(), key).id
    except KeyReused:
        form.renew_key()
        form.form_errors.append("This form has queued another comic before. Send it again to queue this one too.")
        return None


def _form_page(form: ComicForm) -> str:
    return render_template("comic_new.html", form=form, sites=snapshots.sites(db.session()))
