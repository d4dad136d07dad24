"""Find and replace in the prompts of a comic, with a look at every change first."""

from flask import flash, render_template, request
from werkzeug import Response

from semantest_server import snapshots
from semantest_server.admin import asked, words
from semantest_server.admin.comic import COMIC
from semantest_server.admin.forms_panels import ReplaceForm, ReplaceNowForm
from semantest_server.admin.frame import pages
from semantest_server.admin.panel_view import PanelView
from semantest_server.admin.panels import chosen
from semantest_server.database import db
from semantest_server.queue.wording import EDITABLE, Replaced, changes, replace_in_prompts
from semantest_server.selection import Selection

CHANGES_SHOWN = 100


@pages.get(f"{COMIC}/replace")
def replace(comic_id: int) -> str:
    """Ask what to find and replace in everything that matches the filter."""
    return _page(PanelView.of_request().selection(comic_id), ReplaceForm(formdata=None))


@pages.post(f"{COMIC}/replace/preview")
def preview_replacement(comic_id: int) -> str | Response:
    """Show what would change, or first ask what to find."""
    selection = chosen(comic_id)
    if "find" not in request.form:
        return _page(selection, ReplaceForm(formdata=None))
    form = ReplaceForm()
    if not form.validate():
        return asked.refused(_page(selection, form))
    return _page(selection, form, is_preview=True)


@pages.post(f"{COMIC}/replace")
def replace_prompts(comic_id: int) -> Response:
    """Replace in the prompts that were shown, but for those that have changed since."""
    form = ReplaceNowForm()
    if not form.validate():
        return asked.refused(_page(PanelView.of_request().selection(comic_id), form))
    with db.writing() as session:
        done = replace_in_prompts(
            session, asked.policy(), comic_id, form.shown(), form.replacement(), retry=form.retry.data
        )
    flash(_said(done), "message" if done.changed else "error")
    return PanelView.of_request().back(comic_id)


def _said(done: Replaced) -> str:
    said = [f"Replaced in {words.count(done.changed, 'prompt')}." if done.changed else "No prompt was changed."]
    if done.left_alone:
        left = words.count(done.left_alone, "prompt")
        said.append(f"{left} had changed meanwhile, and {'was' if done.left_alone == 1 else 'were'} left alone.")
    if done.retried:
        said.append(f"{words.count(done.retried, 'panel')} queued again.")
    return " ".join(said)


def _page(selection: Selection, form: ReplaceForm, *, is_preview: bool = False) -> str:
    session, view = db.session(), PanelView.of_request()
    found = list(changes(session, selection, form.replacement())) if is_preview else []
    right = [change for change in found if not change.errors]
    counts = snapshots.panel_counts(session, asked.policy(), selection)
    wanted = selection.only(*EDITABLE).statuses or frozenset()
    return render_template(
        "panels_replace.html",
        comic=snapshots.comic(session, asked.policy(), selection.comic_id).comic,
        form=form,
        view=view,
        task_ids=selection.task_ids,
        which="matching" if selection.task_ids is None else "selected",
        prompts=sum(counts[status] for status in wanted),
        is_preview=is_preview,
        pieces=form.replacement().pieces,
        right=right[:CHANGES_SHOWN],
        wrong=[change for change in found if change.errors][:CHANGES_SHOWN],
        count=len(right),
        wrong_count=len(found) - len(right),
        failed=sum(change.status == "failed" for change in right),
        now=ReplaceNowForm(formdata=None, seen=" ".join(f"{change.id}-{change.seen}" for change in right)),
    )
