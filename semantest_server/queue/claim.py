"""A poll: which panels a worker is given, and the promise that no other worker has them."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import String, bindparam, exists, false, func, insert, literal, select, update
from sqlalchemy.orm import Session

from semantest_server.clock import THE_TIME, clock
from semantest_server.models import (
    GIVEN_BACK_ATTEMPT,
    READY_TASK,
    Attempt,
    ComicStatus,
    Event,
    EventType,
    Task,
    TaskStatus,
    UtcDateTime,
)
from semantest_server.policy import Policy
from semantest_server.queue.choosing import Asker, Choice, Overtaken, Search, sites_asked
from semantest_server.queue.hand_outs import HandOut, Leased, Poll, panel_of
from semantest_server.queue.journal import Journal
from semantest_server.queue.lapses import DUE, end_backoffs, end_lapsed_leases
from semantest_server.queue.resending import comics_asked, renew_named, resend
from semantest_server.queue.states import ComicState
from semantest_server.queue.workers import Known, locked_workers, seen
from semantest_server.statements import Statement, Write, send

Transaction = Callable[[], AbstractContextManager[Session]]

HELD = Statement(  # how many panels workers hold
    select(Task.worker_id, func.count())
    .where(Task.worker_id.in_(bindparam("workers", expanding=True)), Task.leased_until > THE_TIME)
    .group_by(Task.worker_id),
    lambda worker, count: (worker, count),
)
_LEASED = [getattr(Task, name) for name in Leased._fields]
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
LEASE = Statement(
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
    .returning(*_LEASED),
    Leased,
)
_now = bindparam("now", type_=UtcDateTime())
BEGIN_ATTEMPTS = Write(
    insert(Attempt).from_select(
        ["task_id", "number", "worker_id", "poll", "handed_out_at", "resent"],
        select(Task.id, Task.attempt, Task.worker_id, bindparam("poll", type_=String()), _now, false()).where(
            Task.id.in_(bindparam("tasks", expanding=True))
        ),
    )
)
TELL_HANDED_OUT = Write(
    insert(Event)
    .inline()
    .from_select(
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
)


@dataclass(frozen=True)
class Claimed:
    """What a poll got, and whose it was."""

    worker: Known
    hand_outs: list[HandOut]


def hand_out(transaction: Transaction, policy: Policy, poll: Poll) -> Claimed:
    """Claim in a transaction, and again in another while others were faster.

    So that an answer is never empty while there is work, and no lock is waited for out of order.
    """
    (claimed,) = hand_out_all(transaction, policy, lambda: [poll])
    return claimed


def hand_out_all(transaction: Transaction, policy: Policy, waiting: Callable[[], Sequence[Poll]]) -> list[Claimed]:
    """The same for all polls that `waiting` answers once the transaction has begun, each as if it had come alone.

    Raises `Overtaken` if they are several and have to be answered one by one.
    """
    polls: Sequence[Poll] = ()
    search = Search()
    while True:
        try:
            with transaction() as session:
                polls = polls or waiting()
                return claim_all(session, policy, polls, search)
        except Overtaken as overtaken:
            if len(polls) > 1:
                raise
            search = overtaken.search


def claim(session: Session, policy: Policy, poll: Poll, search: Search | None = None) -> Claimed:
    """Give a worker panels: those it lost on the way again, then new ones, by comic.

    Raises `Overtaken` if comics that were not locked may have what those that were did not.
    """
    (claimed,) = claim_all(session, policy, [poll], search)
    return claimed


def claim_all(session: Session, policy: Policy, polls: Sequence[Poll], search: Search | None = None) -> list[Claimed]:
    """Claim for several polls in their order, each as if it had come alone.

    Raises `Overtaken` as `claim` does, and if one of several comes from a worker that is not known yet.
    """
    sites = sites_asked(polls)
    locked = locked_workers(session, [poll.poller for poll in polls], sites)
    if locked is None:
        raise Overtaken(search or Search())
    choice = Choice(search or Search(), polls, dict(sites.rows), locked.now)
    askers = [_asker(policy, choice, *both) for both in zip(polls, locked.workers, strict=True)]
    hand_outs: list[list[HandOut]] = [[] for _ in askers]
    if not all(asker.is_modest for asker in askers):
        hand_outs = _Claims(session, policy, askers, choice, is_due=locked.is_due).hand_outs()
    return [
        Claimed(seen(session, asker.worker, asker.poll.poller, locked.now, busy=bool(given)), given)
        for asker, given in zip(askers, hand_outs, strict=True)
    ]


def _asker(policy: Policy, choice: Choice, poll: Poll, worker: Known) -> Asker:
    tabs = frozenset(choice.sites if poll.domains is None else poll.domains.intersection(choice.sites))
    room = 0 if worker.held else min(poll.limit, _most_held(policy, poll) - worker.at_hand)
    return Asker(poll, worker, tabs - worker.without_tabs, room)


class _Claims:
    """The polls of one transaction, with all comics and sites that they need locked."""

    def __init__(
        self, session: Session, policy: Policy, askers: Sequence[Asker], choice: Choice, *, is_due: bool
    ) -> None:
        self.policy, self.askers, self.choice = policy, askers, choice
        due = DUE.asked(*([{"now": choice.now}] if is_due else []))
        named = [asked for asker in askers for asked in comics_asked(asker)]
        send(session.connection(), due, *named, *choice.asked_for(askers))
        chosen = choice.chosen(askers)
        comics = {*chosen, *due.rows, *(comic for one in named for comic in one.rows)}
        held = HELD.asked({"workers": sorted({asker.worker.id for asker in askers}), "now": clock.given(session)})
        self.journal = Journal(session, policy, comics, held)
        self.held = Counter(dict(held.rows))
        self.taken: list[Leased] = []
        if is_due:
            end_lapsed_leases(self.journal)
            end_backoffs(self.journal)
        if chosen:
            choice.lock_paced(session.connection(), {comic.domain for comic in self.journal.comics.values()})

    def hand_outs(self) -> list[list[HandOut]]:
        """Serve each, and write down what has been handed out."""
        hand_outs = [self._serve(asker) for asker in self.askers]
        if self.taken:
            values = {"tasks": [task.id for task in self.taken], "now": self.journal.now}
            domains = {self.journal.comics[task.comic_id].domain for task in self.taken}
            self.journal.also(TELL_HANDED_OUT.asked(values), self.choice.save(domains))
        self.journal.post()
        return hand_outs

    def _serve(self, asker: Asker) -> list[HandOut]:
        """Renew what the worker says it holds, send again what it lost, and fill up with new panels."""
        token = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(4)}"  # rises, so that its index stays dense
        if asker.poll.holding:
            renew_named(self.journal, asker)
            renewed = {"workers": [asker.worker.id], "now": self.journal.now}
            self.held[asker.worker.id] = sum(count for _, count in HELD.rows(self.journal.connection, **renewed))
        given = [*resend(self.journal, self.choice, asker, token)] if asker.poll.resends else []
        room = min(asker.poll.limit - len(given), _most_held(self.policy, asker.poll) - self.held[asker.worker.id])
        taken = [] if asker.worker.held or room <= 0 else self._take_new(asker, given, room, token)
        if asker.room > 0 and len(taken) < room:
            self._look_further(asker, given + taken)
        given += taken
        return [self._hand_out(comic, given, token) for comic in self._comics_of(given)]

    def _look_further(self, asker: Asker, given: Sequence[Leased]) -> None:
        search, locked = self.choice.search, self.journal.comics
        if not self.choice.has_more(asker, locked, self.journal.now):
            return
        if not search.widely:
            raise Overtaken(Search(widely=True, passed_over=search.passed_over))
        if not given:
            raise Overtaken(Search(widely=True, passed_over=search.passed_over | {*locked}))

    def _take_new(self, asker: Asker, given: Sequence[Leased], room: int, token: str) -> list[Leased]:
        """Lease new panels, and write down that attempts at them have begun."""
        sites = self.choice.sites
        gaps = {comic.domain for comic in self._comics_of(given) if sites[comic.domain].gap_seconds}
        taken: list[Leased] = []
        for comic in self._open_comics(asker):
            if len(taken) >= room:
                break
            if comic.domain not in gaps:  # with a gap, a hand-out carries one panel, and it has that
                taken += self._take(asker, comic, room - len(taken))
        if taken:
            tasks = {"tasks": [task.id for task in taken], "now": self.journal.now}
            self.journal.also(BEGIN_ATTEMPTS.asked({**tasks, "poll": token}))
            self.held[asker.worker.id] += len(taken)
            self.taken += taken
        return taken

    def _open_comics(self, asker: Asker) -> Sequence[ComicState]:
        comics = [
            comic
            for comic in self.journal.comics.values()
            if comic.status is ComicStatus.ACTIVE
            and comic.ready > 0
            and comic.out < comic.parallel
            and comic.domain in asker.tabs
        ]
        return sorted(comics, key=lambda comic: (comic.priority, comic.out, comic.served_at, comic.id))

    def _take(self, asker: Asker, comic: ComicState, room: int) -> Sequence[Leased]:
        """Lease the comic's next panels to the worker, as many as every cap allows."""
        now = self.journal.now
        most = self.choice.sites[comic.domain].allowance(now, min(room, comic.parallel - comic.out))
        if most <= 0:
            return ()
        tasks = LEASE.rows(
            self.journal.connection,
            comic=comic.id,
            worker=asker.worker.id,
            most=most,
            now=now,
            until=now + self.policy.first_lease(asker.poll.poller.named),
            given_back_since=now - self.policy.give_back,
        )
        if tasks:
            self.journal.moved(comic.id, "ready", "out", len(tasks))
            self.journal.set(comic, served_at=now)
            self.choice.handed_out(comic.domain, now, len(tasks))
        return sorted(tasks, key=lambda task: task.position)

    def _comics_of(self, tasks: Sequence[Leased]) -> Iterable[ComicState]:
        return [self.journal.comics[comic_id] for comic_id in dict.fromkeys(task.comic_id for task in tasks)]

    def _hand_out(self, comic: ComicState, given: Sequence[Leased], token: str) -> HandOut:
        tasks = [task for task in given if task.comic_id == comic.id]
        return HandOut(
            id=f"h-{token}-{comic.id}",
            comic=comic,
            leased_until=min(task.leased_until for task in tasks),
            panels=[panel_of(comic, task) for task in tasks],
        )


def _most_held(policy: Policy, poll: Poll) -> int:
    return 1 if poll.one_at_a_time else policy.worker_tasks
