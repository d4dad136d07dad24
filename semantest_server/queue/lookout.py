"""What polls would find, remembered for half a second, so that a poll that finds nothing asks no database."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from semantest_server.changes import Changes
from semantest_server.clock import clock
from semantest_server.models import OPEN_COMIC, UNFINISHED_COMIC, Comic, Site, Task, Worker
from semantest_server.queue.choosing import SITES_READ, site_of
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.workers import SEEN_EVERY, Known, Poller
from semantest_server.statements import Statement, send

REMEMBERED_SECONDS = 0.5
MOST_WORKERS = 10_000
MOST_LEASED = 500

_leased = select(Task.worker_id).where(Task.leased_until.is_not(None)).limit(MOST_LEASED + 1)


class Facts(NamedTuple):
    """Whether there is anything left to draw, when a task was last changed, what is due first, how many are leased."""

    unfinished: int | None
    last: datetime | None
    leased_until: datetime | None
    available_at: datetime | None
    leased: int


OPEN_SITES = Statement(SITES_READ.where(exists().where(Comic.domain == Site.domain, OPEN_COMIC)), site_of)
FACTS = Statement(
    select(
        select(Comic.id).where(UNFINISHED_COMIC).order_by(Comic.id).limit(1).scalar_subquery(),
        select(Task.updated_at).order_by(Task.updated_at.desc()).limit(1).scalar_subquery(),
        select(Task.leased_until)
        .where(Task.leased_until.is_not(None))
        .order_by(Task.leased_until)
        .limit(1)
        .scalar_subquery(),
        select(Task.available_at)
        .where(Task.available_at.is_not(None))
        .order_by(Task.available_at)
        .limit(1)
        .scalar_subquery(),
        select(func.count()).select_from(_leased.subquery()).scalar_subquery(),
    ),
    Facts,
)
HOLDERS = Statement(select(Worker.name, Worker.named).where(Worker.id.in_(_leased)), lambda name, named: (name, named))

Name = tuple[str, bool]


@dataclass(frozen=True)
class Sight:
    """What there was at one moment.

    `token`: of `Changes`; `at`: when, on this process's steady clock; `now`: when, on the queue's; `sites`: those
    with panels to hand out; `is_due`: whether a lease or a backoff has run out and nobody has recorded it; `until`:
    when time by itself changes any of that; `holders`: the workers with panels in hand, None if they are many;
    `is_over`: whether nothing is left to draw; `last`: when a task was last changed.
    """

    token: object
    at: float
    now: datetime
    sites: frozenset[str]
    is_due: bool
    until: datetime | None
    holders: frozenset[Name] | None
    is_over: bool
    last: datetime | None

    @property
    def now_about(self) -> datetime:
        """The queue's time by now, without asking it."""
        return clock.source() if clock.source else self.now + timedelta(seconds=time.monotonic() - self.at)

    @property
    def is_old(self) -> bool:
        """Whether it may be no longer so, even if nobody has changed anything."""
        if time.monotonic() - self.at > REMEMBERED_SECONDS:
            return True
        return self.until is not None and self.now_about >= self.until

    def may_serve(self, poll: Poll) -> bool:
        """Whether this poll might be given something, or have something to change."""
        if self.is_due or poll.holding:
            return True
        if self.sites and (poll.domains is None or not self.sites.isdisjoint(poll.domains)):
            return True
        return poll.resends and (self.holders is None or (poll.poller.name, True) in self.holders)


class Lookout:
    """The memory of one process: the last sight, and the workers that it has met."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._sight: Sight | None = None
        self._met: dict[Name, Known] = {}

    def is_in_vain(self, session: Callable[[], Session], poll: Poll) -> bool:
        """Whether the poll would find nothing and change nothing.

        What is remembered is enough to go and claim; to turn a worker away, nothing may have changed since.
        """
        sight = self._sight
        if sight is None or sight.is_old:
            sight = self.look(session())
        if not sight.may_serve(poll) and sight.token != self._changes.token():
            sight = self.look(session())
        return self._is_known(poll.poller, sight.now_about) and not sight.may_serve(poll)

    def met(self, poller: Poller, worker: Known) -> None:
        """Remember a worker that has been written down as seen."""
        if len(self._met) >= MOST_WORKERS:
            self._met.clear()
        self._met[poller.name, poller.named] = worker

    def idle_for(self, session: Callable[[], Session], poller: Poller | None = None) -> timedelta | None:
        """How long there has been nothing to draw, or how long the poller is here; None while there is something."""
        sight = self._sight
        if sight is None or sight.is_old:
            sight = self.look(session())
        if not sight.is_over:
            return None
        worker = self._met.get((poller.name, poller.named)) if poller else None
        known = [moment for moment in (sight.last, worker and worker.created_at) if moment]
        return max(sight.now_about - max(known, default=sight.now_about), timedelta())

    def look(self, session: Session) -> Sight:
        """See what there is now, and remember it."""
        session.rollback()  # or it may see what there was when this request first read
        token = self._changes.token()
        connection = session.connection()
        at, now = time.monotonic(), clock.now(session)
        sites, facts, holders = OPEN_SITES.asked({}), FACTS.asked({}), HOLDERS.asked({})
        send(connection, sites, facts, holders)
        held = {domain: pacing.held_until(now) for domain, pacing in sites.rows}
        (found,) = facts.rows
        moments = [
            *filter(None, (found.leased_until, found.available_at)),
            *(hold[1] for hold in held.values() if hold),
        ]
        self._sight = Sight(
            token=token,
            at=at,
            now=now,
            sites=frozenset(domain for domain, hold in held.items() if hold is None),
            is_due=any(moment <= now for moment in moments),
            until=min((moment for moment in moments if moment > now), default=None),
            holders=None if found.leased > MOST_LEASED else frozenset(holders.rows),
            is_over=found.unfinished is None,
            last=found.last,
        )
        return self._sight

    def _is_known(self, poller: Poller, now: datetime) -> bool:
        worker = self._met.get((poller.name, poller.named))
        return worker is not None and now - worker.seen_at < SEEN_EVERY
