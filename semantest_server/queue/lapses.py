"""What time does by itself: leases run out and backoffs end. Whatever write meets it records it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, select, union, update
from sqlalchemy.orm import Session

from semantest_server.models import EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal
from semantest_server.queue.states import LAPSED, TaskState, read_tasks

DUE_COMICS = 1_000
LAPSED_MESSAGE = "No report before the lease ran out."

DUE = union(
    select(Task.comic_id).where(Task.leased_until <= bindparam("now", type_=Task.leased_until.type)),
    select(Task.comic_id).where(Task.available_at <= bindparam("now", type_=Task.available_at.type)),
).limit(DUE_COMICS)
END_BACKOFFS = (
    update(Task)
    .where(Task.comic_id.in_(bindparam("comics", expanding=True)), Task.available_at <= bindparam("now"))
    .values(available_at=None)
    .returning(Task.comic_id)
)


def open_journal(session: Session, policy: Policy, comic_ids: Iterable[int]) -> Journal:
    """Lock the comics, take the time, and record the leases that have run out, so that what is stored is so."""
    journal = Journal(session, policy, comic_ids)
    if journal.comics:
        end_lapsed_leases(journal)
    return journal


def due_comics(session: Session, now: datetime) -> set[int]:
    """The comics for which a lease or a backoff has run out and nobody has recorded it, 1,000 at most."""
    return {row[0] for row in session.connection().execute(DUE, {"now": now})}


def end_lapsed_leases(journal: Journal) -> None:
    """Put back into the queue what nobody draws any more. Written at once: it stands whatever the caller finds."""
    for task in read_tasks(journal.connection, LAPSED, comics=list(journal.comics), now=journal.now):
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
    values = {"comics": list(journal.comics), "now": journal.now}
    ended = Counter(row[0] for row in journal.connection.execute(END_BACKOFFS, values))
    for comic_id, count in ended.items():
        journal.moved(comic_id, "waiting", "ready", count)
