"""Many processes that draw one queue to its end, and watch that no claim goes over a cap.

Run as `python drawing.py URL PROCESSES`; says what each process saw, as JSON. Every 20th panel is given back at its
first attempt, and every 20th fails at its first.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from semantest_server import snapshots
from semantest_server.database import write_transaction
from semantest_server.errors import Conflict
from semantest_server.models import OUT, Comic, ComicStatus, Task, Worker
from semantest_server.policy import Policy
from semantest_server.queue.claim import hand_out
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.report import report
from semantest_server.queue.statuses import Report, ReportStatus
from semantest_server.queue.steer import change_comic
from semantest_server.queue.workers import Poller

POLICY = Policy(ack_seconds=3600, backoff_seconds=0, give_back_seconds=0)
ROUNDS = 15
EVERY = 20
GIVEN_BACK, FAILS = 0, 1  # the remainders of the numbers of the panels that do not succeed at once

Seen = dict[str, Any]
Work = Callable[[Session], Seen]


def first_status(number: int, attempt: int) -> ReportStatus:
    """How a panel ends, by its number and attempt."""
    if attempt == 1 and number % EVERY == GIVEN_BACK:
        return ReportStatus.CANCELLED
    if attempt == 1 and number % EVERY == FAILS:
        return ReportStatus.FAILED
    return ReportStatus.COMPLETED


def draw(session: Session, name: str) -> Seen:
    """Poll, draw and report until everything is completed."""
    poll = Poll(Poller(name, True), limit=10)
    seen: Seen = {"over": [], "refused": []}
    while True:
        hand_outs = hand_out(lambda: watched(session, poll.poller, seen), POLICY, poll).hand_outs
        if hand_outs:
            tell(session, poll.poller, [last_report(panel) for one in hand_outs for panel in one.panels], seen)
        elif is_done(session):
            return seen


@contextmanager
def watched(session: Session, poller: Poller, seen: Seen) -> Iterator[Session]:
    """A transaction that sees before its commit that no cap is passed."""
    with write_transaction(session):
        yield session
        out = select(Comic.id, Comic.parallel, func.count(Task.id)).join(Task, Task.comic_id == Comic.id)
        for comic, parallel, count in session.execute(out.where(Task.status.in_(OUT)).group_by(Comic.id)):
            if count > parallel:
                seen["over"].append(f"comic {comic}: {count} of {parallel}")
        held = select(func.count(Task.id)).join(Worker, Worker.id == Task.worker_id)
        count = session.scalar(held.where(Task.status.in_(OUT), Worker.name == poller.name)) or 0
        if count > POLICY.worker_tasks:
            seen["over"].append(f"worker {poller.name}: {count}")


def last_report(panel: Any) -> Report:
    """The report that ends the attempt."""
    return Report(panel.receipt, first_status(panel.number, int(panel.receipt.partition(".")[2])))


def tell(session: Session, reporter: Poller, reports: list[Report], seen: Seen) -> None:
    """Report, and note what was not accepted."""
    with write_transaction(session):
        outcomes = report(session, POLICY, reporter, reports)
    for one, outcome in zip(reports, outcomes, strict=True):
        if outcome.error or outcome.is_conflict:
            seen["refused"].append(one.target)


def steer(session: Session, is_over: Event) -> Seen:
    """Pause and resume one comic after the other, and look at all of them, some rounds while the others draw."""
    seen: Seen = {"over": [], "refused": []}
    for _ in range(ROUNDS):
        if is_over.is_set():
            break
        for comic_id in session.scalars(select(Comic.id)).all():
            for status in (ComicStatus.PAUSED, ComicStatus.ACTIVE):
                change(session, comic_id, status)
        session.rollback()
        shown, _ = snapshots.comics(session, POLICY)
        for one in shown:
            five = (one.progress.queued, one.progress.running, one.progress.completed, one.progress.failed)
            if one.progress.running > one.comic.parallel or sum(five) != one.progress.total:
                seen["over"].append(f"snapshot of comic {one.comic.id}: {five} of {one.progress.total}")
    return seen


def change(session: Session, comic_id: int, status: ComicStatus) -> None:
    """Change the status of a comic unless it is finished."""
    try:
        with write_transaction(session):
            change_comic(session, POLICY, comic_id, status=status)
    except Conflict:
        pass  # it is finished


def is_done(session: Session) -> bool:
    """Whether nothing is left to draw."""
    session.rollback()
    return session.scalar(select(func.sum(Comic.ready + Comic.waiting + Comic.out))) == 0


@contextmanager
def connected(url: str) -> Iterator[Session]:
    """A session with connections of its own."""
    engine = create_engine(url)
    with Session(engine, autoflush=False, expire_on_commit=False) as session:
        yield session
    engine.dispose()


def run(work: Work, url: str, start: Barrier, results: "SimpleQueue[Seen]") -> None:
    """One process: wait for the others, work, and say what was seen."""
    start.wait()
    try:
        with connected(url) as session:
            results.put({"error": None, **work(session)})
    except BaseException:
        results.put({"error": traceback.format_exc(), "over": [], "refused": []})


def main(url: str, processes: int) -> list[Seen]:
    """Start the processes at once and gather what they saw; the person stops once all others are done."""
    fork = get_context("fork")
    results: SimpleQueue[Seen] = fork.SimpleQueue()
    start, is_over = fork.Barrier(processes + 1), fork.Event()
    work: list[Work] = [partial(draw, name=f"w{number}") for number in range(processes)]
    work.append(partial(steer, is_over=is_over))
    running = [fork.Process(target=run, args=(each, url, start, results)) for each in work]
    for process in running:
        process.start()
    seen = [results.get() for _ in range(processes)]
    is_over.set()
    seen.append(results.get())
    for process in running:
        process.join()
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
