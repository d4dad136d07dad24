"""The form that queues a comic, on the way to its preview."""

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.forms_queueing import ComicForm, style_of
from semantest_server.admin.frame import pages
from semantest_server.database import db
from semantest_server.errors import KeyReused
from semantest_server.imports.lines import COMMENT
from semantest_server.imports.rows import Reading
from semantest_server.imports.uploads import keep_upload, waiting_uploads
from semantest_server.prompts import compose, final_style
from semantest_server.queue.styles import Styles, presets

EXAMPLE = "Hero enters the cave"
SHOWN_CHARACTERS = 300
UNSAID = "As the file says, or none"


@pages.get("/comics/new")
def new_comic() -> str:
    """Show the form that queues a comic."""
    return _form_page(ComicForm.empty())


@pages.post("/comics/new")
def queue_comic() -> Response:
    """Keep what is to be queued and lead to its preview, or show the form again with what is wrong."""
    form = ComicForm()
    reading = form.reading()
    if reading is None:
        return asked.refused(_form_page(form))
    comic_id = _keep(form, reading)
    if comic_id is not None:
        flash("This was queued already.")
        return redirect(url_for(".comic", comic_id=comic_id), 303)
    return redirect(url_for(".upload", upload_id=form.key.data), 303)


@pages.get("/comics/new/composed")
def composed_row() -> str:
    """Show a prompt with the style that is being chosen: the comic's, or that of one row over it."""
    known = Styles({preset.name: preset.text for preset in presets(db.session())})
    given = request.args
    of_comic = style_of(given.get("style"), given.get("own_style"))
    row = f"cell-{given.get('row', '')}-"
    of_row = style_of(given.get(f"{row}style"), given.get(f"{row}own")) if f"{row}style" in given else ""
    prompt = given.get(f"{row}prompt") or _first_prompt(given.get("prompt") or given.get("prompts") or "")
    style = final_style(known.text_of(of_row or None), known.text_of(of_comic or None))
    return render_template("composed.html", text=compose(prompt[:SHOWN_CHARACTERS].strip() or EXAMPLE, style))


def _keep(form: ComicForm, reading: Reading) -> int | None:
    """Keep what the form says, under a new key if another comic was queued with its own."""
    options = form.all_options(reading.options)
    try:
        with db.writing() as session:
            return keep_upload(session, form.key.data, form.source(), reading, options)
    except KeyReused:
        form.renew_key()
        return _keep(form, reading)


def _first_prompt(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith(COMMENT)), "")


def _form_page(form: ComicForm) -> str:
    session = db.session()
    known = presets(session)
    form.offer_styles([preset.name for preset in known], UNSAID)
    return render_template(
        "comic_new.html",
        form=form,
        sites=snapshots.sites(session),
        default_site=asked.site_defaults().domain,
        waiting=waiting_uploads(session),
    )
