"""Who works and where: workers, sites, and whether there is anything to do."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import (
    FAILED_ATTEMPT,
    Attempt,
    Comic,
    MissingTab,
    Site,
    Task,
    TaskStatus,
    Worker,
)
from semantest_server.policy import Policy
from semantest_server.snapshots.lapses import status_now

CONNECTED = timedelta(minutes=10)
LATELY = timedelta(hours=24)  # what a worker's success is measured over
COUNTED = 1_000  # of a worker's last completions at most, however fast it is
IN_HAND = 10  # panels of a worker that are named; caps may let it hold more


@dataclass(frozen=True)
class WorkerSnapshot:
    """A worker, how many panels it holds, and the sites for which it last said that it has no tab."""

    id: int
    name: str
    named: bool
    label: str | None
    held: bool
    address: str
    user_agent: str
    seen_at: datetime
    is_connected: bool
    holding: int
    missing_tabs: list[str]

    @property
    def shown(self) -> str:
        """What a person calls it, or else its name."""
        return self.label or self.name


@dataclass(frozen=True)
class InHand:
    """A panel that a worker holds."""

    comic_id: int
    title: str
    number: int


@dataclass(frozen=True)
class WorkerRecord:
    """A worker, some of what it holds, and how many attempts it completed and failed in the last 24 hours.

    Of a worker that has completed more than 1,000 panels in that time, what it did since the last 1,000th.
    """

    worker: WorkerSnapshot
    in_hand: list[InHand]
    completed: int
    failed: int

    @property
    def percent(self) -> int | None:
        """How many of its attempts succeeded, in whole percent; 100 only if all did, None if there were none."""
        ended = self.completed + self.failed
        return self.completed * 100 // ended if ended else None


@dataclass(frozen=True)
class Health:
    """Whether anything waits and anybody works."""

    pending_tasks: int
    workers_connected: int


def workers(session: Session, policy: Policy, limit: int = 200) -> list[WorkerSnapshot]:
    """The workers that have polled, the last seen first."""
    now = clock.now(session)
    found = session.scalars(select(Worker).order_by(Worker.seen_at.desc(), Worker.id).limit(limit)).all()
    held = select(Task.worker_id, func.count()).where(Task.leased_until > now).group_by(Task.worker_id)
    holding = dict(session.execute(held).all())
    missing = defaultdict(list)
    for row in session.scalars(select(MissingTab).where(MissingTab.until > believed_since(policy, now))):
        missing[row.worker_id].append(row.domain)
    return [
        WorkerSnapshot(
            id=row.id,
            name=row.name,
            named=row.named,
            label=row.label,
            held=row.held,
            address=row.address,
            user_agent=row.user_agent,
            seen_at=row.seen_at,
            is_connected=now - row.seen_at < CONNECTED,
            holding=holding.get(row.id, 0),
            missing_tabs=sorted(missing[row.id]),
        )
        for row in found
    ]


def worker_records(session: Session, policy: Policy, limit: int = 200) -> list[WorkerRecord]:
    """The workers that have polled, the last seen first, with what they hold and how well they did lately."""
    now = clock.now(session)
    found = workers(session, policy, limit)
    ids = [worker.id for worker in found]
    in_hand = _in_hand(session, now, ids)
    completed = _completed(session, now - LATELY, ids)
    failed = _failed(session, now - LATELY, completed)
    return [WorkerRecord(one, in_hand[one.id], completed[one.id][0], failed[one.id]) for one in found]


def sites(session: Session) -> list[Site]:
    """The sites that something was ever queued for, by name."""
    return list(session.scalars(select(Site).order_by(Site.domain)))


def health(session: Session, policy: Policy) -> Health:
    """How much waits, and how many workers have polled in the last 10 minutes."""
    now = clock.now(session)
    pending = session.scalar(select(func.sum(Comic.ready + Comic.waiting)))
    lapsed = session.scalars(select(Task).where(Task.leased_until <= now))
    back = sum(status_now(policy, row, now) is TaskStatus.QUEUED for row in lapsed)
    connected = session.scalar(select(func.count()).where(Worker.seen_at > now - CONNECTED))
    return Health(int(pending or 0) + back, int(connected or 0))


def lapsed_since(session: Session) -> str:
    """A token that differs whenever another lease has lapsed, which no write need have recorded."""
    lapsed = select(func.count(), func.max(Task.leased_until)).where(Task.leased_until <= clock.now(session))
    count, last = session.execute(lapsed).one()
    return f"{count}-{last.timestamp() if last else 0}"


def believed_since(policy: Policy, now: datetime) -> datetime:
    """From which end of its hold on the news of a missing tab is believed: a hold longer than the hold itself."""
    return now - policy.give_back


def _in_hand(session: Session, now: datetime, worker_ids: list[int]) -> dict[int, list[InHand]]:
    """The panels that each worker holds, the first ones."""
    held = (
        select(Task.worker_id, Task.comic_id, Comic.title, Task.number)
        .join(Comic, Comic.id == Task.comic_id)
        .where(Task.worker_id.in_(worker_ids), Task.leased_until > now)
        .order_by(Task.comic_id, Task.number)
    )
    found: dict[int, list[InHand]] = defaultdict(list)
    for row in session.execute(held):
        if len(found[row.worker_id]) < IN_HAND:
            found[row.worker_id].append(InHand(row.comic_id, row.title, row.number))
    return found


def _completed(session: Session, since: datetime, worker_ids: list[int]) -> dict[int, tuple[int, datetime]]:
    """How many panels each worker has completed since then, the last `COUNTED` at most, and when the first of those."""
    lately = (
        select(Task.updated_at.label("at"))
        .where(Task.worker_id == Worker.id, Task.updated_at > since, Task.status == TaskStatus.COMPLETED)
        .order_by(Task.updated_at.desc(), Task.id.desc())
        .limit(COUNTED)
        .correlate(Worker)
        .subquery()
    )
    count, first = (select(of).select_from(lately).scalar_subquery() for of in (func.count(), func.min(lately.c.at)))
    rows = session.execute(select(Worker.id, count, first).where(Worker.id.in_(worker_ids)))
    return {worker_id: (completed, begun or since) for worker_id, completed, begun in rows}


def _failed(session: Session, since: datetime, begun: dict[int, tuple[int, datetime]]) -> Counter[int]:
    """How many attempts of each worker have failed since then, or since the first completion that was counted."""
    failures = select(Attempt.worker_id, Attempt.ended_at).where(
        FAILED_ATTEMPT, Attempt.worker_id.in_(list(begun)), Attempt.ended_at > since
    )
    found: Counter[int] = Counter()
    for row in session.execute(failures):
        completed, first = begun[row.worker_id]
        found[row.worker_id] += completed < COUNTED or row.ended_at >= first
    return found
