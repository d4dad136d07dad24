"""One comic: how far it is, its panels, and what a person can do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, flash, render_template, request
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.forms import ComicSettingsForm
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.admin.panel_view import FILTERS, SIZES, SORTS, PanelView
from semantest_server.admin.pictures import is_picture_data
from semantest_server.database import db
from semantest_server.errors import Conflict
from semantest_server.models import ComicStatus
from semantest_server.queue.steer import change_comic
from semantest_server.snapshots import ComicSnapshot, PanelSnapshot

COMIC = "/comics/<int(max=9223372036854775807):comic_id>"  # the largest id that databases take

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
def comic_progress(comic_id: int) -> Response:
    """Show again how far a comic is, if anything changed."""
    return renewed(_progress_part(_snapshot(comic_id), PanelView.of_request()))


@pages.get(f"{COMIC}/panels")
def comic_panels(comic_id: int) -> Response:
    """Show a page of a comic's panels again, if anything changed."""
    return renewed(_panels_part(_snapshot(comic_id), PanelView.of_request()))


@pages.post(f"{COMIC}/status")
def change_status(comic_id: int) -> Response:
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
    return PanelView.of_request().back(comic_id)


@pages.post(f"{COMIC}/settings")
def change_settings(comic_id: int) -> Response:
    """Change a comic's title, priority and cap, or show what is wrong with them."""
    form = ComicSettingsForm()
    if not form.validate():
        return asked.refused(_page(_snapshot(comic_id), form))
    with db.writing() as session:
        change_comic(session, asked.policy(), comic_id, **form.changes())
    flash("Saved.")
    return PanelView.of_request().back(comic_id)


def _snapshot(comic_id: int) -> ComicSnapshot:
    return snapshots.comic(db.session(), asked.policy(), comic_id)


def _page(snapshot: ComicSnapshot, form: ComicSettingsForm) -> str:
    view = PanelView.of_request()
    return render_template(
        "comic.html",
        comic=snapshot.comic,
        progress=_progress_part(snapshot, view),
        panels=_panels_part(snapshot, view),
        form=form,
        view=view,
        sorts=SORTS,
        sizes=SIZES,
    )


def _progress_part(snapshot: ComicSnapshot, view: PanelView) -> Live:
    address = {"comic_id": snapshot.comic.id, **view.address}
    return live(".comic_progress", "comic_progress.html", address, snapshot=snapshot, view=view)


def _panels_part(snapshot: ComicSnapshot, view: PanelView) -> Live:
    comic_id, counts = snapshot.comic.id, _counts(snapshot, view)
    matching = {name: count if view.status in ("", name) else 0 for name, count in counts.items()}
    total = sum(matching.values())
    return live(
        ".comic_panels",
        "comic_panels.html",
        {"comic_id": comic_id, **view.address},
        comic=snapshot.comic,
        panels=_panels(comic_id, view, total),
        counts=counts,
        matching=matching,
        last_page=max(1, -(-total // view.size)),
        view=view,
        is_picture_data=is_picture_data,
        is_safe_address=words.is_safe_address,
    )


def _panels(comic_id: int, view: PanelView, total: int) -> Sequence[PanelSnapshot]:
    """The panels of the page, of so many in all."""
    offset = (view.page - 1) * view.size
    if offset >= total:
        return ()  # to find that out, the database would look through all of them
    return snapshots.panel_page(
        db.session(),
        asked.policy(),
        view.selection(comic_id),
        sort=view.sort,
        descending=view.descending,
        limit=view.size,
        offset=offset,
    )


def _counts(snapshot: ComicSnapshot, view: PanelView) -> Mapping[str, int]:
    """How many panels each filter would leave, of those that the search leaves."""
    if not view.q:
        progress: Any = snapshot.progress  # the comic has counted them already
        return {name: getattr(progress, name) for name in FILTERS}
    found = snapshots.panel_counts(db.session(), asked.policy(), view.selection(snapshot.comic.id))
    return {name: sum(found[status] for status in statuses) for name, statuses in FILTERS.items()}
