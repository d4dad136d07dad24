"""Files that are looked through before they are queued: kept, mended, queued, forgotten."""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, defer

from semantest_server.clock import clock
from semantest_server.errors import KeyReused, NotFound
from semantest_server.imports.checked import Checked
from semantest_server.imports.columns import COLUMNS
from semantest_server.imports.known import check_against
from semantest_server.imports.rows import Kind, Notice, Options, Reading, Row
from semantest_server.models import NAME_CHARACTERS, Comic, Submission, Upload
from semantest_server.policy import SiteDefaults
from semantest_server.queue.journal import insert_missing
from semantest_server.queue.submit import IdempotencyKey, made_comic, submit_comic

KEPT = timedelta(days=7)
SHOWN = 5  # of those that wait
NO_UPLOAD = "There is no such preview; what is not queued is kept for 7 days."
ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Edits:
    """What a person changed: cells by row, rows that are right in spite of a fault, rows to take or leave."""

    cells: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    approved: Collection[int] = frozenset()
    on: Collection[int] = frozenset()
    off: Collection[int] = frozenset()
    options: Options | None = None


@dataclass(frozen=True)
class Source:
    """What was uploaded: the file's name, if it was one, and a digest of all that was sent."""

    name: str
    digest: str


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(16)


def keep_upload(session: Session, upload_id: str, source: Source, reading: Reading, options: Options) -> int | None:
    """Keep a file to be looked through, and forget the old ones; give the comic's id if it was queued already.

    The same file under the same id again keeps what was mended meanwhile. Raises `KeyReused` if another file was
    queued under the id.
    """
    queued = session.get(Submission, _key(upload_id))
    if queued and queued.comic_id:
        if queued.digest != source.digest:
            raise KeyReused("Another file was queued from here before.")
        return queued.comic_id
    now = clock.now(session)
    session.execute(delete(Upload).where(Upload.updated_at < now - KEPT))
    notices = [[notice.line, notice.message] for notice in reading.notices]
    about = {"digest": source.digest, "kind": reading.kind, "count": len(reading.rows), "notices": notices}
    values = {
        "name": source.name[:NAME_CHARACTERS],
        "options": {**about, **options.plain()},
        "rows": [row.plain() for row in reading.rows],
        "updated_at": now,
    }
    if insert_missing(session, Upload, id=upload_id, created_at=now, **values):
        return None
    upload = find_upload(session, upload_id, locked=True)
    if upload.options["digest"] != source.digest:
        for name, value in values.items():
            setattr(upload, name, value)
        session.flush()
    return None


def find_upload(session: Session, upload_id: str, *, locked: bool = False) -> Upload:
    """The upload of that id; `locked` if it is to be changed by what it says. Raises `NotFound`."""
    upload = session.get(Upload, upload_id, populate_existing=True, with_for_update=locked)
    if upload is None:
        raise NotFound(NO_UPLOAD)
    return upload


def queued_as(session: Session, upload_id: str) -> int | None:
    """The comic that the upload was queued as, if it was."""
    return session.scalar(select(Submission.comic_id).where(Submission.key == _key(upload_id)))


def waiting_uploads(session: Session) -> list[Upload]:
    """The uploads that were last looked at and not queued, without their rows."""
    return list(
        session.scalars(select(Upload).options(defer(Upload.rows)).order_by(Upload.updated_at.desc()).limit(SHOWN))
    )


def options_of(upload: Upload) -> Options:
    """What holds for the comic, as it was last chosen."""
    return Options(**{name: upload.options[name] for name in Options.__dataclass_fields__})


def check_upload(session: Session, upload: Upload) -> Checked:
    """Say of every row what will be queued, and what is wrong or strange about it."""
    notices = [Notice(line, message) for line, message in upload.options["notices"]]
    rows = [Row.of(plain) for plain in upload.rows]
    reading = Reading(Kind(upload.options["kind"]), rows, notices=notices)
    return check_against(session, reading, options_of(upload))


def change_upload(session: Session, upload_id: str, edits: Edits) -> None:
    """Mend rows, choose among them, or change the options. Raises `NotFound`."""
    upload = find_upload(session, upload_id, locked=True)
    rows = list(upload.rows)
    for index in {*edits.cells, *edits.approved, *edits.on, *edits.off} & set(range(len(rows))):
        rows[index] = _mended(Row.of(rows[index]), index, edits).plain()
    upload.rows = rows
    if edits.options is not None:
        upload.options = {**upload.options, **edits.options.plain()}
    upload.updated_at = clock.now(session)
    session.flush()


def queue_upload(session: Session, upload_id: str, defaults: SiteDefaults, *, but_wrong: bool = False) -> Comic:
    """Queue what an upload has become, and forget it; again, it gives the same comic.

    `but_wrong` leaves out what cannot be queued; without it, that raises `Invalid`. Raises `NotFound`.
    """
    if comic_id := queued_as(session, upload_id):
        return session.get_one(Comic, comic_id)
    upload = find_upload(session, upload_id)
    key = IdempotencyKey(_key(upload_id), upload.options["digest"])
    comic = made_comic(session, key)  # another request with this id is waited for
    if comic is None:
        upload = find_upload(session, upload_id, locked=True)
        draft = check_upload(session, upload).draft(but_wrong=but_wrong)
        comic = submit_comic(session, draft, defaults, key)
    discard_upload(session, upload_id)
    return comic


def discard_upload(session: Session, upload_id: str) -> None:
    """Forget an upload."""
    session.execute(delete(Upload).where(Upload.id == upload_id))


def _mended(row: Row, index: int, edits: Edits) -> Row:
    """The row with its new cells; a fault is gone once its cell, or for the whole row any cell, is another."""
    given = {column: cell for column, cell in edits.cells.get(index, {}).items() if column in COLUMNS}
    changed = {column for column, cell in given.items() if _unbroken(cell) != _unbroken(row.cells.get(column, ""))}
    cells = {**row.cells, **{column: _unbroken(given[column]) for column in changed}}
    is_approved = index in edits.approved
    faults = [
        fault
        for fault in row.faults
        if not (is_approved or changed if fault.column is None else fault.column in changed)
    ]
    is_on = index in edits.on or (row.is_on and index not in edits.off)
    kept = {column: cell for column, cell in cells.items() if cell.strip()}
    return replace(row, cells=kept, faults=tuple(faults), is_on=is_on)


def _unbroken(text: str) -> str:
    """The text with its line ends as browsers do not send them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _key(upload_id: str) -> str:
    return f"upload-{upload_id}"
