"""The styles: presets that are added to prompts under a name."""

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from semantest_server.admin import asked
from semantest_server.admin.forms_settings import StyleForm, show_errors
from semantest_server.admin.frame import pages
from semantest_server.database import db
from semantest_server.errors import Conflict, Invalid
from semantest_server.models import Style
from semantest_server.prompts import compose
from semantest_server.queue import styles as queue_styles

STYLE = "/styles/<int(max=9223372036854775807):style_id>"  # the largest id that databases take
EXAMPLE = "Hero enters the cave"


@pages.get("/styles")
def styles() -> str:
    """Show the presets, and the form for another one."""
    return _page()


@pages.post("/styles")
def add_style() -> Response:
    """Make a preset, or show what is wrong with it."""
    form = StyleForm()
    try:
        with db.writing() as session:
            queue_styles.add_style(session, form.name.data, form.text.data)
    except (Invalid, Conflict) as error:
        _show(form, error)
        return asked.refused(_page(new=form))
    flash(f"Added {form.name.data}.")
    return redirect(url_for(".styles"), 303)


@pages.post(STYLE)
def change_style(style_id: int) -> Response:
    """Change a preset, or show what is wrong with it. What is queued stays as it is."""
    form = StyleForm.sent(style_id)
    try:
        with db.writing() as session:
            queue_styles.change_style(session, style_id, form.name.data, form.text.data)
    except (Invalid, Conflict) as error:
        _show(form, error)
        return asked.refused(_page(style_id, form))
    flash(f"Saved {form.name.data}. What is queued keeps the style that it was queued with.")
    return redirect(url_for(".styles", _anchor=f"style-{style_id}"), 303)


@pages.post(f"{STYLE}/remove")
def remove_style(style_id: int) -> Response:
    """Remove a preset. What is queued keeps its style."""
    with db.writing() as session:
        name = queue_styles.remove_style(session, style_id)
    flash(f"Removed {name}. What is queued keeps the style that it was queued with.")
    return redirect(url_for(".styles"), 303)


def _show(form: StyleForm, error: Invalid | Conflict) -> None:
    if isinstance(error, Invalid):
        show_errors(form, error.errors)
    else:
        form.name.errors = [error.detail]


def _page(style_id: int | None = None, sent: StyleForm | None = None, new: StyleForm | None = None) -> str:
    """The page; a form that was sent stands in for that of its preset."""
    rows = [_row(one, sent if one.id == style_id else None) for one in queue_styles.presets(db.session())]
    return render_template(
        "styles.html",
        rows=rows,
        new=new or StyleForm(formdata=None),
        example=EXAMPLE,
    )


def _row(style: Style, sent: StyleForm | None) -> tuple[Style, StyleForm, str]:
    """A preset, its form, and a prompt with it."""
    return style, sent or StyleForm.of(style), compose(EXAMPLE, style.text)
