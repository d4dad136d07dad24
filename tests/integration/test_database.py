"""Transactions and time, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from semantest_server.clock import Clock
from semantest_server.database import write_transaction
from semantest_server.models import Comic, Worker

from .callers import Queue

FAR = datetime(2000, 1, 1, tzinfo=UTC)


def title(queue: Queue) -> str:
    with queue.reading() as session:
        return session.scalars(select(Comic.title)).one()


def test_a_write_transaction_is_committed_at_its_end(queue: Queue) -> None:
    queue.comic("A")
    with queue.writing() as session:
        session.get_one(Comic, 1).title = "B"
    assert title(queue) == "B"


def test_a_write_transaction_is_undone_by_whatever_is_raised(queue: Queue) -> None:
    queue.comic("A")

    def write() -> None:
        with queue.writing() as session:
            session.execute(update(Comic).values(title="B"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert title(queue) == "A"


def test_what_was_read_before_does_not_keep_a_transaction_from_writing(queue: Queue) -> None:
    queue.comic("A")
    with queue.reading() as session:
        assert session.get_one(Comic, 1).title == "A"
        queue.change(1, title="B")
        with write_transaction(session):
            comic = session.get_one(Comic, 1)
            assert comic.title == "B"
            comic.title += "C"
    assert title(queue) == "BC"


def test_a_session_can_write_again_after_it_failed(queue: Queue) -> None:
    queue.comic("A")
    with queue.reading() as session:
        with pytest.raises(ZeroDivisionError), write_transaction(session):
            raise ZeroDivisionError
        with write_transaction(session):
            session.execute(update(Comic).values(title="B"))
    assert title(queue) == "B"


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_before(queue: Queue) -> None:
    queue.comic("A")
    with queue.writing() as session:
        session.execute(update(Comic).values(title="B"))
        assert title(queue) == "A"
    assert title(queue) == "B"


def test_times_come_back_aware_and_in_utc(queue: Queue) -> None:
    queue.take()
    noon_elsewhere = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    with queue.writing() as session:
        session.execute(update(Worker).values(seen_at=noon_elsewhere))
    with queue.reading() as session:
        seen = session.scalars(select(Worker.seen_at)).one()
        found = session.scalar(select(Worker.id).where(Worker.seen_at == noon_elsewhere))
    assert seen.isoformat() == "2026-11-22T17:00:00.123456+00:00"
    assert found == 1


def test_time_is_the_databases_clock_on_postgresql_and_the_machines_on_sqlite(
    connections: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Frozen":
            return cls.fromisoformat(FAR.isoformat())

    monkeypatch.setattr("semantest_server.clock.datetime", Frozen)
    with Session(connections) as session:
        now = Clock().now(session)
    assert now.tzinfo is UTC
    assert (now == FAR) is (connections.dialect.name == "sqlite")


def test_time_goes_on_within_a_transaction(connections: Engine) -> None:
    with Session(connections) as session:
        session.execute(text("SELECT 1"))
        times = [Clock().now(session) for _ in range(20)]
    assert times == sorted(times)
    assert times[0] < times[-1]
