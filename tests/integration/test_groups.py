"""Writing requests of one process on SQLite: committed together, undone alone, answered when it is on disk."""

import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event, insert, make_url, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from semantest_server.changes import Changes
from semantest_server.database import db, revision
from semantest_server.models import Site

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])

LONG = 60.0  # in seconds; never waited for unless something is broken

Work = Callable[[Session], None]


def writes(name: str) -> Work:
    """Add a row."""
    return lambda session: session.add(Site(domain=name))


def writes_at_once(name: str) -> Work:
    """Add a row by a statement of its own."""

    def work(session: Session) -> None:
        session.connection().execute(insert(Site), {"domain": name})

    return work


def reads(session: Session) -> None:
    """Change nothing, though it might have."""
    session.scalars(select(Site)).all()


def writes_and_raises(name: str, error: type[BaseException] = ZeroDivisionError) -> Work:
    """Add a row, and then fail."""

    def work(session: Session) -> None:
        session.add(Site(domain=name))
        session.flush()
        raise error

    return work


class Request:
    """A request in a thread of its own that writes, in the middle of which it waits until it is told to go on."""

    def __init__(self, process: "Process", work: Work) -> None:
        self._process, self._work = process, work
        self._is_in, self._may_go = Event(), Event()
        self.done: Future[None] = process.threads.submit(self._run)

    def is_in(self) -> None:
        """Wait until its transaction has begun."""
        assert self._is_in.wait(LONG)

    def goes_on(self) -> None:
        """Let it do its work, and end its transaction."""
        self._may_go.set()

    def error(self) -> BaseException | None:
        """What it raised, once it is over."""
        return self.done.exception(LONG)

    def _run(self) -> None:
        with self._process.app.app_context(), db.writing() as session:
            self._is_in.set()
            assert self._may_go.wait(LONG)
            self._work(session)


class Process:
    """The server's process, with threads that serve requests."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor, engine: Engine) -> None:
        self.app, self.threads, self._engine = app, threads, engine
        with app.app_context():
            self.engine = db.engine

    def in_order(self, *works: Work) -> list[Request]:
        """Begin requests, each of which waits already when the one before goes on. The last has yet to go on."""
        begun = [Request(self, works[0])]
        for work in works[1:]:
            begun[-1].is_in()
            begun.append(Request(self, work))
            self.one_waits()
            begun[-2].goes_on()
        begun[-1].is_in()
        return begun

    def together(self, *works: Work) -> list[BaseException | None]:
        """Let requests write in this order, each behind the one before; what each raised."""
        begun = self.in_order(*works)
        begun[-1].goes_on()
        return [one.error() for one in begun]

    def one_waits(self) -> None:
        """Wait until a request waits for the one that is in its transaction."""
        self.so_many_wait(1)

    def so_many_wait(self, count: int) -> None:
        """Wait until so many requests wait for the one that is in its transaction."""
        deadline = time.monotonic() + LONG
        while db._groups[self.engine]._waiting != count:
            assert time.monotonic() < deadline
            time.sleep(0.0005)

    def found(self) -> set[str]:
        """The rows that anybody else can see."""
        with Session(self._engine) as session:
            return {*session.scalars(select(Site.domain))}

    def revision(self) -> int:
        with Session(self._engine) as session:
            return int(revision(session))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


@pytest.fixture
def settings() -> dict[str, Any]:
    """As many connections as there are threads here."""
    return {"SEMANTEST_THREADS": 20}


@pytest.fixture
def process(app: Flask, threads: ThreadPoolExecutor, engine: Engine) -> Process:
    """A process on an empty database."""
    return Process(app, threads, engine)


@pytest.fixture
def commits(process: Process) -> list[Connection]:
    """Grows by one with every commit of the process."""
    commits: list[Connection] = []
    event.listen(process.engine, "commit", commits.append)
    return commits


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def log(database_url: str) -> Path:
    """The log that commits are written to."""
    return Path(f"{make_url(database_url).database}-wal")


# ---- together


def test_a_request_alone_is_committed(process: Process, commits: list[Connection]) -> None:
    assert process.together(writes("a")) == [None]
    assert process.found() == {"a"}
    assert len(commits) == 1


def test_requests_that_wait_for_one_another_are_committed_at_once(process: Process, commits: list[Connection]) -> None:
    before = Changes.commits
    assert process.together(*(writes(name) for name in "abcde")) == [None] * 5
    assert process.found() == {*"abcde"}
    assert (len(commits), Changes.commits - before) == (1, 1)


def test_requests_one_after_another_are_committed_one_by_one(process: Process, commits: list[Connection]) -> None:
    for name in "abc":
        process.together(writes(name))
        assert name in process.found()
    assert len(commits) == 3


def test_each_sees_what_those_before_it_have_written(process: Process) -> None:
    seen: list[set[str]] = []

    def looks(session: Session) -> None:
        seen.append({*session.scalars(select(Site.domain))})

    process.together(writes("a"), looks, writes_and_raises("b"), looks, writes("c"), looks)
    assert seen == [{"a"}, {"a"}, {"a", "c"}]


def test_whatever_the_order_of_very_many_at_once_all_is_committed(process: Process, commits: list[Connection]) -> None:
    start = Barrier(16)

    def write(thread: int) -> None:
        start.wait(LONG)
        for number in range(10):
            with process.app.app_context():
                with db.writing() as session:
                    session.add(Site(domain=f"{thread} {number}"))
                assert f"{thread} {number}" in process.found()

    for done in [process.threads.submit(write, thread) for thread in range(16)]:
        done.result(LONG)
    assert len(process.found()) == 160
    assert 10 <= len(commits) <= 160


def test_a_group_ends_when_it_is_large_enough_although_others_wait(
    process: Process, commits: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantest_server.transactions.MOST_IN_GROUP", 2)
    one, two, three = process.in_order(writes("a"), writes("b"), writes("c"))
    assert [one.error(), two.error()] == [None, None]
    assert process.found() == {"a", "b"}
    three.goes_on()
    assert three.error() is None
    assert process.found() == {"a", "b", "c"}
    assert len(commits) == 2


# ---- not before it is committed


def test_nobody_returns_before_the_commit(process: Process) -> None:
    committing, may_commit = Event(), Event()

    def hold_back(_: Connection) -> None:
        committing.set()
        assert may_commit.wait(LONG)

    event.listen(process.engine, "commit", hold_back)
    begun = process.in_order(writes("a"), writes("b"), writes("c"))
    begun[-1].goes_on()
    assert committing.wait(LONG)
    assert [one.done.done() for one in begun] == [False] * 3
    assert process.found() == set()
    may_commit.set()
    assert [one.error() for one in begun] == [None] * 3


def test_whoever_returns_finds_its_own_on_disk(process: Process) -> None:
    found: list[bool] = []

    def look(name: str, _done: object) -> None:
        found.append(name in process.found())

    begun = process.in_order(*(writes(name) for name in "abcde"))
    for one, name in zip(begun, "abcde", strict=True):
        one.done.add_done_callback(partial(look, name))
    begun[-1].goes_on()
    process.threads.shutdown()
    assert found == [True] * 5


def test_what_comes_while_a_group_is_committed_is_in_the_next_one(process: Process, commits: list[Connection]) -> None:
    committing, may_commit = Event(), Event()

    def hold_back(_: Connection) -> None:
        committing.set()
        assert may_commit.wait(LONG)

    event.listen(process.engine, "commit", hold_back)
    first = Request(process, writes("a"))
    first.goes_on()
    assert committing.wait(LONG)
    later = [Request(process, writes(name)) for name in "bcd"]
    process.so_many_wait(3)
    may_commit.set()
    for one in later:
        one.goes_on()
    assert [one.error() for one in (first, *later)] == [None] * 4
    assert process.found() == {*"abcd"}
    assert len(commits) == 2


# ---- undone alone


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("place", range(5), ids=["first", "second", "middle", "last but one", "last"])
def test_what_is_raised_undoes_itself_only(process: Process, place: int, error: type[BaseException]) -> None:
    works = [writes(name) for name in "abcde"]
    works[place] = writes_and_raises("x", error)
    raised = process.together(*works)
    assert [type(one) for one in raised] == [error if each == place else type(None) for each in range(5)]
    assert process.found() == {*"abcde"} - {"abcde"[place]}


def test_all_may_fail_but_one(process: Process) -> None:
    raised = process.together(
        writes_and_raises("x"), writes_and_raises("x"), writes("a"), writes_and_raises("x"), writes_and_raises("x")
    )
    assert [type(one).__name__ for one in raised].count("ZeroDivisionError") == 4
    assert process.found() == {"a"}


def test_all_may_fail(process: Process) -> None:
    raised = process.together(*[writes_and_raises("x")] * 4)
    assert {type(one) for one in raised} == {ZeroDivisionError}
    assert process.found() == set()
    assert process.together(writes("x")) == [None]


@pytest.mark.parametrize("place", range(3))
def test_what_the_database_refuses_undoes_itself_only(process: Process, place: int) -> None:
    assert process.together(writes("x")) == [None]
    works = [writes(name) for name in "abc"]
    works[place] = writes_at_once("x")
    raised = process.together(*works)
    assert [isinstance(one, IntegrityError) for one in raised] == [each == place for each in range(3)]
    assert process.found() == {"x", *"abc"} - {"abc"[place]}


def test_one_that_fails_is_told_at_once_and_the_others_when_they_are_committed(process: Process) -> None:
    one, two, three = process.in_order(writes("a"), writes_and_raises("x"), writes("c"))
    assert isinstance(two.error(), ZeroDivisionError)
    assert not one.done.done()
    assert process.found() == set()
    three.goes_on()
    assert [one.error(), three.error()] == [None, None]
    assert process.found() == {"a", "c"}


# ---- if it cannot be committed


def test_if_the_commit_fails_everybody_is_told_and_nothing_is_there(process: Process) -> None:
    def fail(_: Connection) -> None:
        raise ZeroDivisionError

    event.listen(process.engine, "commit", fail)
    before = process.revision()
    raised = process.together(writes("a"), writes_and_raises("x", KeyError), reads, writes("d"))
    assert [type(one) for one in raised] == [ZeroDivisionError, KeyError, ZeroDivisionError, ZeroDivisionError]
    assert (process.found(), process.revision()) == (set(), before)


def test_a_full_disk_at_the_commit_is_told_to_everybody(process: Process, log: Path) -> None:
    process.together(writes("before"))
    begun = process.in_order(writes("a"), writes("b"), writes("c"))
    with largest_file(log.stat().st_size):
        begun[-1].goes_on()
        raised = [one.error() for one in begun]
    assert [isinstance(one, DatabaseError) for one in raised] == [True] * 3
    assert process.found() == {"before"}
    assert process.together(writes("a"), writes("b")) == [None, None]
    assert process.found() == {"before", "a", "b"}


def test_a_full_disk_in_the_middle_is_told_to_everybody_who_was_there_and_to_nobody_behind(
    process: Process, log: Path
) -> None:
    event.listen(process.engine, "checkout", lambda one, *_: one.execute("PRAGMA cache_size = 10"))
    process.together(writes("before"))
    one, two, three = process.in_order(writes("a"), writes("b"), writes("x" * 1_000_000))
    four = Request(process, writes("d"))
    process.one_waits()
    with largest_file(log.stat().st_size):
        three.goes_on()
        raised = [one.error(), two.error(), three.error()]
        four.is_in()
    assert [isinstance(one, DatabaseError) for one in raised] == [True] * 3
    assert process.found() == {"before"}
    four.goes_on()
    assert four.error() is None
    assert process.found() == {"before", "d"}


# ---- the revision


def test_a_group_that_changed_something_is_one_more_revision(process: Process) -> None:
    before = process.revision()
    process.together(reads, writes("a"), writes("b"), reads)
    assert process.revision() == before + 1


def test_a_group_that_changed_nothing_is_no_new_revision(process: Process) -> None:
    before = process.revision()
    process.together(reads, reads, reads)
    process.together(writes_and_raises("x"))
    assert process.revision() == before


def test_a_revision_that_is_read_in_a_group_is_never_that_of_another_state(process: Process) -> None:
    before = process.revision()
    process.together(writes("a"), writes("b"))
    after_group = process.revision()
    process.together(writes("c"), writes_and_raises("x"))
    assert before < after_group < process.revision()


# ---- beside those who read


def test_a_request_that_has_read_can_write(process: Process) -> None:
    with process.app.app_context():
        assert db.session.scalars(select(Site)).all() == []
        process.together(writes("a"))
        with db.writing() as session:
            assert [*session.scalars(select(Site.domain))] == ["a"]
            session.add(Site(domain="b"))
        assert {*db.session.scalars(select(Site.domain))} == {"a", "b"}


def test_who_has_begun_to_read_before_keeps_nobody_from_writing_and_sees_what_was_before(process: Process) -> None:
    with process.app.app_context():
        assert db.session.scalars(select(Site.domain)).all() == []
        assert process.together(writes("a"), writes("b")) == [None, None]
        assert db.session.scalars(select(Site.domain)).all() == []
        db.session.rollback()
        assert {*db.session.scalars(select(Site.domain))} == {"a", "b"}


def test_another_process_can_write_between_two_groups(process: Process, engine: Engine) -> None:
    for number in range(3):
        process.together(writes(f"a{number}"), writes(f"b{number}"))
        with engine.begin() as connection:
            connection.execute(text("UPDATE site SET gap_seconds = gap_seconds + 1"))
    with Session(engine) as session:
        assert {site.domain: site.gap_seconds for site in session.scalars(select(Site))} == {
            f"{name}{number}": 3 - number for name in "ab" for number in range(3)
        }


def test_a_flush_that_fails_undoes_itself_only(process: Process) -> None:
    process.together(writes("x"))
    error_of_first, error_of_second = process.together(writes("a"), writes("x"))
    assert error_of_first is None
    assert isinstance(error_of_second, IntegrityError)
    assert process.found() == {"a", "x"}


def test_a_commit_that_the_database_refuses_lets_the_lock_go(process: Process) -> None:
    def owes_a_worker(session: Session) -> None:
        connection = session.connection()
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        row = "(9, 'x', '2026-11-22 17:00:00.000000')"
        connection.exec_driver_sql(f"INSERT INTO missing_tab (worker_id, domain, until) VALUES {row}")

    assert [type(error) for error in process.together(owes_a_worker)] == [IntegrityError]
    assert process.together(writes("a")) == [None]
