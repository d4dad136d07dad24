"""What time does by itself: leases run out and backoffs end. Whatever write meets it records it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, union, update
from sqlalchemy.orm import Session

from semantest_server.models import EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal

DUE_COMICS = 1_000
LAPSED_MESSAGE = "No report before the lease ran out."


def open_journal(session: Session, policy: Policy, comic_ids: Iterable[int]) -> Journal:
    """Lock the comics, take the time, and record the leases that have run out, so that what is stored is so."""
    journal = Journal(session, policy, comic_ids)
    if journal.comics:
        _end_lapsed_leases(journal)
        journal.post()  # at once: it stands whatever the caller finds
    return journal


def due_comics(session: Session, now: datetime) -> set[int]:
    """The comics for which a lease or a backoff has run out and nobody has recorded it, 1,000 at most."""
    lapsed = select(Task.comic_id).where(Task.leased_until <= now)
    available = select(Task.comic_id).where(Task.available_at <= now)
    return set(session.scalars(union(lapsed, available).limit(DUE_COMICS)))


def _end_lapsed_leases(journal: Journal) -> None:
    statement = (
        select(Task)
        .where(Task.comic_id.in_(journal.comics), Task.leased_until <= journal.now)
        .order_by(Task.id)
        .execution_options(populate_existing=True)
    )
    for task in journal.session.scalars(statement).all():
        _end_lapsed_lease(journal, task)


def _end_lapsed_lease(journal: Journal, task: Task) -> None:
    fails = journal.policy.lapse_fails(counted=task.counted, used=task.attempts_used, lapses=task.lapses)
    uncounted = not task.counted and task.attempt > task.retried_after
    lapsed = update(Task).where(Task.id == task.id, Task.attempt == task.attempt, Task.leased_until <= journal.now)
    journal.change(
        lapsed.values(
            status=TaskStatus.FAILED if fails else TaskStatus.QUEUED,
            leased_until=None,
            worker_id=task.worker_id if fails else None,
            lapses=task.lapses + uncounted,
            message=LAPSED_MESSAGE if fails else task.message,
            updated_at=journal.now,
        )
    )
    journal.moved(task.comic_id, "out", "failed" if fails else "ready")
    journal.told(
        EventType.EXPIRED,
        task,
        attempt=task.attempt,
        worker_id=task.worker_id,
        leased_until=task.leased_until,
        message="The task failed." if fails else None,
    )


def end_backoffs(journal: Journal) -> None:
    """Make ready what has waited long enough. Until then it only looks as if it still waited."""
    ended = (
        update(Task)
        .where(Task.comic_id.in_(journal.comics), Task.available_at <= journal.now)
        .values(available_at=None)
        .returning(Task.comic_id)
    )
    counts = Counter(journal.session.scalars(ended, execution_options={"synchronize_session": False}))
    for comic_id, count in counts.items():
        journal.moved(comic_id, "waiting", "ready", count)
