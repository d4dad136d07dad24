"""One comic: how far it is, its panels, and what a person can do about it."""

from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.forms import ComicSettingsForm
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.admin.pictures import is_picture_data, picture_response
from semantest_server.database import db
from semantest_server.errors import Conflict, Invalid
from semantest_server.models import ComicStatus, TaskStatus
from semantest_server.queue.drafts import MOST_NUMBER
from semantest_server.queue.steer import change_comic, retry
from semantest_server.snapshots import ComicSnapshot

COMIC = "/comics/<int(max=9223372036854775807):comic_id>"  # the largest id that databases take
PANELS_ON_A_PAGE = 100

FILTERS = {
    "queued": {TaskStatus.QUEUED},
    "running": {TaskStatus.LEASED, TaskStatus.RUNNING},
    "completed": {TaskStatus.COMPLETED},
    "failed": {TaskStatus.FAILED},
    "cancelled": {TaskStatus.CANCELLED},
}
DECISIONS = {
    "active": (ComicStatus.ACTIVE, "Resumed."),
    "paused": (ComicStatus.PAUSED, "Paused: no more panels are handed out."),
    "cancelled": (ComicStatus.CANCELLED, "Cancelled: panels that are not drawn yet will not be."),
}


@pages.get(COMIC)
def comic(comic_id: int) -> str:
    """Show a comic and its panels."""
    snapshot = _snapshot(comic_id)
    return _page(snapshot, ComicSettingsForm.of(snapshot.comic))


@pages.get(f"{COMIC}/progress")
def comic_progress(comic_id: int) -> AnyResponse:
    """Show again how far a comic is, if anything changed."""
    return renewed(_progress_part(_snapshot(comic_id)))


@pages.get(f"{COMIC}/panels")
def comic_panels(comic_id: int) -> AnyResponse:
    """Show a page of a comic's panels again, if anything changed."""
    return renewed(_panels_part(_snapshot(comic_id)))


@pages.get(f"{COMIC}/panels/<int(min=1, max={MOST_NUMBER}):number>/picture")
def picture(comic_id: int, number: int) -> Response:
    """Send the picture of a panel that was reported as data."""
    found, _ = snapshots.panels(db.session(), asked.policy(), comic_id, after=number - 1, limit=1)
    address = found[0].image_url if found and found[0].number == number else None
    return picture_response(address or "") or abort(404)


@pages.post(f"{COMIC}/status")
def change_status(comic_id: int) -> AnyResponse:
    """Pause, resume or cancel a comic."""
    decision = DECISIONS.get(request.form.get("status", ""))
    if decision is None:
        abort(400)
    status, said = decision
    try:
        with db.writing() as session:
            change_comic(session, asked.policy(), comic_id, status=status)
        flash(said)
    except Conflict as error:
        flash(error.detail, "error")
    return _back_to(comic_id)


@pages.post(f"{COMIC}/retry")
def retry_panels(comic_id: int) -> AnyResponse:
    """Queue failed and cancelled panels again: those named, or all."""
    task_ids = asked.named_tasks()
    try:
        with db.writing() as session:
            retry(session, asked.policy(), comic_id, task_ids or None)
        flash("Queued again.")
    except Invalid as error:
        flash(error.detail, "error")
    return _back_to(comic_id)


@pages.post(f"{COMIC}/settings")
def change_settings(comic_id: int) -> AnyResponse:
    """Change a comic's title, priority and cap, or show what is wrong with them."""
    form = ComicSettingsForm()
    if not form.validate():
        return asked.refused(_page(_snapshot(comic_id), form))
    with db.writing() as session:
        change_comic(session, asked.policy(), comic_id, **form.changes())
    flash("Saved.")
    return _back_to(comic_id)


def _snapshot(comic_id: int) -> ComicSnapshot:
    return snapshots.comic(db.session(), asked.policy(), comic_id)


def _page(snapshot: ComicSnapshot, form: ComicSettingsForm) -> str:
    return render_template(
        "comic.html",
        comic=snapshot.comic,
        progress=_progress_part(snapshot),
        panels=_panels_part(snapshot),
        form=form,
        view=_view(),
    )


def _progress_part(snapshot: ComicSnapshot) -> Live:
    address = {"comic_id": snapshot.comic.id, **_view()}
    return live(".comic_progress", "comic_progress.html", address, snapshot=snapshot, view=_view())


def _panels_part(snapshot: ComicSnapshot) -> Live:
    view = _view()
    panels, following = snapshots.panels(
        db.session(),
        asked.policy(),
        snapshot.comic.id,
        after=view.get("after", 0),
        limit=PANELS_ON_A_PAGE,
        statuses=frozenset(FILTERS.get(view.get("status", ""), ())),
    )
    return live(
        ".comic_panels",
        "comic_panels.html",
        {"comic_id": snapshot.comic.id, **view},
        snapshot=snapshot,
        panels=panels,
        following=following,
        view=view,
        filters=list(FILTERS),
        is_picture_data=is_picture_data,
        is_safe_address=words.is_safe_address,
    )


def _view() -> dict[str, Any]:
    """Which of the panels are looked at: those of a status, and those after a number."""
    status, after = request.args.get("status"), asked.number("after", most=MOST_NUMBER)
    view = {"status": status if status in FILTERS else None, "after": after}
    return {name: value for name, value in view.items() if value}


def _back_to(comic_id: int) -> AnyResponse:
    return redirect(url_for(".comic", comic_id=comic_id, **_view()), 303)
