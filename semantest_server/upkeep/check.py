"""Checking that a database keeps the rules, while the server runs: what is stored against what it must be."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from sqlalchemy import and_, case, func, or_, select, text
from sqlalchemy.orm import Session

from semantest_server.models import OUT, Attempt, Comic, Ending, Event, EventType, Task, TaskStatus

COUNTERS = ("ready", "waiting", "out", "completed", "failed", "cancelled")
ROWS_AT_ONCE = 5_000

Q, L, R = TaskStatus.QUEUED, TaskStatus.LEASED, TaskStatus.RUNNING
C, F, X = TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED
NOT_COMPLETED = {Q, L, R, F, X}
MOVES: dict[EventType, tuple[set[TaskStatus], set[TaskStatus]]] = {  # from which states, to which
    EventType.HANDED_OUT: ({Q}, {L}),
    EventType.RUNNING: ({L, R}, {R}),
    EventType.COMPLETED: (NOT_COMPLETED, {C}),
    EventType.FAILED: ({Q, L, R, F}, {Q, F}),
    EventType.GIVEN_BACK: ({Q, L, R, F}, {Q}),
    EventType.EXPIRED: ({L, R}, {Q, F}),
    EventType.REVIVED: ({Q, F}, {L, R}),
    EventType.CANCELLED: (NOT_COMPLETED, {X}),
    EventType.RETRIED: ({F, X}, {Q}),
}


def check(session: Session) -> Iterator[str]:
    """What is wrong, a sentence each; nothing if the database keeps the rules.

    Reads one snapshot. Its checks: the file (SQLite), counters against a recount, leases and attempts against
    tasks, one result for each completed task, and a history that leads to the present state.
    """
    _take_snapshot(session)
    yield from _file(session)
    yield from _counters(session)
    yield from _attempts(session)
    yield from _results(session)
    yield from _histories(session)
    session.rollback()


def _take_snapshot(session: Session) -> None:
    session.rollback()
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _file(session: Session) -> Iterator[str]:
    if session.get_bind().dialect.name != "sqlite":
        return
    for (line,) in session.execute(text("PRAGMA quick_check")):
        if line != "ok":
            yield f"The database file is damaged: {line}"
    for row in session.execute(text("PRAGMA foreign_key_check")):
        yield f"Row {row[1]} of table {row[0]} refers to a row of {row[2]} that is not there."


def _counters(session: Session) -> Iterator[str]:
    """The counters of a comic say how many of its tasks are where."""
    place = case(
        (Task.status.in_(OUT), "out"),
        (and_(Task.status == Q, Task.available_at.is_(None)), "ready"),
        (Task.status == Q, "waiting"),
        else_=Task.status,
    )
    counts = {
        (comic_id, counter): count
        for comic_id, counter, count in session.execute(
            select(Task.comic_id, place, func.count()).group_by(Task.comic_id, place)
        )
    }
    for comic in session.execute(select(Comic.id, *(getattr(Comic, name) for name in COUNTERS))).mappings():
        for name in COUNTERS:
            there = counts.get((comic["id"], name), 0)
            if comic[name] != there:
                yield f"Comic {comic['id']} counts {comic[name]} tasks as {name}, and has {there}."


def _attempts(session: Session) -> Iterator[str]:
    """A task's attempts are numbered from 1 to its own, and a lease is of its latest one's worker."""
    numbers = (
        select(Attempt.task_id, func.count().label("count"), func.max(Attempt.number).label("last"))
        .group_by(Attempt.task_id)
        .subquery()
    )
    count, last = func.coalesce(numbers.c.count, 0), func.coalesce(numbers.c.last, 0)
    wrong = select(Task.id, Task.attempt, count, last).outerjoin(numbers, numbers.c.task_id == Task.id)
    for task_id, number, has, latest in session.execute(wrong.where(or_(Task.attempt != count, Task.attempt != last))):
        yield f"Task {task_id} is at attempt {number}, and has {has} attempts up to number {latest}."
    latest_of = and_(Attempt.task_id == Task.id, Attempt.number == Task.attempt)
    held = select(Task.id, Task.worker_id, Attempt.worker_id).join(Attempt, latest_of)
    for task_id, worker, given in session.execute(
        held.where(Task.status.in_(OUT), Task.worker_id != Attempt.worker_id)
    ):
        yield f"Task {task_id} is leased to worker {worker}, and was given to worker {given}."


def _results(session: Session) -> Iterator[str]:
    """A completed task has one accepted result, and no other task has any."""
    results = (
        select(Attempt.task_id, func.count().label("count"))
        .where(Attempt.ended == Ending.COMPLETED)
        .group_by(Attempt.task_id)
        .subquery()
    )
    count = func.coalesce(results.c.count, 0)
    wanted = case((Task.status == C, 1), else_=0)
    tasks = select(Task.id, Task.status, count).outerjoin(results, results.c.task_id == Task.id)
    for task_id, status, found in session.execute(tasks.where(count != wanted)):
        yield f"Task {task_id} is {status}, and has {found} accepted results."


def _histories(session: Session) -> Iterator[str]:
    """The events of a task, one after the other, lead to its present state."""
    statement = (
        select(Event.task_id, Task.status, Event.type, Event.attempt, Event.at)
        .join(Task, Task.id == Event.task_id)
        .order_by(Event.task_id, Event.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    seen = 0
    for (task_id, status), rows in groupby(session.execute(statement), key=lambda row: (row[0], row[1])):
        seen += 1
        yield from replay(task_id, status, ((row.type, row.attempt) for row in rows))
    there = session.scalar(select(func.count()).select_from(Task)) or 0
    if seen != there:
        yield f"{there - seen} tasks have no history."


def replay(task_id: int, status: TaskStatus, events: Iterable[tuple[EventType, int | None]]) -> Iterator[str]:
    """Follow a history from `queued` to the present, and say where it makes a step that no task makes."""
    possible: set[TaskStatus] = set()
    attempt = 0
    for kind, number in events:
        if kind is EventType.QUEUED:
            possible = {Q}
        elif kind in MOVES:
            before, after = MOVES[kind]
            if not possible & before:
                yield f"Task {task_id}: {kind} after it was {_words(possible)}."
            possible = after
        if kind is EventType.HANDED_OUT:
            if number != attempt + 1:
                yield f"Task {task_id}: attempt {number} was handed out after attempt {attempt}."
            attempt = number or 0
    if status not in possible:
        yield f"Task {task_id} is {status}, and its history ends at {_words(possible)}."


def _words(statuses: set[TaskStatus]) -> str:
    return " or ".join(sorted(statuses)) or "nothing"
