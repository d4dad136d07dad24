"""The attempts at one panel: who drew, when, what was reported, and how it ended."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from semantest_server.clock import clock
from semantest_server.models import Attempt, Event, EventType, Task

REPORTS = (EventType.RUNNING, EventType.COMPLETED, EventType.FAILED, EventType.GIVEN_BACK)
ENDINGS = {
    EventType.COMPLETED: "completed",
    EventType.FAILED: "failed",
    EventType.GIVEN_BACK: "given back",
    EventType.EXPIRED: "the lease ran out",
    EventType.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class AttemptSnapshot:
    """One attempt. `ended_by` is None while it is open; `events` are what its history says, oldest first."""

    number: int
    worker: str
    tab_id: str | None
    handed_out_at: datetime
    first_report_at: datetime | None
    last_report_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    events: Sequence[Event]


def attempts(session: Session, task_id: int, limit: int = 50) -> list[AttemptSnapshot]:
    """The last attempts at a task, the latest first."""
    now = clock.now(session)
    statement = select(Attempt).where(Attempt.task_id == task_id).order_by(Attempt.number.desc()).limit(limit)
    found = session.scalars(statement.options(joinedload(Attempt.worker))).all()
    least = found[-1].number if found else 0
    events = select(Event).where(Event.task_id == task_id, Event.attempt >= least).order_by(Event.id)
    of_attempt = defaultdict(list)
    for event in session.scalars(events):
        of_attempt[event.attempt].append(event)
    leased_until = session.scalar(select(Task.leased_until).where(Task.id == task_id))
    has_lapsed = leased_until is not None and leased_until <= now
    return [
        _attempt(one, of_attempt[one.number], leased_until if has_lapsed and not place else None)
        for place, one in enumerate(found)
    ]


def _attempt(row: Attempt, events: Sequence[Event], lapsed_at: datetime | None) -> AttemptSnapshot:
    """`lapsed_at`: when its lease ran out, if that is not in its history yet."""
    reports = [event.at for event in events if event.type in REPORTS]
    ended_by, ended_at = _end(row, events)
    if lapsed_at is not None:
        ended_by, ended_at = ENDINGS[EventType.EXPIRED], lapsed_at
    return AttemptSnapshot(
        number=row.number,
        worker=row.worker.label or row.worker.name,
        tab_id=row.tab_id,
        handed_out_at=row.handed_out_at,
        first_report_at=reports[0] if reports else row.reported_at,
        last_report_at=row.reported_at,
        ended_by=ended_by,
        ended_at=ended_at,
        events=events,
    )


def _end(row: Attempt, events: Sequence[Event]) -> tuple[str | None, datetime | None]:
    """What ended an attempt, and when: the report that did, or else the first thing since it was last alive."""
    if row.ended is not None:
        return ENDINGS[EventType(row.ended.value)], row.ended_at
    end: Event | None = None
    for event in events:
        if event.type is EventType.REVIVED:
            end = None
        elif event.type in ENDINGS:
            end = end or event  # a person who cancels the panel later on does not end it again
    return (ENDINGS[end.type], end.at) if end else (None, None)
