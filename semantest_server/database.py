"""The connection to the database: its sessions, the transactions of views, and whether anything has changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, Text, cast, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import semantest_server.accounts.tables  # noqa: F401 - so that `Base.metadata` has them all
from semantest_server.clock import clock
from semantest_server.models import Base, Revision
from semantest_server.transactions import SESSION, Groups, write_transaction

__all__ = ["clock", "db", "revision", "write_transaction"]


class Database(SQLAlchemy):
    """Flask-SQLAlchemy whose end of a request cannot undo an answer that has been made, and that commits in groups."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups: WeakKeyDictionary[Engine, Groups] = WeakKeyDictionary()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Begin a transaction that writes, for a view: committed at the end, rolled back if anything is raised.

        What it yields is the session to use. On SQLite a commit waits for the disk, and what other requests of
        this process have done meanwhile is committed together.
        """
        engine = self.engine
        if engine.dialect.name != "sqlite":
            with write_transaction(self.session()) as session:
                yield session
            return
        if self.session.registry.has():
            self.session.rollback()  # what was read before is let go
        groups = self._groups.get(engine) or self._groups.setdefault(engine, Groups())
        with groups.transaction(engine) as session:
            yield session

    def _teardown_session(self, exc: BaseException | None) -> None:
        try:
            super()._teardown_session(exc)
        except SQLAlchemyError:  # the connection is lost, and with it only what had been read
            self.session.registry.clear()


db = Database(model_class=Base, session_options={**SESSION})


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
