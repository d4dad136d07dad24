"""What a person decides: pause, resume, cancel, retry, how urgent, how many at once, how fast a site is fed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from semantest_server.errors import Conflict, FieldError, Invalid, NotFound
from semantest_server.models import (
    OVER,
    ComicStatus,
    Event,
    EventType,
    Priority,
    Site,
    Task,
    TaskStatus,
    counter_of,
)
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal, lock_correlation_ids
from semantest_server.queue.lapses import open_journal
from semantest_server.queue.states import ComicState

RETRIED = (TaskStatus.FAILED, TaskStatus.CANCELLED)


def change_comic(
    session: Session,
    policy: Policy,
    comic_id: int,
    *,
    status: ComicStatus | None = None,
    priority: Priority | None = None,
    parallel: int | None = None,
    title: str | None = None,
) -> None:
    """Change what is given and leave the rest.

    Raises `NotFound`; `Conflict` for a new status of a comic that is cancelled or has nothing left to draw.
    """
    journal, comic = _open(session, policy, comic_id)
    if status is not None:
        _change_status(journal, comic, status)
    changes = {"priority": priority, "parallel": parallel, "title": title}
    given = {name: value for name, value in changes.items() if value is not None}
    journal.set(comic, updated_at=journal.now, **given)
    journal.post()


def retry(session: Session, policy: Policy, comic_id: int, task_ids: Sequence[int] | None = None) -> None:
    """Bring failed and cancelled tasks, all or those named, back to the queue with a fresh allowance.

    What is neither stays as it is. A task whose correlationId a later task took over stays too. Raises `NotFound`,
    and `Invalid` if a named task is not the comic's.
    """
    lock_correlation_ids(session)
    journal, comic = _open(session, policy, comic_id)
    conditions = [Task.comic_id == comic_id, Task.status.in_(RETRIED), ~_superseded()]
    if task_ids is not None:
        _check_tasks(session, comic_id, task_ids)
        conditions.append(Task.id.in_(task_ids))
    values = {
        "attempts_used": 0,
        "counted": False,
        "lapses": 0,
        "retried_after": Task.attempt,
        "worker_id": None,
        "progress": None,
        "message": None,
    }
    moved = _move_all(journal, conditions, TaskStatus.QUEUED, EventType.RETRIED, values)
    if moved and comic.status is ComicStatus.CANCELLED:
        journal.set(comic, status=ComicStatus.ACTIVE)
    journal.post()


def change_pacing(
    session: Session,
    domain: str,
    *,
    gap_seconds: float,
    break_after: int,
    break_seconds: float,
    daily_cap: int,
) -> Site:
    """Set how fast a site is given panels; 0 turns a rule off. Raises `NotFound`."""
    locked = select(Site).where(Site.domain == domain).with_for_update(key_share=True)
    site = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if site is None:
        raise NotFound(f"There is no site {domain!r}.")
    if (break_after, break_seconds) != (site.break_after, site.break_seconds):
        site.since_break, site.break_until = 0, None
    site.gap_seconds, site.break_after = gap_seconds, break_after
    site.break_seconds, site.daily_cap = break_seconds, daily_cap
    return site


def _open(session: Session, policy: Policy, comic_id: int) -> tuple[Journal, ComicState]:
    journal = open_journal(session, policy, [comic_id])
    if comic_id not in journal.comics:
        raise NotFound(f"There is no comic {comic_id}.")
    return journal, journal.comics[comic_id]


def _change_status(journal: Journal, comic: ComicState, status: ComicStatus) -> None:
    if comic.status is ComicStatus.CANCELLED or comic.is_finished:
        state = "cancelled" if comic.status is ComicStatus.CANCELLED else "finished"
        raise Conflict(f"The comic is {state}; retry brings its panels back to the queue.")
    if status is ComicStatus.PAUSED:
        journal.set(comic, status=status, paused_at=comic.paused_at or journal.now)
    else:
        journal.set(comic, status=status, paused_seconds=comic.paused_for(journal.now), paused_at=None)
    if status is ComicStatus.CANCELLED:
        conditions = [Task.comic_id == comic.id, Task.status.not_in(OVER)]
        _move_all(journal, conditions, TaskStatus.CANCELLED, EventType.CANCELLED, {"leased_until": None})


def _move_all(
    journal: Journal,
    conditions: list[ColumnElement[bool]],
    status: TaskStatus,
    kind: EventType,
    values: dict[str, Any],
) -> int:
    """Move every task that meets the conditions, with an event for each, in two statements; say how many."""
    session = journal.session
    journal.post()  # what has lapsed comes first in the history
    counted = select(Task.comic_id, Task.status, Task.available_at.is_(None).label("is_ready"), func.count())
    groups = session.execute(counted.where(*conditions).group_by(Task.comic_id, Task.status, "is_ready")).all()
    told = select(
        literal(journal.now, Event.at.type),
        literal(kind, Event.type.type),
        Task.id,
        Task.comic_id,
        func.nullif(Task.attempt, 0),
        Task.worker_id,
        Task.leased_until,
    )
    columns = ("at", "type", "task_id", "comic_id", "attempt", "worker_id", "leased_until")
    session.execute(insert(Event).from_select(columns, told.where(*conditions).order_by(Task.id)))
    session.execute(
        update(Task).where(*conditions).values(status=status, available_at=None, updated_at=journal.now, **values),
        execution_options={"synchronize_session": False},
    )
    for comic_id, was, is_ready, count in groups:
        source = counter_of(was, None if is_ready else journal.now)
        journal.moved(comic_id, source, counter_of(status, None), count)
    return sum(group[-1] for group in groups)


def _superseded() -> ColumnElement[bool]:
    """Whether its correlationId is another's: one that is open, or a later one that would be retried with it."""
    other = aliased(Task)
    is_open = (other.id != Task.id) & other.status.not_in(OVER)
    is_later = (other.id > Task.id) & (other.status == TaskStatus.CANCELLED)
    return exists().where(other.correlation_id == Task.correlation_id, is_open | is_later)


def _check_tasks(session: Session, comic_id: int, task_ids: Sequence[int]) -> None:
    known = set(session.scalars(select(Task.id).where(Task.comic_id == comic_id, Task.id.in_(task_ids))))
    errors = [
        FieldError(f"/tasks/{index}", f"The comic has no task {task_id}.")
        for index, task_id in enumerate(task_ids)
        if task_id not in known
    ]
    if errors:
        raise Invalid("Some tasks are not this comic's.", errors)
