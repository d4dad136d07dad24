"""What must never happen is refused by the database itself, whatever a statement says."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from semantest_server.models import Attempt, Comic, ComicStatus, Ending, Submission, Task, TaskStatus, Worker
from semantest_server.queue.drafts import PanelDraft

from ..conftest import FrozenClock
from .callers import Queue

LEASE = timedelta(minutes=5)


@pytest.fixture
def queue(queue: Queue) -> Queue:
    """A queue of one comic with two panels, of which the first is leased as `1.1`."""
    queue.comic("A", panels=[PanelDraft("a", correlation_id="x"), PanelDraft("b")])
    queue.take(limit=1)
    return queue


def test_a_task_cannot_have_two_results(queue: Queue, clock: FrozenClock) -> None:
    clock.advance(60)
    queue.take("w2", limit=1)
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Attempt).where(Attempt.task_id == 1).values(ended=Ending.COMPLETED))


def test_an_attempts_number_cannot_be_issued_twice(queue: Queue, clock: FrozenClock) -> None:
    again = insert(Attempt).values(task_id=1, number=1, worker_id=1, poll="x", handed_out_at=clock.now, resent=False)
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(again)


@pytest.mark.parametrize("status", sorted(set(TaskStatus) - {TaskStatus.LEASED, TaskStatus.RUNNING}))
def test_only_a_task_that_is_leased_or_running_can_have_a_lease(
    queue: Queue, clock: FrozenClock, status: TaskStatus
) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 1).values(status=status))
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(
            update(Task).where(Task.id == 2).values(status=status, worker_id=1, leased_until=clock.now + LEASE)
        )


@pytest.mark.parametrize("status", [TaskStatus.LEASED, TaskStatus.RUNNING])
def test_a_task_that_is_leased_or_running_cannot_be_without_a_lease(queue: Queue, status: TaskStatus) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 2).values(status=status, worker_id=1))


def test_a_lease_cannot_be_nobodys(queue: Queue) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 1).values(worker_id=None))


def test_only_a_queued_task_can_be_in_backoff(queue: Queue, clock: FrozenClock) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 1).values(available_at=clock.now))


@pytest.mark.parametrize("status", [TaskStatus.QUEUED, TaskStatus.FAILED])
def test_two_open_tasks_cannot_have_one_correlation_id(queue: Queue, status: TaskStatus) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 2).values(status=status, correlation_id="x"))


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELLED])
def test_tasks_that_are_over_may_share_a_correlation_id(queue: Queue, status: TaskStatus) -> None:
    with queue.reading() as session:  # which is rolled back
        session.execute(update(Task).where(Task.id == 2).values(status=status, correlation_id="x"))


@pytest.mark.parametrize("counter", ["ready", "waiting", "out", "completed", "failed", "cancelled"])
def test_a_counter_cannot_be_negative(queue: Queue, counter: str) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Comic).values({counter: -1}))


@pytest.mark.parametrize("values", [{"parallel": 0}, {"parallel": 101}, {"priority": -1}, {"priority": 3}])
def test_a_comics_options_cannot_leave_their_range(queue: Queue, values: dict[str, int]) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Comic).values(values))


def test_finished_is_no_status_that_could_be_stored(queue: Queue) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Comic).values(status=ComicStatus.FINISHED))


@pytest.mark.parametrize("progress", [-1, 101])
def test_progress_cannot_be_more_than_all_or_less_than_nothing(queue: Queue, progress: int) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 1).values(progress=progress))


def test_two_panels_of_a_comic_cannot_have_one_number(queue: Queue) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Task).where(Task.id == 2).values(number=1))


def test_a_site_cannot_have_two_standing_comics(queue: Queue) -> None:
    queue.picture()
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(update(Comic).values(single_pictures=True))


def test_two_workers_cannot_have_one_name(queue: Queue, clock: FrozenClock) -> None:
    again = insert(Worker).values(
        name="w1", named=True, address="", user_agent="", created_at=clock.now, seen_at=clock.now
    )
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(again)


def test_an_idempotency_key_cannot_be_used_twice(queue: Queue, clock: FrozenClock) -> None:
    once = insert(Submission).values(key="k", digest="", created_at=clock.now)
    with queue.writing() as session:
        session.execute(once)
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(once)


@pytest.mark.parametrize("table", ["comic", "task", "worker", "site"])
def test_what_history_and_leases_refer_to_cannot_be_deleted(queue: Queue, table: str) -> None:
    with queue.writing() as session, pytest.raises(IntegrityError):
        session.execute(text(f"DELETE FROM {table}"))


def test_the_id_of_a_comic_that_was_deleted_is_not_given_again(queue: Queue) -> None:
    comic = queue.comic("B")
    with queue.writing() as session:
        for table in ("event", "task"):
            session.execute(text(f"DELETE FROM {table} WHERE comic_id = {comic}"))
        session.execute(text(f"DELETE FROM comic WHERE id = {comic}"))
    assert queue.comic("C") > comic
