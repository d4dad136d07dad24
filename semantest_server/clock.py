"""The one place that time comes from."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, bindparam, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler

from semantest_server.statements import Statement


class _TheTime(ColumnElement[datetime]):
    inherit_cache = True
    type = DateTime(timezone=True)


THE_TIME = _TheTime()  # in a statement: `now`, or on PostgreSQL, if that is None, when the statement began


@compiles(_TheTime)
def _on_postgresql(_element: _TheTime, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(func.coalesce(bindparam("now", type_=_TheTime.type), func.statement_timestamp()), **options)


@compiles(_TheTime, "sqlite")
def _on_sqlite(_element: _TheTime, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(bindparam("now", type_=_TheTime.type), **options)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


NOW = Statement(select(THE_TIME), _in_utc)


class Clock:
    """Aware UTC time: the database's clock on PostgreSQL, since hosts differ, the machine's on SQLite.

    Tests set `source` to a function of their own.
    """

    def __init__(self) -> None:
        self.source: Callable[[], datetime] | None = None

    def now(self, session: Session) -> datetime:
        """The time now. A statement on PostgreSQL, so ask once, and after the locks are had."""
        given = self.given(session)
        if given is not None:
            return given
        (moment,) = NOW.rows(session.connection(), now=None)
        return moment

    def given(self, session: Session) -> datetime | None:
        """The time for a statement that takes it as `now`; None where the database is to use its own."""
        if self.source is not None:
            return self.source()
        return datetime.now(UTC) if self.is_here(session) else None

    def is_here(self, session: Session) -> bool:
        """Whether this machine's clock counts: a file is used on one machine."""
        return session.get_bind().dialect.name == "sqlite"

    def here(self) -> datetime:
        """The time by this machine's clock, for what may be a little off. No statement."""
        return self.source() if self.source is not None else datetime.now(UTC)


clock = Clock()
