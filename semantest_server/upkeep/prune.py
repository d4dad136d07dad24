"""Forgetting what was finished long ago, a little at a time, so that nothing else has to wait for long."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from semantest_server.models import Attempt, Comic, Event, Submission, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.lapses import open_journal

BATCH_TASKS = 1_000
FINISHED = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)

Transaction = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Pruned:
    """How much was forgotten."""

    comics: int = 0
    tasks: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.comics + other.comics, self.tasks + other.tasks)


def prune(transaction: Transaction, policy: Policy, before: datetime) -> Pruned:
    """Delete finished comics last changed before a time, and single pictures finished before it.

    Their tasks, attempts and events go with them. Each batch is a transaction of its own: a comic, or 1,000
    single pictures.
    """
    total = Pruned()
    for batch in (_prune_comic, _prune_pictures):
        while True:
            with transaction() as session:
                pruned = batch(session, policy, before)
            if not pruned.tasks:
                break
            total += pruned
    return total


def _prune_comic(session: Session, policy: Policy, before: datetime) -> Pruned:
    old = select(Comic.id).where(
        Comic.single_pictures.is_(False),
        Comic.ready + Comic.waiting + Comic.out == 0,
        Comic.updated_at < before,
    )
    comic_id = session.scalar(old.order_by(Comic.id).limit(1))
    if comic_id is None:
        return Pruned()
    comic = open_journal(session, policy, [comic_id]).comics.get(comic_id)
    if comic is None or not comic.is_finished or comic.updated_at >= before:
        return Pruned()  # somebody brought it back to life at this moment
    tasks = session.scalars(select(Task.id).where(Task.comic_id == comic_id)).all()
    _delete_history(session, tasks)
    session.execute(delete(Submission).where(Submission.comic_id == comic_id))
    session.execute(delete(Task).where(Task.comic_id == comic_id))
    session.execute(delete(Comic).where(Comic.id == comic_id))
    return Pruned(1, len(tasks))


def _prune_pictures(session: Session, policy: Policy, before: datetime) -> Pruned:
    standing = session.scalars(select(Comic.id).where(Comic.single_pictures.is_(True))).all()
    journal = open_journal(session, policy, standing)
    old = select(Task.id, Task.comic_id, Task.status).where(
        Task.comic_id.in_(standing), Task.status.in_(FINISHED), Task.updated_at < before
    )
    rows = session.execute(old.limit(BATCH_TASKS)).all()
    ids = [row.id for row in rows]
    _delete_history(session, ids)
    session.execute(delete(Submission).where(Submission.task_id.in_(ids)))
    session.execute(delete(Task).where(Task.id.in_(ids)))
    for (comic_id, status), count in Counter((row.comic_id, row.status) for row in rows).items():
        comic = journal.comics[comic_id]
        journal.set(comic, **{status.value: getattr(comic, status.value) - count})
    journal.post()
    return Pruned(0, len(ids))


def _delete_history(session: Session, task_ids: Sequence[int]) -> None:
    for start in range(0, len(task_ids), BATCH_TASKS):
        ids = task_ids[start : start + BATCH_TASKS]
        session.execute(delete(Event).where(Event.task_id.in_(ids)))
        session.execute(delete(Attempt).where(Attempt.task_id.in_(ids)))
