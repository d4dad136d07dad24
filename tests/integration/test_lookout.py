"""What polls would find, remembered: whoever is turned away could have been given nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.orm import Session

from semantest_server import changes
from semantest_server.changes import RACY_SECONDS, Changes
from semantest_server.queue import lookout
from semantest_server.queue.claim import hand_out
from semantest_server.queue.drafts import ComicDraft, PanelDraft
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.lookout import MOST_LEASED, REMEMBERED_SECONDS, Lookout, Sight
from semantest_server.queue.submit import submit_comic
from semantest_server.queue.workers import SEEN_EVERY, Known, Poller

from ..conftest import START, FrozenClock
from .callers import CHATGPT, Queue

GEMINI = "gemini.google.com"
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"])

QUEUE_A_COMIC = """
import sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from semantest_server.database import write_transaction
from semantest_server.policy import Pacing, SiteDefaults
from semantest_server.queue.drafts import ComicDraft, PanelDraft
from semantest_server.queue.submit import submit_comic
for _ in sys.stdin:
    with Session(create_engine(sys.argv[1]), autoflush=False) as session, write_transaction(session):
        submit_comic(session, ComicDraft("A", [PanelDraft("a")]), SiteDefaults("chatgpt.com", Pacing()))
    print("queued", flush=True)
"""


class Steady:
    """A steady clock that stands still until a test moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    """The time that tells how old a memory is, standing still."""
    steady = Steady()
    monkeypatch.setattr(lookout, "time", steady)
    return steady


class Process:
    """What one process of the server remembers, beside the queue."""

    def __init__(self, queue: Queue, url: str) -> None:
        self.queue = queue
        self.file = make_url(url).database if url.startswith("sqlite") else None
        self.lookout = Lookout(Changes(make_url(url)))

    def polls(self, worker: str = "w1", *, named: bool = True, **poll: Any) -> list[str]:
        """Let a worker poll, whatever is remembered; the receipts of what came."""
        claimed = hand_out(self.queue.writing, self.queue.policy, poll_of(worker, named=named, **poll))
        self.lookout.met(Poller(worker, named), claimed.worker)
        return [panel.receipt for one in claimed.hand_outs for panel in one.panels]

    def is_in_vain(self, worker: str = "w1", **poll: Any) -> bool:
        """Whether that poll would be turned away, in a request of its own."""
        with self.queue.reading() as session:
            return self.lookout.is_in_vain(lambda: session, poll_of(worker, **poll))

    def looks(self) -> None:
        """Remember what there is now."""
        with self.queue.reading() as session:
            self.lookout.look(session)

    def idle_for(self, worker: str) -> timedelta | None:
        """How long there has been nothing for that worker."""
        with self.queue.reading() as session:
            return self.lookout.idle_for(lambda: session, Poller(worker, True))

    def asks(self, ask: Callable[[], object]) -> int:
        """How many statements that takes."""
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        event.listen(self.queue.engine, "before_cursor_execute", note)
        try:
            ask()
        finally:
            event.remove(self.queue.engine, "before_cursor_execute", note)
        return len(asked)

    def settle(self) -> None:
        """Let the files look as if they had been written to a minute ago."""
        for file in self.files:
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 60))

    @property
    def files(self) -> list[Path]:
        return [Path(self.file), Path(f"{self.file}-wal")] if self.file else []


@pytest.fixture
def process(queue: Queue, database_url: str, steady: Steady) -> Process:
    """A process in which nothing has been remembered yet."""
    return Process(queue, database_url)


@pytest.fixture
def idle(process: Process) -> Process:
    """A process that has met `w1`, had nothing for it, and remembers so."""
    process.polls("w1")
    process.settle()
    assert process.is_in_vain("w1")
    return process


def poll_of(
    worker: str,
    *,
    named: bool = True,
    limit: int = 10,
    domains: Iterable[str] | None = None,
    holding: Iterable[tuple[int, int]] | None = None,
) -> Poll:
    return Poll(
        Poller(worker, named),
        limit,
        None if domains is None else frozenset(domains),
        None if holding is None else frozenset(holding),
    )


def sight_of_nothing(at: float, until: datetime) -> Sight:
    """What was seen at the start when there was nothing to hand out until then."""
    return Sight(
        token=None,
        at=at,
        now=START,
        sites=frozenset(),
        is_due=False,
        until=until,
        holders=frozenset(),
        is_over=False,
        last=None,
    )


def queue_elsewhere(queue: Queue) -> None:
    """Queue a comic by a commit that this process does not count."""
    with Session(queue.engine, autoflush=False) as session:
        submit_comic(session, ComicDraft("A", [PanelDraft("a")]), queue.defaults)
        session.commit()


# ---- what is asked


def test_a_poll_in_vain_asks_no_database(idle: Process) -> None:
    assert idle.asks(lambda: [idle.is_in_vain() for _ in range(20)]) == 0


def test_what_was_seen_is_not_believed_for_longer_than_it_is_remembered(idle: Process, steady: Steady) -> None:
    steady.now += REMEMBERED_SECONDS
    assert idle.asks(idle.is_in_vain) == 0
    steady.now += 0.001
    assert idle.asks(idle.is_in_vain) > 0
    assert idle.asks(idle.is_in_vain) == 0


def test_a_worker_goes_to_claim_without_a_look_whatever_has_changed_since(queue: Queue, idle: Process) -> None:
    queue.comic(panels=5)
    assert not idle.is_in_vain()
    queue.take("w2", limit=1)
    assert idle.asks(idle.is_in_vain) == 0
    assert not idle.is_in_vain()


def test_a_change_that_helps_nobody_is_looked_at_once(queue: Queue, idle: Process) -> None:
    queue.pause(queue.comic())
    idle.settle()
    assert idle.asks(lambda: idle.is_in_vain("w1")) > 0
    assert idle.asks(lambda: idle.is_in_vain("w1")) == 0
    assert idle.is_in_vain("w1")


def test_looking_writes_nothing(queue: Queue, process: Process) -> None:
    queue.comic()
    process.polls("w1")
    before = queue.everything()
    process.is_in_vain("w1", holding=[])
    process.idle_for("w1")
    assert queue.everything() == before


# ---- what is noticed


def test_a_comic_queued_by_this_process_is_seen_by_the_very_next_poll(queue: Queue, idle: Process) -> None:
    queue.comic()
    assert not idle.is_in_vain()
    assert idle.polls() == ["1.1"]


def test_what_others_finish_or_bring_back_is_seen_by_the_very_next_poll(queue: Queue, process: Process) -> None:
    comic = queue.comic(panels=2, parallel=1)
    process.polls("w1")
    process.polls("w2")
    process.settle()
    assert process.is_in_vain("w2")
    queue.tell("1.1", "completed")
    assert not process.is_in_vain("w2")
    queue.pause(comic)
    process.looks()
    assert process.is_in_vain("w2")
    queue.resume(comic)
    assert not process.is_in_vain("w2")
    queue.cancel(comic)
    process.looks()
    assert process.is_in_vain("w2")
    queue.retry(comic)
    assert not process.is_in_vain("w2")


@on_sqlite
def test_a_comic_queued_by_another_process_is_seen_by_the_very_next_poll(
    queue: Queue, idle: Process, database_url: str
) -> None:
    command = [sys.executable, "-c", QUEUE_A_COMIC, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for number in (1, 2, 3):
            assert idle.is_in_vain()
            print("please", file=other.stdin, flush=True)
            assert other.stdout.readline() == "queued\n"
            assert not idle.is_in_vain()
            assert idle.polls() == [f"{number}.1"]
            idle.looks()


@on_sqlite
def test_every_commit_of_another_connection_is_seen_by_the_very_next_poll(queue: Queue, idle: Process) -> None:
    for number in range(1, 11):
        assert idle.is_in_vain()
        queue_elsewhere(queue)
        assert not idle.is_in_vain()
        assert idle.polls() == [f"{number}.1"]
        idle.looks()


@on_sqlite
def test_a_commit_within_a_tick_of_the_file_systems_clock_is_not_missed(
    queue: Queue, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        queue.cancel(queue.comic(f"{number}", panels=20))
    process.polls("w1")
    with queue.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("PRAGMA wal_checkpoint(RESTART)"))
    tick = 1_800_000_000

    def looks() -> list[tuple[float, int]]:
        for file in process.files:
            os.utime(file, (tick, tick))
        return [(file.stat().st_mtime, file.stat().st_size) for file in process.files]

    monkeypatch.setattr(changes, "time", SimpleNamespace(time=lambda: tick + RACY_SECONDS / 2))
    before = looks()
    assert process.is_in_vain()
    queue_elsewhere(queue)
    assert looks() == before
    assert not process.is_in_vain()


@on_postgresql
def test_a_comic_queued_by_another_process_is_seen_once_the_memory_is_too_old(
    queue: Queue, idle: Process, steady: Steady
) -> None:
    queue_elsewhere(queue)
    assert idle.is_in_vain()
    steady.now += REMEMBERED_SECONDS + 0.001
    assert not idle.is_in_vain()


# ---- what time does by itself


def test_a_gap_that_ends_lets_polls_through(queue: Queue, clock: FrozenClock, process: Process) -> None:
    queue.comic(panels=3)
    queue.pace(gap_seconds=20)
    assert process.polls("w1") == ["1.1"]
    process.polls("w2")
    process.settle()
    assert process.is_in_vain("w2")
    clock.advance(19.999)
    assert process.is_in_vain("w2")
    assert process.asks(lambda: process.is_in_vain("w2")) == 0
    clock.advance(0.001)
    assert not process.is_in_vain("w2")
    assert process.polls("w2") == ["2.1"]


def test_midnight_lets_polls_through(queue: Queue, clock: FrozenClock, process: Process) -> None:
    queue.comic(panels=3)
    queue.pace(daily_cap=1)
    process.polls("w1")
    queue.tell("1.1", "completed")
    clock.advance(5.99 * 3600)
    process.polls("w2")
    process.settle()
    assert process.is_in_vain("w2")
    clock.advance(0.01 * 3600)
    assert not process.is_in_vain("w2")


def test_a_site_that_is_held_keeps_no_other_from_being_drawn_on(queue: Queue, process: Process) -> None:
    queue.comic(panels=3)
    queue.pace(gap_seconds=20)
    process.polls("w1")
    queue.comic(domain=GEMINI)
    process.polls("w2", domains=[CHATGPT])
    assert not process.is_in_vain("w2")
    assert not process.is_in_vain("w2", domains=[GEMINI])
    assert process.is_in_vain("w2", domains=[CHATGPT])


@pytest.mark.parametrize("domains", [None, [CHATGPT]])
def test_a_lease_that_runs_out_lets_polls_through(
    queue: Queue, clock: FrozenClock, process: Process, domains: list[str] | None
) -> None:
    queue.comic()
    process.polls("w1")
    process.polls("w2")
    process.settle()
    clock.advance(queue.policy.ack_seconds - 0.001)
    assert process.is_in_vain("w2", domains=domains)
    clock.advance(0.001)
    assert not process.is_in_vain("w2", domains=domains)
    assert process.polls("w2", domains=domains) == ["1.2"]


def test_a_lease_that_ran_out_long_ago_lets_polls_through(queue: Queue, clock: FrozenClock, process: Process) -> None:
    queue.comic()
    process.polls("w1")
    clock.advance(queue.policy.ack_seconds + 100)
    process.lookout.met(Poller("w2", True), Known(2, clock.now, clock.now))
    assert not process.is_in_vain("w2")


def test_a_backoff_that_ends_lets_polls_through(queue: Queue, clock: FrozenClock, process: Process) -> None:
    queue.comic()
    process.polls("w1")
    queue.tell("1.1", "failed")
    process.polls("w2")
    process.settle()
    available_at = queue.task(1).available_at
    assert available_at is not None
    clock.now = available_at - timedelta(seconds=0.001)
    assert process.is_in_vain("w2")
    clock.advance(0.001)
    assert not process.is_in_vain("w2")
    assert process.polls("w2") == ["1.2"]


def test_a_memory_is_old_once_time_may_have_changed_what_it_says(clock: FrozenClock, steady: Steady) -> None:
    until = START + timedelta(seconds=10)
    sight = sight_of_nothing(steady.now, until)
    clock.advance(9.999)
    assert not sight.is_old
    clock.advance(0.001)
    assert sight.is_old


def test_without_asking_it_the_queues_time_goes_on_as_the_steady_clock_does(steady: Steady) -> None:
    sight = sight_of_nothing(steady.now, START + timedelta(seconds=0.25))
    assert sight.now_about == START
    steady.now += 0.125
    assert sight.now_about == START + timedelta(seconds=0.125)
    assert not sight.is_old
    steady.now += 0.125
    assert sight.is_old


# ---- who is turned away


def test_a_worker_that_nobody_has_met_is_not_turned_away(queue: Queue, idle: Process) -> None:
    assert not idle.is_in_vain("w2")
    assert not idle.is_in_vain("w1", named=False)
    queue.take("w2")
    assert not idle.is_in_vain("w2"), "another process has met it"
    idle.polls("w2")
    assert idle.is_in_vain("w2")


def test_a_worker_is_not_turned_away_when_it_is_time_to_write_down_that_it_is_here(
    clock: FrozenClock, idle: Process
) -> None:
    clock.advance(SEEN_EVERY.total_seconds() - 0.001)
    assert idle.is_in_vain()
    clock.advance(0.001)
    assert not idle.is_in_vain()
    idle.polls()
    idle.settle()
    assert idle.is_in_vain()


def test_a_worker_that_was_forgotten_among_very_many_is_not_turned_away(
    idle: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "MOST_WORKERS", 3)
    for number in range(2, 5):
        idle.polls(f"w{number}")
    idle.settle()
    assert not idle.is_in_vain("w1")
    assert idle.is_in_vain("w4")


@pytest.mark.parametrize("named", [True, False])
def test_a_worker_that_names_what_it_holds_is_never_turned_away(process: Process, named: bool) -> None:
    process.polls(named=named)
    process.settle()
    assert process.is_in_vain(named=named)
    assert not process.is_in_vain(named=named, holding=[(1, 1)])
    assert not process.is_in_vain(named=named, holding=[(1, 1)], domains=[])


def test_only_a_worker_that_has_something_in_hand_may_have_lost_it(queue: Queue, process: Process) -> None:
    queue.comic()
    for worker in ("w1", "w2"):
        process.polls(worker)
    process.polls("w1", named=False)
    process.settle()
    assert not process.is_in_vain("w1", holding=[])
    assert not process.is_in_vain("w1", holding=[], domains=[GEMINI])
    assert process.is_in_vain("w1")
    assert process.is_in_vain("w1", named=False, holding=[])
    assert process.is_in_vain("w2", holding=[])
    queue.tell("1.1", "completed")
    process.looks()
    assert process.is_in_vain("w1", holding=[])


def test_what_an_unnamed_worker_has_in_hand_is_not_sent_again(queue: Queue, process: Process) -> None:
    queue.comic()
    assert process.polls("w1", named=False) == ["1.1"]
    process.polls("w1")
    process.settle()
    assert process.is_in_vain("w1", named=False, holding=[])
    assert process.is_in_vain("w1", holding=[])


def test_what_was_lost_is_sent_again_although_there_is_nothing_new(
    queue: Queue, clock: FrozenClock, process: Process
) -> None:
    queue.comic()
    process.polls("w1", holding=[])
    process.settle()
    clock.advance(queue.policy.resend_seconds + 1)
    assert not process.is_in_vain("w1", holding=[])
    assert process.polls("w1", holding=[]) == ["1.1"]


def test_whose_very_many_panels_in_hand_are_is_not_remembered(queue: Queue, process: Process) -> None:
    queue.set(worker_tasks=MOST_LEASED + 1)
    process.polls("w1")
    process.polls("w2")
    for number in range(MOST_LEASED // 100):
        queue.comic(f"{number}", panels=100, parallel=100)
    queue.comic("One more")
    receipts = queue.take("w1", limit=MOST_LEASED + 1)
    assert len(receipts) == MOST_LEASED + 1
    assert not process.is_in_vain("w1", holding=[])
    assert not process.is_in_vain("w2", holding=[]), "it might have any of them"
    assert process.is_in_vain("w2")
    queue.tell(receipts[0], "completed")
    process.settle()
    process.looks()
    assert not process.is_in_vain("w1", holding=[])
    assert process.is_in_vain("w2", holding=[])


@pytest.mark.parametrize(
    ("domains", "in_vain"),
    [(None, False), ([CHATGPT], False), ([GEMINI, CHATGPT], False), ([GEMINI], True), ([], True)],
    ids=str,
)
def test_only_sites_that_the_worker_has_tabs_for_count(
    queue: Queue, process: Process, domains: list[str] | None, in_vain: bool
) -> None:
    queue.comic()
    process.polls(domains=[])
    process.settle()
    assert process.is_in_vain(domains=domains) is in_vain
    assert bool(process.polls(domains=domains)) is not in_vain


# ---- how long there has been nothing to do


def test_a_poller_has_had_nothing_to_do_for_as_long_as_it_is_here(clock: FrozenClock, process: Process) -> None:
    process.polls("w1")
    clock.advance(100)
    process.polls("w2")
    idle = [process.idle_for(worker) for worker in ("w1", "w2", "w3")]
    assert idle == [timedelta(seconds=100), timedelta(), timedelta()]


def test_a_poller_that_came_before_the_last_change_has_been_idle_since_that(
    queue: Queue, clock: FrozenClock, process: Process
) -> None:
    process.polls("w1")
    clock.advance(100)
    queue.comic()
    process.polls("w1")
    clock.advance(10)
    queue.tell("1.1", "completed")
    clock.advance(5)
    process.looks()
    assert process.idle_for("w1") == timedelta(seconds=5)


def test_idleness_is_told_from_memory(clock: FrozenClock, idle: Process) -> None:
    clock.advance(50)
    assert idle.asks(lambda: idle.idle_for("w1")) == 0
    assert idle.idle_for("w1") == timedelta(seconds=50)


# ---- what a request has read before


@on_sqlite
def test_a_commit_between_two_looks_is_not_missed(queue: Queue, process: Process) -> None:
    process.polls("w1")
    with queue.reading() as session:

        def current() -> Session:
            if session.in_transaction():
                queue_elsewhere(queue)
            return session

        assert not process.lookout.is_in_vain(current, poll_of("w1"))


@on_sqlite
def test_what_the_request_read_before_hides_no_commit(queue: Queue, process: Process) -> None:
    process.polls("w1")
    process.settle()
    with queue.reading() as session:
        session.execute(text("SELECT 1 FROM site")).all()
        queue_elsewhere(queue)
        assert not process.lookout.is_in_vain(lambda: session, poll_of("w1"))
