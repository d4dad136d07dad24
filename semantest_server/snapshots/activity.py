"""The history of everything, newest first, and what of it is wanted.

Rare types of events have an index, and a comic's events are found by its tasks. For all else, lines are looked
through from the newest on, `WINDOW` of them at most; whoever wants more goes on from where that ended.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from semantest_server.models import TROUBLE_EVENT, Comic, Event, EventType, Task, Worker

WINDOW = 200_000
FREQUENT = frozenset({EventType.QUEUED, EventType.HANDED_OUT, EventType.RUNNING, EventType.COMPLETED})
TROUBLE = frozenset({EventType.FAILED, EventType.EXPIRED, EventType.GIVEN_BACK})


@dataclass(frozen=True)
class EventFilter:
    """Which events to list; what is empty or None does not matter."""

    types: frozenset[EventType] = frozenset()
    comic_id: int | None = None
    worker_id: int | None = None

    @property
    def is_indexed(self) -> bool:
        """Whether an index leads to all of them, however old they are."""
        return self.worker_id is None and (not self.types or not self.types & FREQUENT)


@dataclass(frozen=True)
class Line:
    """One event, with the names of what it is about."""

    id: int
    at: datetime
    type: EventType
    comic_id: int
    title: str
    number: int
    task_id: int
    attempt: int | None
    worker_id: int | None
    worker: str | None
    message: str | None


@dataclass(frozen=True)
class Activity:
    """A page of events, the id to ask `before` for the next one, and whether only the newest were looked through."""

    lines: list[Line]
    following: int | None
    is_cut_off: bool


def history(
    session: Session, wanted: EventFilter, limit: int = 100, before: int | None = None, window: int = WINDOW
) -> Activity:
    """A page of events, newest first."""
    newest = before if before is not None else (session.scalar(select(func.max(Event.id))) or 0) + 1
    if wanted.comic_id is not None:
        floor, statement = 0, _of_comic(wanted, newest, limit + 1)
    elif wanted.is_indexed and wanted.types:
        floor, statement = 0, _of_rare_types(wanted, newest, limit + 1)
    else:
        floor = 0 if wanted.is_indexed else max(0, newest - 1 - window)
        statement = _looked_through(wanted, newest, floor, limit + 1)
    ids = list(session.scalars(statement))
    is_cut_off = len(ids) <= limit and floor > 0
    following = ids[limit - 1] if len(ids) > limit else floor + 1 if is_cut_off else None
    return Activity(_lines(session, ids[:limit]), following, is_cut_off)


def titles(session: Session, limit: int = 100, also: int | None = None) -> dict[int, str]:
    """The titles of the newest comics, and of one more, to choose from."""
    newest = session.execute(select(Comic.id, Comic.title).order_by(Comic.id.desc()).limit(limit))
    found = {row.id: row.title for row in newest}
    return found if also is None or also in found else found | _titles(session, {also})


def _of_comic(wanted: EventFilter, before: int, limit: int) -> Select[Any]:
    """By the comic's tasks; `+ 0` keeps the database from walking through everybody's events in their order."""
    statement = select(Event.id).join(Task, Task.id == Event.task_id)
    statement = statement.where(Task.comic_id == wanted.comic_id, Event.id < before)
    return _filtered(statement, wanted).order_by((Event.id + 0).desc()).limit(limit)


def _of_rare_types(wanted: EventFilter, before: int, limit: int) -> Select[Any]:
    """From the index of each type the newest, and of these the newest."""
    parts = [
        select(Event.id)
        .where(TROUBLE_EVENT, Event.type == kind, Event.id < before)
        .order_by(Event.id.desc())
        .limit(limit)
        .subquery()
        for kind in sorted(wanted.types)
    ]
    found = union_all(*(select(part.c.id) for part in parts)).subquery()
    return select(found.c.id).order_by(found.c.id.desc()).limit(limit)


def _looked_through(wanted: EventFilter, before: int, floor: int, limit: int) -> Select[Any]:
    statement = select(Event.id).where(Event.id < before, Event.id > floor)
    return _filtered(statement, wanted).order_by(Event.id.desc()).limit(limit)


def _filtered(statement: Select[Any], wanted: EventFilter) -> Select[Any]:
    if wanted.types:
        statement = statement.where(Event.type.in_(sorted(wanted.types)))
    if wanted.worker_id is not None:
        statement = statement.where(Event.worker_id == wanted.worker_id)
    return statement


def _lines(session: Session, ids: list[int]) -> list[Line]:
    rows = session.execute(
        select(
            Event.id,
            Event.at,
            Event.type,
            Event.comic_id,
            Task.number,
            Event.task_id,
            Event.attempt,
            Event.worker_id,
            func.coalesce(Worker.label, Worker.name).label("worker"),
            Event.message,
        )
        .join(Task, Task.id == Event.task_id)
        .outerjoin(Worker, Worker.id == Event.worker_id)
        .where(Event.id.in_(ids))
        .order_by(Event.id.desc())
    ).all()
    titles = _titles(session, {row.comic_id for row in rows})
    return [Line(**row._asdict(), title=titles[row.comic_id]) for row in rows]


def _titles(session: Session, comic_ids: set[int]) -> dict[int, str]:
    """By id, and not by a join, for which planners read all comics."""
    rows = session.execute(select(Comic.id, Comic.title).where(Comic.id.in_(sorted(comic_ids))))
    return {row.id: row.title for row in rows}
