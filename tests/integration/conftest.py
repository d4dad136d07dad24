"""Fixtures of the queue's tests: a queue with a clock that stands still, and a recount after every test."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, make_url, select
from sqlalchemy.orm import Session

from semantest_server.models import Comic, Task

from ..conftest import FrozenClock
from .callers import Queue

COUNTERS = ("ready", "waiting", "out", "completed", "failed", "cancelled")


def recount(session: Session) -> None:
    """Assert that each comic's counters say how many of its tasks are where."""
    tasks: dict[int, Counter[str]] = {}
    for comic_id, status, available_at in session.execute(select(Task.comic_id, Task.status, Task.available_at)):
        tasks.setdefault(comic_id, Counter())[Task(status=status, available_at=available_at).counter] += 1
    for comic in session.scalars(select(Comic)):
        counters = {name: getattr(comic, name) for name in COUNTERS}
        assert counters == {name: tasks.get(comic.id, Counter())[name] for name in COUNTERS}, comic.title


@pytest.fixture(autouse=True)
def counters_are_true(request: pytest.FixtureRequest) -> Iterator[None]:
    """Recount after every test that has a migrated database; set up first, and so done last."""
    if "database_url" not in request.fixturenames:
        yield
        return
    engine: Engine = request.getfixturevalue("connections")
    yield
    with Session(engine) as session:
        recount(session)


@cache
def engine_of_all_tests(database: str) -> Engine:
    """One engine for all tests on a database: compiling statements anew would cost more than running them."""
    if not database.startswith("sqlite"):
        return create_engine(database, pool_size=10, max_overflow=20)
    return create_engine("sqlite://", creator=_connect_to_file, poolclass=QueuePool, pool_size=10, max_overflow=20)


_file = ""


def _connect_to_file() -> sqlite3.Connection:
    return sqlite3.connect(_file, check_same_thread=False)


@pytest.fixture
def connections(database_url: str) -> Iterator[Engine]:
    """A pool of connections to a migrated, empty database."""
    global _file
    _file = make_url(database_url).database or ""
    engine = engine_of_all_tests("sqlite" if database_url.startswith("sqlite") else database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def queue(connections: Engine, clock: FrozenClock) -> Queue:
    """An empty queue, at a time that stands still until the test moves it."""
    return Queue(connections)
