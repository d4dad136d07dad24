"""Who works and where: workers, sites, and whether there is anything to do."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import Comic, MissingTab, Site, Task, TaskStatus, Worker
from semantest_server.policy import Policy
from semantest_server.snapshots.lapses import status_now

CONNECTED = timedelta(minutes=10)


@dataclass(frozen=True)
class WorkerSnapshot:
    """A worker, how many panels it holds, and the sites for which it last said that it has no tab."""

    name: str
    named: bool
    address: str
    user_agent: str
    seen_at: datetime
    is_connected: bool
    holding: int
    missing_tabs: list[str]


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
            name=row.name,
            named=row.named,
            address=row.address,
            user_agent=row.user_agent,
            seen_at=row.seen_at,
            is_connected=now - row.seen_at < CONNECTED,
            holding=holding.get(row.id, 0),
            missing_tabs=sorted(missing[row.id]),
        )
        for row in found
    ]


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
