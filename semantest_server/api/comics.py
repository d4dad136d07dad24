"""Comics: queue, look, change, retry."""

import re
from typing import Any

from semantest_server import snapshots
from semantest_server.api.asking import id_of, idempotency_key, policy, settings
from semantest_server.api.blueprint import IDEMPOTENCY_KEY, Blueprint, told
from semantest_server.api.cursors import whole_cursor
from semantest_server.api.schemas.incoming import ComicPatchSchema, NewComicSchema, PageSchema, RetrySchema
from semantest_server.api.schemas.outgoing import ComicSchema, ComicsSchema
from semantest_server.database import db
from semantest_server.errors import FieldError, Invalid
from semantest_server.queue.drafts import ComicDraft
from semantest_server.queue.steer import change_comic, retry
from semantest_server.queue.submit import submit_comic

TASK_OR_RECEIPT = re.compile(r"([0-9]{1,18})(\.[0-9]{1,18})?")

comics = Blueprint("comics", __name__, description="Comics: queue, look, change, retry.")


@comics.route("/comics")
@comics.arguments(PageSchema, location="query")
@comics.response(200, ComicsSchema)
def list_comics(page: dict[str, Any]) -> Any:
    """Show comics and their progress, newest first."""
    before = whole_cursor(page["cursor"])
    found, following = snapshots.comics(db.session(), policy(), page["limit"], before)
    return {"comics": found, "next": None if following is None else str(following)}


@comics.route("/comics", methods=["POST"])
@comics.arguments(NewComicSchema)
@comics.reads(IDEMPOTENCY_KEY)
@comics.response(201, ComicSchema, headers=told(Location="Where the comic is."))
def create_comic(draft: ComicDraft) -> Any:
    """Queue a comic with all its panels; an `Idempotency-Key` makes a repetition harmless."""
    with db.writing() as session:
        comic = submit_comic(session, draft, settings().site_defaults, idempotency_key())
        shown = snapshots.comic(session, policy(), comic.id)
    return shown, 201, {"Location": f"/comics/{shown.comic.id}"}


@comics.route("/comics/<comic_id>")
@comics.response(200, ComicSchema)
@comics.refuses(404)
def show_comic(comic_id: str) -> Any:
    """Show one comic and its progress."""
    return snapshots.comic(db.session(), policy(), id_of("comic", comic_id))


@comics.route("/comics/<comic_id>", methods=["PATCH"])
@comics.arguments(ComicPatchSchema)
@comics.response(200, ComicSchema)
@comics.refuses(404, 409)
def update_comic(changes: dict[str, Any], comic_id: str) -> Any:
    """Pause, resume or cancel a comic, or change its priority, its parallel panels or its title."""
    with db.writing() as session:
        change_comic(session, policy(), found := id_of("comic", comic_id), **changes)
        return snapshots.comic(session, policy(), found)


@comics.route("/comics/<comic_id>/retry", methods=["POST"])
@comics.arguments(RetrySchema, required=False)
@comics.response(200, ComicSchema)
@comics.refuses(404)
def retry_comic(wanted: dict[str, Any], comic_id: str) -> Any:
    """Bring failed and cancelled tasks back to the queue, all or those named in `tasks`."""
    names = wanted.get("tasks")
    with db.writing() as session:
        retry(session, policy(), found := id_of("comic", comic_id), names and _task_ids(names))
        return snapshots.comic(session, policy(), found)


def _task_ids(names: list[str]) -> list[int]:
    """The tasks that ids or receipts name."""
    matches = [TASK_OR_RECEIPT.fullmatch(name) for name in names]
    errors = [
        FieldError(f"/tasks/{index}", "Must be the id of a task.")
        for index, match in enumerate(matches)
        if match is None
    ]
    if errors:
        raise Invalid("Some tasks are not this comic's.", errors)
    return [int(match[1]) for match in matches if match]
