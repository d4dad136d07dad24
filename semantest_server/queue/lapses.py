"""What time does by itself: leases run out and backoffs end. Whatever write meets it records it."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import bindparam, select, union, update
from sqlalchemy.orm import Session

from semantest_server.models import EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal
from semantest_server.queue.states import LAPSED, TaskState
from semantest_server.statements import Statement

DUE_COMICS = 1_000
LAPSED_MESSAGE = "No report before the lease ran out."

DUE = Statement(  # the comics for which a lease or a backoff has run out and nobody has recorded it
    union(
        select(Task.comic_id).where(Task.leased_until <= bindparam("now", type_=Task.leased_until.type)),
        select(Task.comic_id).where(Task.available_at <= bindparam("now", type_=Task.available_at.type)),
    ).limit(DUE_COMICS),
    int,
)
END_BACKOFFS = Statement(
    update(Task)
    .where(Task.comic_id.in_(bindparam("comics", expanding=True)), Task.available_at <= bindparam("now"))
    .values(available_at=None)
    .returning(Task.comic_id),
    int,
)


def open_journal(session: Session, policy: Policy, comic_ids: Iterable[int]) -> Journal:
    """Lock the comics, take the time, and record the leases that have run out, so that what is stored is so."""
    journal = Journal(session, policy, comic_ids)
    if journal.comics:
        end_lapsed_leases(journal)
    return journal


def end_lapsed_leases(journal: Journal) -> None:
    """Put back into the queue what nobody draws any more. Written at once: it stands whatever the caller finds."""
    record_lapsed(journal, LAPSED.rows(journal.connection, comics=list(journal.comics), now=journal.now))


def record_lapsed(journal: Journal, lapsed: Iterable[TaskState]) -> None:
    """Record leases that have run out, and write it."""
    for task in lapsed:
        _end_lapsed_lease(journal, task)
    journal.post()


def _end_lapsed_lease(journal: Journal, task: TaskState) -> None:
    fails = journal.policy.lapse_fails(counted=task.counted, used=task.attempts_used, lapses=task.lapses)
    uncounted = not task.counted and task.attempt > task.retried_after
    journal.told(
        EventType.EXPIRED,
        task,
        attempt=task.attempt,
        worker_id=task.worker_id,
        leased_until=task.leased_until,
        message="The task failed." if fails else None,
    )
    journal.change(
        task,
        status=TaskStatus.FAILED if fails else TaskStatus.QUEUED,
        leased_until=None,
        worker_id=task.worker_id if fails else None,
        lapses=task.lapses + uncounted,
        message=LAPSED_MESSAGE if fails else task.message,
    )


def end_backoffs(journal: Journal) -> None:
    """Make ready what has waited long enough. Until then it only looks as if it still waited."""
    ended = Counter(END_BACKOFFS.rows(journal.connection, comics=list(journal.comics), now=journal.now))
    for comic_id, count in ended.items():
        journal.moved(comic_id, "waiting", "ready", count)
