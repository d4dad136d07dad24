"""What a person decides: pause, resume, cancel, retry, and how fast a site is fed."""

import pytest

from semantest_server.errors import Conflict, Invalid, NotFound
from semantest_server.models import ComicStatus, Priority
from semantest_server.queue.drafts import PanelDraft

from ..conftest import FrozenClock
from .callers import Line, Queue, titles


@pytest.fixture
def comic(queue: Queue) -> int:
    """A comic with one panel in each state: queued, leased, running, completed, failed, and in backoff."""
    comic = queue.comic("A", panels=6)
    queue.set(max_attempts=1)
    queue.take(limit=5)
    queue.tell_all(("2.1", "running"), ("3.1", "completed"), ("4.1", "failed"))
    queue.set(max_attempts=3)
    queue.tell("5.1", "failed")
    assert queue.statuses(comic) == ["leased", "running", "completed", "failed", "queued", "queued"]
    return comic


def finish(queue: Queue, comic: int) -> None:
    """Complete every panel of a comic that has not failed."""
    queue.take()
    for task in queue.listed("leased", comic=comic):
        queue.tell(task, "completed")
    assert queue.comic_now(comic).status == "finished"


# ---- pause and resume


def test_pausing_stops_hand_outs_and_touches_no_lease(queue: Queue, comic: int) -> None:
    leases = [queue.lease(task) for task in range(1, 7)]
    queue.pause(comic)
    assert queue.comic_now(comic).status == "paused"
    assert queue.take("w2") == []
    assert [queue.lease(task) for task in range(1, 7)] == leases
    assert queue.statuses(comic) == ["leased", "running", "completed", "failed", "queued", "queued"]


def test_reports_about_a_paused_comic_are_taken_as_usual(queue: Queue, comic: int) -> None:
    queue.pause(comic)
    assert queue.tell("2.1", "running") == (200, "continue")
    assert queue.tell("2.1", "completed") == (200, "continue")
    assert queue.tell("1.1", "failed") == (200, "continue")
    assert queue.statuses(comic) == ["queued", "completed", "completed", "failed", "queued", "queued"]


def test_resuming_goes_on_with_what_waits(queue: Queue, comic: int) -> None:
    queue.pause(comic)
    queue.resume(comic)
    assert queue.comic_now(comic).status == "active"
    assert queue.take("w2") == ["6.1"]


def test_pausing_or_resuming_twice_does_no_harm(queue: Queue, comic: int) -> None:
    queue.resume(comic)
    queue.pause(comic)
    queue.pause(comic)
    assert queue.comic_now(comic).status == "paused"
    queue.resume(comic)
    queue.resume(comic)
    assert queue.comic_now(comic).status == "active"


def test_a_paused_comic_of_high_priority_hides_no_other(queue: Queue) -> None:
    paused = queue.comic("A", priority=Priority.HIGH)
    queue.comic("B")
    queue.pause(paused)
    assert titles(queue.poll(limit=1)) == ["B"]


def test_a_lease_that_lapses_in_a_paused_comic_goes_back_to_its_queue(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.take()
    queue.pause(comic)
    clock.advance(60)
    assert queue.statuses(comic) == ["queued"]
    queue.resume(comic)
    assert queue.take() == ["1.2"]


# ---- cancel


def test_cancelling_cancels_every_task_that_is_not_completed(queue: Queue, comic: int) -> None:
    queue.cancel(comic)
    assert queue.statuses(comic) == ["cancelled", "cancelled", "completed", "cancelled", "cancelled", "cancelled"]
    assert queue.comic_now(comic).status == "cancelled"
    assert [queue.lease(task) for task in range(1, 7)] == [None] * 6
    assert queue.task(5).available_at is None
    assert queue.take() == []


def test_every_task_that_is_cancelled_has_a_line_of_history(queue: Queue, comic: int) -> None:
    queue.cancel(comic)
    assert [queue.told(task)[-1:] == ["cancelled"] for task in range(1, 7)] == [True, True, False, True, True, True]
    assert queue.history(1)[-1][:3] == ("cancelled", 1, "w1")
    assert queue.history(6) == [Line("cancelled")]


def test_a_cancelled_comic_stays_cancelled_when_a_picture_comes_after_all(queue: Queue, comic: int) -> None:
    queue.cancel(comic)
    assert queue.tell("2.1", "completed") == (200, "continue")
    assert queue.statuses(comic)[1] == "completed"
    assert queue.comic_now(comic).status == "cancelled"


def test_a_worker_is_told_to_stop_drawing_what_was_cancelled(queue: Queue, comic: int) -> None:
    queue.cancel(comic)
    assert queue.tell("2.1", "running") == (200, "stop")


def test_a_paused_comic_can_be_cancelled(queue: Queue, comic: int) -> None:
    queue.pause(comic)
    queue.cancel(comic)
    assert queue.comic_now(comic).status == "cancelled"


def test_cancelling_frees_the_worker_at_once(queue: Queue) -> None:
    cancelled = queue.comic("A", panels=10)
    assert len(queue.take()) == 10
    queue.comic("B")
    assert queue.take() == []
    queue.cancel(cancelled)
    assert titles(queue.poll()) == ["B"]


# ---- retry


def test_retrying_brings_failed_and_cancelled_tasks_back_and_leaves_the_others(queue: Queue, comic: int) -> None:
    queue.retry(comic)
    assert queue.statuses(comic) == ["leased", "running", "completed", "queued", "queued", "queued"]
    queue.cancel(comic)
    queue.retry(comic)
    assert queue.statuses(comic) == ["queued", "queued", "completed", "queued", "queued", "queued"]
    assert queue.comic_now(comic).status == "active"


def test_only_the_tasks_that_are_named_are_retried(queue: Queue) -> None:
    comic = queue.comic(panels=3)
    queue.cancel(comic)
    queue.retry(comic, 2)
    assert queue.statuses(comic) == ["cancelled", "queued", "cancelled"]


def test_naming_a_task_that_is_neither_failed_nor_cancelled_changes_nothing_of_it(queue: Queue, comic: int) -> None:
    queue.retry(comic, 2, 3, 6)
    assert queue.statuses(comic) == ["leased", "running", "completed", "failed", "queued", "queued"]


def test_naming_a_task_of_another_comic_is_refused_at_its_pointer(queue: Queue, comic: int) -> None:
    other = queue.comic("B")
    queue.cancel(other)
    before = queue.everything()
    with pytest.raises(Invalid) as raised:
        queue.retry(comic, 4, 7)
    assert [error.pointer for error in raised.value.errors] == ["/tasks/1"]
    assert queue.everything() == before


def test_every_task_that_is_retried_has_a_line_of_history(queue: Queue, comic: int) -> None:
    queue.retry(comic)
    assert [queue.told(task)[-1] == "retried" for task in range(1, 6)] == [False, False, False, True, False]


def test_what_failed_by_a_lapse_that_nobody_recorded_can_be_retried_at_once(queue: Queue, clock: FrozenClock) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(300)
    queue.retry(comic)
    assert queue.statuses(comic) == ["queued"]
    assert queue.told(1) == ["handed_out", "running", "expired", "retried"]


def test_a_retried_task_is_handed_out_at_once_and_afresh(queue: Queue, comic: int) -> None:
    queue.retry(comic)
    task = queue.task(4)
    assert (task.status, task.message, task.progress, task.worker) == ("queued", None, None, None)
    assert (task.available_at, task.attempts_left) == (None, 3)
    assert queue.take("w2") == ["4.2", "6.1"]


def test_a_retry_makes_a_finished_comic_active_again(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.wear_out(1)
    finish(queue, comic)
    queue.retry(comic)
    assert queue.comic_now(comic).status == "active"
    assert queue.take() == ["1.4"]


def test_a_retry_leaves_a_paused_comic_paused(queue: Queue, comic: int) -> None:
    queue.pause(comic)
    queue.retry(comic)
    assert queue.comic_now(comic).status == "paused"
    assert queue.take("w2") == []


def test_a_retry_that_brings_nothing_back_leaves_a_cancelled_comic_cancelled(queue: Queue) -> None:
    comic = queue.comic()
    queue.take()
    queue.cancel(comic)
    queue.tell("1.1", "completed")
    queue.retry(comic)
    assert queue.comic_now(comic).status == "cancelled"


def test_retrying_a_comic_without_anything_to_retry_changes_nothing_of_its_tasks(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    before = queue.everything()
    queue.retry(comic)
    after = queue.everything()
    assert (after["task"], after["event"]) == (before["task"], before["event"])


def test_a_task_whose_correlation_id_a_later_one_took_over_is_not_retried(queue: Queue) -> None:
    comic = queue.comic(panels=[PanelDraft("a", correlation_id="x"), PanelDraft("b")])
    queue.cancel(comic)
    queue.comic("B", panels=[PanelDraft("a again", correlation_id="x")])
    queue.retry(comic)
    assert queue.statuses(comic) == ["cancelled", "queued"]


def test_of_several_cancelled_tasks_with_one_correlation_id_the_newest_is_retried(queue: Queue) -> None:
    for _ in range(3):
        queue.picture(correlation_id="x")
        queue.cancel(1)
    queue.retry(1)
    assert queue.statuses(1) == ["cancelled", "cancelled", "queued"]


# ---- finished


def test_a_comic_is_finished_while_no_task_is_queued_leased_or_running(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.wear_out(1)
    assert queue.comic_now(comic).status == "active"
    finish(queue, comic)


def test_a_paused_comic_whose_last_panel_is_completed_is_finished_and_paused_again_by_a_retry(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.wear_out(1)
    queue.take()
    queue.pause(comic)
    queue.tell("2.1", "completed")
    assert queue.comic_now(comic).status == "finished"
    queue.retry(comic)
    assert queue.comic_now(comic).status == "paused"


def test_a_comic_whose_last_lease_lapsed_for_good_is_finished_at_once(queue: Queue, clock: FrozenClock) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(300)
    assert (queue.comic_now(comic).status, queue.statuses(comic)) == ("finished", ["failed"])


# ---- changing a comic


@pytest.mark.parametrize("status", [ComicStatus.ACTIVE, ComicStatus.PAUSED, ComicStatus.CANCELLED])
def test_the_status_of_a_cancelled_comic_cannot_be_changed(queue: Queue, comic: int, status: ComicStatus) -> None:
    queue.cancel(comic)
    before = queue.everything()
    with pytest.raises(Conflict):
        queue.change(comic, status=status, title="Other", parallel=3)
    assert queue.everything() == before


@pytest.mark.parametrize("status", [ComicStatus.ACTIVE, ComicStatus.PAUSED, ComicStatus.CANCELLED])
def test_the_status_of_a_finished_comic_cannot_be_changed(queue: Queue, status: ComicStatus) -> None:
    comic = queue.comic(panels=2)
    queue.wear_out(1)
    finish(queue, comic)
    before = queue.everything()
    with pytest.raises(Conflict):
        queue.change(comic, status=status, priority=Priority.LOW)
    assert queue.everything() == before


def test_the_status_of_a_comic_that_finished_by_a_lapse_cannot_be_changed(queue: Queue, clock: FrozenClock) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(300)
    with pytest.raises(Conflict):
        queue.pause(comic)


def test_the_rest_of_a_finished_or_cancelled_comic_can_be_changed(queue: Queue) -> None:
    comic = queue.comic()
    queue.cancel(comic)
    queue.change(comic, title="New", parallel=3, priority=Priority.HIGH)
    row = queue.comic_now(comic).comic
    assert (row.title, row.parallel, row.priority) == ("New", 3, Priority.HIGH)


def test_what_is_not_given_stays(queue: Queue) -> None:
    comic = queue.comic("A", parallel=4, priority=Priority.LOW)
    queue.change(comic, title="B")
    row = queue.comic_now(comic).comic
    assert (row.title, row.parallel, row.priority, row.status) == ("B", 4, Priority.LOW, "active")


def test_a_raised_cap_lets_more_out(queue: Queue) -> None:
    comic = queue.comic(panels=4, parallel=1)
    assert len(queue.take()) == 1
    queue.change(comic, parallel=3)
    assert len(queue.take()) == 2


def test_what_is_not_there_cannot_be_steered(queue: Queue) -> None:
    for steer in (queue.pause, queue.resume, queue.cancel, queue.retry):
        with pytest.raises(NotFound):
            steer(99)
    with pytest.raises(NotFound):
        queue.pace("nowhere.example")


# ---- changing the pacing of a site


def test_changing_the_break_starts_counting_anew(queue: Queue) -> None:
    queue.comic(panels=9)
    queue.pace(break_after=3, break_seconds=600)
    assert len(queue.take("w1")) == 3
    assert queue.take("w2") == []
    queue.pace(break_after=4, break_seconds=600)
    assert len(queue.take("w2")) == 4


def test_changing_another_rule_does_not_end_a_break(queue: Queue) -> None:
    queue.comic(panels=9)
    queue.pace(break_after=3, break_seconds=600)
    queue.take("w1")
    queue.pace(break_after=3, break_seconds=600, daily_cap=100)
    assert queue.take("w2") == []


def test_what_was_handed_out_today_counts_under_a_new_daily_cap(queue: Queue) -> None:
    queue.comic(panels=9)
    queue.pace(daily_cap=2)
    queue.take("w1")
    queue.pace(daily_cap=5)
    assert len(queue.take("w2")) == 3
