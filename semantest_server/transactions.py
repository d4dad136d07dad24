"""Transactions: how they begin and end on SQLite and PostgreSQL, and how several are committed together.

SQLite: write-ahead log, `synchronous=FULL` (a commit survives power loss), and a write transaction begins with
`BEGIN IMMEDIATE`, so that it waits for its turn instead of failing half-way. PostgreSQL: READ COMMITTED; what a
change depends on is locked first (worker, comics by id, sites by name, tasks) or guarded in the statement.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from threading import Event, Lock
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event, text
from sqlalchemy.orm import Session, sessionmaker

from semantest_server.changes import Changes
from semantest_server.errors import RaceLost
from semantest_server.statements import Write
from semantest_server.turns import turn

SESSION: dict[str, Any] = {"autoflush": False, "expire_on_commit": False}
WRITES = {"semantest_begin": "IMMEDIATE"}
COUNT_UP = Write(text("UPDATE revision SET number = number + 1"))
SQLITE_BUSY_SECONDS = 30
CACHE_KIB = 4_096  # of each connection, which empties it whenever another one has written
MOST_IN_GROUP = 16
BROKEN_FILE = ("malformed", "not a database", "readonly", "disk is full", "disk I/O error", "unable to open")

MemberSession = sessionmaker(**SESSION, join_transaction_mode="rollback_only")


@contextmanager
def write_transaction(session: Session) -> Iterator[Session]:
    """Begin a transaction that writes, commit it at the end, and roll it back if anything is raised.

    Anything read before is let go first: SQLite cannot turn a reading transaction into a writing one while
    another writes.
    """
    session.rollback()
    with _turn(session.get_bind().engine):
        connection = session.connection(execution_options=WRITES)
        changes = _changes(connection)
        try:
            yield session
            session.flush()
            _count_up(connection, changes)
            session.commit()
        except BaseException:
            session.rollback()
            raise
    Changes.commits += 1


class Groups:
    """The write transactions of one process on an SQLite file: one after the other, committed together.

    A transaction begins the group's, or follows another in it, behind a savepoint. The last one that nobody waits
    behind commits for all; until then none of them returns. So an answer still means that all of it is on disk.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._count = Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[Session]:
        """One of the transactions; what it raises undoes itself only."""
        self._wait(1)
        with self._turn:
            self._wait(-1)
            group = self._group = self._group or _Group(engine)
            try:
                with group.member() as session:
                    yield session
            finally:
                if not self._waiting or group.size >= MOST_IN_GROUP or group.is_broken:
                    self._group = None
                    group.end()
        group.wait()

    def _wait(self, change: int) -> None:
        with self._count:
            self._waiting += change


class _Group:
    """Transactions that are committed together."""

    def __init__(self, engine: Engine) -> None:
        self.size = 0
        self._all = ExitStack()
        self._all.enter_context(_turn(engine))
        try:
            self._connection = self._all.enter_context(engine.connect().execution_options(**WRITES))
            self._connection.begin()
        except BaseException:
            self._all.close()
            raise
        self._changes = _changes(self._connection)
        self._ended = Event()
        self._error: BaseException | None = None

    @property
    def is_broken(self) -> bool:
        """Whether the transaction is over already: undone, by us or, because the disk is full, say, by SQLite."""
        if self._connection.invalidated:
            return True
        driver = self._connection.connection.driver_connection
        return not (isinstance(driver, sqlite3.Connection) and driver.in_transaction)

    @contextmanager
    def member(self) -> Iterator[Session]:
        """A session in this transaction; the first one needs no savepoint, since it is alone in it."""
        savepoint = self._connection.begin_nested() if self.size else None
        self.size += 1
        session = MemberSession(bind=self._connection)
        try:
            yield session
            session.flush()
            if savepoint is not None:
                savepoint.commit()
        except BaseException as error:
            if savepoint is None or self.is_broken:
                self._connection.rollback()
                self._error = error
            elif savepoint.is_active:  # a flush that fails has rolled it back already
                savepoint.rollback()
            raise
        finally:
            session.close()

    def end(self) -> None:
        """Commit, and let everybody go."""
        try:
            if self._error is None and self.is_broken:
                self._error = RaceLost("The database has undone it by itself.")
            if self._error is None:
                _count_up(self._connection, self._changes)
                self._connection.commit()
                Changes.commits += 1
        except BaseException as error:
            self._error = error
            self._connection.invalidate()  # it may still hold the lock
        finally:
            try:
                self._all.close()
            finally:
                self._ended.set()

    def wait(self) -> None:
        """Return once everything is committed; raise what has kept it from being so."""
        self._ended.wait()
        if self._error is not None:
            raise self._error


def _turn(engine: Engine) -> AbstractContextManager[None]:
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return turn(file) if file and file != ":memory:" else nullcontext()


def _count_up(connection: Connection, changes: int | None) -> None:
    """Change the revision, if anything else was changed."""
    if changes is not None and _changes(connection) != changes:
        COUNT_UP.each(connection, [{}])


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
