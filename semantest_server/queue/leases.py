"""Holding on to what is being drawn: open attempts, and renewing or reviving their leases."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, and_, select, update

from semantest_server.models import OUT, OVER, Attempt, EventType, Task, TaskStatus
from semantest_server.queue.journal import Journal

Receipt = tuple[int, int]  # task id, attempt number


@dataclass(frozen=True)
class Held:
    """An attempt together with its task, as they were read."""

    attempt: Attempt
    task: Task

    @classmethod
    def of(cls, row: Row[Attempt, Task]) -> "Held":
        """A row of `attempts()`."""
        return cls(row[0], row[1])

    @property
    def receipt(self) -> Receipt:
        """Which attempt of which task it is."""
        return self.task.id, self.attempt.number

    @property
    def is_open(self) -> bool:
        """Whether it is the task's latest attempt, ended by no report, and the task is not over."""
        latest = self.attempt.number == self.task.attempt
        return latest and self.attempt.ended is None and self.task.status not in OVER

    @property
    def counts(self) -> bool:
        """Whether the attempt may still use up one of those allowed."""
        return not self.task.counted and self.attempt.number > self.task.retried_after


def attempts(*conditions: ColumnElement[bool]) -> Select[Attempt, Task]:
    """The attempts with their tasks, read anew, in the order of the tasks."""
    return (
        select(Attempt, Task)
        .join(Task, Task.id == Attempt.task_id)
        .where(*conditions)
        .order_by(Task.id, Attempt.number)
        .execution_options(populate_existing=True)
    )


def is_open() -> ColumnElement[bool]:
    """`Held.is_open` as a condition."""
    return and_(Attempt.number == Task.attempt, Attempt.ended.is_(None), Task.status.not_in(OVER))


def extend(journal: Journal, held: Iterable[Held]) -> None:
    """Lease open attempts for the full time from now on, bringing back those whose lease had lapsed."""
    until = journal.now + journal.policy.lease
    out = []
    for one in held:
        if one.task.status in OUT:
            out.append(one.task.id)
        else:
            revive(journal, one, until, TaskStatus.RUNNING if one.attempt.reported_at else TaskStatus.LEASED)
    if out:
        renewed = update(Task).where(Task.id.in_(out), Task.status.in_(OUT)).values(leased_until=until)
        journal.change(renewed, rows=len(out))


def revive(journal: Journal, held: Held, until: datetime, status: TaskStatus) -> None:
    """Give a task back to the worker that still draws it, though its lease had lapsed."""
    task, attempt = held.task, held.attempt
    journal.change(
        update(Task)
        .where(Task.id == task.id, Task.attempt == attempt.number, Task.status == task.status)
        .values(
            status=status,
            worker_id=attempt.worker_id,
            leased_until=until,
            available_at=None,
            lapses=max(0, task.lapses - held.counts),
            message=None if task.status is TaskStatus.FAILED else task.message,
            updated_at=journal.now,
        )
    )
    journal.moved(task.comic_id, task.counter, "out")
    journal.told(EventType.REVIVED, task, attempt=attempt.number, worker_id=attempt.worker_id, leased_until=until)
