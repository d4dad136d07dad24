"""The one place that time comes from."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

NOW = select(func.clock_timestamp())


class Clock:
    """Aware UTC time: the database's clock on PostgreSQL, since hosts differ, the machine's on SQLite.

    Tests set `source` to a function of their own.
    """

    def __init__(self) -> None:
        self.source: Callable[[], datetime] | None = None

    def now(self, session: Session) -> datetime:
        """The time now. A statement on PostgreSQL, so ask once, and after the locks are had."""
        if self.source is not None:
            return self.source()
        if session.get_bind().dialect.name == "sqlite":
            return datetime.now(UTC)
        moment: datetime = session.connection().execute(NOW).scalar_one()
        return moment.astimezone(UTC)

    def here(self) -> datetime:
        """The time by this machine's clock, for what may be a little off. No statement."""
        return self.source() if self.source is not None else datetime.now(UTC)


clock = Clock()
