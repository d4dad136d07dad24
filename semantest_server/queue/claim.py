"""A poll: which panels a worker is given, and the promise that no other worker has them."""

import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Update, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.models import (
    OPEN_COMIC,
    READY_TASK,
    Attempt,
    Comic,
    ComicStatus,
    Ending,
    EventType,
    MissingTab,
    Site,
    Task,
    TaskStatus,
    Worker,
)
from semantest_server.policy import Policy
from semantest_server.queue.hand_outs import HandOut, Poll, panel_of
from semantest_server.queue.lapses import due_comics, end_backoffs, open_journal
from semantest_server.queue.leases import Held, attempts, extend, is_open
from semantest_server.queue.workers import find_worker, is_seen, locked_worker, seen


def is_idle(session: Session, policy: Policy, poll: Poll) -> bool:
    """Whether this poll would find nothing and change nothing, so that no write need begin."""
    now = clock.now(session)
    worker = find_worker(session, poll.poller)
    if worker is None or not is_seen(worker, now):
        return False
    if _names_anything(session, worker, poll) or due_comics(session, now):
        return False
    held = _held(session, worker, now)
    if held >= _most_held(policy, poll) or (held and poll.resends):
        return not poll.resends
    return not _candidates(session, _open_sites(_sites_with_tabs(session, worker, poll, now), now), 1, set())


def claim(session: Session, policy: Policy, poll: Poll) -> list[HandOut]:
    """Give a worker panels: those it lost on the way again, then new ones, by comic.

    A round locks the comics that look open and then finds out what they have left. When others were faster, the
    locks are let go and the next comics are tried, so that an answer is never empty while there is work.
    """
    worker = locked_worker(session, poll.poller, clock.now(session))
    passed_over: set[int] = set()
    while True:
        savepoint = session.begin_nested()
        claim_round = _Round(session, policy, poll, worker, passed_over)
        hand_outs = claim_round.hand_outs()
        if hand_outs or not claim_round.candidates or not claim_round.has_room:
            savepoint.commit()
            break
        passed_over.update(claim_round.candidates)
        savepoint.rollback()
    if hand_outs or not is_seen(worker, claim_round.journal.now):
        seen(worker, poll.poller, claim_round.journal.now)
    return hand_outs


class _Round:
    """One try at finding panels for a worker, with its comics locked."""

    def __init__(self, session: Session, policy: Policy, poll: Poll, worker: Worker, passed_over: set[int]) -> None:
        self.session, self.policy, self.poll, self.worker = session, policy, poll, worker
        now = clock.now(session)
        self.has_room = False
        self.tabs = _sites_with_tabs(session, worker, poll, now)
        self.sites = _open_sites(self.tabs, now)
        self.candidates = _candidates(session, self.sites, poll.limit, passed_over)
        comics = {*self.candidates, *due_comics(session, now), *self._held_comics()}
        self.journal = open_journal(session, policy, comics)
        end_backoffs(self.journal)
        self.token = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(4)}"  # rises, so that its index stays dense

    def hand_outs(self) -> list[HandOut]:
        """Renew what the worker says it holds, send again what it lost, and fill up with new panels."""
        self._renew_named()
        given = self._resend()
        most = _most_held(self.policy, self.poll) - _held(self.session, self.worker, self.journal.now)
        room = min(self.poll.limit - len(given), most)
        self.has_room = room > 0
        gaps = {domain for domain in self._domains_of(given) if self.tabs[domain].gap_seconds}
        for comic in self._open_comics() if self.has_room else ():
            if room <= 0:
                break
            if comic.domain in gaps:  # with a gap, a hand-out carries one panel, and it has that
                continue
            taken = self._take(comic, room)
            room -= len(taken)
            given += taken
        self.journal.post()
        return [self._hand_out(comic, given) for comic in self._comics_of(given)]

    def _held_comics(self) -> Iterable[int]:
        conditions = self._named_or_lost()
        if not conditions:
            return ()
        return self.session.scalars(select(Task.comic_id).where(or_(*conditions)).distinct()).all()

    def _named_or_lost(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.poll.holding:
            conditions.append(Task.id.in_(sorted({task_id for task_id, _ in self.poll.holding})))
        if self.poll.resends:
            conditions.append((Task.worker_id == self.worker.id) & Task.leased_until.is_not(None))
        return conditions

    def _renew_named(self) -> None:
        if not self.poll.holding:
            return
        named = attempts(
            Attempt.task_id.in_(sorted({task_id for task_id, _ in self.poll.holding})),
            Attempt.worker_id == self.worker.id,
            is_open(),
            Task.comic_id.in_(self.journal.comics),
        )
        held = (Held.of(row) for row in self.session.execute(named))
        extend(self.journal, [one for one in held if one.receipt in self.poll.holding])

    def _resend(self) -> list[Task]:
        """Put what was handed out and never arrived into this hand-out, once per attempt."""
        if not self.poll.resends:
            return []
        lost = self._spaced([held for held in self._lost() if self._may_resend(held)])[: self.poll.limit]
        until = self.journal.now + self.policy.ack
        for held in lost:
            again = update(Attempt).where(
                Attempt.task_id == held.task.id,
                Attempt.number == held.attempt.number,
                Attempt.resent.is_(False),
            )
            self._execute(again.values(resent=True, poll=self.token))
            self.journal.told(
                EventType.NOTED,
                held.task,
                attempt=held.attempt.number,
                worker_id=self.worker.id,
                leased_until=until,
                message="Sent again: the worker does not hold it.",
            )
        ids = [held.task.id for held in lost]
        self._execute(update(Task).where(Task.id.in_(ids), Task.leased_until < until).values(leased_until=until))
        tasks = select(Task).where(Task.id.in_(ids)).order_by(Task.comic_id, Task.number)
        return list(self.session.scalars(tasks.execution_options(populate_existing=True)))

    def _lost(self) -> list[Held]:
        silent_since = self.journal.now - self.policy.resend
        statement = attempts(
            Task.worker_id == self.worker.id,
            Task.leased_until > self.journal.now,
            Task.comic_id.in_(self.journal.comics),
            is_open(),
            Attempt.resent.is_(False),
            Attempt.handed_out_at < silent_since,
            or_(Attempt.reported_at.is_(None), Attempt.reported_at < silent_since),
        )
        return [Held.of(row) for row in self.session.execute(statement)]

    def _may_resend(self, held: Held) -> bool:
        comic = self.journal.comics[held.task.comic_id]
        named = held.receipt in (self.poll.holding or ())
        return not named and comic.domain in self.tabs and comic.status is ComicStatus.ACTIVE

    def _spaced(self, lost: list[Held]) -> list[Held]:
        """Of those for a site with a gap, only the first."""
        spaced: dict[object, Held] = {}
        for held in lost:
            domain = self.journal.comics[held.task.comic_id].domain
            spaced.setdefault(domain if self.tabs[domain].gap_seconds else held.receipt, held)
        return list(spaced.values())

    def _domains_of(self, tasks: list[Task]) -> set[str]:
        return {comic.domain for comic in self._comics_of(tasks)}

    def _open_comics(self) -> Sequence[Comic]:
        comics = [
            comic
            for comic in self.journal.comics.values()
            if comic.status is ComicStatus.ACTIVE
            and comic.ready > 0
            and comic.out < comic.parallel
            and comic.domain in self.sites
        ]
        self._lock_paced_sites({comic.domain for comic in comics})
        return sorted(comics, key=lambda comic: (comic.priority, comic.out, comic.served_at, comic.id))

    def _lock_paced_sites(self, domains: set[str]) -> None:
        paced = [domain for domain in domains if self.sites[domain].pacing.is_on]
        if paced:
            statement = select(Site).where(Site.domain.in_(paced)).order_by(Site.domain)
            locked = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
            self.session.scalars(locked).all()

    def _take(self, comic: Comic, room: int) -> list[Task]:
        """Lease the comic's next panels to the worker, as many as every cap allows."""
        site = self.sites[comic.domain]
        room = site.pacing.allowance(self.journal.now, min(room, comic.parallel - comic.out))
        if room <= 0:
            return []
        tasks = self._lease(comic, room)
        if not tasks:
            return []
        self._begin_attempts(tasks)
        self.journal.moved(comic.id, "ready", "out", len(tasks))
        comic.served_at = self.journal.now
        if site.pacing.is_on:
            site.handed_out(self.journal.now, len(tasks))
        return tasks

    def _lease(self, comic: Comic, count: int) -> list[Task]:
        chosen = (
            select(Task.id)
            .where(
                Task.comic_id == comic.id,
                READY_TASK,
                ~self._given_back_lately(),
            )
            .order_by(Task.number)
            .limit(count)
            .with_for_update(key_share=True)
        )
        leased = (
            update(Task)
            .where(Task.id.in_(select(chosen.cte("chosen").c.id)), Task.status == TaskStatus.QUEUED)
            .values(
                status=TaskStatus.LEASED,
                attempt=Task.attempt + 1,
                worker_id=self.worker.id,
                leased_until=self.journal.now + self.policy.first_lease(self.poll.poller.named),
                counted=False,
                progress=None,
                updated_at=self.journal.now,
            )
            .returning(Task)
        )
        options = {"synchronize_session": False, "populate_existing": True}
        tasks = self.session.scalars(leased, execution_options=options).all()
        return sorted(tasks, key=lambda task: task.number)

    def _given_back_lately(self) -> ColumnElement[bool]:
        return exists().where(
            Attempt.task_id == Task.id,
            Attempt.worker_id == self.worker.id,
            Attempt.ended == Ending.GIVEN_BACK,
            Attempt.ended_at > self.journal.now - self.policy.give_back,
        )

    def _begin_attempts(self, tasks: list[Task]) -> None:
        begun = [
            {
                "task_id": task.id,
                "number": task.attempt,
                "worker_id": self.worker.id,
                "poll": self.token,
                "handed_out_at": self.journal.now,
            }
            for task in tasks
        ]
        self.session.execute(insert(Attempt), begun)
        for task in tasks:
            self.journal.told(
                EventType.HANDED_OUT,
                task,
                attempt=task.attempt,
                worker_id=self.worker.id,
                leased_until=task.leased_until,
            )

    def _comics_of(self, tasks: list[Task]) -> Iterable[Comic]:
        return [self.journal.comics[comic_id] for comic_id in dict.fromkeys(task.comic_id for task in tasks)]

    def _hand_out(self, comic: Comic, given: list[Task]) -> HandOut:
        tasks = [task for task in given if task.comic_id == comic.id]
        return HandOut(
            id=f"h-{self.token}-{comic.id}",
            comic=comic,
            leased_until=min(task.leased_until for task in tasks if task.leased_until),
            panels=[panel_of(comic, task) for task in tasks],
        )

    def _execute(self, statement: Update) -> None:
        self.session.execute(statement, execution_options={"synchronize_session": False})


def _most_held(policy: Policy, poll: Poll) -> int:
    return 1 if poll.one_at_a_time else policy.worker_tasks


def _held(session: Session, worker: Worker, now: datetime) -> int:
    statement = select(func.count()).where(Task.worker_id == worker.id, Task.leased_until > now)
    return session.execute(statement).scalar_one()


def _names_anything(session: Session, worker: Worker, poll: Poll) -> bool:
    """Whether the worker names an open attempt of its own, whose lease is to be renewed."""
    if not poll.holding:
        return False
    tasks = sorted({task_id for task_id, _ in poll.holding})
    named = select(Task.id).join(Attempt, Attempt.task_id == Task.id)
    named = named.where(Task.id.in_(tasks), Attempt.worker_id == worker.id, is_open())
    return session.scalar(named.limit(1)) is not None


def _open_sites(sites: dict[str, Site], now: datetime) -> dict[str, Site]:
    """Those of the sites that may be given something now."""
    return {domain: site for domain, site in sites.items() if site.pacing.held_until(now) is None}


def _sites_with_tabs(session: Session, worker: Worker, poll: Poll, now: datetime) -> dict[str, Site]:
    """The sites that the worker can draw on, by name."""
    missing = select(MissingTab.domain).where(MissingTab.worker_id == worker.id, MissingTab.until > now)
    statement = select(Site).where(Site.domain.not_in(missing))
    if poll.domains is not None:
        statement = statement.where(Site.domain.in_(sorted(poll.domains)))
    return {site.domain: site for site in session.scalars(statement)}


def _candidates(session: Session, sites: Iterable[str], most: int, passed_over: set[int]) -> list[int]:
    """The comics that look open, in the order of choosing: priority, fewest out, served longest ago."""
    order = (Comic.priority, Comic.out, Comic.served_at, Comic.id)
    found: list[Row[int, int, datetime, int]] = []
    for domain in sites:
        statement = (
            select(*order)
            .where(
                Comic.domain == domain,
                OPEN_COMIC,
                Comic.id.not_in(sorted(passed_over)),
            )
            .order_by(*order)
            .limit(most)
        )
        found += session.execute(statement).all()
    return [row[-1] for row in sorted(found)[:most]]
