"""Comics, tasks and attempts as a transaction reads them: plain values, and only what decisions need.

The statements are made once. Building one costs several times what executing it does, and so does an ORM object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, or_, select

from semantest_server.models import OUT, OVER, Attempt, Base, Comic, ComicStatus, Ending, Task, TaskStatus, counter_of

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

LOCKED_COMICS = (
    select(*_columns(Comic, ComicState))
    .where(Comic.id.in_(bindparam("comics", expanding=True)))
    .order_by(Comic.id)
    .with_for_update(key_share=True)
)
_tasks: BindParameter[Any] = bindparam("tasks", expanding=True)
OF_TASKS = _HELD.where(Attempt.task_id.in_(_tasks))
OF_TASKS_AND_STALE_OF_POLLS = _HELD.where(  # and what came with them, unless it was renewed just now
    Attempt.poll.in_(bindparam("polls", expanding=True)),
    or_(
        Attempt.task_id.in_(_tasks),
        is_open() & or_(Task.leased_until.is_(None), Task.leased_until <= bindparam("stale")),
    ),
)
NAMED_BY_WORKER = OF_TASKS.where(Attempt.worker_id == bindparam("worker"), is_open())
LOST_BY_WORKER = _HELD.where(
    Task.worker_id == bindparam("worker"),
    Task.leased_until > bindparam("now"),
    is_open(),
    Attempt.resent.is_(False),
    Attempt.handed_out_at < bindparam("silent_since"),
    or_(Attempt.reported_at.is_(None), Attempt.reported_at < bindparam("silent_since")),
)
LAPSED = (
    select(*_TASK)
    .where(Task.comic_id.in_(bindparam("comics", expanding=True)), Task.leased_until <= bindparam("now"))
    .order_by(Task.id)
)


def lock_comics(connection: Connection, comic_ids: Iterable[int]) -> dict[int, ComicState]:
    """The comics by id, locked in the order of their ids."""
    ids = sorted(set(comic_ids))
    rows = connection.execute(LOCKED_COMICS, {"comics": ids}) if ids else ()
    return {comic.id: comic for comic in (ComicState(*row) for row in rows)}


def read_held(connection: Connection, statement: Select[Any], **values: Any) -> list[Held]:
    """What one of the statements above finds; two attempts at one task share its state."""
    tasks: dict[int, TaskState] = {}
    found = []
    for row in connection.execute(statement, values):
        task = TaskState(*row[len(_ATTEMPT) :])
        found.append(Held(AttemptState(*row[: len(_ATTEMPT)]), tasks.setdefault(task.id, task)))
    return found


def read_tasks(connection: Connection, statement: Select[Any], **values: Any) -> Sequence[TaskState]:
    """What `LAPSED` finds."""
    return [TaskState(*row) for row in connection.execute(statement, values)]
