"""The preview of what is to be queued: every row as it will be, and the way to mend it."""

import re
from collections import defaultdict
from functools import partial
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug import Response as AnyResponse

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.files import as_file
from semantest_server.admin.forms_queueing import NO_STYLE, UploadForm, style_choices, style_of, style_select
from semantest_server.admin.frame import pages
from semantest_server.admin.upload_rows import FILTERS, ROWS_ON_A_PAGE, View, matching, shown_rows
from semantest_server.database import db
from semantest_server.errors import Invalid, NotFound
from semantest_server.imports import uploads
from semantest_server.imports.checked import Checked
from semantest_server.imports.columns import COLUMNS
from semantest_server.imports.estimate import estimated_seconds
from semantest_server.imports.uploads import Edits
from semantest_server.models import Upload
from semantest_server.paths import slug
from semantest_server.queue.drafts import MOST_PANELS
from semantest_server.queue.styles import presets
from semantest_server.spreadsheets import csv_text

UPLOAD = "/uploads/<upload_id>"
CELL = re.compile(r"cell-([0-9]{1,5})-([a-z]+)")
GO = re.compile(r"([a-z]+)\.([0-9]{1,5})")
HOURS_SAID_IN_DAYS = 48
UNSAID_OF_ROW = "The comic's"


@pages.get(UPLOAD)
def upload(upload_id: str) -> AnyResponse:
    """Show what will be queued, or lead to the comic if it was."""
    session = db.session()
    try:
        found = uploads.find_upload(session, upload_id)
    except NotFound:
        return _what_it_became(db.session(), upload_id)
    return Response(_page(found, uploads.check_upload(session, found)))


@pages.post(UPLOAD)
def change_upload(upload_id: str) -> AnyResponse:
    """Keep what was mended and chosen; then queue the comic, or show the rows that are asked for."""
    wanted = request.form.get("do", "")
    try:
        with db.writing() as session:
            uploads.change_upload(session, upload_id, _edits())
        if wanted in ("queue", "queue-good"):
            return _queue(upload_id, but_wrong=wanted == "queue-good")
        if wanted in ("select", "deselect"):
            _choose_matching(upload_id, is_on=wanted == "select")
    except NotFound:
        with db.writing() as session:  # whoever has queued it at this moment may not have committed yet
            return _what_it_became(session, upload_id)
    return redirect(url_for(".upload", upload_id=upload_id, **_next_view()), 303)


@pages.get(f"{UPLOAD}/rows.csv")
def upload_rows(upload_id: str) -> Response:
    """Send the rows back as they are now, with what is wrong and strange about each."""
    session = db.session()
    found = uploads.find_upload(session, upload_id)
    checked = uploads.check_upload(session, found)
    columns = [column for column in COLUMNS if any(column in row.row.cells for row in checked.rows)] or ["prompt"]
    rows = (
        [
            *[row.row.cells.get(column, "") for column in columns],
            *["; ".join(_said(problem) for problem in problems) for problems in (row.errors, row.warnings)],
        ]
        for row in checked.rows
    )
    name = slug(found.options["title"] or found.name or "rows")
    return as_file("".join(csv_text([*columns, "errors", "warnings"], rows)), f"{name}.csv", "text/csv")


@pages.post(f"{UPLOAD}/discard")
def discard_upload(upload_id: str) -> AnyResponse:
    """Forget what was to be queued."""
    with db.writing() as session:
        uploads.discard_upload(session, upload_id)
    flash("Discarded. Nothing of it was queued.")
    return redirect(url_for(".new_comic"), 303)


def _what_it_became(session: Session, upload_id: str) -> AnyResponse:
    """Lead to the comic that an upload was queued as. Raises `NotFound` if it was not."""
    comic_id = uploads.queued_as(session, upload_id)
    if comic_id is None:
        raise NotFound(uploads.NO_UPLOAD)
    return redirect(url_for(".comic", comic_id=comic_id), 303)


def _queue(upload_id: str, *, but_wrong: bool) -> AnyResponse:
    try:
        with db.writing() as session:
            comic = uploads.queue_upload(session, upload_id, asked.site_defaults(), but_wrong=but_wrong)
            comic_id, panels = comic.id, comic.total
    except Invalid as error:
        session = db.session()
        found = uploads.find_upload(session, upload_id)
        checked = uploads.check_upload(session, found)
        said = "Nothing was queued yet: " + _what_is_wrong(checked, error)
        return asked.refused(_page(found, checked, said))
    flash(f"Queued {words.count(panels, 'panel')}.")
    return redirect(url_for(".comic", comic_id=comic_id), 303)


def _what_is_wrong(checked: Checked, error: Invalid) -> str:
    if checked.wrong and not checked.errors:
        return f"{words.count(len(checked.wrong), 'row')} must be mended or deselected first."
    return (checked.errors or error.errors)[0].message


def _choose_matching(upload_id: str, *, is_on: bool) -> None:
    """Select or deselect every row that the filter shows, on all of its pages."""
    with db.writing() as session:
        checked = uploads.check_upload(session, uploads.find_upload(session, upload_id, locked=True))
        rows = {row.index for row in matching(checked, _view().of(checked).show)}
        uploads.change_upload(session, upload_id, Edits(on=rows) if is_on else Edits(off=rows))


def _edits() -> Edits:
    """What the form says about rows and options."""
    form = request.form
    cells: dict[int, dict[str, str]] = defaultdict(dict)
    for name, value in form.items():
        if match := CELL.fullmatch(name):
            cells[int(match[1])][match[2]] = value
    for index, row in cells.items():
        if f"cell-{index}-own" in form:
            row["style"] = style_of(row.get("style"), row.pop("own"))
    here, on = _numbers("row"), _numbers("on")
    options = UploadForm().options() if "title" in form else None
    return Edits(cells, _numbers("approved"), on & here, here - on, options)


def _numbers(name: str) -> set[int]:
    return {
        int(value) for value in request.form.getlist(name) if value.isascii() and value.isdigit() and len(value) < 6
    }


def _view() -> View:
    return View(request.args.get("show", ""), asked.number("page", MOST_PANELS) or 1, asked.number("edit", MOST_PANELS))


def _next_view() -> dict[str, Any]:
    """Where a button leads: to another filter or page, to a row that is opened, or to where it stands."""
    view = _view()
    if match := GO.fullmatch(request.form.get("go", "")):
        view = View(match[1] if match[1] in FILTERS else "", int(match[2]))
    elif edit := _numbers("edit"):
        view = View(view.show, view.page, edit.pop())
        return {**view.address(), "_anchor": f"row-{view.edit}"}
    else:
        view = View(view.show, view.page)
    return view.address()


def _page(found: Upload, checked: Checked, refused: str | None = None) -> str:
    session = db.session()
    known = [preset.name for preset in presets(session)]
    options = uploads.options_of(found)
    form = UploadForm.of(options)
    form.offer_styles(known, NO_STYLE)
    form.show(error for error in checked.errors if error.pointer != "/panels")
    view = _view().of(checked)
    return render_template(
        "upload.html",
        upload=found,
        form=form,
        checked=checked,
        view=view,
        rows=shown_rows(checked, view),
        count_of={name: len(matching(checked, name)) for name in FILTERS},
        pages=max(1, -(-len(matching(checked, view.show)) // ROWS_ON_A_PAGE)),
        refused=refused,
        sample=next((row.panel.prompt for row in checked.rows if row.panel and row.panel.prompt), ""),
        takes=_takes(checked),
        takes_good=_takes(checked, but_wrong=True),
        style_select=partial(style_select, style_choices(known, UNSAID_OF_ROW)),
        sites=snapshots.sites(session),
        default_site=asked.site_defaults().domain,
    )


def _takes(checked: Checked, *, but_wrong: bool = False) -> str:
    """What a button says about the time: `, about 5 h`, or nothing where nothing is known."""
    if any(error.pointer == "/domain" for error in checked.errors):
        return ""  # and the database might not even take such a name
    panels = len(checked.good) if but_wrong else len(checked.good) + len(checked.wrong)
    comic = checked.comic
    domain = comic.domain or asked.site_defaults().domain
    seconds = estimated_seconds(db.session(), panels, domain, max(1, comic.parallel))
    return f", about {in_short(seconds)}" if seconds is not None else ""


def in_short(seconds: float) -> str:
    """A time as a button has room for it: `40 min`, `5 h`, `3 days`."""
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < HOURS_SAID_IN_DAYS else f"{round(seconds / 86_400)} days"


def _said(problem: Any) -> str:
    return f"{problem.column}: {problem.message}" if problem.column else problem.message
