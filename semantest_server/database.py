"""The connection to the database, and its transactions: how they begin and end on SQLite and PostgreSQL.

SQLite: write-ahead log, `synchronous=FULL` (a commit survives power loss), and a write transaction begins with
`BEGIN IMMEDIATE`, so that it waits for its turn instead of failing half-way. PostgreSQL: READ COMMITTED; what a
change depends on is locked first (worker, comics by id, sites by name, tasks) or guarded in the statement.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, ExceptionContext, Text, cast, event, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import Base, Revision

__all__ = ["clock", "db", "revision", "write_transaction"]


class Database(SQLAlchemy):
    """Flask-SQLAlchemy whose end of a request cannot undo an answer that has been made."""

    def _teardown_session(self, exc: BaseException | None) -> None:
        try:
            super()._teardown_session(exc)
        except SQLAlchemyError:  # the connection is lost, and with it only what had been read
            self.session.registry.clear()


db = Database(model_class=Base, session_options={"autoflush": False})

SQLITE_BUSY_SECONDS = 30
CACHE_KIB = 16_384
BROKEN_FILE = ("malformed", "not a database", "readonly", "disk is full", "disk I/O error", "unable to open")


@contextmanager
def write_transaction(session: Session) -> Iterator[Session]:
    """Begin a transaction that writes, commit it at the end, and roll it back if anything is raised.

    Anything read before is let go first: SQLite cannot turn a reading transaction into a writing one while
    another writes.
    """
    session.rollback()
    connection = session.connection(execution_options={"semantest_begin": "IMMEDIATE"})
    changes = _changes(connection)
    try:
        yield session
        session.flush()
        if changes is not None and _changes(connection) != changes:
            session.execute(update(Revision).values(number=Revision.number + 1))
        session.commit()
    except BaseException:
        session.rollback()
        raise


def revision(session: Session) -> str:
    """A token that differs whenever anything was committed since; the same one may hide nothing.

    PostgreSQL: the snapshot's own description, which names every transaction that it does not see yet. A
    counter or the highest id would not do: transactions commit in another order than they begin.
    """
    if _is_sqlite(session):
        return str(session.execute(select(Revision.number)).scalar_one())
    return str(session.execute(select(cast(func.pg_current_snapshot(), Text))).scalar_one())


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _changes(connection: Connection) -> int | None:
    driver = connection.connection.driver_connection
    return driver.total_changes if isinstance(driver, sqlite3.Connection) else None


@event.listens_for(Engine, "connect")
def _set_up_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


@event.listens_for(Engine, "handle_error")
def _let_go_of_broken_files(context: ExceptionContext) -> None:
    """Close SQLite connections to a file that cannot be used, so that the next request opens what is there then."""
    error = context.original_exception
    if isinstance(error, sqlite3.DatabaseError) and any(words in str(error) for words in BROKEN_FILE):
        context.is_disconnect = True


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('semantest_begin', '')}")
