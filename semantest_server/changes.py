"""Whether anything has been committed lately, told without asking the database."""

import os
import time

from sqlalchemy import URL

RACY_SECONDS = 0.1  # two writes within a tick of its clock look like one, and a commit shows once it is synced


class Changes:
    """The commits that can be noticed: everybody's if the database is a file here, else those of this process."""

    commits = 0

    def __init__(self, url: URL) -> None:
        file = url.database if url.get_backend_name() == "sqlite" else None
        self._log = f"{file}-wal" if file else None

    def token(self) -> object:
        """A value that is equal to an earlier one only if nothing was committed in between.

        Every commit writes to the log beside the file. What was written to just now may be written to again, or
        become visible, without looking any different; and while nobody has the database open, there is no log.
        """
        if self._log is None:
            return Changes.commits
        try:
            log = os.stat(self._log)  # noqa: PTH116 - at every poll, and a Path takes longer
        except FileNotFoundError:
            return object()
        if time.time() - log.st_mtime < RACY_SECONDS:
            return object()
        return Changes.commits, log.st_mtime_ns, log.st_size, log.st_ino
