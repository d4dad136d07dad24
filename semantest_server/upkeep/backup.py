"""A copy of the SQLite database while the server runs."""

import os
import sqlite3
from pathlib import Path

PAGES_A_STEP = 2_000


class BackupError(Exception):
    """The copy could not be made; the message says why and what to do."""


def backup(database: Path, target: Path) -> int:
    """Copy a SQLite database as it is at one moment, check the copy, and put it at `target`; its size in bytes.

    Uses SQLite's online backup (https://www.sqlite.org/backup.html): the server goes on meanwhile. An existing
    file is left alone, and nothing is left behind if it fails.
    """
    if target.exists():
        raise BackupError(f"{target} exists already; choose another name.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _copy(database, draft)
        os.link(draft, target)  # unlike a rename, never over a file that came in between
    except FileExistsError:
        raise BackupError(f"{target} exists already; choose another name.") from None
    except (sqlite3.Error, OSError) as error:
        raise BackupError(f"The backup could not be made: {error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(database: Path, draft: Path) -> None:
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    copy = sqlite3.connect(draft)
    try:
        source.backup(copy, pages=PAGES_A_STEP)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
    finally:
        copy.close()
        source.close()
    if verdict != "ok":
        raise BackupError(f"The copy is damaged, and so the database may be: {verdict}")
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
