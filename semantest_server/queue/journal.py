"""What a transaction holds and does: its locked comics, its time, their counters, and the history it writes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Update, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import RaceLost
from semantest_server.models import Base, Comic, Event, EventType, Task
from semantest_server.policy import ETA_COMPLETIONS, Policy

CORRELATION_IDS = 0x73656D61  # any number that nothing else on the database locks


class Journal:
    """The books of one write transaction: comics locked in id order, one time, and the events to append.

    A comic is changed only by a transaction that has it here, so its counters move with its tasks.
    """

    def __init__(self, session: Session, policy: Policy, comic_ids: Iterable[int]) -> None:
        self.session = session
        self.policy = policy
        self.comics = _locked_comics(session, comic_ids)
        self.now = clock.now(session)
        self._events: list[dict[str, Any]] = []

    def change(self, statement: Update, rows: int = 1) -> None:
        """Change the rows that the statement guards; if one is not as it was read, nothing of all this holds."""
        result = self.session.execute(statement, execution_options={"synchronize_session": False})
        if cast("CursorResult[Any]", result).rowcount != rows:
            raise RaceLost("The task was changed by another request at the same moment.")

    def moved(self, comic_id: int, source: str, target: str, count: int = 1) -> None:
        """Count `count` tasks out of one counter of their comic and into another."""
        comic = self.comics[comic_id]
        setattr(comic, source, getattr(comic, source) - count)
        setattr(comic, target, getattr(comic, target) + count)
        comic.updated_at = self.now

    def completed(self, comic_id: int) -> None:
        """Note the time of a completion, on a clock that stands still while the comic is paused."""
        comic = self.comics[comic_id]
        seconds = (self.now - comic.created_at).total_seconds() - paused_seconds(comic, self.now)
        comic.completions = [*comic.completions, round(seconds, 3)][-ETA_COMPLETIONS:]

    def told(
        self,
        kind: EventType,
        task: Task,
        *,
        attempt: int | None = None,
        worker_id: int | None = None,
        leased_until: datetime | None = None,
        message: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Append a line to the history of a task."""
        self._events.append(
            {
                "at": self.now,
                "type": kind,
                "task_id": task.id,
                "comic_id": task.comic_id,
                "attempt": attempt,
                "worker_id": worker_id,
                "leased_until": leased_until,
                "message": message,
                "details": details,
            }
        )

    def post(self) -> None:
        """Write the counters and the history."""
        self.session.flush()
        if self._events:
            self.session.execute(insert(Event), self._events)
            self._events = []


def paused_seconds(comic: Comic, now: datetime) -> float:
    """How long the comic has been paused in all, in seconds."""
    current = (now - comic.paused_at).total_seconds() if comic.paused_at else 0.0
    return comic.paused_seconds + current


def insert_missing(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless a constraint says that it is there already; say whether it was inserted."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(model).values(**values).on_conflict_do_nothing()
    return bool(session.connection().execute(statement.execution_options(preserve_rowcount=True)).rowcount)


def lock_correlation_ids(session: Session) -> None:
    """Let one transaction at a time look for open correlationIds and then open one. Before all row locks.

    PostgreSQL only: another transaction's row that is not committed cannot be seen, and SQLite has one writer.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CORRELATION_IDS)))


def _locked_comics(session: Session, comic_ids: Iterable[int]) -> dict[int, Comic]:
    ids = sorted(set(comic_ids))
    if not ids:
        return {}
    statement = (
        select(Comic)
        .where(Comic.id.in_(ids))
        .order_by(Comic.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {comic.id: comic for comic in session.scalars(statement)}
