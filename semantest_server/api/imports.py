"""Imports: from a file to a comic in one request, or to what would become of it."""

from typing import Any

from flask import Response, jsonify, request
from marshmallow import RAISE
from werkzeug.exceptions import UnsupportedMediaType

from semantest_server import snapshots
from semantest_server.api.asking import idempotency_key, policy, settings
from semantest_server.api.blueprint import IDEMPOTENCY_KEY, Blueprint, told
from semantest_server.api.parsing import raw_body
from semantest_server.api.schemas.imports import ImportItemSchema, ImportQuerySchema, ImportSchema
from semantest_server.api.schemas.outgoing import ComicSchema
from semantest_server.database import db
from semantest_server.guard import IMPORTS
from semantest_server.imports.checked import Checked
from semantest_server.imports.known import check_against
from semantest_server.imports.reading import read_file
from semantest_server.imports.rows import Options
from semantest_server.queue.submit import made_comic, submit_comic

imports = Blueprint("imports", __name__, description="Imports: a comic from a file.")

PANELS = {"type": "array", "items": {"anyOf": [{"type": "string"}, ImportItemSchema]}}
BODIES = {
    "application/json": {
        "schema": {
            "anyOf": [
                PANELS,
                {"type": "object", "properties": {"panels": PANELS}, "required": ["panels"]},
                {"type": "object", "properties": {"prompts": PANELS}, "required": ["prompts"]},
                {"type": "object", "properties": {"requests": PANELS}, "required": ["requests"]},
                {"type": "object", "properties": {"jobs": PANELS}, "required": ["jobs"]},
                {
                    "type": "object",
                    "properties": {"payload": {"anyOf": [{"type": "object"}, PANELS]}},
                    "required": ["payload"],
                },
            ]
        }
    },
    "text/csv": {"schema": {"type": "string"}, "example": "prompt,chapter,strip\nHero enters cave,1,1\n"},
    "text/plain": {"schema": {"type": "string"}, "example": "# Chapter: One\nHero enters cave\nMonster appears\n"},
}


@imports.route(IMPORTS, methods=["POST"])
@imports.arguments(ImportQuerySchema, location="query", unknown=RAISE)
@imports.doc(requestBody={"required": True, "content": BODIES})
@imports.reads(IDEMPOTENCY_KEY)
@imports.response(201, ComicSchema, headers=told(Location="Where the comic is."))
@imports.alt_response(200, schema=ImportSchema, description="With `dryRun`: what would be queued.")
def import_comic(asked: dict[str, Any]) -> Any:
    """Queue a comic from lines, CSV or JSON, all of it or nothing; `dryRun=true` only tells what would be queued."""
    key = idempotency_key()
    if asked["is_tried"]:
        return _told(_checked(asked["options"]))
    with db.writing() as session:
        comic = made_comic(session, key)
        if comic is None:
            comic = submit_comic(session, _checked(asked["options"], session).draft(), settings().site_defaults, key)
        shown = snapshots.comic(session, policy(), comic.id)
    return shown, 201, {"Location": f"/comics/{shown.comic.id}"}


def _checked(options: Options, session: Any = None) -> Checked:
    """What the body says, once it is checked."""
    if not request.mimetype:
        raise UnsupportedMediaType("Say what the body is: Content-Type: application/json, text/csv or text/plain.")
    reading = read_file(raw_body(request), media_type=request.mimetype)
    return check_against(session or db.session(), reading, options.over(reading.options))


def _told(checked: Checked) -> Response:
    comic = checked.comic
    warnings = [
        {"pointer": "", "message": f"Line {notice.line}: {notice.message}" if notice.line else notice.message}
        for notice in checked.notices
    ]
    of_rows = [{"pointer": error.pointer, "message": error.message} for error in checked.all_warnings()]
    rows = [{**vars(row.panel), "place": row.row.place, "final_prompt": row.final_prompt} for row in checked.rows]
    said = {
        **vars(comic),
        "priority": comic.priority.name.lower(),
        "rows": rows,
        "errors": checked.all_errors(),
        "warnings": [*warnings, *of_rows],
    }
    return jsonify(ImportSchema().dump(said))
