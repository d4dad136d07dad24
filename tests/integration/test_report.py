"""Reports: the table of reports row by row, what counts as an attempt, what is extended, and what history says."""

from collections.abc import Callable
from typing import Any

import pytest

from semantest_server import snapshots
from semantest_server.queue.drafts import PanelDraft
from semantest_server.queue.statuses import ReportStatus

from ..conftest import FrozenClock
from .callers import Answer, Line, Queue

GEMINI = "gemini.google.com"

GO_ON = Answer(200, "continue")
STOP = Answer(200, "stop")
CONFLICT = Answer(409, "stop")
UNKNOWN = Answer(404, "stop")

PROGRESS = ["delivered", "sent", "running", "in_progress", "processing", "generating", "downloading"]
SUCCESS = ["completed", "image_found", "response_received"]
FAILURE = ["failed", "error", "timeout"]
GIVE_BACK = ["no_tabs", "cancelled"]
NO_SUCCESS = [*PROGRESS, *FAILURE, *GIVE_BACK]

Name = Callable[[Queue, str], str]


def by_receipt(_queue: Queue, receipt: str) -> str:
    """The receipt itself."""
    return receipt


def by_task(_queue: Queue, receipt: str) -> str:
    """The task's id, which means its latest attempt."""
    return receipt.partition(".")[0]


def by_correlation_id(queue: Queue, receipt: str) -> str:
    """The submitter's name for the task, which means its latest attempt too."""
    name = queue.task(int(receipt.partition(".")[0])).correlation_id
    assert name
    return name


def by_hand_out(queue: Queue, receipt: str) -> str:
    """The id of the hand-out to which the attempt belongs."""
    return queue.hand_out_of[receipt]


LATEST = pytest.mark.parametrize("name", [by_receipt, by_task, by_correlation_id, by_hand_out])
ANY = pytest.mark.parametrize("name", [by_receipt, by_hand_out])  # a task's id always means its latest attempt


@pytest.fixture
def queue(queue: Queue) -> Queue:
    """A queue with a comic of one panel, task 1, that is also known as `order-1`."""
    queue.comic("A", panels=[PanelDraft("Hero enters cave", correlation_id="order-1")])
    return queue


def lapse(queue: Queue, clock: FrozenClock) -> None:
    """Let every lease run out, and let a poll record it that takes nothing."""
    clock.advance(301)
    queue.take("somebody", domains=["no-work.example"])


# ---- Row 1: success | no result yet, any state, any attempt that was handed out


@LATEST
def test_row_1_a_success_completes_a_task_that_is_leased(queue: Queue, name: Name) -> None:
    queue.take()
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert (queue.status(1), queue.lease(1), queue.task(1).progress) == ("completed", None, 100)


@LATEST
def test_row_1_a_success_completes_a_task_that_is_running(queue: Queue, name: Name) -> None:
    queue.take()
    queue.tell("1.1", "running")
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert queue.status(1) == "completed"


@LATEST
def test_row_1_a_success_completes_a_task_whose_lease_has_lapsed(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take()
    clock.advance(1000)
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert queue.status(1) == "completed"


@LATEST
def test_row_1_a_success_completes_a_task_that_is_back_in_the_queue(
    queue: Queue, clock: FrozenClock, name: Name
) -> None:
    queue.take()
    lapse(queue, clock)
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert queue.status(1) == "completed"
    assert queue.take("w2") == []


@pytest.mark.parametrize("name", [by_receipt, by_task, by_correlation_id])
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_row_1_a_success_completes_a_task_whose_attempt_had_been_ended(queue: Queue, name: Name, status: str) -> None:
    queue.take()
    queue.tell("1.1", status)
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert (queue.status(1), queue.task(1).available_at) == ("completed", None)


@LATEST
def test_row_1_a_success_completes_a_task_that_had_failed(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.set(max_attempts=1)
    queue.take()
    queue.tell("1.1", "running")
    lapse(queue, clock)
    assert queue.status(1) == "failed"
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert queue.status(1) == "completed"


@LATEST
def test_row_1_a_success_completes_a_task_that_was_cancelled(queue: Queue, name: Name) -> None:
    queue.take()
    queue.cancel(1)
    assert queue.tell(name(queue, "1.1"), "completed") == GO_ON
    assert queue.status(1) == "completed"
    assert queue.comic_now(1).status == "cancelled"


@ANY
def test_row_1_a_success_of_an_older_attempt_ends_the_live_lease_of_whoever_holds_it(
    queue: Queue, clock: FrozenClock, name: Name
) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    assert queue.tell(name(queue, "1.1"), "completed", by="w1") == GO_ON
    task = queue.task(1)
    assert (task.status, task.leased_until, task.worker) == ("completed", None, "w1")
    assert queue.tell("1.2", "running", by="w2") == STOP


def test_row_1_by_task_id_the_success_is_that_of_the_latest_attempt(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    assert queue.tell(1, "completed", by="w1") == GO_ON
    assert queue.history(1)[-1] == Line("completed", 2, "w2")


@pytest.mark.parametrize("status", SUCCESS)
def test_row_1_every_word_for_a_success_completes_a_task(queue: Queue, status: str) -> None:
    queue.take()
    assert queue.tell("1.1", status) == GO_ON
    assert queue.status(1) == "completed"


def test_row_1_a_success_keeps_what_it_says_of_the_picture(queue: Queue) -> None:
    queue.take()
    queue.tell("1.1", "running", message="Drawing")
    queue.tell("1.1", "completed", image_url="https://example.com/1.png", download_path="/home/me/1.png")
    task = queue.task(1)
    assert (task.image_url, task.download_path) == ("https://example.com/1.png", "/home/me/1.png")


# ---- Row 2: success | there is a result


@LATEST
def test_row_2_a_second_success_changes_nothing(queue: Queue, name: Name) -> None:
    queue.take()
    queue.tell("1.1", "completed", image_url="https://example.com/first.png")
    before = queue.everything()
    for status in SUCCESS:
        assert queue.tell(name(queue, "1.1"), status, image_url="https://example.com/second.png") == STOP
    assert queue.everything() == before


@pytest.mark.parametrize(("first", "second"), [("1.1", "1.2"), ("1.2", "1.1")])
def test_row_2_the_first_success_wins_from_whichever_attempt(
    queue: Queue, clock: FrozenClock, first: str, second: str
) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    queue.tell(first, "completed", image_url="https://example.com/first.png")
    before = queue.everything()
    assert queue.tell(second, "completed", image_url="https://example.com/second.png") == STOP
    assert queue.everything() == before


# ---- Row 3: progress | an open attempt


@LATEST
def test_row_3_progress_renews_the_lease_of_an_open_attempt(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take()
    for step, status in enumerate(PROGRESS, start=1):
        clock.advance(10)
        assert queue.tell(name(queue, "1.1"), status, progress=step) == GO_ON
        assert (queue.status(1), queue.lease(1)) == ("running", step * 10 + 300)
        assert queue.task(1).progress == step


@LATEST
def test_row_3_progress_revives_a_lapsed_lease_that_nobody_recorded(
    queue: Queue, clock: FrozenClock, name: Name
) -> None:
    queue.take()
    clock.advance(400)
    assert queue.tell(name(queue, "1.1"), "running") == GO_ON
    assert (queue.status(1), queue.lease(1), queue.task(1).worker) == ("running", 700, "w1")
    assert queue.take("w2") == []


@LATEST
def test_row_3_progress_revives_a_lapsed_lease_from_the_queue(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take()
    lapse(queue, clock)
    assert queue.status(1) == "queued"
    assert queue.tell(name(queue, "1.1"), "running") == GO_ON
    assert (queue.status(1), queue.lease(1), queue.task(1).worker) == ("running", 601, "w1")
    assert queue.take("w2") == []


@LATEST
def test_row_3_progress_revives_a_lapsed_lease_from_failed(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.set(max_attempts=1)
    queue.take()
    queue.tell("1.1", "running")
    lapse(queue, clock)
    assert (queue.status(1), queue.comic_now(1).status) == ("failed", "finished")
    assert queue.tell(name(queue, "1.1"), "running") == GO_ON
    assert (queue.status(1), queue.comic_now(1).status) == ("running", "active")


def test_row_3_a_revival_leaves_a_paused_comic_paused(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    queue.pause(1)
    lapse(queue, clock)
    assert queue.tell("1.1", "running") == GO_ON
    assert (queue.status(1), queue.comic_now(1).status) == ("running", "paused")


def test_row_3_an_attempt_stays_open_over_cancelling_and_retrying(queue: Queue) -> None:
    queue.take()
    queue.cancel(1)
    queue.retry(1)
    assert queue.tell("1.1", "running") == GO_ON
    assert (queue.status(1), queue.task(1).worker) == ("running", "w1")


# ---- Row 4: failure | an open attempt


@LATEST
def test_row_4_a_failure_of_an_open_attempt_queues_the_task_with_backoff(
    queue: Queue, clock: FrozenClock, name: Name
) -> None:
    queue.take()
    assert queue.tell(name(queue, "1.1"), "failed", message="No answer") == GO_ON
    task = queue.task(1)
    assert (task.status, task.leased_until, task.worker, task.message) == ("queued", None, None, "No answer")
    assert task.available_at is not None
    assert 8 <= (task.available_at - clock.now).total_seconds() <= 12


@pytest.mark.parametrize("status", FAILURE)
def test_row_4_every_word_for_a_failure_queues_the_task_with_backoff(queue: Queue, status: str) -> None:
    queue.take()
    assert queue.tell("1.1", status) == GO_ON
    assert queue.status(1) == "queued"
    assert queue.task(1).available_at is not None


@LATEST
def test_row_4_the_last_failure_allowed_fails_the_task(queue: Queue, name: Name) -> None:
    queue.set(max_attempts=1)
    queue.take()
    assert queue.tell(name(queue, "1.1"), "failed") == GO_ON
    task = queue.task(1)
    assert (task.status, task.leased_until, task.available_at, task.attempts_left) == ("failed", None, None, 0)


@LATEST
def test_row_4_a_failure_of_a_lapsed_attempt_counts_and_waits(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take()
    lapse(queue, clock)
    assert queue.tell(name(queue, "1.1"), "failed") == GO_ON
    task = queue.task(1)
    assert (task.status, task.attempts_left) == ("queued", 2)
    assert task.available_at is not None


def test_row_4_a_failure_of_an_attempt_that_failed_by_lapsing_leaves_it_failed(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.set(max_attempts=1)
    queue.take()
    queue.tell("1.1", "running")
    lapse(queue, clock)
    assert queue.tell("1.1", "failed") == GO_ON
    assert queue.status(1) == "failed"
    assert queue.told(1)[-1] == "failed"


# ---- Row 5: give-back | an open attempt


@LATEST
@pytest.mark.parametrize("status", GIVE_BACK)
def test_row_5_a_give_back_of_an_open_attempt_queues_the_task(queue: Queue, name: Name, status: str) -> None:
    queue.take()
    assert queue.tell(name(queue, "1.1"), status) == STOP
    task = queue.task(1)
    assert (task.status, task.leased_until, task.worker, task.available_at) == ("queued", None, None, None)
    assert queue.take("w2") == ["1.2"]


@LATEST
def test_row_5_a_lapsed_attempt_is_given_back_too(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take("w1")
    lapse(queue, clock)
    assert queue.tell(name(queue, "1.1"), "cancelled") == STOP
    assert queue.told(1)[-1] == "given_back"
    assert queue.take("w1") == []
    assert queue.take("w2") == ["1.2"]


def test_row_5_a_running_attempt_may_be_given_back(queue: Queue) -> None:
    queue.take()
    queue.tell("1.1", "running")
    assert queue.tell("1.1", "cancelled") == STOP
    assert queue.status(1) == "queued"


# ---- Row 6: progress, failure, give-back | the task is completed or cancelled


@LATEST
@pytest.mark.parametrize("over", ["completed", "cancelled"])
def test_row_6_after_the_task_is_over_nothing_changes(queue: Queue, name: Name, over: str) -> None:
    queue.take()
    if over == "completed":
        queue.tell("1.1", "completed")
    else:
        queue.cancel(1)
    before = queue.everything()
    for status in NO_SUCCESS:
        assert queue.tell(name(queue, "1.1"), status, progress=3, message="late") == STOP
    assert queue.everything() == before


@ANY
def test_row_6_holds_for_an_attempt_that_is_not_the_latest_too(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    queue.tell("1.2", "completed", by="w2")
    before = queue.everything()
    for status in NO_SUCCESS:
        assert queue.tell(name(queue, "1.1"), status) == STOP
    assert queue.everything() == before


# ---- Row 7: failure, give-back | the same kind of report ended this attempt


@LATEST
@pytest.mark.parametrize(("first", "again"), [("failed", "error"), ("timeout", "failed"), ("cancelled", "no_tabs")])
def test_row_7_what_ended_the_attempt_may_be_said_again(queue: Queue, name: Name, first: str, again: str) -> None:
    queue.take()
    queue.tell("1.1", first)
    before = queue.everything()
    assert queue.tell(name(queue, "1.1"), again) == STOP
    assert queue.everything() == before


@ANY
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_row_7_holds_while_another_attempt_is_under_way(
    queue: Queue, clock: FrozenClock, name: Name, status: str
) -> None:
    queue.take("w1")
    queue.tell("1.1", status)
    clock.advance(12)
    assert queue.take("w2") == ["1.2"]
    before = queue.everything()
    assert queue.tell(name(queue, "1.1"), status) == STOP
    assert queue.everything() == before


def test_row_7_holds_after_a_retry(queue: Queue) -> None:
    queue.wear_out(1)
    queue.retry(1)
    before = queue.everything()
    assert queue.tell("1.3", "failed") == STOP
    assert queue.everything() == before


# ---- Row 8: progress, failure, give-back | anything else


@LATEST
@pytest.mark.parametrize(
    ("first", "then"),
    [("failed", "running"), ("failed", "cancelled"), ("cancelled", "running"), ("cancelled", "failed")],
)
def test_row_8_an_attempt_that_was_ended_takes_no_other_report(queue: Queue, name: Name, first: str, then: str) -> None:
    queue.take()
    queue.tell("1.1", first)
    before = queue.everything()
    assert queue.tell(name(queue, "1.1"), then) == CONFLICT
    assert queue.everything() == before


@ANY
def test_row_8_an_attempt_that_is_not_the_latest_changes_nothing(queue: Queue, clock: FrozenClock, name: Name) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    before = queue.everything()
    for status in NO_SUCCESS:
        assert queue.tell(name(queue, "1.1"), status, progress=3, message="late") == CONFLICT
    assert queue.everything() == before


# ---- Row 9: any | an attempt never handed out, an unknown id


NEVER_HANDED_OUT = [
    "1",  # a task of which no attempt was handed out
    "order-1",  # the same, by correlationId
    "1.1",
    "1.0",
    "99",
    "99.1",
    "99999999999999999999999999",
    "1.99999999999999999999999999",
    "unknown",
    "h-unknown",
    "h-0-1",
    "h-0-99999999999999999999999999",
    "",
    "1.",
    ".1",
    "1.1.1",
    "-1",
    "１",
    "x" * 5000,
]


@pytest.mark.parametrize("status", list(ReportStatus))
def test_row_9_what_was_never_handed_out_is_unknown(queue: Queue, status: str) -> None:
    before = queue.everything()
    assert queue.tell_all(*((target, status) for target in NEVER_HANDED_OUT)) == [UNKNOWN] * len(NEVER_HANDED_OUT)
    assert queue.everything() == before


@pytest.mark.parametrize("target", NEVER_HANDED_OUT)
def test_row_9_each_of_them_is_unknown_by_itself(queue: Queue, target: str) -> None:
    assert queue.tell(target, "completed") == UNKNOWN


def test_row_9_an_attempt_that_is_still_to_come_is_unknown(queue: Queue) -> None:
    queue.take()
    for status in ReportStatus:
        assert queue.tell("1.2", status) == UNKNOWN
    assert queue.told(1) == ["handed_out"]


# ---- by task id


@pytest.mark.parametrize("status", ["running", "delivered", "failed", "timeout"])
def test_by_task_id_another_worker_than_the_holder_is_refused(queue: Queue, status: str) -> None:
    queue.take("w1")
    before = queue.everything()
    assert queue.tell(1, status, by="w2") == CONFLICT
    assert queue.tell("order-1", status, by="w2") == CONFLICT
    assert queue.everything() == before


def test_by_task_id_the_holder_itself_is_not_refused(queue: Queue) -> None:
    queue.take("w1")
    assert queue.tell(1, "running", by="w1") == GO_ON


def test_by_task_id_a_success_of_another_worker_is_accepted(queue: Queue) -> None:
    queue.take("w1")
    assert queue.tell(1, "completed", by="w2") == GO_ON


@pytest.mark.parametrize("status", GIVE_BACK)
def test_by_task_id_only_progress_and_failure_of_another_worker_are_refused(queue: Queue, status: str) -> None:
    queue.take("w1")
    assert queue.tell(1, status, by="w2") == STOP
    assert queue.status(1) == "queued"


@pytest.mark.parametrize("status", ["running", "failed"])
def test_by_task_id_an_identity_that_was_only_inferred_never_refuses_a_report(queue: Queue, status: str) -> None:
    queue.take("w1")
    assert queue.tell(1, status, by="127.0.0.1 Chrome", named=False) == GO_ON


@pytest.mark.parametrize("status", ["running", "failed"])
def test_by_task_id_a_named_worker_is_refused_what_an_inferred_one_holds(queue: Queue, status: str) -> None:
    queue.take("127.0.0.1 Chrome", named=False)
    assert queue.tell(1, status, by="w2") == CONFLICT


@pytest.mark.parametrize("name", [by_receipt, by_hand_out])
def test_a_receipt_or_hand_out_needs_no_identity(queue: Queue, name: Name) -> None:
    queue.take("w1")
    assert queue.tell(name(queue, "1.1"), "running", by="w2") == GO_ON


def test_by_correlation_id_the_newest_task_of_that_name_is_meant(queue: Queue) -> None:
    queue.take()
    queue.tell("1.1", "completed")
    queue.picture(correlation_id="order-1")
    queue.take()
    assert queue.tell("order-1", "running") == GO_ON
    assert (queue.status(1), queue.status(2)) == ("completed", "running")


# ---- by hand-out id


@pytest.fixture
def hand_out(queue: Queue) -> str:
    """The id of a hand-out of four panels, tasks 2 to 5 of comic 2, to worker w1."""
    queue.comic("B", panels=4)
    queue.pause(1)
    (hand_out,) = queue.poll("w1")
    assert [panel.receipt for panel in hand_out.panels] == ["2.1", "3.1", "4.1", "5.1"]
    return hand_out.id


def test_by_hand_out_a_success_completes_each_panel(queue: Queue, hand_out: str) -> None:
    assert queue.tell(hand_out, "completed") == GO_ON
    assert queue.statuses(2) == ["completed"] * 4
    assert [queue.told(task) for task in (2, 3, 4, 5)] == [["handed_out", "completed"]] * 4


def test_by_hand_out_a_success_does_not_undo_what_was_said_of_a_part(queue: Queue, hand_out: str) -> None:
    queue.tell_all(("2.1", "failed"), ("3.1", "cancelled"), ("4.1", "completed"))
    before = queue.everything()["task"][:4]
    assert queue.tell(hand_out, "completed") == GO_ON
    assert queue.statuses(2) == ["queued", "queued", "completed", "completed"]
    assert queue.everything()["task"][:4] == before


def test_by_hand_out_a_success_completes_what_lapsed_and_went_to_another(
    queue: Queue, hand_out: str, clock: FrozenClock
) -> None:
    clock.advance(60)
    assert queue.take("w2", limit=1) == ["2.2"]
    assert queue.tell(hand_out, "completed") == GO_ON
    assert queue.statuses(2) == ["completed"] * 4
    assert queue.tell("2.2", "running", by="w2") == STOP


def test_by_hand_out_another_report_acts_on_the_open_attempts(queue: Queue, hand_out: str) -> None:
    queue.tell_all(("2.1", "failed"), ("3.1", "completed"))
    assert queue.tell(hand_out, "running") == GO_ON
    assert queue.statuses(2) == ["queued", "completed", "running", "running"]
    assert queue.tell(hand_out, "failed") == GO_ON
    assert queue.statuses(2) == ["queued", "completed", "queued", "queued"]
    assert [queue.task(task).attempts_left for task in (2, 3, 4, 5)] == [2, 2, 2, 2]


def test_by_hand_out_each_panel_is_answered_as_in_the_table(queue: Queue, hand_out: str, clock: FrozenClock) -> None:
    queue.tell_all(("2.1", "failed"), ("3.1", "completed"), ("4.1", "cancelled"))
    (outcome,) = queue.outcomes((hand_out, "failed", {}))
    assert {task: verdict.value for task, verdict in outcome.verdicts.items()} == {
        2: "unchanged",
        3: "unchanged",
        4: "conflict",
        5: "accepted",
    }
    assert outcome.hand_out == hand_out


def test_by_hand_out_the_whole_is_a_conflict_only_if_every_one_would_be(queue: Queue, hand_out: str) -> None:
    queue.tell_all(("2.1", "failed"), ("3.1", "failed"), ("4.1", "failed"))
    assert queue.tell(hand_out, "running") == GO_ON
    queue.tell("5.1", "failed")
    before = queue.everything()
    assert queue.tell(hand_out, "running") == CONFLICT
    assert queue.everything() == before


def test_by_hand_out_the_directive_is_to_stop_once_no_panel_goes_on(queue: Queue, hand_out: str) -> None:
    queue.cancel(2)
    assert queue.tell(hand_out, "running") == STOP


def test_by_hand_out_a_give_back_gives_every_panel_back(queue: Queue, hand_out: str) -> None:
    assert queue.tell(hand_out, "no_tabs") == STOP
    assert queue.statuses(2) == ["queued"] * 4


def test_by_hand_out_what_is_said_of_all_is_said_of_no_picture(queue: Queue, hand_out: str) -> None:
    queue.tell(hand_out, "completed", image_url="https://example.com/one.png", download_path="one.png")
    assert {(queue.task(task).image_url, queue.task(task).download_path) for task in (2, 3, 4, 5)} == {(None, None)}


def test_by_hand_out_what_came_again_belongs_to_the_new_one(queue: Queue, hand_out: str, clock: FrozenClock) -> None:
    clock.advance(20)
    (again,) = queue.poll("w1", holding=["2.1", "3.1"])
    assert queue.tell(again.id, "completed") == GO_ON
    assert queue.statuses(2) == ["leased", "leased", "completed", "completed"]
    assert queue.tell(hand_out, "completed") == GO_ON
    assert queue.statuses(2) == ["completed"] * 4


# ---- what a report extends


def test_a_report_extends_the_leases_of_all_that_the_same_poll_gave_over_several_comics(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic("B", panels=2)
    queue.comic("C", panels=2, domain=GEMINI)
    queue.take("w1")
    clock.advance(50)
    queue.tell("1.1", "running")
    assert [queue.lease(task) for task in (1, 2, 3, 4, 5)] == [350] * 5
    assert [queue.status(task) for task in (1, 2, 3, 4, 5)] == ["running", *["leased"] * 4]


@pytest.mark.parametrize("status", ["delivered", "completed", "failed", "cancelled"])
def test_every_report_that_is_accepted_extends_the_others(queue: Queue, clock: FrozenClock, status: str) -> None:
    queue.comic("B")
    queue.take()
    clock.advance(50)
    queue.tell("1.1", status)
    assert queue.lease(2) == 350


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_report_that_changes_nothing_extends_the_others_since_it_is_answered_2xx(
    queue: Queue, clock: FrozenClock, status: str
) -> None:
    queue.comic("B")
    queue.take()
    queue.tell("1.1", status)
    clock.advance(100)
    assert queue.tell("1.1", status) == STOP
    assert queue.lease(2) == 400


def test_a_report_that_is_refused_extends_nothing(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B")
    queue.take()
    queue.tell("1.1", "failed")
    clock.advance(100)
    assert queue.tell("1.1", "running") == CONFLICT
    assert queue.tell("1.7", "running") == UNKNOWN
    assert queue.lease(2) == 300


def test_a_report_extends_nothing_that_another_poll_gave(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B", panels=2)
    queue.take(limit=1)
    queue.take(limit=2)
    clock.advance(50)
    queue.tell("1.1", "running")
    assert [queue.lease(task) for task in (1, 2, 3)] == [350, 60, 60]


def test_a_report_about_an_older_attempt_extends_what_its_own_poll_gave(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B", panels=1)
    queue.take("w1")
    clock.advance(60)
    assert queue.take("w2", limit=1) == ["1.2"]
    queue.tell("1.1", "completed", by="w1")
    assert (queue.status(2), queue.lease(2), queue.task(2).worker) == ("leased", 360, "w1")


def test_a_report_brings_back_the_lapsed_leases_that_the_same_poll_gave(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B", panels=2)
    queue.take()
    queue.tell("2.1", "running")
    lapse(queue, clock)
    queue.tell("1.1", "running")
    assert [queue.status(task) for task in (1, 2, 3)] == ["running", "running", "leased"]
    assert [queue.history(task)[-1] for task in (2, 3)] == [Line("revived", 1, "w1", 601)] * 2


def test_a_report_brings_nothing_back_that_another_worker_has_by_now(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B")
    queue.take("w1")
    clock.advance(60)
    assert queue.take("w2") == ["1.2", "2.2"]
    assert queue.tell("1.1", "completed", by="w1") == GO_ON
    assert queue.task(2).worker == "w2"
    assert queue.lease(2) == 120


def test_extending_is_no_line_of_history(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B")
    queue.take()
    clock.advance(10)
    queue.tell("1.1", "running")
    assert queue.told(2) == ["handed_out"]


def test_what_came_again_is_extended_with_its_new_hand_out_only(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("B")
    queue.take()
    clock.advance(20)
    assert queue.take(holding=["1.1"]) == ["2.1"]
    clock.advance(10)
    queue.tell("1.1", "running")
    assert (queue.lease(1), queue.lease(2)) == (330, 80)
    queue.tell("2.1", "running")
    assert queue.lease(2) == 330


# ---- several reports at once


def test_reports_are_applied_in_their_order(queue: Queue) -> None:
    queue.take()
    answers = queue.tell_all(("1.1", "running"), ("1.1", "completed"), ("1.1", "running"))
    assert answers == [GO_ON, GO_ON, STOP]


def test_one_bad_report_spoils_no_other(queue: Queue) -> None:
    queue.comic("B", panels=2)
    queue.take()
    queue.tell("2.1", "failed")
    answers = queue.tell_all(("1.1", "running"), ("99.1", "running"), ("2.1", "running"), ("3.1", "completed"))
    assert answers == [GO_ON, UNKNOWN, CONFLICT, GO_ON]
    assert [queue.status(task) for task in (1, 2, 3)] == ["running", "queued", "completed"]


def test_no_reports_are_no_answers(queue: Queue) -> None:
    assert queue.tell_all() == []


# ---- what counts as an attempt


def left(queue: Queue) -> int:
    return queue.task(1).attempts_left


def test_three_attempts_are_allowed(queue: Queue, clock: FrozenClock) -> None:
    for attempt in (1, 2, 3):
        assert left(queue) == 4 - attempt
        assert queue.take() == [f"1.{attempt}"]
        queue.tell(f"1.{attempt}", "failed")
        clock.advance(60)
    assert (queue.status(1), left(queue)) == ("failed", 0)


@pytest.mark.parametrize("status", [status for status in PROGRESS if status != "delivered"])
def test_an_attempt_counts_from_its_first_report(queue: Queue, status: str) -> None:
    queue.take()
    assert left(queue) == 3
    queue.tell("1.1", status)
    assert left(queue) == 2


def test_an_attempt_counts_once_whatever_is_reported(queue: Queue) -> None:
    queue.take()
    for status in ("delivered", "sent", "running", "running", "downloading", "failed"):
        queue.tell("1.1", status)
    assert left(queue) == 2


def test_an_attempt_counts_once_though_it_lapses_and_comes_back(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    queue.tell("1.1", "running")
    lapse(queue, clock)
    queue.tell("1.1", "running")
    lapse(queue, clock)
    queue.tell("1.1", "failed")
    assert left(queue) == 2


def test_delivered_does_not_count(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    queue.tell("1.1", "delivered")
    lapse(queue, clock)
    assert (queue.status(1), left(queue)) == ("queued", 3)


@pytest.mark.parametrize("status", GIVE_BACK)
def test_giving_back_does_not_count(queue: Queue, status: str) -> None:
    queue.take()
    queue.tell("1.1", status)
    assert left(queue) == 3


def test_giving_back_does_not_take_away_what_was_counted(queue: Queue) -> None:
    queue.take()
    queue.tell("1.1", "running")
    queue.tell("1.1", "cancelled")
    assert left(queue) == 2


def test_giving_back_queues_the_task_though_no_attempt_is_left(queue: Queue) -> None:
    queue.set(max_attempts=1)
    queue.take()
    queue.tell("1.1", "running")
    queue.tell("1.1", "cancelled")
    assert queue.status(1) == "queued"


def test_a_report_that_is_refused_does_not_count(queue: Queue) -> None:
    queue.take("w1")
    queue.tell(1, "running", by="w2")
    assert left(queue) == 3


def test_a_counted_attempt_that_lapses_goes_back_while_attempts_are_left(queue: Queue, clock: FrozenClock) -> None:
    for attempt in (1, 2, 3):
        queue.take()
        queue.tell(f"1.{attempt}", "running")
        assert queue.status(1) == "running"
        lapse(queue, clock)
    assert (queue.status(1), queue.task(1).attempt) == ("failed", 3)
    assert queue.told(1)[-2:] == ["running", "expired"]


def lapse_uncounted(queue: Queue, clock: FrozenClock, times: int) -> None:
    """Take task 1 that often and never say anything."""
    for _ in range(times):
        assert len(queue.take(limit=1)) == 1
        lapse(queue, clock)


def test_an_attempt_that_lapses_uncounted_costs_nothing(queue: Queue, clock: FrozenClock) -> None:
    lapse_uncounted(queue, clock, 9)
    assert (queue.status(1), left(queue), queue.task(1).attempt) == ("queued", 3, 9)


def test_ten_attempts_in_a_row_that_lapse_uncounted_fail_the_task(queue: Queue, clock: FrozenClock) -> None:
    lapse_uncounted(queue, clock, 10)
    assert (queue.status(1), queue.task(1).attempt) == ("failed", 10)


def test_delivered_does_not_break_the_row(queue: Queue, clock: FrozenClock) -> None:
    for attempt in range(1, 11):
        queue.take()
        queue.tell(f"1.{attempt}", "delivered")
        lapse(queue, clock)
    assert queue.status(1) == "failed"


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
def test_an_attempt_that_did_not_lapse_uncounted_breaks_the_row(queue: Queue, clock: FrozenClock, status: str) -> None:
    lapse_uncounted(queue, clock, 9)
    assert queue.take() == ["1.10"]
    queue.tell("1.10", status)
    lapse(queue, clock)
    lapse_uncounted(queue, clock, 9)
    assert queue.status(1) == "queued"
    lapse_uncounted(queue, clock, 1)
    assert queue.status(1) == "failed"


def test_a_lapse_that_was_brought_back_counts_once_in_the_row(queue: Queue, clock: FrozenClock) -> None:
    lapse_uncounted(queue, clock, 8)
    queue.take()
    for _ in range(3):
        lapse(queue, clock)
        queue.tell("1.9", "delivered")
    lapse(queue, clock)
    assert queue.status(1) == "queued"
    lapse_uncounted(queue, clock, 1)
    assert queue.status(1) == "failed"


def test_the_tenth_lapse_brought_back_is_running_again(queue: Queue, clock: FrozenClock) -> None:
    lapse_uncounted(queue, clock, 10)
    assert queue.tell("1.10", "running") == GO_ON
    assert (queue.status(1), left(queue)) == ("running", 2)
    assert queue.tell("1.10", "failed") == GO_ON
    assert queue.status(1) == "queued"


def test_a_retry_grants_a_fresh_allowance_and_goes_on_with_the_numbers(queue: Queue) -> None:
    queue.wear_out(1)
    assert left(queue) == 0
    queue.retry(1)
    assert (queue.status(1), left(queue)) == ("queued", 3)
    assert queue.take() == ["1.4"]


def test_a_retry_starts_the_row_of_lapses_anew(queue: Queue, clock: FrozenClock) -> None:
    lapse_uncounted(queue, clock, 10)
    queue.retry(1)
    lapse_uncounted(queue, clock, 9)
    assert queue.status(1) == "queued"


def test_an_attempt_begun_before_a_retry_never_counts_after_it(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    queue.cancel(1)
    queue.retry(1)
    queue.tell("1.1", "running")
    assert left(queue) == 3
    queue.tell("1.1", "failed")
    assert (queue.status(1), left(queue)) == ("queued", 3)


def test_a_counted_attempt_begun_before_a_retry_does_not_count_again(queue: Queue, clock: FrozenClock) -> None:
    queue.set(max_attempts=1)
    queue.take()
    queue.tell("1.1", "running")
    lapse(queue, clock)
    queue.retry(1)
    queue.tell("1.1", "running")
    assert left(queue) == 1
    lapse(queue, clock)
    assert (queue.status(1), left(queue)) == ("queued", 1)


def test_an_attempt_begun_before_a_retry_never_counts_in_the_row_of_lapses(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    queue.cancel(1)
    queue.retry(1)
    for _ in range(12):
        queue.tell("1.1", "delivered")
        lapse(queue, clock)
    assert queue.status(1) == "queued"
    lapse_uncounted(queue, clock, 9)
    assert queue.status(1) == "queued"


# ---- history


def test_the_history_of_a_panel_that_is_drawn(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    clock.advance(5)
    queue.tell("1.1", "running")
    clock.advance(5)
    queue.tell("1.1", "completed")
    assert queue.history(1) == [
        Line("handed_out", 1, "w1", 60),
        Line("running", 1, "w1", 305),
        Line("completed", 1, "w1"),
    ]


def test_the_history_of_a_panel_that_fails_and_is_retried(queue: Queue) -> None:
    queue.set(max_attempts=1)
    queue.take("w1")
    queue.tell("1.1", "failed")
    queue.retry(1)
    queue.take("w2")
    assert [line[:2] for line in queue.history(1)] == [
        ("handed_out", 1),
        ("failed", 1),
        ("retried", 1),
        ("handed_out", 2),
    ]


def test_the_history_of_a_panel_that_is_given_back_lost_and_cancelled(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    queue.tell("1.1", "no_tabs")
    queue.take("w2")
    clock.advance(60)
    queue.take("w3")
    queue.cancel(1)
    assert [line[:3] for line in queue.history(1)] == [
        ("handed_out", 1, "w1"),
        ("given_back", 1, "w1"),
        ("handed_out", 2, "w2"),
        ("expired", 2, "w2"),
        ("handed_out", 3, "w3"),
        ("cancelled", 3, "w3"),
    ]


def test_the_history_of_a_lease_that_is_brought_back(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    queue.tell("1.1", "running")
    clock.advance(400)
    queue.tell("1.1", "running")
    assert queue.history(1) == [
        Line("handed_out", 1, "w1", 60),
        Line("running", 1, "w1", 300),
        Line("expired", 1, "w1", 300),
        Line("revived", 1, "w1", 700),
    ]


def test_the_history_of_two_successes(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    queue.tell("1.1", "completed")
    queue.tell("1.2", "completed", by="w2")
    assert queue.history(1)[2:] == [Line("handed_out", 2, "w2", 120), Line("completed", 1, "w1")]


def test_renewals_are_no_lines_of_history(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    for progress in range(0, 100, 10):
        clock.advance(5)
        queue.tell("1.1", "running", progress=progress)
    assert queue.told(1) == ["handed_out", "running"]
    assert queue.task(1).progress == 90


def last_line(queue: Queue, task: int) -> Any:
    with queue.reading() as session:
        return snapshots.events(session, task)[0][-1]


def test_what_a_report_says_is_kept_in_history_with_what_is_not_known_as_details(queue: Queue) -> None:
    queue.take()
    queue.tell("1.1", "error", message="No prompt box", tab_id="7", details={"reason": "signed out"})
    line = last_line(queue, 1)
    assert line.message == "No prompt box"
    assert line.details["reason"] == "signed out"
    assert line.details["tabId"] == "7"


def test_a_report_says_when_its_worker_was_seen(queue: Queue, clock: FrozenClock) -> None:
    queue.take("w1")
    clock.advance(120)
    queue.tell("1.1", "running", by="whoever")
    assert [(row[1], row[-1]) for row in queue.everything()["worker"]] == [("w1", clock.now)]


# ---- the dialect of the 2.x extension


def delivered(queue: Queue, tab: int = 7) -> None:
    queue.take("2.x", one_at_a_time=True, named=False)
    queue.tell_2x("1.1", "delivered", tab=tab)


@pytest.mark.parametrize("status", FAILURE)
def test_2x_a_failure_of_another_tab_is_only_an_event(queue: Queue, status: str) -> None:
    delivered(queue, tab=7)
    queue.tell_2x("1.1", status, tab=8)
    assert (queue.status(1), queue.told(1)) == ("running", ["handed_out", "running", "noted"])


def test_2x_a_failure_of_the_tab_that_delivered_is_one(queue: Queue) -> None:
    delivered(queue, tab=7)
    queue.tell_2x("1.1", "error", tab=7)
    assert (queue.status(1), queue.told(1)[-1]) == ("queued", "failed")


def test_2x_the_tab_that_delivered_first_stays_the_one(queue: Queue) -> None:
    delivered(queue, tab=7)
    queue.tell_2x("1.1", "delivered", tab=8)
    queue.tell_2x("1.1", "error", tab=8)
    assert queue.status(1) == "running"
    queue.tell_2x("1.1", "error", tab=7)
    assert queue.status(1) == "queued"


def test_2x_a_failure_counts_where_no_tab_has_delivered(queue: Queue) -> None:
    queue.take("2.x", one_at_a_time=True, named=False)
    queue.tell_2x("1.1", "error", tab=8)
    assert queue.status(1) == "queued"


@pytest.mark.parametrize(("status", "after"), [("sent", "running"), ("image_found", "completed")])
def test_2x_what_another_tab_says_that_is_no_failure_is_taken_as_usual(queue: Queue, status: str, after: str) -> None:
    delivered(queue, tab=7)
    queue.tell_2x("1.1", status, tab=8)
    assert queue.status(1) == after


def test_2x_a_failure_of_another_tab_extends_the_lease_as_everything_that_is_answered_2xx(
    queue: Queue, clock: FrozenClock
) -> None:
    delivered(queue, tab=7)
    clock.advance(100)
    queue.tell_2x("1.1", "error", tab=8)
    assert queue.lease(1) == 400


@pytest.mark.parametrize("tab", [7, 8])
def test_2x_a_failure_after_the_lease_ran_out_is_recorded_with_the_lapse(
    queue: Queue, clock: FrozenClock, tab: int
) -> None:
    delivered(queue, tab=7)
    clock.advance(400)
    queue.tell_2x("1.1", "error", tab=tab)
    assert queue.told(1)[:3] == ["handed_out", "running", "expired"]


def test_2x_a_failure_of_another_tab_after_the_picture_is_there_changes_nothing_of_it(queue: Queue) -> None:
    delivered(queue, tab=7)
    queue.tell_2x("1.1", "image_found", tab=7)
    queue.tell_2x("1.1", "error", tab=8)
    assert queue.status(1) == "completed"


def test_2x_an_error_without_a_task_gives_back_the_one_that_this_worker_holds_as_by_no_tabs(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.take("2.x", one_at_a_time=True, named=False)
    queue.tell_2x(None, "error", tab=7)
    assert (queue.status(1), queue.told(1)) == ("queued", ["handed_out", "given_back"])
    assert queue.task(1).attempts_left == 3
    queue.comic("B")
    clock.advance(29)
    assert queue.take("2.x", one_at_a_time=True, named=False) == []
    assert queue.take("w2") == ["2.1", "1.2"]


def test_2x_an_error_without_a_task_of_a_worker_that_holds_nothing_changes_nothing(queue: Queue) -> None:
    queue.take("w2", named=False)
    before = queue.everything()
    queue.tell_2x(None, "error", tab=7)
    assert queue.everything() == before


def test_2x_an_error_without_a_task_leaves_alone_what_another_worker_holds(queue: Queue) -> None:
    queue.comic("B")
    queue.take("w2", limit=1)
    queue.take("2.x", one_at_a_time=True, named=False)
    queue.tell_2x(None, "error", tab=7)
    assert (queue.status(1), queue.status(2)) == ("leased", "queued")


def test_2x_reports_that_follow_such_an_error_change_nothing(queue: Queue) -> None:
    queue.take("2.x", one_at_a_time=True, named=False)
    queue.tell_2x(None, "error", tab=7)
    queue.tell_2x("1.1", "delivered", tab=7)
    queue.tell_2x("1.1", "sent", tab=7)
    assert queue.status(1) == "queued"
    assert queue.take("w2") == ["1.2"]


def test_2x_no_tabs_every_two_seconds_holds_the_site_from_the_first(queue: Queue, clock: FrozenClock) -> None:
    queue.take("2.x", one_at_a_time=True, named=False)
    for _ in range(14):
        queue.tell_2x("1.1", "no_tabs", tab=7)
        clock.advance(2)
        assert queue.take("2.x", one_at_a_time=True, named=False) == []
    clock.advance(2)
    assert queue.take("2.x", one_at_a_time=True, named=False) == ["1.2"]
