"""Who polls: workers, and when they were last seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from semantest_server.models import Worker
from semantest_server.queue.journal import insert_missing

SEEN_EVERY = timedelta(minutes=5)  # an empty poll writes no more often than this
REPORT_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Poller:
    """Who a request comes from: a name, and whether the client made it up itself or we inferred it."""

    name: str
    named: bool
    address: str = ""
    user_agent: str = ""


def find_worker(session: Session, poller: Poller) -> Worker | None:
    """The worker of that name, if it has ever polled."""
    return session.scalars(_of(poller)).one_or_none()


def locked_worker(session: Session, poller: Poller, now: datetime) -> Worker:
    """The worker, locked, and made on its first poll. First in the order of locks."""
    statement = _of(poller).with_for_update(key_share=True).execution_options(populate_existing=True)
    worker = session.scalars(statement).one_or_none()
    if worker is None:
        insert_missing(
            session,
            Worker,
            name=poller.name,
            named=poller.named,
            address=poller.address,
            user_agent=poller.user_agent,
            created_at=now,
            seen_at=now,
        )
        worker = session.scalars(statement).one()
    return worker


def is_seen(worker: Worker, now: datetime) -> bool:
    """Whether nothing need be written of a worker's being here."""
    return now - worker.seen_at < SEEN_EVERY


def seen(worker: Worker, poller: Poller, now: datetime) -> None:
    """Write down that the worker is here, and from where."""
    worker.seen_at = now
    worker.address, worker.user_agent = poller.address, poller.user_agent


def seen_reporting(session: Session, worker_ids: set[int], now: datetime) -> None:
    """Write down that the workers report, at most once in a minute each."""
    for worker_id in sorted(worker_ids):
        session.execute(
            update(Worker).where(Worker.id == worker_id, Worker.seen_at < now - REPORT_SEEN_EVERY).values(seen_at=now),
            execution_options={"synchronize_session": False},
        )


def _of(poller: Poller) -> Select[Worker]:
    return select(Worker).where(Worker.name == poller.name, Worker.named == poller.named)
