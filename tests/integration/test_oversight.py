"""What a person decides from above: everything paused and resumed, failures retried, workers named and held."""

import pytest
from sqlalchemy import select

from semantest_server.errors import Invalid, NotFound
from semantest_server.models import Task, Worker
from semantest_server.queue.bulk import cancel_all, open_comic
from semantest_server.queue.oversight import (
    hold_worker,
    label_worker,
    pause_everything,
    resume_everything,
    retry_failed,
)

from ..conftest import FrozenClock
from .callers import Queue


def pause(queue: Queue) -> int:
    with queue.writing() as session:
        return pause_everything(session, queue.policy)


def resume(queue: Queue) -> int:
    with queue.writing() as session:
        return resume_everything(session, queue.policy)


def statuses(queue: Queue, *comics: int) -> list[str]:
    return [queue.comic_now(comic).status.value for comic in comics]


def worker(queue: Queue, name: str = "w1") -> int:
    """The id of a worker, which polls for it if need be."""
    queue.poll(name, domains=["nothing.example"])
    with queue.reading() as session:
        return session.scalars(select(Worker.id).where(Worker.name == name)).one()


# ---- everything


def test_everything_unfinished_is_paused_and_resumed(queue: Queue) -> None:
    comics = [queue.comic(title, panels=2) for title in "ABC"]
    assert pause(queue) == 3
    assert statuses(queue, *comics) == ["paused"] * 3
    assert queue.take() == []
    assert resume(queue) == 3
    assert statuses(queue, *comics) == ["active"] * 3
    assert len(queue.take()) == 6


def test_to_pause_or_resume_everything_again_does_nothing(queue: Queue) -> None:
    assert (pause(queue), resume(queue)) == (0, 0)
    queue.comic()
    assert (pause(queue), pause(queue)) == (1, 0)
    assert (resume(queue), resume(queue)) == (1, 0)


def test_what_is_finished_or_cancelled_is_not_paused(queue: Queue) -> None:
    finished, cancelled, active = queue.comic("A"), queue.comic("B"), queue.comic("C")
    queue.take(limit=1)
    queue.tell("1.1", "completed")
    queue.cancel(cancelled)
    assert pause(queue) == 1
    assert statuses(queue, finished, cancelled, active) == ["finished", "cancelled", "paused"]
    assert resume(queue) == 1
    assert statuses(queue, finished, cancelled, active) == ["finished", "cancelled", "active"]


def test_what_is_out_when_everything_is_paused_is_drawn_to_its_end(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    (receipt,) = queue.take(limit=1)
    assert pause(queue) == 1
    assert queue.tell(receipt, "running") == (200, "continue")
    assert queue.tell(receipt, "completed") == (200, "continue")
    assert queue.statuses(comic) == ["completed", "queued"]


def test_a_comic_whose_last_lease_has_lapsed_for_good_is_finished_and_not_paused(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(301)
    assert pause(queue) == 0
    assert statuses(queue, comic) == ["finished"]
    assert queue.told(1)[-1] == "expired"


def test_a_comic_that_was_paused_before_keeps_the_beginning_of_its_pause(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.pause(comic)
    clock.advance(60)
    assert pause(queue) == 0
    clock.advance(60)
    assert resume(queue) == 1
    assert queue.comic_now(comic).comic.paused_seconds == 120


def test_a_comic_that_is_paused_and_finished_is_made_active_but_not_counted(queue: Queue) -> None:
    comic = queue.comic()
    queue.take()
    queue.pause(comic)
    queue.tell("1.1", "completed")
    assert resume(queue) == 0
    assert queue.comic_now(comic).comic.status == "active"


# ---- what failed


def test_failed_panels_are_retried_and_cancelled_ones_are_not(queue: Queue) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic(panels=3)
    queue.take(limit=1)
    queue.tell("1.1", "failed")
    with queue.writing() as session:
        journal, _ = open_comic(session, queue.policy, comic)
        cancel_all(journal, [Task.id == 2])
        journal.post()
    with queue.writing() as session:
        assert retry_failed(session, queue.policy, comic) == 1
    assert queue.statuses(comic) == ["queued", "cancelled", "queued"]
    assert queue.told(1)[-1] == "retried"
    with queue.writing() as session:
        assert retry_failed(session, queue.policy, comic) == 0


def test_to_retry_what_failed_of_an_unknown_comic_is_not_found(queue: Queue) -> None:
    with pytest.raises(NotFound), queue.writing() as session:
        retry_failed(session, queue.policy, 7)


# ---- workers


@pytest.mark.parametrize(
    ("label", "kept"),
    [("studio laptop", "studio laptop"), ("  attic ", "attic"), ("", None), ("  ", None), (None, None)],
)
def test_a_worker_is_called_what_a_person_says(queue: Queue, label: str | None, kept: str | None) -> None:
    one = worker(queue)
    with queue.writing() as session:
        label_worker(session, one, "before")
    with queue.writing() as session:
        assert label_worker(session, one, label).label == kept
    with queue.reading() as session:
        assert session.get_one(Worker, one).label == kept


@pytest.mark.parametrize("label", ["x" * 201, "two\nlines", "a\0b", "\ud800"])
def test_a_label_that_cannot_be_kept_is_refused(queue: Queue, label: str) -> None:
    one = worker(queue)
    with pytest.raises(Invalid) as refused, queue.writing() as session:
        label_worker(session, one, label)
    assert [error.pointer for error in refused.value.errors] == ["/label"]


def test_a_worker_on_hold_gets_nothing_new_and_draws_what_it_has(queue: Queue) -> None:
    comic = queue.comic(panels=3)
    (receipt,) = queue.take(limit=1)
    one = worker(queue)
    with queue.writing() as session:
        assert hold_worker(session, one, True).held
    assert queue.take() == []
    assert queue.tell(receipt, "completed") == (200, "continue")
    assert len(queue.take("w2", limit=1)) == 1
    with queue.writing() as session:
        assert not hold_worker(session, one, False).held
    assert len(queue.take()) == 1
    assert queue.statuses(comic) == ["completed", "leased", "leased"]


def test_an_unknown_worker_is_not_found(queue: Queue) -> None:
    with pytest.raises(NotFound), queue.writing() as session:
        hold_worker(session, 99, True)
    with pytest.raises(NotFound), queue.writing() as session:
        label_worker(session, 99, "x")
