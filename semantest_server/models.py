"""The tables: comics, their tasks, the attempts at them, the workers and sites, and the history.

A task's life:

    queued → leased → running → completed           (claim, first progress report, success)
    leased, running → queued | failed               (lapsed, given back, failed)
    failed, cancelled → queued                      (retry)
    any but completed → cancelled                   (a person)
    any → completed                                 (success, the first one)

What must never happen is forbidden here: a lease without a worker at it, two accepted results of one task,
an attempt number issued twice, two open tasks of one correlationId.
"""

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    TextClause,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, relationship
from sqlalchemy.types import TypeDecorator

from semantest_server.policy import Pacing

# Conditions of partial indexes, word for word as queries must say them to be answered from the index.
OPEN_COMIC = text("status = 'active' AND ready > 0 AND out < parallel")
UNFINISHED_COMIC = text("status = 'active' AND ready + waiting + out > 0")
PAUSED_COMIC = text("status = 'paused'")
GIVEN_BACK_ATTEMPT = text("ended = 'given_back'")
FAILED_ATTEMPT = text("ended = 'failed'")
TROUBLE_EVENT = text("type NOT IN ('queued', 'handed_out', 'running', 'completed')")
READY_TASK = text("status = 'queued' AND available_at IS NULL")
OUT_TASK = text("leased_until IS NOT NULL")

NEVER = datetime(1970, 1, 1, tzinfo=UTC)

TITLE_CHARACTERS = 200
PROMPT_CHARACTERS = 4_000
STYLE_CHARACTERS = 500
STYLE_NAME_CHARACTERS = 50
PATH_CHARACTERS = 500
URL_CHARACTERS = 2_000_000
MESSAGE_CHARACTERS = 2_000
NAME_CHARACTERS = 200
TEXT_CHARACTERS = 2_000


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times on every database; SQLite would give them back naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store the time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time back aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite only numbers rows by itself in an INTEGER key


class TaskStatus(StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"
    LEASED = "leased"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OUT = (TaskStatus.LEASED, TaskStatus.RUNNING)
OVER = (TaskStatus.COMPLETED, TaskStatus.CANCELLED)


class ComicStatus(StrEnum):
    """What a person has decided about a comic; `finished` is never stored, it follows from the tasks."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class Priority(IntEnum):
    """Which comics come first; the smaller, the earlier."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Ending(StrEnum):
    """The kind of report that ended an attempt."""

    COMPLETED = "completed"
    FAILED = "failed"
    GIVEN_BACK = "given_back"


class EventType(StrEnum):
    """What a line of history tells."""

    QUEUED = "queued"
    HANDED_OUT = "handed_out"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    GIVEN_BACK = "given_back"
    EXPIRED = "expired"
    REVIVED = "revived"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    NOTED = "noted"


def words(kind: type[StrEnum]) -> Enum:
    """The column type of an enum that is stored as its words."""
    return Enum(kind, native_enum=False, length=20, values_callable=lambda members: [m.value for m in members])


class Base(DeclarativeBase):
    """What all tables share: aware times, and enums stored as their words."""

    registry = registry(
        type_annotation_map={
            datetime: UtcDateTime(),
            TaskStatus: words(TaskStatus),
            ComicStatus: words(ComicStatus),
            Ending: words(Ending),
            EventType: words(EventType),
        }
    )


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """An index over the rows for which `where` is true, on both databases."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class Comic(Base):
    """What a creator queues: a title, a style, options and its panels.

    The six counters say how many of its tasks are where; `queue/journal.py` moves them in the transaction that
    moves the tasks. `ready` and `waiting` (for a backoff to end) are queued, `out` is leased or running.
    """

    __tablename__ = "comic"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_CHARACTERS))
    style: Mapped[str | None] = mapped_column(String(STYLE_CHARACTERS))  # as chosen: a preset, or own words
    style_text: Mapped[str | None] = mapped_column(String(STYLE_CHARACTERS))  # as prompts get it, for good
    status: Mapped[ComicStatus] = mapped_column(default=ComicStatus.ACTIVE)
    priority: Mapped[int] = mapped_column(SmallInteger, default=Priority.NORMAL)
    parallel: Mapped[int]
    domain: Mapped[str] = mapped_column(ForeignKey("site.domain"))
    download_folder: Mapped[str] = mapped_column(String(PATH_CHARACTERS))
    single_pictures: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    served_at: Mapped[datetime] = mapped_column(default=NEVER)
    paused_at: Mapped[datetime | None]
    paused_seconds: Mapped[float] = mapped_column(default=0.0)
    completions: Mapped[list[float]] = mapped_column(JSON, default=list)

    ready: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[int] = mapped_column(default=0)
    out: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    cancelled: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused', 'cancelled')", name="ck_comic_status"),
        CheckConstraint("priority BETWEEN 0 AND 2", name="ck_comic_priority"),
        CheckConstraint("parallel BETWEEN 1 AND 100", name="ck_comic_parallel"),
        CheckConstraint(
            "ready >= 0 AND waiting >= 0 AND out >= 0 AND completed >= 0 AND failed >= 0 AND cancelled >= 0",
            name="ck_comic_counters",
        ),
        partial_index("ix_comic_single_pictures", "domain", unique=True, where=text("single_pictures")),
        partial_index(  # the comics that a claim chooses from, in the order in which it chooses
            "ix_comic_open", "domain", "priority", "out", "served_at", "id", where=OPEN_COMIC
        ),
        partial_index("ix_comic_unfinished", "id", where=UNFINISHED_COMIC),
        partial_index("ix_comic_paused", "id", where=PAUSED_COMIC),
        {"sqlite_autoincrement": True},
    )

    @property
    def queued(self) -> int:
        """How many tasks wait for a worker, those in backoff too."""
        return self.ready + self.waiting

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return self.ready + self.waiting + self.out + self.completed + self.failed + self.cancelled


class Task(Base):
    """The work of drawing one panel; its status is the truth about that panel."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    comic_id: Mapped[int] = mapped_column(ForeignKey("comic.id"))
    number: Mapped[int]
    position: Mapped[int] = mapped_column(server_default="0")  # in the order of drawing; the number until it is moved
    prompt: Mapped[str] = mapped_column(Text)
    style: Mapped[str | None] = mapped_column(String(STYLE_CHARACTERS))
    style_text: Mapped[str | None] = mapped_column(String(STYLE_CHARACTERS))  # None is the comic's, "" is no style
    output_path: Mapped[str] = mapped_column(String(PATH_CHARACTERS))
    download_folder: Mapped[str] = mapped_column(String(PATH_CHARACTERS))
    correlation_id: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))
    chapter: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))
    strip: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))
    caption: Mapped[str | None] = mapped_column(Text)
    speech: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text)

    status: Mapped[TaskStatus] = mapped_column(default=TaskStatus.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    leased_until: Mapped[datetime | None]
    available_at: Mapped[datetime | None]  # a backoff in progress; None once it is over

    attempts_used: Mapped[int] = mapped_column(default=0)
    counted: Mapped[bool] = mapped_column(default=False)  # whether the latest attempt is among those used
    lapses: Mapped[int] = mapped_column(default=0)  # attempts in a row that lapsed uncounted
    retried_after: Mapped[int] = mapped_column(default=0)  # attempts up to this number never count again

    progress: Mapped[int | None] = mapped_column(SmallInteger)
    image_url: Mapped[str | None] = mapped_column(Text)
    download_path: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    comic: Mapped[Comic] = relationship(lazy="raise")
    worker: Mapped["Worker | None"] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint(
            "(status IN ('leased', 'running')) = (leased_until IS NOT NULL)"
            " AND (leased_until IS NULL OR worker_id IS NOT NULL)",
            name="ck_task_lease",
        ),
        CheckConstraint("available_at IS NULL OR status = 'queued'", name="ck_task_available"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="ck_task_progress"),
        partial_index("ix_task_ready", "comic_id", "position", where=READY_TASK),
        partial_index("ix_task_available", "available_at", where=text("available_at IS NOT NULL")),
        partial_index("ix_task_leased_until", "leased_until", where=OUT_TASK),
        partial_index("ix_task_out", "comic_id", "number", where=OUT_TASK),
        partial_index("ix_task_held", "worker_id", where=OUT_TASK),
        partial_index(
            "ix_task_open_correlation",
            "correlation_id",
            unique=True,
            where=text("correlation_id IS NOT NULL AND status NOT IN ('completed', 'cancelled')"),
        ),
        partial_index("ix_task_correlation", "correlation_id", "id", where=text("correlation_id IS NOT NULL")),
        Index("ix_task_number", "comic_id", "number", unique=True),
        Index("ix_task_updated", "updated_at", "id"),
        Index("ix_task_status_updated", "status", "updated_at", "id"),
        Index("ix_task_comic_updated", "comic_id", "updated_at", "id"),
        Index("ix_task_worker_updated", "worker_id", "updated_at", "id"),
        {"sqlite_autoincrement": True},
    )

    @property
    def counter(self) -> str:
        """The counter of its comic that this task is in."""
        return counter_of(self.status, self.available_at)

    @property
    def receipt(self) -> str | None:
        """The id that the latest attempt was handed out under."""
        return f"{self.id}.{self.attempt}" if self.attempt else None


def counter_of(status: TaskStatus, available_at: datetime | None) -> str:
    """The counter of a comic that a task in this state is in."""
    if status in OUT:
        return "out"
    if status is TaskStatus.QUEUED:
        return "ready" if available_at is None else "waiting"
    return status.value


class Attempt(Base):
    """One time a task was given to a worker."""

    __tablename__ = "attempt"

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker_id: Mapped[int] = mapped_column(ForeignKey("worker.id"))
    poll: Mapped[str] = mapped_column(String(40))  # which poll gave it; with the comic, the hand-out
    handed_out_at: Mapped[datetime]
    reported_at: Mapped[datetime | None]
    resent: Mapped[bool] = mapped_column(default=False)
    ended: Mapped[Ending | None]
    ended_at: Mapped[datetime | None]
    tab_id: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))  # the tab that said `delivered`
    said: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # the last report, to tell news from repetition

    task: Mapped[Task] = relationship(lazy="raise")
    worker: Mapped["Worker"] = relationship(lazy="raise")

    __table_args__ = (
        partial_index(  # a task has at most one accepted result
            "ix_attempt_result", "task_id", unique=True, where=text("ended = 'completed'")
        ),
        Index("ix_attempt_poll", "poll"),
        partial_index(  # few, so that a claim sees at once what its worker has given back
            "ix_attempt_given_back", "worker_id", "ended_at", where=GIVEN_BACK_ATTEMPT
        ),
        partial_index(  # few too, so that the page of workers sees how many have failed lately
            "ix_attempt_failed", "worker_id", "ended_at", where=FAILED_ATTEMPT
        ),
        {"sqlite_with_rowid": False},
    )

    @property
    def receipt(self) -> str:
        """The id that a worker is given for this attempt."""
        return f"{self.task_id}.{self.number}"


class Worker(Base):
    """One polling extension install; `named` when it made up its name itself (`X-Worker-Id`)."""

    __tablename__ = "worker"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    named: Mapped[bool]
    address: Mapped[str] = mapped_column(String(NAME_CHARACTERS), default="")
    user_agent: Mapped[str] = mapped_column(String(NAME_CHARACTERS), default="")
    label: Mapped[str | None] = mapped_column(String(NAME_CHARACTERS))  # what a person calls it
    held: Mapped[bool] = mapped_column(default=False, server_default=false())  # it is to get nothing new
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_worker_name", "name", "named", unique=True),
        Index("ix_worker_seen", "seen_at"),
    )


class Site(Base):
    """An AI site, how fast it may be given panels (0 turns a rule off), and what it has been given."""

    __tablename__ = "site"

    domain: Mapped[str] = mapped_column(String(NAME_CHARACTERS), primary_key=True)
    gap_seconds: Mapped[float] = mapped_column(default=0)
    break_after: Mapped[int] = mapped_column(default=0)
    break_seconds: Mapped[float] = mapped_column(default=0)
    daily_cap: Mapped[int] = mapped_column(default=0)
    handed_out_at: Mapped[datetime | None]
    since_break: Mapped[int] = mapped_column(default=0)
    break_until: Mapped[datetime | None]
    day: Mapped[str] = mapped_column(String(10), default="")
    today: Mapped[int] = mapped_column(default=0)

    @property
    def pacing(self) -> Pacing:
        """The rules and the state as a plain value."""
        return Pacing(
            gap_seconds=self.gap_seconds,
            break_after=self.break_after,
            break_seconds=self.break_seconds,
            daily_cap=self.daily_cap,
            handed_out_at=self.handed_out_at,
            since_break=self.since_break,
            break_until=self.break_until,
            day=self.day,
            today=self.today,
        )

    def handed_out(self, now: datetime, count: int) -> None:
        """Count panels against the rules."""
        after = self.pacing.after(now, count)
        self.handed_out_at = after.handed_out_at
        self.since_break, self.break_until = after.since_break, after.break_until
        self.day, self.today = after.day, after.today


class MissingTab(Base):
    """A worker said that it has no tab for a site; until then it gets no work for it."""

    __tablename__ = "missing_tab"

    worker_id: Mapped[int] = mapped_column(ForeignKey("worker.id"), primary_key=True)
    domain: Mapped[str] = mapped_column(ForeignKey("site.domain"), primary_key=True)
    until: Mapped[datetime]

    worker: Mapped[Worker] = relationship(lazy="raise")


class Event(Base):
    """One line of history, appended in the same transaction as the change it tells."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    type: Mapped[EventType]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    comic_id: Mapped[int] = mapped_column(Id)  # its task's; no foreign key, which would want an index of its own
    attempt: Mapped[int | None]
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    leased_until: Mapped[datetime | None]
    message: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    worker: Mapped[Worker | None] = relationship(lazy="raise")

    __table_args__ = (
        Index("ix_event_task", "task_id", "id"),
        partial_index(  # few, so that what went wrong is found among all that went well
            "ix_event_trouble", "type", "id", where=TROUBLE_EVENT
        ),
        {"sqlite_autoincrement": True},
    )


class Submission(Base):
    """What an `Idempotency-Key` has made, so that the same request again makes nothing."""

    __tablename__ = "submission"

    key: Mapped[str] = mapped_column(String(NAME_CHARACTERS), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    comic_id: Mapped[int | None] = mapped_column(ForeignKey("comic.id"))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_submission_comic", "comic_id"),
        Index("ix_submission_task", "task_id"),
    )


class Style(Base):
    """A preset: words that are added to prompts, under a name."""

    __tablename__ = "style"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(STYLE_NAME_CHARACTERS), unique=True)
    text: Mapped[str] = mapped_column(String(STYLE_CHARACTERS))

    __table_args__ = ({"sqlite_autoincrement": True},)


class Preferences(Base):
    """One row: what a person has chosen in the pages for the whole server, None where the settings hold."""

    __tablename__ = "preferences"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    max_attempts: Mapped[int | None]


class Upload(Base):
    """A file, or what was pasted, that is being looked through before it is queued."""

    __tablename__ = "upload"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARACTERS))  # of the file; empty if it was pasted
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index("ix_upload_updated", "updated_at"),)


class Revision(Base):
    """One row, counted up by every transaction that changes something, on SQLite; see `database.revision`."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Id)
