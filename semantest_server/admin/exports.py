"""A comic as a file: a table for a spreadsheet, or JSON; both can be queued again."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, stream_with_context, url_for

from semantest_server import snapshots
from semantest_server.admin import asked
from semantest_server.admin.comic import COMIC
from semantest_server.admin.files import as_file
from semantest_server.admin.frame import pages
from semantest_server.admin.pictures import is_picture_data
from semantest_server.database import db
from semantest_server.models import Comic, Priority
from semantest_server.paths import slug
from semantest_server.snapshots import PanelSnapshot
from semantest_server.spreadsheets import csv_text

PANELS_AT_ONCE = 500
COLUMNS = (
    "panel", "chapter", "strip", "prompt", "style", "priority", "caption", "speech", "filename", "folder", "domain",
    "id", "notes", "status", "imageUrl", "message",
)  # fmt: skip


@pages.get(f"{COMIC}/export.csv")
def export_csv(comic_id: int) -> Response:
    """Send the comic as a table, a panel a row."""
    comic = _comic(comic_id)
    rows = (_row(comic, panel) for panel in _every_panel(comic_id))
    return _file(comic, csv_text(COLUMNS, rows), "csv", "text/csv")


@pages.get(f"{COMIC}/export.json")
def export_json(comic_id: int) -> Response:
    """Send the comic as the body that `POST /comics` takes."""
    comic = _comic(comic_id)
    return _file(comic, _json(comic), "json", "application/json")


def _comic(comic_id: int) -> Comic:
    comic = snapshots.comic(db.session(), asked.policy(), comic_id).comic
    db.session.expunge(comic)  # it is looked at long after this was read
    return comic


def _file(comic: Comic, content: Iterator[str], ending: str, kind: str) -> Response:
    return as_file(stream_with_context(content), f"{slug(comic.title)}.{ending}", kind)


def _row(comic: Comic, panel: PanelSnapshot) -> tuple[object, ...]:
    return (
        panel.number,
        panel.chapter,
        panel.strip,
        panel.prompt,
        panel.chosen_style,
        _priority(comic),
        panel.caption,
        panel.speech,
        panel.output_path,
        panel.download_folder,
        comic.domain,
        panel.correlation_id,
        panel.notes,
        panel.status.value,
        _picture(panel),
        panel.message,
    )


def _picture(panel: PanelSnapshot) -> str | None:
    """Where the picture is; for one that was reported as data, which no cell could hold, where it can be fetched."""
    if not is_picture_data(panel.image_url):
        return panel.image_url
    return url_for(".picture", comic_id=panel.batch_id, number=panel.number, _external=True)


def _json(comic: Comic) -> Iterator[str]:
    """The comic with a panel a line."""
    head = {
        "title": comic.title,
        "style": comic.style,
        "priority": _priority(comic),
        "parallel": comic.parallel,
        "domain": comic.domain,
        "downloadFolder": comic.download_folder,
    }
    yield json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}") + ',\n "panels": ['
    between = "\n"
    for panel in _every_panel(comic.id):
        yield between + json.dumps(_panel(comic, panel), ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _panel(comic: Comic, panel: PanelSnapshot) -> dict[str, Any]:
    """The panel; what is not said of it is left out."""
    folder = None if panel.download_folder == comic.download_folder else panel.download_folder
    said = {
        "number": panel.number,
        "prompt": panel.prompt,
        "style": panel.chosen_style,
        "outputPath": panel.output_path,
        "downloadFolder": folder,
        "correlationId": panel.correlation_id,
        "chapter": panel.chapter,
        "strip": panel.strip,
        "caption": panel.caption,
        "speech": panel.speech,
        "notes": panel.notes,
    }
    return {name: value for name, value in said.items() if value is not None}


def _priority(comic: Comic) -> str:
    return Priority(comic.priority).name.lower()


def _every_panel(comic_id: int) -> Iterator[PanelSnapshot]:
    """All panels by number, read a lot at a time, so that many fit into little memory."""
    after: int | None = 0
    while after is not None:
        found, after = snapshots.panels(db.session(), asked.policy(), comic_id, after, PANELS_AT_ONCE)
        db.session.rollback()
        yield from found
