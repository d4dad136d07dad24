"""Who polls: workers, and when they were last seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, bindparam, cast, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from semantest_server.clock import THE_TIME, clock
from semantest_server.models import MissingTab, Task, Worker
from semantest_server.queue.journal import insert_missing
from semantest_server.statements import Asked, Statement, Write, send

SEEN_EVERY = timedelta(minutes=5)  # an empty poll writes no more often than this
BUSY_SEEN_EVERY = timedelta(minutes=1)  # nor do claims and reports than this

_at_hand = select(func.count()).where(Task.worker_id == Worker.id, Task.leased_until > THE_TIME)


def _first(moment: InstrumentedAttribute[datetime | None]) -> ColumnElement[datetime | None]:
    return select(moment).where(moment.is_not(None)).order_by(moment).limit(1).scalar_subquery()


_is_due = or_(_first(Task.leased_until) <= THE_TIME, _first(Task.available_at) <= THE_TIME)
_known = (
    select(
        Worker.name,
        Worker.named,
        Worker.id,
        Worker.created_at,
        Worker.seen_at,
        Worker.held,
        _at_hand.scalar_subquery().label("at_hand"),
        _is_due.label("is_due"),
        MissingTab.domain.label("without_tab"),
    )
    .outerjoin(MissingTab, (MissingTab.worker_id == Worker.id) & (MissingTab.until > THE_TIME))
    .where(Worker.name.in_(bindparam("names", expanding=True)))
    .order_by(Worker.id)
)
_in_order = _known.cte("known")
WORKERS = 0x776F726B  # any number that nothing else on the database locks


class _Row(NamedTuple):
    name: str
    named: bool
    id: int
    created_at: datetime
    seen_at: datetime
    held: bool
    at_hand: int
    is_due: bool | None
    without_tab: str | None
    locked: None = None
    now: datetime | None = None


OF_NAMES = Statement(_known, _Row)
LOCKED_ON_POSTGRESQL = Statement(  # no lock on the rows: that would write to them, and most polls need not
    select(
        *_in_order.c,
        func.pg_advisory_xact_lock(WORKERS, cast(_in_order.c.id % 2**31, Integer)),
        func.clock_timestamp(),
    ),
    _Row,
)
SEEN = Write(
    update(Worker)
    .where(Worker.id == bindparam("worker"))
    .values(seen_at=bindparam("now"), address=bindparam("address"), user_agent=bindparam("user_agent"))
)
SEEN_REPORTING = Write(update(Worker).where(Worker.id == bindparam("worker")).values(seen_at=bindparam("now")))


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
    """A worker that has polled before, or does so now for the first time.

    `at_hand`: how many panels it had about then; `without_tabs`: the sites that it has no tab for.
    """

    id: int
    created_at: datetime
    seen_at: datetime
    held: bool = False
    at_hand: int = 0
    without_tabs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Locked:
    """Workers that are locked, the time, and whether a lease or a backoff has run out and nobody has recorded it."""

    workers: list[Known]
    now: datetime
    is_due: bool


def find_worker(session: Session, poller: Poller) -> Worker | None:
    """The worker of that name, if it has ever polled."""
    return session.scalars(select(Worker).where(Worker.name == poller.name, Worker.named == poller.named)).one_or_none()


def locked_workers(session: Session, pollers: Sequence[Poller], *also: Asked[Any]) -> Locked | None:
    """The worker of each, locked in the order of their ids. First in the order of locks.

    One that polls for the first time is made, but only if it is alone: others that are locked already would make
    those wait who make it too. None if it is not. `also`: statements to send at once.
    """
    while True:
        rows, now = _locked(session, pollers, also)
        known = {(row.name, row.named): _of_rows(rows, row) for row in rows}
        if all((poller.name, poller.named) in known for poller in pollers):
            workers = [known[poller.name, poller.named] for poller in pollers]
            return Locked(workers, now, any(row.is_due for row in rows))
        if len(pollers) > 1:
            return None
        (poller,) = pollers
        about = {"address": poller.address, "user_agent": poller.user_agent, "created_at": now, "seen_at": now}
        insert_missing(session, Worker, name=poller.name, named=poller.named, **about)


def _locked(session: Session, pollers: Iterable[Poller], also: Iterable[Asked[Any]]) -> tuple[list[_Row], datetime]:
    """On SQLite the transaction itself is the lock."""
    statement = OF_NAMES if session.get_bind().dialect.name == "sqlite" else LOCKED_ON_POSTGRESQL
    given = clock.given(session)
    locked = statement.asked({"names": sorted({poller.name for poller in pollers}), "now": given})
    send(session.connection(), locked, *also)
    moments = [row.now.astimezone(UTC) for row in locked.rows if row.now]
    return locked.rows, given or (max(moments) if moments else clock.now(session))


def _of_rows(rows: Iterable[_Row], one: _Row) -> Known:
    """There is a row for each site that a worker has no tab for."""
    missing = frozenset(row.without_tab for row in rows if row.id == one.id and row.without_tab)
    return Known(one.id, one.created_at, one.seen_at, one.held, one.at_hand, missing)


def seen(session: Session, worker: Known, poller: Poller, now: datetime, *, busy: bool) -> Known:
    """Write down, now and then, that the worker is here, and from where."""
    if now - worker.seen_at < (BUSY_SEEN_EVERY if busy else SEEN_EVERY):
        return worker
    values = {"worker": worker.id, "now": now, "address": poller.address, "user_agent": poller.user_agent}
    SEEN.each(session.connection(), [values])
    return replace(worker, seen_at=now)


def seen_reporting(session: Session, workers: Mapping[int, datetime]) -> None:
    """Write down that workers report, by id and when each was last seen, at most once in a minute each."""
    unseen = [worker for worker, at in workers.items() if clock.here() - at > BUSY_SEEN_EVERY]
    if unseen:
        now = clock.now(session)
        SEEN_REPORTING.each(session.connection(), [{"worker": worker, "now": now} for worker in sorted(unseen)])
