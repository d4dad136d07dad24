"""Tasks: one, a page of them, and their history."""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, select, tuple_
from sqlalchemy.orm import Session, joinedload

from semantest_server.clock import THE_TIME, clock
from semantest_server.errors import NotFound
from semantest_server.models import Comic, Event, Task, TaskStatus, Worker
from semantest_server.policy import Policy
from semantest_server.prompts import compose, final_style
from semantest_server.snapshots.lapses import not_lapsed, status_now
from semantest_server.statements import Statement

ID_DIGITS = 18  # no id is longer, and every database takes it

EVERY = (
    select(
        Task.id,
        Task.comic_id,
        Task.number,
        Task.status,
        Task.prompt,
        Task.style,
        Task.style_text,
        Task.attempt,
        Task.leased_until,
        Task.available_at,
        Task.attempts_used,
        Task.counted,
        Task.lapses,
        Task.progress,
        Task.image_url,
        Task.download_path,
        Task.message,
        Task.correlation_id,
        Task.output_path,
        Task.download_folder,
        Task.created_at,
        Task.updated_at,
        Comic.style.label("comic_style"),
        Comic.style_text.label("comic_style_text"),
        Comic.domain,
        Worker.name.label("worker"),
    )
    .select_from(Task)
    .outerjoin(Comic, Comic.id == Task.comic_id)  # outer, so that no planner begins with the comics
    .outerjoin(Worker, Worker.id == Task.worker_id)
)
TaskRow = Any  # a row of `EVERY`

THESE: Statement[TaskRow] = Statement(  # and the time, if the database is to tell it
    EVERY.add_columns(THE_TIME.label("now")).where(Task.id.in_(bindparam("tasks", expanding=True))),
    namedtuple("TaskRow", [*EVERY.selected_columns.keys(), "now"]),
)


@dataclass(frozen=True)
class TaskSnapshot:
    """A task as clients see it; absent values are None."""

    id: int
    batch_id: int
    number: int
    status: TaskStatus
    prompt: str
    style: str | None
    style_text: str | None
    attempt: int
    receipt: str | None
    worker: str | None
    leased_until: datetime | None
    attempts_left: int
    available_at: datetime | None
    progress: int | None
    image_url: str | None
    download_path: str | None
    message: str | None
    correlation_id: str | None
    output_path: str
    download_folder: str
    domain: str
    created_at: datetime
    updated_at: datetime

    @property
    def final_prompt(self) -> str:
        """What is drawn: the prompt with its style."""
        return compose(self.prompt, self.style_text)


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks to list; what is empty or None does not matter."""

    statuses: frozenset[TaskStatus] = frozenset()
    comic_id: int | None = None
    worker: str | None = None


TaskCursor = tuple[datetime, int]  # updated_at and id of the last task of the page before


def task(session: Session, policy: Policy, task_id: int) -> TaskSnapshot:
    """One task. Raises `NotFound`."""
    found = tasks_by_id(session, policy, [task_id])
    if not found:
        raise NotFound(f"There is no task {task_id}.")
    return found[task_id]


def tasks_by_id(session: Session, policy: Policy, task_ids: Iterable[int]) -> dict[int, TaskSnapshot]:
    """The tasks of these ids, those that there are."""
    now = clock.given(session)
    rows = THESE.rows(session.connection(), tasks=sorted(task_ids), now=now)
    return {row.id: snapshot_of(policy, row, now or row.now) for row in rows}


def find_task(session: Session, name: str) -> int:
    """The id of the task that a task id, a receipt or a correlationId names. Raises `NotFound`."""
    head, dot, attempt = name.partition(".")
    if head.isascii() and head.isdigit() and (not dot or (attempt.isascii() and attempt.isdigit())):
        named = and_(Task.id == _id(head), Task.attempt >= _id(attempt or "0"))
        if dot and not _id(attempt):
            named = Task.id < 0
    elif name.startswith("h-"):
        named = Task.id < 0  # a hand-out is no task
    else:
        named = Task.correlation_id == name
    found = session.scalar(select(Task.id).where(named).order_by(Task.id.desc()).limit(1))
    if found is None:
        raise NotFound(f"There is no task {name[:100]!r}.")
    return found


def tasks(
    session: Session,
    policy: Policy,
    wanted: TaskFilter | None = None,
    limit: int = 50,
    after: TaskCursor | None = None,
) -> tuple[list[TaskSnapshot], TaskCursor | None]:
    """A page of tasks, last changed first, and the cursor of the next page.

    Each status is read from its own index in order, and the lapsed ones apart, since they are stored as what they
    no longer are; the ordered lists are then merged.
    """
    wanted = wanted or TaskFilter()
    now = clock.now(session)
    rows = islice(merge(*_ordered(session, policy, wanted, now, limit + 1, after), key=_recency), limit + 1)
    found = [snapshot_of(policy, row, now) for row in rows]
    following = (found[limit - 1].updated_at, found[limit - 1].id) if len(found) > limit else None
    return found[:limit], following


def waiting(session: Session, policy: Policy, limit: int) -> list[TaskSnapshot]:
    """Some of the tasks that wait for a worker, for a person who looks where only workers poll."""
    found, _ = tasks(session, policy, TaskFilter(statuses=frozenset({TaskStatus.QUEUED})), limit)
    return found


def statuses_of(session: Session, policy: Policy, names: Sequence[str]) -> list[str]:
    """The status of the newest task of each correlationId or id, `unknown` where there is none."""
    return [_status_of(session, policy, name) for name in names]


def events(session: Session, task_id: int, limit: int = 100, after: int = 0) -> tuple[list[Event], int | None]:
    """A page of a task's history, oldest first, and the event id to ask `after` for the next page."""
    statement = (
        select(Event)
        .where(Event.task_id == task_id, Event.id > after)
        .order_by(Event.id)
        .limit(limit + 1)
        .options(joinedload(Event.worker))
    )
    found = list(session.scalars(statement))
    following = found[limit - 1].id if len(found) > limit else None
    return found[:limit], following


def _status_of(session: Session, policy: Policy, name: str) -> str:
    by_correlation = select(Task.id).where(Task.correlation_id == name).order_by(Task.id.desc()).limit(1)
    task_id = session.scalar(by_correlation)
    try:
        return task(session, policy, task_id or find_task(session, name)).status.value
    except NotFound:
        return "unknown"


def snapshot_of(policy: Policy, row: TaskRow, now: datetime) -> TaskSnapshot:
    """A row of `EVERY` as it is now."""
    status = status_now(policy, row, now)
    has_lapsed = status is not row.status
    return TaskSnapshot(
        id=row.id,
        batch_id=row.comic_id,
        number=row.number,
        status=status,
        prompt=row.prompt,
        style=row.style or row.comic_style,
        style_text=final_style(row.style_text, row.comic_style_text),
        attempt=row.attempt,
        receipt=f"{row.id}.{row.attempt}" if row.attempt else None,
        worker=None if status is TaskStatus.QUEUED else row.worker,
        leased_until=None if has_lapsed else row.leased_until,
        attempts_left=policy.attempts_left(row.attempts_used),
        available_at=row.available_at,
        progress=row.progress,
        image_url=row.image_url,
        download_path=row.download_path,
        message=row.message,
        correlation_id=row.correlation_id,
        output_path=row.output_path,
        download_folder=row.download_folder,
        domain=row.domain,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _ordered(
    session: Session,
    policy: Policy,
    wanted: TaskFilter,
    now: datetime,
    limit: int,
    after: TaskCursor | None,
) -> Iterator[Iterable[TaskRow]]:
    """The lists that make up a page, each last changed first."""
    every = EVERY.order_by(Task.updated_at.desc(), Task.id.desc())
    base = every.limit(limit)
    conditions: list[ColumnElement[bool]] = []
    if wanted.comic_id is not None:
        conditions.append(Task.comic_id == wanted.comic_id)
    if wanted.worker is not None:
        named = select(Worker.id).where(Worker.name == wanted.worker)
        conditions.append(Task.worker_id.in_(session.scalars(named).all()))
    if after is not None:
        conditions.append(tuple_(Task.updated_at, Task.id) < tuple_(*after))
    if not wanted.statuses and wanted.worker is None:
        yield session.execute(base.where(*conditions))
        return
    for status in sorted(wanted.statuses or TaskStatus):
        yield session.execute(base.where(Task.status == status, not_lapsed(now), *conditions))
    lapsed = session.execute(every.where(Task.leased_until <= now, *conditions))
    yield [row for row in lapsed if _is_wanted(wanted, status_now(policy, row, now))]


def _is_wanted(wanted: TaskFilter, status: TaskStatus) -> bool:
    if wanted.worker is not None and status is TaskStatus.QUEUED:
        return False
    return not wanted.statuses or status in wanted.statuses


def _recency(row: TaskRow) -> tuple[float, int]:
    return -row.updated_at.timestamp(), -row.id


def _id(digits: str) -> int:
    """A number that fits an id column; larger ones belong to nothing."""
    return int(digits) if len(digits) <= ID_DIGITS else 0
