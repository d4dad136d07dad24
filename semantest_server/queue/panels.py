"""What a person does to panels, many at once: retry, cancel, and change the order in which they are drawn.

Each takes a `Selection`, looks at it once the comic is locked, and says how many panels it has changed; what is in
another state by then stays as it is.
"""

from enum import Enum

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from semantest_server.errors import FieldError, Invalid
from semantest_server.models import EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.bulk import RETRIED, cancel_all, open_comic, retry_all, tell_all
from semantest_server.queue.drafts import MOST_NUMBER
from semantest_server.queue.journal import Journal, lock_correlation_ids
from semantest_server.queue.states import ComicState
from semantest_server.selection import Selection

CANCELLABLE = (TaskStatus.QUEUED, TaskStatus.LEASED, TaskStatus.RUNNING)
UNCHANGED = {"synchronize_session": False}  # nothing that was read before is looked at again


class End(Enum):
    """An end of the queue."""

    TOP = "top"
    BOTTOM = "bottom"


def retry_panels(session: Session, policy: Policy, selection: Selection) -> int:
    """Queue failed and cancelled panels again, with a fresh allowance; a cancelled comic becomes active.

    A panel whose correlationId a later task took over stays as it is. Raises `NotFound`.
    """
    lock_correlation_ids(session)
    journal, comic = open_comic(session, policy, selection.comic_id)
    moved = retry_all(journal, comic, selection.only(*RETRIED).conditions)
    journal.post()
    return moved


def cancel_panels(session: Session, policy: Policy, selection: Selection) -> int:
    """Cancel panels that are not drawn yet: their leases end, and workers are told to stop. Raises `NotFound`."""
    journal, _ = open_comic(session, policy, selection.comic_id)
    moved = cancel_all(journal, selection.only(*CANCELLABLE).conditions)
    journal.post()
    return moved


def move_panels(session: Session, policy: Policy, selection: Selection, to: End | int) -> int:
    """Let queued panels be drawn first, last, or so that the first of them is the `to`-th; their own order stays.

    Raises `NotFound`, and `Invalid` for a place that is none.
    """
    if isinstance(to, int) and not 1 <= to <= MOST_NUMBER:
        message = f"Must be a number from 1 to {MOST_NUMBER:,}."
        raise Invalid("Panels cannot be moved there.", [FieldError("/position", message)])
    journal, comic = open_comic(session, policy, selection.comic_id)
    conditions = selection.only(TaskStatus.QUEUED).conditions
    count = session.scalar(select(func.count()).select_from(Task).where(*conditions)) or 0
    if not count:
        return 0
    _place(journal, conditions, _first_position(journal, comic, selection, to, count))
    place = f"to the {to.value}" if isinstance(to, End) else f"to place {to:,}"
    tell_all(journal, conditions, EventType.NOTED, f"Moved {place} of the queue.")
    journal.set(comic, updated_at=journal.now)
    journal.post()
    return count


def _first_position(journal: Journal, comic: ComicState, selection: Selection, to: End | int, count: int) -> int:
    """The first of `count` positions that are free there, for panels in the order of drawing.

    All panels of the comic count: what failed keeps its place among the others until it is retried.
    """
    before = comic.queued if to is End.BOTTOM else 0 if to is End.TOP else to - 1
    of_comic = Task.comic_id == comic.id
    if before >= comic.queued - count:  # behind all others
        return (journal.session.scalar(select(func.max(Task.position)).where(of_comic)) or 0) + 1
    if not before:
        return (journal.session.scalar(select(func.min(Task.position)).where(of_comic)) or 0) - count
    stays = Task.id.not_in(select(Task.id).where(*selection.conditions))
    others = select(Task.position).where(of_comic, Task.status == TaskStatus.QUEUED, stays)
    at = journal.session.scalars(others.order_by(Task.position, Task.number).offset(before).limit(1)).one()
    make_room = update(Task).where(of_comic, Task.position >= at).values(position=Task.position + count)
    journal.session.execute(make_room, execution_options=UNCHANGED)
    return at


def _place(journal: Journal, conditions: list[ColumnElement[bool]], first: int) -> None:
    """Give them the positions from `first` on, in their order."""
    rank = func.row_number().over(order_by=(Task.position, Task.number))
    moved = select(Task.id, (first - 1 + rank).label("position")).where(*conditions).subquery()
    journal.session.execute(
        update(Task).where(Task.id == moved.c.id).values(position=moved.c.position, updated_at=journal.now),
        execution_options=UNCHANGED,
    )
