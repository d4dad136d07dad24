"""Everything at a glance: what is drawn right now, how far the comics are, and the latest pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import (
    PAUSED_COMIC,
    UNFINISHED_COMIC,
    Attempt,
    Comic,
    ComicStatus,
    Site,
    Task,
    TaskStatus,
    Worker,
)
from semantest_server.policy import Policy
from semantest_server.snapshots.fleet import WorkerSnapshot, sites, workers
from semantest_server.snapshots.progress import ComicSnapshot, progress_of, shortened

UNFINISHED_SHOWN = 20
NEWEST = 20  # among which the last finished ones are looked for
DRAWING_SHOWN = 12
PICTURES_SHOWN = 12
ADDRESS_CHARACTERS = 2_000  # a longer address is a picture itself, or none that is shown


@dataclass(frozen=True)
class Drawing:
    """A panel that a worker has, and since when."""

    comic_id: int
    title: str
    number: int
    prompt: str
    status: TaskStatus
    progress: int | None
    worker: str
    since: datetime


@dataclass(frozen=True)
class Picture:
    """A finished panel. `address` is the beginning of its picture's, all of it unless that is longer than shown."""

    task_id: int
    comic_id: int
    title: str
    number: int
    attempt: int
    address: str | None
    file: str
    at: datetime


@dataclass(frozen=True)
class Home:
    """The whole at one moment.

    `running` panels are being drawn, `leased` ones are handed out and wait their turn; `finished` are the comics
    that were finished last, some of which have failed panels.
    """

    now: datetime
    unfinished: list[ComicSnapshot]
    has_more: bool
    finished: list[ComicSnapshot]
    drawing: list[Drawing]
    running: int
    leased: int
    workers: list[WorkerSnapshot]
    sites: dict[str, Site]
    pictures: list[Picture]

    @property
    def connected(self) -> list[WorkerSnapshot]:
        """The workers that poll."""
        return [worker for worker in self.workers if worker.is_connected]

    @property
    def waiting_for(self) -> set[str]:
        """The sites for which something waits that may be handed out."""
        active = (one for one in self.unfinished if one.status is ComicStatus.ACTIVE)
        return {one.comic.domain for one in active if one.progress.queued}


def overview(session: Session, policy: Policy) -> Home:
    """The whole, with a fixed number of statements however much there is."""
    now = clock.now(session)
    active, paused = _comics(session, UNFINISHED_COMIC), _comics(session, PAUSED_COMIC)
    pictures = _pictures(session)
    over = _last_finished(session, {picture.comic_id for picture in pictures})
    shown = progress_of(session, policy, [*active[:UNFINISHED_SHOWN], *paused[:UNFINISHED_SHOWN], *over])
    unfinished = [one for one in shown if one.status in (ComicStatus.ACTIVE, ComicStatus.PAUSED)]
    unfinished.sort(key=lambda one: (one.status is ComicStatus.PAUSED, one.comic.priority, -one.comic.id))
    finished = [one for one in shown if one.status is ComicStatus.FINISHED and one.progress.total]
    finished.sort(key=lambda one: one.comic.updated_at, reverse=True)
    counts = _out(session, now)
    return Home(
        now=now,
        unfinished=unfinished,
        has_more=max(len(active), len(paused)) > UNFINISHED_SHOWN,
        finished=finished,
        drawing=_drawing(session, now),
        running=counts.get(TaskStatus.RUNNING, 0),
        leased=counts.get(TaskStatus.LEASED, 0),
        workers=workers(session, policy),
        sites={site.domain: site for site in sites(session)},
        pictures=pictures,
    )


def _comics(session: Session, which: object) -> list[Comic]:
    """The newest of these that have something left to draw, one more than is shown."""
    left = Comic.ready + Comic.waiting + Comic.out > 0
    newest = select(Comic).where(which, left).order_by(Comic.id.desc()).limit(UNFINISHED_SHOWN + 1)  # type: ignore[arg-type]
    return list(session.scalars(newest))


def _last_finished(session: Session, drawn_lately: Iterable[int]) -> list[Comic]:
    """Comics with nothing left to draw, among those drawn lately and the newest."""
    newest = session.scalars(select(Comic).order_by(Comic.id.desc()).limit(NEWEST)).all()
    lately = session.scalars(select(Comic).where(Comic.id.in_(sorted(drawn_lately)))).all()
    found = {comic.id: comic for comic in (*newest, *lately)}
    return [comic for comic in found.values() if not (comic.queued or comic.out)]


def _out(session: Session, now: datetime) -> dict[TaskStatus, int]:
    counted = select(Task.status, func.count()).where(Task.leased_until > now).group_by(Task.status)
    return dict(session.execute(counted).all())


def _drawing(session: Session, now: datetime) -> list[Drawing]:
    """What workers have, what they are drawing first."""
    out = (
        select(
            Task.comic_id,
            Comic.title,
            Task.number,
            func.substr(Task.prompt, 1, ADDRESS_CHARACTERS).label("prompt"),
            Task.status,
            Task.progress,
            func.coalesce(Worker.label, Worker.name).label("worker"),
            Attempt.handed_out_at.label("since"),
        )
        .join(Comic, Comic.id == Task.comic_id)
        .join(Worker, Worker.id == Task.worker_id)
        .join(Attempt, (Attempt.task_id == Task.id) & (Attempt.number == Task.attempt))
        .where(Task.leased_until > now)
        .order_by(Task.status.desc(), Task.comic_id, Task.number)
        .limit(DRAWING_SHOWN)
    )
    rows = (row._asdict() for row in session.execute(out))
    return [Drawing(**{**row, "prompt": shortened(row["prompt"])}) for row in rows]


def _pictures(session: Session) -> list[Picture]:
    """What was completed last. Pictures that were reported as data stay in the database: they are long."""
    latest = (
        select(Task.id)
        .where(Task.status == TaskStatus.COMPLETED)
        .order_by(Task.updated_at.desc(), Task.id.desc())
        .limit(PICTURES_SHOWN)
    )
    rows = session.execute(
        select(
            Task.id.label("task_id"),
            Task.comic_id,
            Comic.title,
            Task.number,
            Task.attempt,
            func.substr(Task.image_url, 1, ADDRESS_CHARACTERS + 1).label("address"),
            func.coalesce(Task.download_path, Task.output_path).label("file"),
            Task.updated_at.label("at"),
        )
        .join(Comic, Comic.id == Task.comic_id)
        .where(Task.id.in_(session.scalars(latest).all()))
        .order_by(Task.updated_at.desc(), Task.id.desc())
    )
    return [Picture(**row._asdict()) for row in rows]
