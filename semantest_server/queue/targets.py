"""What reports are about: the attempts that a receipt, a task, a hand-out or a correlationId stands for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import aliased

from semantest_server.models import Attempt, Task, Worker
from semantest_server.queue.states import Receipt
from semantest_server.statements import Statement, send

OURS = re.compile(r"[0-9]+(\.[0-9]+)?")  # such a name is never a correlationId
RECEIPT = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")  # longer ids belong to nothing
TASK = re.compile(r"[0-9]{1,18}")
HAND_OUT = re.compile(r"h-([0-9a-f]{1,40})-([0-9]{1,18})")


class Given(NamedTuple):
    """An attempt, its comic and its worker, as they were before the locks."""

    task_id: int
    number: int
    poll: str
    comic_id: int
    worker_id: int
    worker: str
    named: bool
    seen_at: datetime


_given = (
    select(
        Attempt.task_id,
        Attempt.number,
        Attempt.poll,
        Task.comic_id,
        Worker.id,
        Worker.name,
        Worker.named,
        Worker.seen_at,
    )
    .join(Task, Task.id == Attempt.task_id)
    .join(Worker, Worker.id == Attempt.worker_id)
)
GIVEN_OF_TASKS = Statement(_given.where(Attempt.task_id.in_(bindparam("tasks", expanding=True))), Given)
GIVEN_AS_HAND_OUT = Statement(
    _given.where(Attempt.poll == bindparam("poll"), Task.comic_id == bindparam("comic")), Given
)
NEWEST = select(Task.id).where(Task.correlation_id == bindparam("name")).order_by(Task.id.desc()).limit(1)
LATEST = Statement(_given.where(Attempt.task_id == bindparam("task")).order_by(Attempt.number.desc()).limit(1), Given)
_comics = select(Task.comic_id).join(Attempt, Attempt.task_id == Task.id).distinct()
COMICS_OF_POLLS = Statement(_comics.where(Attempt.poll.in_(bindparam("polls", expanding=True))), int)
_reported = aliased(Attempt)
COMICS_BESIDE_TASKS = Statement(  # of all that the same polls gave
    _comics.join(_reported, _reported.poll == Attempt.poll).where(
        _reported.task_id.in_(bindparam("tasks", expanding=True))
    ),
    int,
)


@dataclass(frozen=True)
class Target:
    """What a report is about, and how it was named."""

    given: Sequence[Given]
    by_task: bool = False
    hand_out: str | None = None

    @property
    def is_receipt(self) -> bool:
        """Whether it was named by its receipt."""
        return not self.by_task and self.hand_out is None

    @property
    def receipts(self) -> list[Receipt]:
        """Those of the attempts, in the order of the tasks."""
        return sorted((row.task_id, row.number) for row in self.given)


def find_targets(connection: Connection, names: Sequence[str]) -> tuple[list[Target | None], set[int]]:
    """The attempts that each name stands for, or None where nothing of that name was ever handed out.

    And the comics of all that came with what receipts name.
    """
    receipts = {name: (int(match[1]), int(match[2])) for name in names if (match := RECEIPT.fullmatch(name))}
    tasks = sorted({task_id for task_id, _ in receipts.values()})
    rows, beside = GIVEN_OF_TASKS.asked({"tasks": tasks}), COMICS_BESIDE_TASKS.asked({"tasks": tasks})
    if tasks:
        send(connection, rows, beside)
    given = {(row.task_id, row.number): row for row in rows.rows}
    found = {name: Target([given[receipt]]) for name, receipt in receipts.items() if receipt in given}
    targets = [found.get(name) if name in receipts else _find(connection, name) for name in names]
    return targets, {*beside.rows}


def _find(connection: Connection, name: str) -> Target | None:
    """The attempts that a name which is no receipt stands for."""
    if match := HAND_OUT.fullmatch(name):
        rows = GIVEN_AS_HAND_OUT.rows(connection, poll=match[1], comic=int(match[2]))
        return Target(rows, hand_out=name) if rows else None
    if name.startswith("h-") or (OURS.fullmatch(name) and not TASK.fullmatch(name)):
        return None
    task = int(name) if TASK.fullmatch(name) else connection.execute(NEWEST, {"name": name}).scalar()
    rows = LATEST.rows(connection, task=task) if task is not None else []
    return Target(rows, by_task=True) if rows else None
