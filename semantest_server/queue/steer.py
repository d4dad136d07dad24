"""What a person decides: pause, resume, cancel, retry, how urgent, how many at once, how fast a site is fed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from semantest_server.errors import Conflict, FieldError, Invalid, NotFound
from semantest_server.models import OVER, ComicStatus, Priority, Site, Task
from semantest_server.policy import Policy
from semantest_server.queue.bulk import cancel_all, open_comic, retry_all
from semantest_server.queue.journal import Journal, lock_correlation_ids
from semantest_server.queue.states import ComicState


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
    journal, comic = open_comic(session, policy, comic_id)
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
    journal, comic = open_comic(session, policy, comic_id)
    conditions = [Task.comic_id == comic_id]
    if task_ids is not None:
        _check_tasks(session, comic_id, task_ids)
        conditions.append(Task.id.in_(task_ids))
    retry_all(journal, comic, conditions)
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


def _change_status(journal: Journal, comic: ComicState, status: ComicStatus) -> None:
    if comic.status is ComicStatus.CANCELLED or comic.is_finished:
        state = "cancelled" if comic.status is ComicStatus.CANCELLED else "finished"
        raise Conflict(f"The comic is {state}; retry brings its panels back to the queue.")
    if status is ComicStatus.PAUSED:
        journal.set(comic, status=status, paused_at=comic.paused_at or journal.now)
    else:
        journal.set(comic, status=status, paused_seconds=comic.paused_for(journal.now), paused_at=None)
    if status is ComicStatus.CANCELLED:
        cancel_all(journal, [Task.comic_id == comic.id, Task.status.not_in(OVER)])


def _check_tasks(session: Session, comic_id: int, task_ids: Sequence[int]) -> None:
    known = set(session.scalars(select(Task.id).where(Task.comic_id == comic_id, Task.id.in_(task_ids))))
    errors = [
        FieldError(f"/tasks/{index}", f"The comic has no task {task_id}.")
        for index, task_id in enumerate(task_ids)
        if task_id not in known
    ]
    if errors:
        raise Invalid("Some tasks are not this comic's.", errors)
