"""Many tasks of a comic at once: moved from one status to another, with their history, in a few statements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from semantest_server.errors import NotFound
from semantest_server.models import OVER, ComicStatus, Event, EventType, Task, TaskStatus, counter_of
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal
from semantest_server.queue.lapses import open_journal
from semantest_server.queue.states import ComicState

RETRIED = (TaskStatus.FAILED, TaskStatus.CANCELLED)
Conditions = Sequence[ColumnElement[bool]]


def open_comic(session: Session, policy: Policy, comic_id: int) -> tuple[Journal, ComicState]:
    """Lock the comic and record what has lapsed. Raises `NotFound`."""
    journal = open_journal(session, policy, [comic_id])
    if comic_id not in journal.comics:
        raise NotFound(f"There is no comic {comic_id}.")
    return journal, journal.comics[comic_id]


def retry_all(journal: Journal, comic: ComicState, conditions: Conditions) -> int:
    """Queue again, with a fresh allowance, what has failed or was cancelled of the tasks that meet the conditions.

    Says how many. A task whose correlationId a later task took over stays as it is: `lock_correlation_ids` first.
    """
    values = {
        "attempts_used": 0,
        "counted": False,
        "lapses": 0,
        "retried_after": Task.attempt,
        "worker_id": None,
        "progress": None,
        "message": None,
    }
    again = [*conditions, Task.status.in_(RETRIED), ~_superseded()]
    moved = move_all(journal, again, TaskStatus.QUEUED, EventType.RETRIED, values)
    if moved and comic.status is ComicStatus.CANCELLED:
        journal.set(comic, status=ComicStatus.ACTIVE)
    return moved


def cancel_all(journal: Journal, conditions: Conditions) -> int:
    """Cancel what is neither drawn nor cancelled of the tasks that meet the conditions; say how many."""
    return move_all(journal, conditions, TaskStatus.CANCELLED, EventType.CANCELLED, {"leased_until": None})


def move_all(
    journal: Journal, conditions: Conditions, status: TaskStatus, kind: EventType, values: dict[str, Any]
) -> int:
    """Move every task that meets the conditions, with an event for each, in two statements; say how many."""
    session = journal.session
    journal.post()  # what has lapsed comes first in the history
    counted = select(Task.comic_id, Task.status, Task.available_at.is_(None).label("is_ready"), func.count())
    groups = session.execute(counted.where(*conditions).group_by(Task.comic_id, Task.status, "is_ready")).all()
    tell_all(journal, conditions, kind)
    session.execute(
        update(Task).where(*conditions).values(status=status, available_at=None, updated_at=journal.now, **values),
        execution_options={"synchronize_session": False},
    )
    for comic_id, was, is_ready, count in groups:
        source = counter_of(was, None if is_ready else journal.now)
        journal.moved(comic_id, source, counter_of(status, None), count)
    return sum(group[-1] for group in groups)


def tell_all(journal: Journal, conditions: Conditions, kind: EventType, message: str | None = None) -> None:
    """Append a line to the history of every task that meets the conditions, in one statement."""
    told = select(
        literal(journal.now, Event.at.type),
        literal(kind, Event.type.type),
        Task.id,
        Task.comic_id,
        func.nullif(Task.attempt, 0),
        Task.worker_id,
        Task.leased_until,
        literal(message, Event.message.type),
    )
    columns = ("at", "type", "task_id", "comic_id", "attempt", "worker_id", "leased_until", "message")
    journal.session.execute(insert(Event).from_select(columns, told.where(*conditions).order_by(Task.id)))


def _superseded() -> ColumnElement[bool]:
    """Whether its correlationId is another's: one that is open, or a later one that would be retried with it."""
    other = aliased(Task)
    is_open = (other.id != Task.id) & other.status.not_in(OVER)
    is_later = (other.id > Task.id) & (other.status == TaskStatus.CANCELLED)
    return exists().where(other.correlation_id == Task.correlation_id, is_open | is_later)
