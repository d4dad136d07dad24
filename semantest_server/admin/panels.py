"""What a person does to many panels of a comic at once: those picked, or everything that the filter leaves."""

from flask import abort, flash, request
from werkzeug import Response

from semantest_server.admin import asked, words
from semantest_server.admin.comic import COMIC
from semantest_server.admin.frame import pages
from semantest_server.admin.panel_view import FILTERS, PanelView
from semantest_server.database import db
from semantest_server.errors import Invalid
from semantest_server.queue.panels import End, cancel_panels, move_panels, retry_panels
from semantest_server.selection import Selection

PLACES = {"top": End.TOP, "bottom": End.BOTTOM}


@pages.post(f"{COMIC}/retry")
def retry_selected(comic_id: int) -> Response:
    """Queue failed and cancelled panels again."""
    selection = chosen(comic_id)
    with db.writing() as session:
        done = retry_panels(session, asked.policy(), selection)
    _say(selection, done, "queued again", "not failed any more")
    return PanelView.of_request().back(comic_id)


@pages.post(f"{COMIC}/panels/cancel")
def cancel_selected(comic_id: int) -> Response:
    """Cancel panels that are not drawn yet."""
    selection = chosen(comic_id)
    with db.writing() as session:
        done = cancel_panels(session, asked.policy(), selection)
    _say(selection, done, "cancelled", "over already")
    return PanelView.of_request().back(comic_id)


@pages.post(f"{COMIC}/panels/move")
def move_selected(comic_id: int) -> Response:
    """Let queued panels be drawn first, last, or at a place among those that wait."""
    selection, to = chosen(comic_id), request.args.get("to", "")
    place = PLACES.get(to) or asked.whole(request.form.get(f"place-{_which()}", "").strip())
    try:
        if place is None:
            raise Invalid("Give the place as a whole number, such as 10.", [])
        with db.writing() as session:
            done = move_panels(session, asked.policy(), selection, place)
        where = f"to the {to}" if to in PLACES else f"to place {place:,}"
        _say(selection, done, f"moved {where}", "not waiting")
    except Invalid as error:
        flash(" ".join([error.detail, *(one.message for one in error.errors)]), "error")
    return PanelView.of_request().back(comic_id)


def chosen(comic_id: int) -> Selection:
    """The panels that the request is about: those picked, or all that match what is looked at."""
    if _which() == "matching":
        if request.args.get("status", "") not in ("", *FILTERS):
            abort(400)  # a page that is looked at shows all panels then; here that would mean all
        return PanelView.of_request().selection(comic_id)
    return Selection(comic_id, task_ids=tuple(asked.named_tasks()))


def _which() -> str:
    """Whether it is about the `selected` or the `matching` panels. Nonsense is refused: it must not mean all."""
    which = request.args.get("which", "")
    if which not in ("selected", "matching"):
        abort(400)
    return which


def _say(selection: Selection, done: int, what: str, otherwise: str) -> None:
    """Say how many panels it was done to, and how many were in another state by then."""
    meant = asked.number("count") if selection.task_ids is None else len(selection.task_ids)
    if meant == 0 and not done:
        flash("No panel was selected.", "error")
        return
    rest = max((meant or done) - done, 0)
    was = f"{rest:,} {'was' if rest == 1 else 'were'} {otherwise}" if rest else ""
    said = f"{words.count(done, 'panel')} {what}" if done else f"No panel was {what}"
    flash(f"{said}; {was}." if was else f"{said}.", "message" if done else "error")
