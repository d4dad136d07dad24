"""Holding on to what is being drawn: renewing leases, and reviving those that had lapsed."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from semantest_server.models import EventType, TaskStatus
from semantest_server.queue.journal import Journal
from semantest_server.queue.states import Held

RENEWED_LATELY = timedelta(seconds=1)  # no need to write again what was written just now


def extend(journal: Journal, held: Iterable[Held]) -> None:
    """Lease open attempts for the full time from now on, bringing back those whose lease had lapsed."""
    until = journal.now + journal.policy.lease
    for one in held:
        if one.task.is_out:
            if one.task.leased_until is None or until - one.task.leased_until >= RENEWED_LATELY:
                journal.renew(one.task, until)
        else:
            revive(journal, one, until, TaskStatus.RUNNING if one.attempt.reported_at else TaskStatus.LEASED)


def revive(journal: Journal, held: Held, until: datetime, status: TaskStatus) -> None:
    """Give a task back to the worker that still draws it, though its lease had lapsed."""
    task, attempt = held.task, held.attempt
    journal.change(
        task,
        status=status,
        worker_id=attempt.worker_id,
        leased_until=until,
        available_at=None,
        lapses=max(0, task.lapses - held.counts),
        message=None if task.status is TaskStatus.FAILED else task.message,
    )
    journal.told(EventType.REVIVED, task, attempt=attempt.number, worker_id=attempt.worker_id, leased_until=until)
