"""One panel: its picture, its words, every attempt at it, and its history."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.comic import COMIC
from semantest_server.admin.forms_panels import PanelForm
from semantest_server.admin.forms_settings import show_errors
from semantest_server.admin.frame import pages
from semantest_server.admin.live import Live, live, renewed
from semantest_server.admin.panel_view import PanelView
from semantest_server.admin.pictures import is_picture_data, picture_response
from semantest_server.database import db
from semantest_server.errors import Conflict, Invalid
from semantest_server.prompts import compose, final_style
from semantest_server.queue.drafts import MOST_NUMBER
from semantest_server.queue.panels import End, cancel_panels, move_panels, retry_panels
from semantest_server.queue.styles import presets, styles
from semantest_server.queue.wording import EDITABLE, WORDS, Wording, edit_panel, wording
from semantest_server.selection import Selection
from semantest_server.snapshots import PanelSnapshot

PANEL = f"{COMIC}/panels/<int(min=1, max={MOST_NUMBER}):number>"
EVENTS_SHOWN = 200


@pages.get(PANEL)
def panel(comic_id: int, number: int) -> str:
    """Show a panel."""
    return _page(comic_id, number, PanelForm.of(wording(db.session(), comic_id, number)))


@pages.get(f"{PANEL}/state")
def panel_state(comic_id: int, number: int) -> AnyResponse:
    """Show again where a panel is, if anything changed."""
    return renewed(_state_part(_snapshot(comic_id, number)))


@pages.get(f"{PANEL}/history")
def panel_history(comic_id: int, number: int) -> AnyResponse:
    """Show the attempts at a panel and its history again, if anything changed."""
    return renewed(_history_part(_snapshot(comic_id, number)))


@pages.get(f"{PANEL}/picture")
def picture(comic_id: int, number: int) -> Response:
    """Send the picture of a panel that was reported as data."""
    address = snapshots.picture_address(db.session(), comic_id, number)
    return picture_response(address or "") or abort(404)


@pages.post(PANEL)
def change_panel(comic_id: int, number: int) -> AnyResponse:
    """Change the words of a panel, and queue it again if that is asked, or show what is in the way."""
    form = PanelForm()
    try:
        with db.writing() as session:
            retried = edit_panel(
                session,
                asked.policy(),
                comic_id,
                number,
                form.wording(),
                form.version.data or "",
                retry="retry" in request.form,
            )
    except Invalid as error:
        show_errors(form, error.errors)
        return asked.refused(_page(comic_id, number, form))
    except Conflict as error:
        form.form_errors.append(error.detail)
        return Response(_page(comic_id, number, form, theirs=_theirs(comic_id, number, form)), 409)
    flash("Saved, and queued again." if retried else "Saved.")
    return _back(comic_id, number)


@pages.post(f"{PANEL}/composed")
def composed_panel(comic_id: int, number: int) -> str:
    """Say how a panel would be drawn with the words being typed. By POST: a long prompt fits into no address."""
    typed, shown, session = PanelForm().wording(), _snapshot(comic_id, number), db.session()
    style = shown.style_text
    if typed.style != shown.chosen_style:
        comic = snapshots.comic(session, asked.policy(), comic_id).comic
        style = final_style(styles(session).text_of(typed.style), comic.style_text)
    return render_template("panel_composed.html", text=compose(typed.prompt, style) if typed.prompt else "")


@pages.post(f"{PANEL}/retry")
def retry_panel(comic_id: int, number: int) -> AnyResponse:
    """Queue a failed or cancelled panel again."""
    with db.writing() as session:
        done = retry_panels(session, asked.policy(), _selection(comic_id, number))
    _say(done, f"Panel {number} is queued again.", f"Panel {number} has not failed, so that it was not queued again.")
    return _back(comic_id, number)


@pages.post(f"{PANEL}/cancel")
def cancel_panel(comic_id: int, number: int) -> AnyResponse:
    """Cancel a panel that is not drawn yet."""
    with db.writing() as session:
        done = cancel_panels(session, asked.policy(), _selection(comic_id, number))
    _say(done, f"Panel {number} is cancelled.", f"Panel {number} was over already.")
    return _back(comic_id, number)


@pages.post(f"{PANEL}/top")
def draw_panel_next(comic_id: int, number: int) -> AnyResponse:
    """Let a panel that waits be drawn before all others of its comic."""
    with db.writing() as session:
        done = move_panels(session, asked.policy(), _selection(comic_id, number), End.TOP)
    _say(done, f"Panel {number} is the next of this comic.", f"Panel {number} is not waiting.")
    return _back(comic_id, number)


def _theirs(comic_id: int, number: int, form: PanelForm) -> Wording | None:
    """What somebody else made of the panel meanwhile, if so; to save the form once more is to know of it."""
    now = wording(db.session(), comic_id, number)
    is_news = now.version != form.version.data
    form.version.data = now.version
    return now if is_news else None


def _say(done: int, said: str, otherwise: str) -> None:
    flash(said if done else otherwise, "message" if done else "error")


def _back(comic_id: int, number: int) -> AnyResponse:
    """Lead back to the comic if that is where the button was, else to the panel."""
    view = PanelView.of_request()
    if request.args.get("from") == "comic":
        return view.back(comic_id)
    return redirect(view.url("panel", comic_id, number=number), 303)


def _selection(comic_id: int, number: int) -> Selection:
    return Selection(comic_id, task_ids=(_snapshot(comic_id, number).id,))


def _snapshot(comic_id: int, number: int) -> PanelSnapshot:
    return snapshots.panel(db.session(), asked.policy(), comic_id, number)


def _page(comic_id: int, number: int, form: PanelForm, theirs: Wording | None = None) -> str:
    """The page. `theirs`: the words as they are, where they are not what the form began with."""
    session, view, shown = db.session(), PanelView.of_request(), _snapshot(comic_id, number)
    before, after = snapshots.neighbours(session, asked.policy(), view.selection(comic_id), number)
    return render_template(
        "panel.html",
        comic=snapshots.comic(session, asked.policy(), comic_id).comic,
        panel=shown,
        state=_state_part(shown),
        history=_history_part(shown),
        form=form,
        view=view,
        before=before,
        after=after,
        is_editable=shown.status in EDITABLE,
        theirs=_differences(form, theirs) if theirs else {},
        presets=presets(session),
    )


def _differences(form: PanelForm, theirs: Wording) -> Mapping[str, str]:
    """What is kept now of each field in which the form says something else."""
    mine = form.wording()
    return {
        form[name].label.text: getattr(theirs, name) or ""
        for name in WORDS
        if getattr(theirs, name) != getattr(mine, name)
    }


def _state_part(panel: PanelSnapshot) -> Live:
    view = PanelView.of_request()
    return live(
        ".panel_state",
        "panel_state.html",
        _address(panel, view),
        panel=panel,
        view=view,
        picture=_picture(panel),
        file_name=PurePosixPath(panel.output_path).name,
    )


def _history_part(panel: PanelSnapshot) -> Live:
    session = db.session()
    events, following = snapshots.events(session, panel.id, EVENTS_SHOWN, after=asked.number("after") or 0)
    return live(
        ".panel_history",
        "panel_history.html",
        {**_address(panel, PanelView.of_request()), "after": asked.number("after")},
        attempts=snapshots.attempts(session, panel.id),
        events=events,
        following=following,
        panel=panel,
        view=PanelView.of_request(),
    )


def _address(panel: PanelSnapshot, view: PanelView) -> dict[str, Any]:
    return {"comic_id": panel.batch_id, "number": panel.number, **view.address}


def _picture(panel: PanelSnapshot) -> str | None:
    """Where the picture can be looked at, if anywhere."""
    if is_picture_data(panel.image_url):
        return url_for(".picture", comic_id=panel.batch_id, number=panel.number, attempt=panel.attempt)
    return panel.image_url if words.is_safe_address(panel.image_url) else None
