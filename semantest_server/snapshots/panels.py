"""A comic's panels: one, a page of them in some order, how many are where, and all of them in their order.

A picture that was reported as data is too large for lists: here only its beginning is read.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import NotFound
from semantest_server.models import Task, TaskStatus, Worker
from semantest_server.policy import Policy
from semantest_server.selection import Selection
from semantest_server.snapshots.lapses import lapsed_tasks, not_lapsed, status_now
from semantest_server.snapshots.task_lists import EVERY, TaskRow, TaskSnapshot, snapshot_of

BEGINNING = 60  # characters of a picture, enough to see what kind it is

_SHORT = case((Task.image_url.like("data:%"), func.substr(Task.image_url, 1, BEGINNING)), else_=Task.image_url)
_OWN = (Task.chapter, Task.strip, Task.caption, Task.speech, Task.notes)
PANELS = EVERY.with_only_columns(
    *(column for column in EVERY.selected_columns if column is not EVERY.selected_columns.image_url),
    _SHORT.label("image_url"),
    *_OWN,
    Worker.label.label("worker_label"),
    maintain_column_froms=True,
)


class Sort(StrEnum):
    """What panels are put in order by."""

    NUMBER = "number"
    ORDER = "order"
    CHANGED = "changed"
    STATUS = "status"


_LIFE = case({status: place for place, status in enumerate(TaskStatus)}, value=Task.status)
_COLUMNS = {
    Sort.NUMBER: (Task.number,),
    Sort.ORDER: (Task.position, Task.number),
    Sort.CHANGED: (Task.updated_at, Task.id),
    Sort.STATUS: (_LIFE, Task.number),
}


@dataclass(frozen=True)
class PanelSnapshot(TaskSnapshot):
    """A task as the panel that a creator knows: where it stands in the story, and the words that belong to it."""

    chosen_style: str | None
    chapter: str | None
    strip: str | None
    caption: str | None
    speech: str | None
    notes: str | None


def panel(session: Session, policy: Policy, comic_id: int, number: int) -> PanelSnapshot:
    """One panel. Raises `NotFound`."""
    now = clock.now(session)
    row = session.execute(PANELS.where(Task.comic_id == comic_id, Task.number == number)).one_or_none()
    if row is None:
        raise NotFound(f"Comic {comic_id} has no panel {number}.")
    return _panel(policy, row, now)


def panels(
    session: Session,
    policy: Policy,
    comic_id: int,
    after: int = 0,
    limit: int = 100,
    statuses: frozenset[TaskStatus] = frozenset(),
) -> tuple[list[PanelSnapshot], int | None]:
    """A page of a comic's panels by number, and the number to ask `after` for the next page."""
    now = clock.now(session)
    wanted = Selection(comic_id, statuses or None)
    statement = PANELS.where(Task.number > after, *_conditions(session, policy, wanted, now))
    rows = session.execute(statement.order_by(Task.number).limit(limit + 1))
    found = [_panel(policy, row, now) for row in rows]
    following = found[limit - 1].number if len(found) > limit else None
    return found[:limit], following


def panel_page(
    session: Session,
    policy: Policy,
    selection: Selection,
    *,
    sort: Sort = Sort.NUMBER,
    descending: bool = False,
    limit: int = 25,
    offset: int = 0,
) -> list[PanelSnapshot]:
    """Some of the panels, in the order asked for."""
    now = clock.now(session)
    order = [column.desc() if descending else column.asc() for column in _COLUMNS[sort]]
    statement = PANELS.where(*_conditions(session, policy, selection, now)).order_by(*order)
    return [_panel(policy, row, now) for row in session.execute(statement.limit(limit).offset(offset))]


def panel_counts(session: Session, policy: Policy, selection: Selection) -> Counter[TaskStatus]:
    """How many of the panels have each status, whichever statuses are asked for."""
    now = clock.now(session)
    grouped = select(Task.status, func.count()).where(*selection.but_for_status).group_by(Task.status)
    counts = Counter(dict(session.execute(grouped).all()))
    for row in session.scalars(select(Task).where(*selection.but_for_status, Task.leased_until <= now)):
        counts[row.status] -= 1
        counts[status_now(policy, row, now)] += 1
    return counts


def neighbours(session: Session, policy: Policy, selection: Selection, number: int) -> tuple[int | None, int | None]:
    """The numbers of the panels before and after one, among those selected."""
    conditions = _conditions(session, policy, selection, clock.now(session))
    before = select(Task.number).where(*conditions, Task.number < number).order_by(Task.number.desc()).limit(1)
    after = select(Task.number).where(*conditions, Task.number > number).order_by(Task.number).limit(1)
    return session.scalar(before), session.scalar(after)


def picture_address(session: Session, comic_id: int, number: int) -> str | None:
    """Where the picture of a panel is, or the picture itself if it was reported as data."""
    return session.scalar(select(Task.image_url).where(Task.comic_id == comic_id, Task.number == number))


def _conditions(session: Session, policy: Policy, selection: Selection, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions of a selection, as panels are now and not as they are stored."""
    statuses = selection.statuses
    if statuses is None:
        return selection.conditions
    lapsed = lapsed_tasks(session, now, [selection.comic_id])
    are_so = [row.id for row in lapsed if status_now(policy, row, now) in statuses]
    stored = and_(Task.status.in_(sorted(statuses)), not_lapsed(now))
    return [*selection.but_for_status, or_(stored, Task.id.in_(are_so)) if are_so else stored]


def _panel(policy: Policy, row: TaskRow, now: datetime) -> PanelSnapshot:
    task = vars(snapshot_of(policy, row, now))
    worker = task["worker"] and (row.worker_label or task["worker"])
    own = {column.key: getattr(row, column.key) for column in _OWN}
    return PanelSnapshot(**{**task, "worker": worker}, chosen_style=row.style, **own)
