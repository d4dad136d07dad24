"""What a person decides from above: pause or resume everything, retry what failed, a worker's label and hold."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from semantest_server.errors import FieldError, Invalid, NotFound
from semantest_server.models import (
    NAME_CHARACTERS,
    PAUSED_COMIC,
    UNFINISHED_COMIC,
    Comic,
    ComicStatus,
    Task,
    TaskStatus,
    Worker,
)
from semantest_server.policy import Policy
from semantest_server.queue.bulk import open_comic, retry_all
from semantest_server.queue.drafts import UNPRINTABLE
from semantest_server.queue.journal import Journal, lock_correlation_ids
from semantest_server.queue.lapses import open_journal

UNFINISHED = select(Comic.id).where(UNFINISHED_COMIC)
PAUSED = select(Comic.id).where(PAUSED_COMIC)


def pause_everything(session: Session, policy: Policy) -> int:
    """Pause every active comic that has something left to draw, and say how many. What is out goes on."""
    journal = _open(session, policy, UNFINISHED)
    paused = 0
    for comic in journal.comics.values():
        if comic.status is ComicStatus.ACTIVE and not comic.is_finished:  # as it is now that it is locked
            journal.set(comic, status=ComicStatus.PAUSED, paused_at=journal.now, updated_at=journal.now)
            paused += 1
    journal.post()
    return paused


def resume_everything(session: Session, policy: Policy) -> int:
    """Make every paused comic active, and say how many of them have something left to draw."""
    journal = _open(session, policy, PAUSED)
    resumed = 0
    for comic in journal.comics.values():
        if comic.status is ComicStatus.PAUSED:  # else somebody else has resumed or cancelled it meanwhile
            paused_for = comic.paused_for(journal.now)
            changes = {"status": ComicStatus.ACTIVE, "paused_seconds": paused_for, "paused_at": None}
            journal.set(comic, **changes, updated_at=journal.now)
            resumed += not comic.is_finished
    journal.post()
    return resumed


def retry_failed(session: Session, policy: Policy, comic_id: int) -> int:
    """Bring a comic's failed tasks, and not its cancelled ones, back to the queue; say how many. Raises `NotFound`."""
    lock_correlation_ids(session)
    journal, comic = open_comic(session, policy, comic_id)
    retried = retry_all(journal, comic, [Task.comic_id == comic_id, Task.status == TaskStatus.FAILED])
    journal.post()
    return retried


def label_worker(session: Session, worker_id: int, label: str | None) -> Worker:
    """Call a worker something that a person can read; None or nothing takes the label away.

    Raises `NotFound` and `Invalid`.
    """
    label = (label or "").strip()
    if len(label) > NAME_CHARACTERS or UNPRINTABLE.search(label) or "\n" in label:
        message = f"Must be one line of at most {NAME_CHARACTERS} characters."
        raise Invalid("The label cannot be kept.", [FieldError("/label", message)])
    worker = _worker(session, worker_id)
    worker.label = label or None
    return worker


def hold_worker(session: Session, worker_id: int, held: bool) -> Worker:
    """Give a worker nothing new, or release it again; what it has goes on. Raises `NotFound`."""
    worker = _worker(session, worker_id)
    worker.held = held
    return worker


def _open(session: Session, policy: Policy, which: Select[int]) -> Journal:
    """The books of the comics that are so at this moment, locked in id order."""
    return open_journal(session, policy, session.scalars(which).all())


def _worker(session: Session, worker_id: int) -> Worker:
    locked = select(Worker).where(Worker.id == worker_id).with_for_update(key_share=True)
    worker = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if worker is None:
        raise NotFound(f"There is no worker {worker_id}.")
    return worker
