"""What a transaction holds and does: its locked comics, its time, their counters, and the history it writes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import RaceLost
from semantest_server.models import Attempt, Base, Comic, Event, EventType, Task
from semantest_server.policy import ETA_COMPLETIONS, Policy
from semantest_server.queue.states import COMICS, LOCKED_COMICS, AttemptState, ComicState, Receipt, TaskState
from semantest_server.statements import Asked, Write, send

CORRELATION_IDS = 0x73656D61  # any number that nothing else on the database locks

COMIC_STATE = (
    "title",
    "status",
    "priority",
    "parallel",
    "updated_at",
    "served_at",
    "paused_at",
    "paused_seconds",
    "completions",
    "ready",
    "waiting",
    "out",
    "completed",
    "failed",
    "cancelled",
)
SAVE_COMICS = Write(
    update(Comic)
    .where(Comic.id == bindparam("of_comic"))
    .values({name: bindparam(f"new_{name}") for name in COMIC_STATE})
)
TASK_STATE = (
    "status",
    "worker_id",
    "leased_until",
    "available_at",
    "attempts_used",
    "counted",
    "lapses",
    "progress",
    "message",
)
PICTURE = ("image_url", "download_path")
SAVE_TASKS = Write(
    update(Task)
    .where(Task.id == bindparam("of_task"), Task.status == bindparam("was"), Task.attempt == bindparam("at_attempt"))
    .values(
        {name: bindparam(f"new_{name}") for name in (*TASK_STATE, "updated_at")}
        | {name: func.coalesce(bindparam(f"new_{name}"), getattr(Task, name)) for name in PICTURE}
    )
)
RENEW = Write(
    update(Task)
    .where(Task.id.in_(bindparam("tasks", expanding=True)), Task.leased_until.is_not(None))
    .values(leased_until=bindparam("until"))
)
ATTEMPT_STATE = ("reported_at", "said", "tab_id", "ended")
SAVE_ATTEMPTS = Write(
    update(Attempt)
    .where(Attempt.task_id == bindparam("of_task"), Attempt.number == bindparam("of_number"))
    .values({name: bindparam(f"new_{name}") for name in ATTEMPT_STATE} | {"ended_at": bindparam("new_ended_at")})
)
EVENT = ("at", "type", "task_id", "comic_id", "attempt", "worker_id", "leased_until", "message", "details")
APPEND_EVENTS = Write(insert(Event).inline(), columns=EVENT)


class Told(Protocol):
    """A task of which something is told."""

    @property
    def id(self) -> Any:
        """Its id."""

    @property
    def comic_id(self) -> Any:
        """Its comic's."""


class Journal:
    """The books of one write transaction: comics locked in id order, one time, and what is to be written.

    A comic is changed only by a transaction that has it here, so its counters move with its tasks. `post` writes
    everything at once. `also`: statements to send right after the locks.
    """

    def __init__(self, session: Session, policy: Policy, comic_ids: Iterable[int], *also: Asked[Any]) -> None:
        self.session = session
        self.connection = session.connection()
        self.policy = policy
        locked = (COMICS if clock.is_here(session) else LOCKED_COMICS).asked({"comics": sorted({*comic_ids})})
        send(self.connection, locked, *also)
        self.comics = {comic.id: comic for comic, _ in locked.rows}
        moments = [at.astimezone(UTC) for _, at in locked.rows if at]
        self.now = max(moments) if moments and clock.source is None else clock.now(session)
        self._tasks: dict[int, tuple[TaskState, dict[str, Any]]] = {}  # with what is not in its state
        self._renewed: dict[datetime, list[int]] = {}
        self._attempts: dict[Receipt, AttemptState] = {}
        self._comics: dict[int, ComicState] = {}
        self._events: list[dict[str, Any]] = []
        self._also: list[Asked[Any]] = []

    def also(self, *asked: Asked[Any]) -> None:
        """Write something else too, after all the rest."""
        self._also += asked

    def change(
        self, task: TaskState, *, image_url: str | None = None, download_path: str | None = None, **values: Any
    ) -> None:
        """Change a task, and count it where it is now. A picture that is not given stays as it is."""
        source = task.counter
        self._keep(task, **values)
        self.moved(task.comic_id, source, task.counter)
        _, more = self._tasks[task.id]
        more["new_image_url"] = image_url or more["new_image_url"]
        more["new_download_path"] = download_path or more["new_download_path"]

    def renew(self, task: TaskState, until: datetime) -> None:
        """Lease a task anew, which is no change that anyone need hear of."""
        self._renewed.setdefault(until, []).append(task.id)
        task.leased_until = until

    def note(self, attempt: AttemptState, **values: Any) -> None:
        """Change an attempt about which a report has come."""
        self._attempts[attempt.task_id, attempt.number] = attempt
        attempt.reported_at = self.now
        for name, value in values.items():
            setattr(attempt, name, value)

    def moved(self, comic_id: int, source: str, target: str, count: int = 1) -> None:
        """Count `count` tasks out of one counter of their comic and into another."""
        comic = self.comics[comic_id]
        self.set(comic, **{source: getattr(comic, source) - count})
        self.set(comic, **{target: getattr(comic, target) + count}, updated_at=self.now)

    def completed(self, comic_id: int) -> None:
        """Note the time of a completion, on a clock that stands still while the comic is paused."""
        comic = self.comics[comic_id]
        seconds = (self.now - comic.created_at).total_seconds() - comic.paused_for(self.now)
        self.set(comic, completions=[*comic.completions, round(seconds, 3)][-ETA_COMPLETIONS:])

    def set(self, comic: ComicState, **values: Any) -> None:
        """Change what `COMIC_STATE` names of a comic."""
        self._comics[comic.id] = comic
        for name, value in values.items():
            setattr(comic, name, value)

    def told(
        self,
        kind: EventType,
        task: Told,
        *,
        attempt: int | None = None,
        worker_id: int | None = None,
        leased_until: datetime | None = None,
        message: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Append a line to the history of a task."""
        self._events.append(
            {
                "at": self.now,
                "type": kind,
                "task_id": task.id,
                "comic_id": task.comic_id,
                "attempt": attempt,
                "worker_id": worker_id,
                "leased_until": leased_until,
                "message": message,
                "details": details,
            }
        )

    def post(self) -> None:
        """Write everything. If a task is not as it was read, nothing of all this holds."""
        now = {"new_updated_at": self.now}
        tasks = SAVE_TASKS.asked(*({**_new(task, TASK_STATE), **more, **now} for task, more in self._tasks.values()))
        send(
            self.connection,
            tasks,
            *(RENEW.asked({"tasks": task_ids, "until": until}) for until, task_ids in self._renewed.items()),
            SAVE_ATTEMPTS.asked(*(self._row_of(attempt) for attempt in self._attempts.values())),
            SAVE_COMICS.asked(*({"of_comic": one.id, **_new(one, COMIC_STATE)} for one in self._comics.values())),
            APPEND_EVENTS.asked(*self._events),
            *self._also,
        )
        if tasks.count != len(tasks.values):
            raise RaceLost("The task was changed by another request at the same moment.")
        self._tasks, self._renewed, self._attempts, self._comics, self._events = {}, {}, {}, {}, []
        self._also = []

    def _row_of(self, attempt: AttemptState) -> dict[str, Any]:
        key = {"of_task": attempt.task_id, "of_number": attempt.number}
        return {**key, **_new(attempt, ATTEMPT_STATE), "new_ended_at": self.now if attempt.ended else None}

    def _keep(self, task: TaskState, **values: Any) -> None:
        if task.id not in self._tasks:
            as_read = {"of_task": task.id, "was": task.status, "at_attempt": task.attempt}
            self._tasks[task.id] = task, {**as_read, **{f"new_{name}": None for name in PICTURE}}
        for name, value in values.items():
            setattr(task, name, value)


def _new(one: object, names: Iterable[str]) -> dict[str, Any]:
    return {f"new_{name}": getattr(one, name) for name in names}


def insert_missing(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless a constraint says that it is there already; say whether it was inserted."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(model).values(**values).on_conflict_do_nothing()
    return bool(session.connection().execute(statement.execution_options(preserve_rowcount=True)).rowcount)


def lock_correlation_ids(session: Session) -> None:
    """Let one transaction at a time look for open correlationIds and then open one. Before all row locks.

    PostgreSQL only: another transaction's row that is not committed cannot be seen, and SQLite has one writer.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CORRELATION_IDS)))
