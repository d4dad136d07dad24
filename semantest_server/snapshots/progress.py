"""Comics: their status, how far they are, what holds them back and how long they will take."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import NotFound
from semantest_server.models import Comic, ComicStatus, MissingTab, Task, TaskStatus, Worker
from semantest_server.policy import Policy, average_seconds, remaining_seconds, remaining_text
from semantest_server.snapshots.fleet import CONNECTED, believed_since, sites
from semantest_server.snapshots.lapses import lapsed_tasks, status_now

CURRENT_CHARACTERS = 80
FORESEEN = timedelta(days=3650)  # what would take longer has no finish
BLOCKED_WORDS = {
    "paused": "paused",
    "no_worker": "no extension is polling",
    "no_tab": "no tab is open",
    "pacing": "taking a break",
    "daily_cap": "daily cap reached",
}


@dataclass(frozen=True)
class Blocked:
    """Why nothing of a comic is handed out, for which site, and until when if that is known."""

    reason: str
    domain: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """How far a comic is. `running` includes leased; the five counts sum to `total`.

    `seconds_per_panel`: from one completion to the next, lately; `finish_at`: when all is drawn if it goes on so,
    None while that is unknown or something holds it back.
    """

    total: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int
    current: str | None
    eta: str | None
    eta_seconds: int | None
    blocked: Blocked | None
    seconds_per_panel: float | None = None
    finish_at: datetime | None = None

    @property
    def percent(self) -> int:
        """How much is drawn, in whole percent; 100 only once everything is."""
        return self.completed * 100 // self.total if self.total else 0


@dataclass(frozen=True)
class ComicSnapshot:
    """A comic, the status that follows from its tasks, and its progress."""

    comic: Comic
    status: ComicStatus
    progress: Progress


def comic(session: Session, policy: Policy, comic_id: int) -> ComicSnapshot:
    """One comic. Raises `NotFound`."""
    found = session.get(Comic, comic_id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no comic {comic_id}.")
    return progress_of(session, policy, [found])[0]


def comics(
    session: Session, policy: Policy, limit: int = 50, before: int | None = None
) -> tuple[list[ComicSnapshot], int | None]:
    """A page of comics, newest first, and the id to ask `before` for the next page."""
    statement = select(Comic).order_by(Comic.id.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(Comic.id < before)
    found = list(session.scalars(statement))
    following = found[limit - 1].id if len(found) > limit else None
    return progress_of(session, policy, found[:limit]), following


def progress_of(session: Session, policy: Policy, found: Sequence[Comic]) -> list[ComicSnapshot]:
    """Snapshots of comics with a fixed number of statements, however many there are."""
    now = clock.now(session)
    ids = [row.id for row in found]
    lapsed = defaultdict(list)
    for row in lapsed_tasks(session, now, ids):
        lapsed[row.comic_id].append(status_now(policy, row, now))
    current = _current(session, now, ids)
    world = _World(session, policy, now)
    return [_comic(world, row, lapsed[row.id], current.get(row.id)) for row in found]


class _World:
    """What decides whether comics are held back: the sites, and who polls."""

    def __init__(self, session: Session, policy: Policy, now: datetime) -> None:
        self.now = now
        self.sites = {site.domain: site for site in sites(session)}
        seen = select(Worker.id).where(Worker.seen_at > now - CONNECTED).limit(1)
        self.has_workers = session.scalar(seen) is not None
        missing = select(MissingTab.domain, func.max(MissingTab.until))
        missing = missing.where(MissingTab.until > believed_since(policy, now)).group_by(MissingTab.domain)
        self.missing_tabs = dict(session.execute(missing).all())

    def blocked(self, comic: Comic, queued: int, out: int) -> Blocked | None:
        """Why nothing of the comic is handed out, or None if it is or nothing is left to hand out."""
        if comic.status is ComicStatus.CANCELLED or not (queued or out):
            return None
        if comic.status is ComicStatus.PAUSED:
            return Blocked("paused")
        if not queued:
            return None
        if not out and not self.has_workers:
            return Blocked("no_worker")
        if not out and comic.domain in self.missing_tabs:
            return Blocked("no_tab", comic.domain, self.missing_tabs[comic.domain])
        held = self.sites[comic.domain].pacing.held_until(self.now)
        return Blocked(held[0], comic.domain, held[1]) if held else None


def _comic(world: _World, row: Comic, lapsed: list[TaskStatus], current: str | None) -> ComicSnapshot:
    queued = row.queued + lapsed.count(TaskStatus.QUEUED)
    failed = row.failed + lapsed.count(TaskStatus.FAILED)
    out = row.out - len(lapsed)
    blocked = world.blocked(row, queued, out)
    eta_seconds = _eta_seconds(row, queued + out, world)
    progress = Progress(
        total=row.total,
        queued=queued,
        running=out,
        completed=row.completed,
        failed=failed,
        cancelled=row.cancelled,
        current=current,
        eta=_eta(eta_seconds, blocked),
        eta_seconds=eta_seconds,
        blocked=blocked,
        seconds_per_panel=average_seconds(row.completions),
        finish_at=None if blocked else _finish_at(world.now, eta_seconds),
    )
    is_finished = row.status is not ComicStatus.CANCELLED and not (queued or out)
    return ComicSnapshot(row, ComicStatus.FINISHED if is_finished else row.status, progress)


def _eta_seconds(row: Comic, remaining: int, world: _World) -> int | None:
    if not remaining or row.status is ComicStatus.CANCELLED:
        return None
    seconds = remaining_seconds(remaining, row.completions, world.sites[row.domain].pacing)
    return None if seconds is None else round(seconds)


def _finish_at(now: datetime, eta_seconds: int | None) -> datetime | None:
    if eta_seconds is None or eta_seconds > FORESEEN.total_seconds():
        return None
    return now + timedelta(seconds=eta_seconds)


def _eta(seconds: int | None, blocked: Blocked | None) -> str | None:
    if seconds is None:
        return None
    text = remaining_text(seconds)
    return f"{text} ({BLOCKED_WORDS[blocked.reason]})" if blocked else text


def _current(session: Session, now: datetime, comic_ids: list[int]) -> dict[int, str]:
    """The panel of each comic that is being drawn, the first one if there are several."""
    out = select(Task.comic_id, Task.number, Task.prompt).where(Task.comic_id.in_(comic_ids), Task.leased_until > now)
    found: dict[int, str] = {}
    for row in session.execute(out.order_by(Task.comic_id, Task.status.desc(), Task.number)):
        found.setdefault(row.comic_id, f"Panel {row.number}: {shortened(row.prompt)}")
    return found


def shortened(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= CURRENT_CHARACTERS else line[: CURRENT_CHARACTERS - 1].rstrip() + "…"
