"""Comics, tasks and attempts as a transaction reads them: plain values, and only what decisions need.

The statements are made once. Building one costs several times what executing it does, and so does an ORM object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, or_, select

from semantest_server.models import OUT, OVER, Attempt, Base, Comic, ComicStatus, Ending, Task, TaskStatus, counter_of
from semantest_server.statements import Statement

Receipt = tuple[int, int]  # task id, attempt number


@dataclass
class ComicState:
    """A comic with its options and counters, as it was read and then changed; `Journal.set` changes it."""

    id: int
    title: str
    style: str | None
    style_text: str | None
    status: ComicStatus
    priority: int
    parallel: int
    domain: str
    download_folder: str
    created_at: datetime
    updated_at: datetime
    served_at: datetime
    paused_at: datetime | None
    paused_seconds: float
    completions: list[float]
    ready: int
    waiting: int
    out: int
    completed: int
    failed: int
    cancelled: int

    @property
    def queued(self) -> int:
        """How many tasks wait for a worker, those in backoff too."""
        return self.ready + self.waiting

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to draw."""
        return not (self.ready or self.waiting or self.out)

    def paused_for(self, now: datetime) -> float:
        """How long it has been paused in all, in seconds."""
        current = (now - self.paused_at).total_seconds() if self.paused_at else 0.0
        return self.paused_seconds + current


@dataclass
class TaskState:
    """Where a task is in its life, as it was read and then changed; `Journal.change` changes it."""

    id: int
    comic_id: int
    status: TaskStatus
    attempt: int
    worker_id: int | None
    leased_until: datetime | None
    available_at: datetime | None
    attempts_used: int
    counted: bool
    lapses: int
    retried_after: int
    progress: int | None
    message: str | None

    @property
    def counter(self) -> str:
        """The counter of its comic that this task is in."""
        return counter_of(self.status, self.available_at)

    @property
    def is_out(self) -> bool:
        """Whether it is leased or running."""
        return self.status in OUT


@dataclass
class AttemptState:
    """One attempt, as it was read and then changed; `Journal.note` changes it."""

    task_id: int
    number: int
    worker_id: int
    poll: str
    reported_at: datetime | None
    ended: Ending | None
    tab_id: str | None
    said: dict[str, Any] | None


@dataclass(frozen=True)
class Held:
    """An attempt together with its task."""

    attempt: AttemptState
    task: TaskState

    @property
    def receipt(self) -> Receipt:
        """Which attempt of which task it is."""
        return self.task.id, self.attempt.number

    @property
    def is_open(self) -> bool:
        """Whether it is the task's latest attempt, ended by no report, and the task is not over."""
        latest = self.attempt.number == self.task.attempt
        return latest and self.attempt.ended is None and self.task.status not in OVER

    @property
    def counts(self) -> bool:
        """Whether the attempt may still use up one of those allowed."""
        return not self.task.counted and self.attempt.number > self.task.retried_after


def is_open() -> ColumnElement[bool]:
    """`Held.is_open` as a condition."""
    return and_(Attempt.number == Task.attempt, Attempt.ended.is_(None), Task.status.not_in(OVER))


def _columns(model: type[Base], state: type[ComicState | TaskState | AttemptState]) -> list[Any]:
    return [getattr(model, field.name) for field in fields(state)]


_ATTEMPT, _TASK = _columns(Attempt, AttemptState), _columns(Task, TaskState)
_HELD = select(*_ATTEMPT, *_TASK).join(Task, Task.id == Attempt.task_id).order_by(Task.id, Attempt.number)

_comics = select(*_columns(Comic, ComicState)).where(Comic.id.in_(bindparam("comics", expanding=True)))
COMICS = Statement(_comics.order_by(Comic.id), lambda *columns: (ComicState(*columns), None))
_locked = _comics.order_by(Comic.id).with_for_update(key_share=True).cte("locked")
LOCKED_COMICS = Statement(  # in the order of their ids, and when each was
    select(*_locked.c, func.clock_timestamp()),
    lambda *columns: (ComicState(*columns[:-1]), columns[-1]),
)
_tasks: BindParameter[Any] = bindparam("tasks", expanding=True)


def _held(*columns: Any) -> Held:
    return Held(AttemptState(*columns[: len(_ATTEMPT)]), TaskState(*columns[len(_ATTEMPT) :]))


_of_tasks = _HELD.where(Attempt.task_id.in_(_tasks))
OF_TASKS = Statement(_of_tasks, _held)
OF_TASKS_AND_STALE_OF_POLLS = Statement(  # and what came with them, unless it was renewed just now
    _HELD.where(
        Attempt.poll.in_(bindparam("polls", expanding=True)),
        or_(
            Attempt.task_id.in_(_tasks),
            is_open() & or_(Task.leased_until.is_(None), Task.leased_until <= bindparam("stale")),
        ),
    ),
    _held,
)
NAMED_BY_WORKER = Statement(_of_tasks.where(Attempt.worker_id == bindparam("worker"), is_open()), _held)
LOST_BY_WORKER = Statement(
    _HELD.where(
        Task.worker_id == bindparam("worker"),
        Task.leased_until > bindparam("now"),
        is_open(),
        Attempt.resent.is_(False),
        Attempt.handed_out_at < bindparam("silent_since"),
        or_(Attempt.reported_at.is_(None), Attempt.reported_at < bindparam("silent_since")),
    ),
    _held,
)
LAPSED = Statement(
    select(*_TASK)
    .where(Task.comic_id.in_(bindparam("comics", expanding=True)), Task.leased_until <= bindparam("now"))
    .order_by(Task.id),
    TaskState,
)


def read_held(connection: Connection, statement: Statement[Held], **values: Any) -> list[Held]:
    """What one of the statements above finds; two attempts at one task share its state."""
    return with_shared_tasks(statement.rows(connection, **values))


def with_shared_tasks(found: Iterable[Held]) -> list[Held]:
    """The same, but two attempts at one task share its state."""
    tasks: dict[int, TaskState] = {}
    return [Held(one.attempt, tasks.setdefault(one.task.id, one.task)) for one in found]
