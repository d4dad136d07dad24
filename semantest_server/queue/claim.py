"""A poll: which panels a worker is given, and the promise that no other worker has them."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, String, bindparam, exists, false, func, insert, literal, select, union, update
from sqlalchemy.orm import Session

from semantest_server.models import (
    GIVEN_BACK_ATTEMPT,
    OPEN_COMIC,
    READY_TASK,
    Attempt,
    Comic,
    ComicStatus,
    Event,
    EventType,
    MissingTab,
    Site,
    Task,
    TaskStatus,
    UtcDateTime,
)
from semantest_server.policy import Policy
from semantest_server.queue.hand_outs import HandOut, Leased, Poll, panel_of
from semantest_server.queue.journal import Journal
from semantest_server.queue.lapses import due_comics, end_backoffs, end_lapsed_leases
from semantest_server.queue.leases import extend
from semantest_server.queue.states import LOST_BY_WORKER, NAMED_BY_WORKER, ComicState, Held, read_held
from semantest_server.queue.workers import Known, locked_worker, seen

Transaction = Callable[[], AbstractContextManager[Session]]

HELD = select(func.count()).where(Task.worker_id == bindparam("worker"), Task.leased_until > bindparam("now"))
_missing = select(MissingTab.domain).where(
    MissingTab.worker_id == bindparam("worker"), MissingTab.until > bindparam("now")
)
SITES_WITH_TABS = select(Site).where(Site.domain.not_in(_missing))
THESE_SITES_WITH_TABS = SITES_WITH_TABS.where(Site.domain.in_(bindparam("domains", expanding=True)))
PACED_SITES = (
    select(Site)
    .where(Site.domain.in_(bindparam("domains", expanding=True)))
    .order_by(Site.domain)
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
_ORDER = (Comic.priority, Comic.out, Comic.served_at, Comic.id)
CANDIDATES = (
    select(*_ORDER, Comic.ready, Comic.parallel, Comic.domain)
    .where(Comic.domain == bindparam("domain"), OPEN_COMIC, Comic.id.not_in(bindparam("passed_over", expanding=True)))
    .order_by(*_ORDER)
    .limit(bindparam("most"))
)
COMICS_NAMED_OR_HELD = union(
    select(Task.comic_id).where(Task.id.in_(bindparam("tasks", expanding=True))),
    select(Task.comic_id).where(Task.worker_id == bindparam("worker"), Task.leased_until.is_not(None)),
)
_LEASED = [getattr(Task, name) for name in Leased._fields]
LEASED = select(*_LEASED).where(Task.id.in_(bindparam("tasks", expanding=True))).order_by(Task.comic_id, Task.position)
_chosen = (
    select(Task.id)
    .where(
        Task.comic_id == bindparam("comic"),
        READY_TASK,
        ~exists().where(
            Attempt.task_id == Task.id,
            Attempt.worker_id == bindparam("worker"),
            GIVEN_BACK_ATTEMPT,
            Attempt.ended_at > bindparam("given_back_since"),
        ),
    )
    .order_by(Task.position)
    .limit(bindparam("most"))
    .with_for_update(key_share=True)
    .cte("chosen")
)
LEASE = (
    update(Task)
    .where(Task.id.in_(select(_chosen.c.id)))  # these are ready, and locked; more conditions would mislead planners
    .values(
        status=TaskStatus.LEASED,
        attempt=Task.attempt + 1,
        worker_id=bindparam("worker"),
        leased_until=bindparam("until"),
        counted=False,
        progress=None,
        updated_at=bindparam("now"),
    )
    .returning(*_LEASED)
)
_now = bindparam("now", type_=UtcDateTime())
BEGIN_ATTEMPTS = insert(Attempt).from_select(
    ["task_id", "number", "worker_id", "poll", "handed_out_at", "resent"],
    select(Task.id, Task.attempt, Task.worker_id, bindparam("poll", type_=String()), _now, false()).where(
        Task.id.in_(bindparam("tasks", expanding=True))
    ),
)
TELL_HANDED_OUT = insert(Event).from_select(
    ["at", "type", "task_id", "comic_id", "attempt", "worker_id", "leased_until"],
    select(
        _now,
        literal(EventType.HANDED_OUT, Event.type.type),
        Task.id,
        Task.comic_id,
        Task.attempt,
        Task.worker_id,
        Task.leased_until,
    )
    .where(Task.id.in_(bindparam("tasks", expanding=True)))
    .order_by(Task.comic_id, Task.position),
)
RESEND = (
    update(Attempt)
    .where(Attempt.task_id == bindparam("of_task"), Attempt.number == bindparam("of_number"))
    .values(resent=True, poll=bindparam("token"))
)


@dataclass(frozen=True)
class Claimed:
    """What a poll got, and whose it was."""

    worker: Known
    hand_outs: list[HandOut]


@dataclass(frozen=True)
class Search:
    """Which comics a claim looks at: just enough of them, or as many as might be needed; never those passed over."""

    widely: bool = False
    passed_over: frozenset[int] = frozenset()


class Overtaken(Exception):
    """The comics that were locked gave less than they seemed to have; `search` says where to look next."""

    def __init__(self, search: Search) -> None:
        super().__init__("Others were faster.")
        self.search = search


def hand_out(transaction: Transaction, policy: Policy, poll: Poll) -> Claimed:
    """Claim in a transaction, and again in another while others were faster.

    So that an answer is never empty while there is work, and no lock is waited for out of order.
    """
    search = Search()
    while True:
        try:
            with transaction() as session:
                return claim(session, policy, poll, search)
        except Overtaken as overtaken:
            search = overtaken.search


def claim(session: Session, policy: Policy, poll: Poll, search: Search | None = None) -> Claimed:
    """Give a worker panels: those it lost on the way again, then new ones, by comic.

    Raises `Overtaken` if comics that were not locked may have what those that were did not.
    """
    worker, now = locked_worker(session, poll.poller)
    held = session.connection().execute(HELD, {"worker": worker.id, "now": now}).scalar_one()
    room = 0 if worker.held else min(poll.limit, _most_held(policy, poll) - held)
    hand_outs: list[HandOut] = []
    if room > 0 or poll.holding or poll.resends:
        hand_outs = _Claim(session, policy, poll, worker, now, room, search or Search()).hand_outs()
    return Claimed(seen(session, worker, poll.poller, now, busy=bool(hand_outs)), hand_outs)


class _Claim:
    """A claim with its comics locked."""

    def __init__(
        self, session: Session, policy: Policy, poll: Poll, worker: Known, now: datetime, room: int, search: Search
    ) -> None:
        self.session, self.policy, self.poll, self.worker, self.search = session, policy, poll, worker, search
        self.connection = session.connection()
        self.tabs = self._sites_with_tabs(now)
        self.sites = {domain: site for domain, site in self.tabs.items() if site.pacing.held_until(now) is None}
        found = self._candidates() if room > 0 else []
        self.candidates = [row.id for row in (found if search.widely else self._enough(found, room, now))]
        self.all_are_locked = len(self.candidates) == len(found) < poll.limit
        due = due_comics(session, now)
        self.journal = Journal(session, policy, {*self.candidates, *due, *self._held_comics()})
        if due:
            end_lapsed_leases(self.journal)
            end_backoffs(self.journal)
        self.token = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(4)}"  # rises, so that its index stays dense

    def hand_outs(self) -> list[HandOut]:
        """Renew what the worker says it holds, send again what it lost, and fill up with new panels."""
        self._renew_named()
        given = self._resend()
        room = min(self.poll.limit - len(given), _most_held(self.policy, self.poll) - self._held())
        room = 0 if self.worker.held else room
        taken = self._take_new(given, room)
        if len(taken) < room and self.candidates and not self.all_are_locked:
            self._look_further(given + taken)
        self.journal.post()
        given += taken
        return [self._hand_out(comic, given) for comic in self._comics_of(given)]

    def _look_further(self, given: list[Leased]) -> None:
        if not self.search.widely:
            raise Overtaken(Search(widely=True, passed_over=self.search.passed_over))
        if not given:
            raise Overtaken(Search(widely=True, passed_over=self.search.passed_over | {*self.candidates}))

    def _held(self) -> int:
        values = {"worker": self.worker.id, "now": self.journal.now}
        return int(self.connection.execute(HELD, values).scalar_one())

    def _sites_with_tabs(self, now: datetime) -> dict[str, Site]:
        """The sites that the worker can draw on, by name."""
        values: dict[str, Any] = {"worker": self.worker.id, "now": now}
        statement = SITES_WITH_TABS
        if self.poll.domains is not None:
            statement, values["domains"] = THESE_SITES_WITH_TABS, sorted(self.poll.domains)
        return {site.domain: site for site in self.session.scalars(statement, values)}

    def _candidates(self) -> list[Row[Any]]:
        """The comics that look open, in the order of choosing: priority, fewest out, served longest ago."""
        found: list[Row[Any]] = []
        for domain in self.sites:
            values = {"domain": domain, "passed_over": sorted(self.search.passed_over), "most": self.poll.limit}
            found += self.connection.execute(CANDIDATES, values)
        return sorted(found, key=lambda row: row[: len(_ORDER)])[: self.poll.limit]

    def _enough(self, found: Iterable[Row[Any]], room: int, now: datetime) -> Iterable[Row[Any]]:
        """The first of the comics, as many as seem to have panels enough: others need not wait for the rest."""
        allowed = {domain: site.pacing.allowance(now, room) for domain, site in self.sites.items()}
        for row in found:
            if room <= 0:
                return
            yield row
            count = min(row.ready, row.parallel - row.out, allowed[row.domain])
            allowed[row.domain] -= count
            room -= count

    def _held_comics(self) -> Iterable[int]:
        if not self.poll.holding and not self.poll.resends:
            return ()
        tasks = sorted({task_id for task_id, _ in self.poll.holding or ()})
        worker = self.worker.id if self.poll.resends else None
        return self.connection.execute(COMICS_NAMED_OR_HELD, {"tasks": tasks, "worker": worker}).scalars()

    def _renew_named(self) -> None:
        if not self.poll.holding:
            return
        tasks = sorted({task_id for task_id, _ in self.poll.holding})
        named = read_held(self.connection, NAMED_BY_WORKER, tasks=tasks, worker=self.worker.id)
        extend(self.journal, [one for one in named if one.receipt in self.poll.holding and self._is_locked(one)])
        self.journal.post()

    def _resend(self) -> list[Leased]:
        """Put what was handed out and never arrived into this hand-out, once per attempt."""
        if not self.poll.resends:
            return []
        lost = self._spaced(self._lost())[: self.poll.limit]
        if not lost:
            return []
        until = self.journal.now + self.policy.ack
        for held in lost:
            if held.task.leased_until and held.task.leased_until < until:
                self.journal.renew(held.task, until)
            self.journal.told(
                EventType.NOTED,
                held.task,
                attempt=held.attempt.number,
                worker_id=self.worker.id,
                leased_until=held.task.leased_until,
                message="Sent again: the worker does not hold it.",
            )
        self.journal.post()
        receipts = [{"of_task": held.task.id, "of_number": held.attempt.number, "token": self.token} for held in lost]
        self.connection.execute(RESEND, receipts)
        rows = self.connection.execute(LEASED, {"tasks": [held.task.id for held in lost]})
        return [Leased(*row) for row in rows]

    def _lost(self) -> list[Held]:
        """What is leased to the worker, has been silent, is not named, and could be drawn."""
        values = {
            "worker": self.worker.id,
            "now": self.journal.now,
            "silent_since": self.journal.now - self.policy.resend,
        }
        return [
            held
            for held in read_held(self.connection, LOST_BY_WORKER, **values)
            if self._is_locked(held)
            and held.receipt not in (self.poll.holding or ())
            and self._is_drawable(self.journal.comics[held.task.comic_id])
        ]

    def _is_locked(self, held: Held) -> bool:
        return held.task.comic_id in self.journal.comics

    def _is_drawable(self, comic: ComicState) -> bool:
        return comic.domain in self.tabs and comic.status is ComicStatus.ACTIVE

    def _spaced(self, lost: list[Held]) -> list[Held]:
        """Of those for a site with a gap, only the first."""
        spaced: dict[object, Held] = {}
        for held in lost:
            domain = self.journal.comics[held.task.comic_id].domain
            spaced.setdefault(domain if self.tabs[domain].gap_seconds else held.receipt, held)
        return list(spaced.values())

    def _take_new(self, given: list[Leased], room: int) -> list[Leased]:
        """Lease new panels, and write down that attempts at them have begun."""
        if room <= 0:
            return []
        gaps = {comic.domain for comic in self._comics_of(given) if self.tabs[comic.domain].gap_seconds}
        taken: list[Leased] = []
        for comic in self._open_comics():
            if len(taken) >= room:
                break
            if comic.domain not in gaps:  # with a gap, a hand-out carries one panel, and it has that
                taken += self._take(comic, room - len(taken))
        if taken:
            values = {"tasks": [task.id for task in taken], "now": self.journal.now}
            self.connection.execute(BEGIN_ATTEMPTS, {**values, "poll": self.token})
            self.connection.execute(TELL_HANDED_OUT, values)
        return taken

    def _open_comics(self) -> Sequence[ComicState]:
        comics = [
            comic
            for comic in self.journal.comics.values()
            if comic.status is ComicStatus.ACTIVE
            and comic.ready > 0
            and comic.out < comic.parallel
            and comic.domain in self.sites
        ]
        paced = {comic.domain for comic in comics if self.sites[comic.domain].pacing.is_on}
        if paced:
            self.session.scalars(PACED_SITES, {"domains": sorted(paced)}).all()
        return sorted(comics, key=lambda comic: (comic.priority, comic.out, comic.served_at, comic.id))

    def _take(self, comic: ComicState, room: int) -> list[Leased]:
        """Lease the comic's next panels to the worker, as many as every cap allows."""
        site, now = self.sites[comic.domain], self.journal.now
        most = site.pacing.allowance(now, min(room, comic.parallel - comic.out))
        if most <= 0:
            return []
        values = {
            "comic": comic.id,
            "worker": self.worker.id,
            "most": most,
            "now": now,
            "until": now + self.policy.first_lease(self.poll.poller.named),
            "given_back_since": now - self.policy.give_back,
        }
        tasks = sorted((Leased(*row) for row in self.connection.execute(LEASE, values)), key=lambda task: task.position)
        if tasks:
            self.journal.moved(comic.id, "ready", "out", len(tasks))
            self.journal.set(comic, served_at=now)
            if site.pacing.is_on:
                site.handed_out(now, len(tasks))
        return tasks

    def _comics_of(self, tasks: list[Leased]) -> Iterable[ComicState]:
        return [self.journal.comics[comic_id] for comic_id in dict.fromkeys(task.comic_id for task in tasks)]

    def _hand_out(self, comic: ComicState, given: list[Leased]) -> HandOut:
        tasks = [task for task in given if task.comic_id == comic.id]
        return HandOut(
            id=f"h-{self.token}-{comic.id}",
            comic=comic,
            leased_until=min(task.leased_until for task in tasks),
            panels=[panel_of(comic, task) for task in tasks],
        )


def _most_held(policy: Policy, poll: Poll) -> int:
    return 1 if poll.one_at_a_time else policy.worker_tasks
