"""Whether anything has been committed lately, told without asking the database."""

import os
import time
from os import stat_result

from sqlalchemy import URL

RACY_SECONDS = 0.1  # two writes within a tick of its clock look like one, and a commit shows once it is synced


class Changes:
    """The commits that can be noticed: everybody's if the database is a file here, else those of this process."""

    commits = 0

    def __init__(self, url: URL) -> None:
        file = url.database if url.get_backend_name() == "sqlite" else None
        self._files = (file, f"{file}-wal") if file else ()

    def token(self) -> object:
        """A value that is equal to an earlier one only if nothing was committed in between.

        Every commit writes to the log beside the file. What was written to just now may be written to again, or
        become visible, without looking any different.
        """
        stats = [_stat(file) for file in self._files]
        newest = max((stat.st_mtime for stat in stats if stat), default=0.0)
        if time.time() - newest < RACY_SECONDS:
            return object()
        return Changes.commits, [stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]


def _stat(file: str) -> stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 - at every poll, and a Path takes longer
    except FileNotFoundError:
        return None
