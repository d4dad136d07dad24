"""Who polls: workers, and when they were last seen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Integer, bindparam, cast, func, select, update
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import Worker
from semantest_server.queue.journal import insert_missing

SEEN_EVERY = timedelta(minutes=5)  # an empty poll writes no more often than this
BUSY_SEEN_EVERY = timedelta(minutes=1)  # nor do claims and reports than this

OF_POLLER = select(Worker.id, Worker.created_at, Worker.seen_at, Worker.held).where(
    Worker.name == bindparam("name"), Worker.named == bindparam("named")
)
WORKERS = 0x776F726B  # any number that nothing else on the database locks
LOCKED_ON_POSTGRESQL = OF_POLLER.add_columns(  # no lock on the row: that would write to it, and most polls need not
    func.pg_advisory_xact_lock(WORKERS, cast(Worker.id % 2**31, Integer)), func.clock_timestamp()
)
SEEN = (
    update(Worker)
    .where(Worker.id == bindparam("worker"))
    .values(seen_at=bindparam("now"), address=bindparam("address"), user_agent=bindparam("user_agent"))
)
SEEN_REPORTING = update(Worker).where(Worker.id == bindparam("worker")).values(seen_at=bindparam("now"))


@dataclass(frozen=True)
class Poller:
    """Who a request comes from: a name, and whether the client made it up itself or we inferred it.

    `bound`: the name is that of a token, and only what was handed out to it is its own to report about.
    """

    name: str
    named: bool
    address: str = ""
    user_agent: str = ""
    bound: bool = False


@dataclass(frozen=True)
class Known:
    """A worker that has polled before, or does so now for the first time."""

    id: int
    created_at: datetime
    seen_at: datetime
    held: bool = False


def find_worker(session: Session, poller: Poller) -> Worker | None:
    """The worker of that name, if it has ever polled."""
    return session.scalars(select(Worker).where(Worker.name == poller.name, Worker.named == poller.named)).one_or_none()


def locked_worker(session: Session, poller: Poller) -> tuple[Known, datetime]:
    """The worker, locked, and made on its first poll; and the time. First in the order of locks."""
    name = {"name": poller.name, "named": poller.named}
    while (found := _locked(session, name)) is None:
        now = clock.now(session)
        about = {"address": poller.address, "user_agent": poller.user_agent, "created_at": now, "seen_at": now}
        insert_missing(session, Worker, **name, **about)
    return found


def _locked(session: Session, name: dict[str, Any]) -> tuple[Known, datetime] | None:
    """On SQLite the transaction itself is the lock."""
    if session.get_bind().dialect.name == "sqlite":
        row = session.connection().execute(OF_POLLER, name).one_or_none()
        return None if row is None else (Known(*row), clock.now(session))
    on_postgresql = session.connection().execute(LOCKED_ON_POSTGRESQL, name).one_or_none()
    if on_postgresql is None:
        return None
    *known, _, now = on_postgresql
    return Known(*known), clock.source() if clock.source else now.astimezone(UTC)


def seen(session: Session, worker: Known, poller: Poller, now: datetime, *, busy: bool) -> Known:
    """Write down, now and then, that the worker is here, and from where."""
    if now - worker.seen_at < (BUSY_SEEN_EVERY if busy else SEEN_EVERY):
        return worker
    values = {"worker": worker.id, "now": now, "address": poller.address, "user_agent": poller.user_agent}
    session.connection().execute(SEEN, values)
    return replace(worker, seen_at=now)


def seen_reporting(session: Session, workers: Mapping[int, datetime]) -> None:
    """Write down that workers report, by id and when each was last seen, at most once in a minute each."""
    unseen = [worker for worker, at in workers.items() if clock.here() - at > BUSY_SEEN_EVERY]
    if unseen:
        now = clock.now(session)
        session.connection().execute(SEEN_REPORTING, [{"worker": worker, "now": now} for worker in sorted(unseen)])
