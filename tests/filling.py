"""Databases full of comics: filled by a few statements, so that a million tasks take seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    String,
    case,
    cast,
    delete,
    func,
    insert,
    join,
    literal,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from semantest_server.models import (
    NEVER,
    Attempt,
    Base,
    Comic,
    ComicStatus,
    Ending,
    Event,
    EventType,
    Revision,
    Site,
    Task,
    TaskStatus,
    Worker,
)

DOMAIN = "chatgpt.com"
DRAWER = "somebody"
COUNTERS = ("ready", "waiting", "out", "completed", "failed", "cancelled")


@dataclass(frozen=True)
class Panels:
    """How many panels each comic has of a kind: drawn already, in backoff until `later`, or ready to be drawn."""

    finished: int = 0
    waiting: int = 0
    ready: int = 0
    parallel: int = 10
    status: ComicStatus = ComicStatus.ACTIVE
    moment: datetime = datetime(2026, 11, 22, 17, tzinfo=UTC)
    later: datetime = datetime(2126, 11, 22, 17, tzinfo=UTC)  # after whoever runs this

    @property
    def total(self) -> int:
        """How many there are in all."""
        return self.finished + self.waiting + self.ready

    @property
    def counters(self) -> dict[str, int]:
        """The counters of such a comic."""
        full = {"ready": self.ready, "waiting": self.waiting, "completed": self.finished}
        return {**dict.fromkeys(COUNTERS, 0), **full}


def fill(connection: Connection, comics: int, panels: Panels) -> None:
    """Add comics that all have such panels, numbered in the order finished, waiting, ready."""
    _insert_missing(connection, Site, domain=DOMAIN)
    add_workers(connection, [DRAWER], panels.moment)
    before = connection.scalar(select(func.max(Comic.id))) or 0
    _add_comics(connection, comics, panels)
    _add_tasks(connection, before, panels)
    _add_history(connection, before, panels)


def add_workers(connection: Connection, names: Sequence[str], seen_at: datetime) -> None:
    """Add workers that were last seen at that time, those that are not there yet."""
    for name in names:
        _insert_missing(connection, Worker, name=name, named=True, created_at=seen_at, seen_at=seen_at)


def analyze(connection: Connection) -> None:
    """Let the database know what is in it."""
    connection.exec_driver_sql("ANALYZE")


def put_back(connection: Connection, task_ids: Sequence[int], comic_ids: Sequence[int], panels: Panels) -> None:
    """Make ready tasks of `fill()` what they were before they were handed out, and their comics with them."""
    later = delete(Event).where(Event.task_id.in_(task_ids), Event.type != EventType.QUEUED)
    connection.execute(later)
    connection.execute(delete(Attempt).where(Attempt.task_id.in_(task_ids)))
    blank = dict.fromkeys(("worker_id", "leased_until", "progress", "image_url", "download_path", "message"))
    fresh = {"status": TaskStatus.QUEUED, "attempt": 0, "attempts_used": 0, "counted": False, "lapses": 0}
    again = update(Task).where(Task.id.in_(task_ids))
    connection.execute(again.values(**blank, **fresh, available_at=None, updated_at=panels.moment))
    comics = update(Comic).where(Comic.id.in_(comic_ids))
    unserved = {"served_at": NEVER, "completions": [], "updated_at": panels.moment}
    connection.execute(comics.values(**panels.counters, **unserved))
    changed(connection)


def changed(connection: Connection) -> None:
    """Let the server know of a change that went past it; it sees those on PostgreSQL by itself."""
    connection.execute(update(Revision).values(number=Revision.number + 1))


def _add_comics(connection: Connection, count: int, panels: Panels) -> None:
    series = _series(count)
    _insert(
        connection,
        Comic,
        {
            "title": literal("Comic ") + cast(series.c.n, String),
            "status": literal(panels.status, Comic.status.type),
            "parallel": literal(panels.parallel),
            "domain": literal(DOMAIN),
            "download_folder": literal("comic"),
            "created_at": literal(panels.moment, Comic.created_at.type),
            "updated_at": literal(panels.moment, Comic.updated_at.type),
            **{name: literal(count) for name, count in panels.counters.items()},
        },
        select().select_from(series),
    )


def _add_tasks(connection: Connection, before: int, panels: Panels) -> None:
    series = _series(panels.total)
    n = series.c.n
    is_finished = n <= panels.finished
    is_waiting = (n > panels.finished) & (n <= panels.finished + panels.waiting)
    worker_id = connection.scalar(select(Worker.id).where(Worker.name == DRAWER))
    _insert(
        connection,
        Task,
        {
            "comic_id": Comic.id,
            "number": n,
            "position": n,
            "prompt": literal("The hero enters a cave, and something moves in the dark: panel ") + cast(n, String),
            "output_path": literal("panel-") + cast(n, String) + literal(".png"),
            "download_folder": literal("comic"),
            "status": case(
                (is_finished, literal(TaskStatus.COMPLETED, Task.status.type)),
                else_=literal(TaskStatus.QUEUED, Task.status.type),
            ),
            "attempt": case((is_finished, 1), else_=0),
            "attempts_used": case((is_finished, 1), else_=0),
            "counted": is_finished,
            "worker_id": case((is_finished, worker_id)),
            "image_url": case((is_finished, "https://example.com/" + cast(n, String) + ".png")),
            "progress": case((is_finished, 100)),
            "available_at": case((is_waiting, literal(panels.later, Task.available_at.type))),
            "created_at": literal(panels.moment, Task.created_at.type),
            "updated_at": literal(panels.moment, Task.updated_at.type),
        },
        select().select_from(join(Comic, series, true())).where(Comic.id > before),
    )


def _add_history(connection: Connection, before: int, panels: Panels) -> None:
    """The attempts at what is finished, and the events of everything."""
    worker_id = connection.scalar(select(Worker.id).where(Worker.name == DRAWER))
    moment = literal(panels.moment, Event.at.type)
    every = select().where(Task.comic_id > before)
    finished = every.where(Task.status == TaskStatus.COMPLETED)
    attempt = {"task_id": Task.id, "number": Task.attempt, "worker_id": literal(worker_id)}
    ended = {"ended": literal(Ending.COMPLETED, Attempt.ended.type), "reported_at": moment, "ended_at": moment}
    poll = literal("f") + cast(Task.id, String)
    _insert(connection, Attempt, {**attempt, "poll": poll, "handed_out_at": moment, **ended}, finished)
    event = {"task_id": Task.id, "comic_id": Task.comic_id, "at": moment}
    told = {"attempt": Task.attempt, "worker_id": literal(worker_id)}
    queued = literal(EventType.QUEUED, Event.type.type)
    _insert(connection, Event, {**event, "type": queued}, every)
    for kind in (EventType.HANDED_OUT, EventType.COMPLETED):
        _insert(connection, Event, {**event, **told, "type": literal(kind, Event.type.type)}, finished)


def _insert(connection: Connection, model: type[Base], columns: dict[str, Any], source: Select[()]) -> None:
    """Insert a row for each one of the source; a column that is left out gets its default."""
    rows = source.add_columns(*(value.label(name) for name, value in columns.items()))
    connection.execute(insert(model).from_select(list(columns), rows))


def _insert_missing(connection: Connection, model: type[Base], **values: Any) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(model).values(**values).on_conflict_do_nothing())


def _series(count: int) -> CTE:
    """The numbers from 1 to `count`, as `n`."""
    first = select(literal_column("1").label("n")).cte("series", recursive=True)
    return first.union_all(select(first.c.n + 1).where(first.c.n < count))
