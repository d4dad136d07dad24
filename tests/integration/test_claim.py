"""A poll: what it gives, to whom, in which order, and what every cap and hold keeps back."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from semantest_server.models import Priority
from semantest_server.queue.drafts import PanelDraft

from ..conftest import FrozenClock
from .callers import CHATGPT, Line, Queue, numbers, receipts, titles

GEMINI = "gemini.google.com"


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    executed: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield executed
    event.remove(engine, "before_cursor_execute", note)


# ---- what a poll gives


def test_a_poll_of_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert queue.poll() == []


def test_a_hand_out_says_what_to_draw(queue: Queue) -> None:
    comic = queue.comic("Cave of Echoes", panels=[PanelDraft("Hero enters cave", 46)], style="noir, high contrast")
    (hand_out,) = queue.poll()
    (panel,) = hand_out.panels
    assert hand_out.comic.id == comic
    assert hand_out.id.startswith("h-")
    assert (panel.receipt, panel.number) == ("1.1", 46)
    assert panel.prompt == "Hero enters cave, noir, high contrast"
    assert (panel.output_path, panel.download_folder) == ("panel-046.png", "cave-of-echoes")


def test_a_panels_own_style_wins_over_its_comics(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("Hero", style="ink")], style="noir")
    assert queue.poll()[0].panels[0].prompt == "Hero, ink"


def test_a_poll_gives_one_hand_out_of_each_comic(queue: Queue) -> None:
    queue.comic("A", panels=2)
    queue.comic("B", panels=2)
    hand_outs = queue.poll()
    assert [receipts([hand_out]) for hand_out in hand_outs] == [["1.1", "2.1"], ["3.1", "4.1"]]
    assert hand_outs[0].id != hand_outs[1].id


def test_two_polls_never_give_hand_outs_of_one_id(queue: Queue) -> None:
    queue.comic(panels=2)
    assert queue.poll(limit=1)[0].id != queue.poll(limit=1)[0].id


def test_a_task_is_never_handed_out_to_two(queue: Queue) -> None:
    queue.comic(panels=5)
    assert queue.take("w1", limit=2) == ["1.1", "2.1"]
    assert queue.take("w2", limit=2) == ["3.1", "4.1"]
    assert queue.take("w3") == ["5.1"]
    assert queue.take("w4") == []


def test_held_tasks_are_not_handed_out_again_to_the_same_worker(queue: Queue) -> None:
    queue.comic(panels=2)
    queue.take()
    assert queue.take() == []
    queue.tell("1.1", "running")
    assert queue.take() == []


def test_a_hand_out_is_a_line_of_history(queue: Queue) -> None:
    queue.comic()
    queue.take("w1")
    assert queue.history(1) == [Line("handed_out", 1, "w1", 60)]
    assert queue.status(1) == "leased"


# ---- the order of choosing


def test_within_a_comic_the_order_is_that_of_the_numbers(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("c", 3), PanelDraft("a", 1), PanelDraft("b", 2)])
    assert numbers(queue.poll(limit=1)) == [1]
    assert numbers(queue.poll()) == [2, 3]


def test_comics_come_by_priority(queue: Queue) -> None:
    queue.comic("low", priority=Priority.LOW)
    queue.comic("normal")
    queue.comic("high", priority=Priority.HIGH)
    assert [titles(queue.poll(limit=1)) for _ in range(3)] == [["high"], ["normal"], ["low"]]


def test_a_comic_of_high_priority_comes_first_however_much_of_it_is_out(queue: Queue) -> None:
    queue.comic("high", panels=4, priority=Priority.HIGH)
    queue.comic("normal")
    assert [titles(queue.poll(limit=2)) for _ in range(2)] == [["high", "high"]] * 2


def test_among_equals_the_comic_with_the_fewest_tasks_out_comes_first(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("A", panels=6)
    queue.comic("B", panels=6)
    assert titles(queue.poll(limit=3)) == ["A"] * 3
    clock.advance(1)
    assert titles(queue.poll(limit=2)) == ["B"] * 2
    clock.advance(1)
    assert titles(queue.poll(limit=2)) == ["B"] * 2
    assert titles(queue.poll(limit=1)) == ["A"]


def test_among_equals_with_as_many_out_the_comic_served_longest_ago_comes_first(
    queue: Queue, clock: FrozenClock
) -> None:
    for title in "ABC":
        queue.comic(title, panels=9)
    order = []
    for _ in range(6):
        (hand_out,) = queue.poll(limit=1)
        order.append(hand_out.comic.title)
        queue.tell(hand_out.panels[0].receipt, "completed")
        clock.advance(1)
    assert order == ["A", "B", "C", "A", "B", "C"]


def test_a_lapsed_lease_is_no_task_out_when_comics_are_compared(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("A", panels=3)
    assert titles(queue.poll("asleep", limit=2)) == ["A"] * 2
    clock.advance(59)
    queue.comic("B", panels=3)
    assert titles(queue.poll("awake", limit=1)) == ["B"]
    clock.advance(1)
    assert titles(queue.poll("awake", limit=1)) == ["A"]


def test_the_priority_can_be_changed_while_a_comic_is_drawn(queue: Queue) -> None:
    queue.comic("A", panels=2)
    later = queue.comic("B")
    queue.change(later, priority=Priority.HIGH)
    assert titles(queue.poll(limit=1)) == ["B"]


# ---- caps


def test_at_most_parallel_tasks_of_a_comic_are_out_over_all_workers(queue: Queue) -> None:
    queue.comic(panels=9, parallel=3)
    assert len(queue.take("w1", limit=2)) == 2
    assert len(queue.take("w2")) == 1
    assert queue.take("w3") == []
    queue.tell("1.1", "completed")
    assert queue.take("w3") == ["4.1"]


def test_a_worker_holds_at_most_ten(queue: Queue) -> None:
    queue.comic(panels=30, parallel=100)
    assert len(queue.take(limit=7)) == 7
    assert len(queue.take(limit=7)) == 3
    assert queue.take(limit=7) == []
    queue.tell("1.1", "completed")
    assert queue.take() == ["11.1"]


def test_one_poll_gives_no_more_than_the_limit_over_all_comics(queue: Queue) -> None:
    queue.comic("A", panels=2)
    queue.comic("B", panels=2)
    queue.comic("C", panels=2)
    assert titles(queue.poll(limit=3)) == ["A", "A", "B"]


def test_a_limit_above_what_a_worker_may_hold_gives_what_it_may_hold(queue: Queue) -> None:
    queue.comic(panels=60, parallel=100)
    assert len(queue.take(limit=50)) == 10


def test_what_a_worker_may_hold_is_a_setting(queue: Queue) -> None:
    queue.set(worker_tasks=2)
    queue.comic(panels=5)
    assert len(queue.take()) == 2


def test_lapsed_leases_free_the_caps_of_worker_and_comic_at_once(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=20, parallel=10)
    assert len(queue.take()) == 10
    clock.advance(60)
    assert len(queue.take()) == 10


def test_a_lowered_cap_stops_hand_outs_until_tasks_come_back(queue: Queue) -> None:
    comic = queue.comic(panels=6, parallel=4)
    queue.take(limit=4)
    queue.change(comic, parallel=2)
    assert queue.take("w2") == []
    queue.tell_all(("1.1", "completed"), ("2.1", "completed"))
    assert queue.take("w2") == []
    queue.tell("3.1", "completed")
    assert queue.take("w2") == ["5.1"]


def test_revived_leases_are_counted_against_the_caps(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=4, parallel=2)
    queue.take("w1", limit=1)
    clock.advance(60)
    assert queue.take("w2", limit=1) == ["1.2"]
    assert queue.take("w2", limit=1) == ["2.1"]
    clock.advance(60)
    assert queue.tell("1.2", "running", by="w2") == (200, "continue")  # 2.1 was given by another poll
    assert queue.take("w3") == ["2.2"]
    assert queue.take("w4") == []
    queue.tell("2.2", "failed", by="w3")
    assert queue.take("w4") == ["3.1"]


def test_a_worker_whose_leases_were_revived_above_its_cap_gets_nothing_more(queue: Queue, clock: FrozenClock) -> None:
    queue.set(worker_tasks=2)
    queue.comic(panels=6)
    assert queue.take() == ["1.1", "2.1"]
    clock.advance(60)
    assert queue.take("w2", limit=2) == ["1.2", "2.2"]
    assert queue.take() == ["3.1", "4.1"]
    clock.advance(60)
    assert queue.tell("3.1", "running") == (200, "continue")  # 4.1 comes back with it
    assert queue.take() == []
    queue.tell("3.1", "completed")
    assert queue.take() == ["1.3"]


def test_one_at_a_time_is_one_task_in_flight(queue: Queue) -> None:
    queue.comic(panels=3)
    assert queue.take("2.x", one_at_a_time=True, named=False) == ["1.1"]
    assert queue.take("2.x", one_at_a_time=True, named=False) == []
    queue.tell("1.1", "image_found", by="2.x", named=False)
    assert queue.take("2.x", one_at_a_time=True, named=False) == ["2.1"]


@pytest.mark.parametrize("comics", [3, 40])
def test_the_poll_of_a_worker_that_holds_all_it_may_costs_the_same_however_much_waits(
    queue: Queue, comics: int
) -> None:
    queue.set(worker_tasks=1)
    for _ in range(comics):
        queue.comic(panels=2)
    queue.take()
    with statements(queue.engine) as executed:
        assert queue.take(limit=1) == []
    assert len(executed) < 30


# ---- sites


def test_a_worker_gets_work_only_for_the_sites_it_has_tabs_for(queue: Queue) -> None:
    queue.comic("A", domain=CHATGPT)
    queue.comic("B", domain=GEMINI)
    assert queue.take(domains=["other.example"]) == []
    assert titles(queue.poll(domains=[GEMINI])) == ["B"]
    assert titles(queue.poll(domains=[GEMINI, CHATGPT])) == ["A"]


def test_a_worker_that_does_not_say_which_sites_gets_work_for_all(queue: Queue) -> None:
    queue.comic("A", domain=CHATGPT)
    queue.comic("B", domain=GEMINI)
    assert titles(queue.poll()) == ["A", "B"]


def test_a_worker_that_has_no_tab_at_all_gets_nothing(queue: Queue) -> None:
    queue.comic()
    assert queue.take(domains=[]) == []


# ---- leases


def test_a_worker_that_names_itself_has_sixty_seconds_to_say_something(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    (hand_out,) = queue.poll()
    assert (hand_out.leased_until - clock.now).total_seconds() == 60
    clock.advance(59.9)
    assert queue.take("w2") == []
    clock.advance(0.1)
    assert queue.take("w2") == ["1.2", "2.2"]


def test_other_clients_get_the_full_lease_at_once(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    assert queue.take("127.0.0.1 Chrome", named=False) == ["1.1"]
    clock.advance(299)
    assert queue.take("w2") == []
    clock.advance(1)
    assert queue.take("w2") == ["1.2"]


def test_a_lapsed_lease_is_recorded_by_the_next_poll_and_goes_back_without_backoff(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic()
    queue.take("w1")
    clock.advance(60)
    assert queue.take("w2") == ["1.2"]
    assert queue.history(1) == [
        Line("handed_out", 1, "w1", 60),
        Line("expired", 1, "w1", 60),
        Line("handed_out", 2, "w2", 120),
    ]


def test_a_poll_that_gives_nothing_records_lapsed_leases_too(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.take("w1")
    queue.pause(comic)
    clock.advance(60)
    assert queue.take("w2") == []
    assert queue.told(1) == ["handed_out", "expired"]


def test_a_lapse_is_recorded_once(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.take("w1")
    queue.pause(comic)
    clock.advance(60)
    queue.take("w2")
    queue.take("w3")
    queue.resume(comic)
    assert queue.told(1) == ["handed_out", "expired"]


def test_the_times_of_leases_are_settings(queue: Queue, clock: FrozenClock) -> None:
    queue.set(ack_seconds=2, lease_seconds=7)
    queue.comic("A")
    queue.take("named")
    queue.comic("B")
    queue.take("inferred", named=False)
    assert (queue.lease(1), queue.lease(2)) == (2, 7)
    queue.tell("1.1", "running")
    assert queue.lease(1) == 7


def test_more_lapsed_leases_than_are_recorded_at_once_hold_nobody_back(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("A", panels=120, parallel=100, domain=CHATGPT)
    queue.comic("B", panels=1, parallel=1, domain=GEMINI)
    for number in range(10):
        assert len(queue.take(f"asleep {number}", domains=[CHATGPT])) == 10
    assert len(queue.take("asleep", domains=[GEMINI])) == 1
    clock.advance(60)
    assert titles(queue.poll("awake", domains=[GEMINI])) == ["B"]


# ---- backoff and giving back


def test_a_failed_attempt_waits_ten_seconds_give_or_take_a_fifth(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    queue.tell("1.1", "failed")
    clock.advance(7.9)
    assert queue.take() == []
    clock.advance(4.1)
    assert queue.take() == ["1.2"]


def test_each_failure_waits_twice_as_long(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    queue.tell("1.1", "failed")
    clock.advance(12)
    queue.take()
    queue.tell("1.2", "failed")
    clock.advance(15.9)
    assert queue.take() == []
    clock.advance(8.1)
    assert queue.take() == ["1.3"]


def test_a_task_in_backoff_keeps_no_other_back(queue: Queue) -> None:
    queue.comic(panels=2, parallel=1)
    queue.take()
    queue.tell("1.1", "failed")
    assert queue.take() == ["2.1"]


def test_a_worker_does_not_get_back_what_it_gave_back_for_thirty_seconds(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take("w1")
    queue.tell("1.1", "cancelled")
    clock.advance(29.9)
    assert queue.take("w1") == []
    clock.advance(0.1)
    assert queue.take("w1") == ["1.2"]


def test_another_worker_gets_at_once_what_one_gave_back(queue: Queue) -> None:
    queue.comic()
    queue.take("w1")
    queue.tell("1.1", "cancelled")
    assert queue.take("w2") == ["1.2"]


def test_a_worker_that_gave_a_task_back_gets_the_others(queue: Queue) -> None:
    queue.comic("A", panels=2, parallel=1)
    queue.comic("B")
    queue.take("w1", limit=1)
    queue.tell("1.1", "cancelled")
    assert queue.take("w1", limit=2) == ["3.1", "2.1"]


def test_comics_of_which_all_was_given_back_hide_no_comic_behind_them(queue: Queue, clock: FrozenClock) -> None:
    for _ in range(5):
        queue.comic("high", priority=Priority.HIGH)
    for receipt in queue.take("w1"):
        queue.tell(receipt, "cancelled")
    queue.comic("low", priority=Priority.LOW)
    assert titles(queue.poll("w1", limit=1)) == ["low"]


# ---- no_tabs


def test_a_worker_without_a_tab_gets_no_work_for_that_site_for_thirty_seconds(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("A", panels=2, domain=CHATGPT)
    queue.comic("B", domain=GEMINI)
    queue.take("w1", limit=1)
    queue.tell("1.1", "no_tabs")
    assert titles(queue.poll("w1")) == ["B"]
    clock.advance(29.9)
    assert queue.take("w1") == []
    clock.advance(0.1)
    assert queue.take("w1") == ["1.2", "2.1"]


def test_a_missing_tab_of_one_worker_keeps_no_other_back(queue: Queue) -> None:
    queue.comic(panels=2)
    queue.take("w1", limit=1)
    queue.tell("1.1", "no_tabs")
    assert queue.take("w2") == ["1.2", "2.1"]


def test_a_second_missing_tab_holds_for_another_thirty_seconds(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    queue.take("w1")
    queue.tell("1.1", "no_tabs")
    clock.advance(20)
    queue.tell("2.1", "no_tabs")
    clock.advance(29)
    assert queue.take("w1") == []
    clock.advance(1)
    assert queue.take("w1") == ["1.2", "2.2"]


def test_a_worker_without_a_tab_is_not_sent_again_what_it_lost_for_that_site(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    queue.take("w1")
    queue.tell("1.1", "no_tabs")
    clock.advance(20)
    assert queue.take("w1", holding=[]) == []


# ---- resending


def test_what_a_worker_does_not_hold_comes_again_with_the_same_receipt_in_a_new_hand_out(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic(panels=2)
    (lost,) = queue.poll()
    clock.advance(15.1)
    (again,) = queue.poll(holding=[])
    assert receipts([again]) == receipts([lost]) == ["1.1", "2.1"]
    assert again.id != lost.id
    assert again.panels == lost.panels


def test_nothing_comes_again_within_fifteen_seconds(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(15)
    assert queue.take(holding=[]) == []
    clock.advance(0.1)
    assert queue.take(holding=[]) == ["1.1"]


def test_nothing_comes_again_within_fifteen_seconds_of_its_last_report(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(14)
    queue.tell("1.1", "running")
    clock.advance(15)
    assert queue.take(holding=[]) == []
    clock.advance(0.1)
    assert queue.take(holding=[]) == ["1.1"]


def test_an_attempt_comes_again_at_most_once(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(20)
    assert queue.take(holding=[]) == ["1.1"]
    clock.advance(20)
    assert queue.take(holding=[]) == []


def test_a_new_attempt_may_come_again_once_more(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(20)
    queue.take(holding=[])
    clock.advance(60)
    assert queue.take() == ["1.2"]
    clock.advance(20)
    assert queue.take(holding=[]) == ["1.2"]


def test_where_holding_is_absent_nothing_is_concluded(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(20)
    before = queue.everything()
    assert queue.take(holding=None) == []
    assert queue.everything() == before


def test_what_a_worker_names_does_not_come_again_and_is_renewed_for_five_minutes(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic(panels=2)
    queue.take()
    clock.advance(20)
    assert queue.take(holding=["1.1"]) == ["2.1"]
    assert (queue.lease(1), queue.lease(2)) == (20 + 300, 20 + 60)
    assert queue.status(1) == "leased"


def test_what_comes_again_has_another_sixty_seconds_for_a_first_report(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(50)
    (again,) = queue.poll(holding=[])
    assert (again.leased_until - clock.now).total_seconds() == 60
    assert queue.lease(1) == 110


def test_what_comes_again_has_all_of_its_time_though_it_was_leased_a_moment_ago(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.set(resend_seconds=0.5)
    queue.comic()
    queue.take()
    clock.advance(0.9)
    (again,) = queue.poll(holding=[])
    assert (again.leased_until - clock.now).total_seconds() == 60
    assert queue.lease(1) == 60.9
    assert queue.history(1)[-1].leased_until == 60.9


def test_what_comes_again_keeps_a_lease_that_is_longer(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(20)
    queue.take(holding=[])
    assert queue.lease(1) == 300


def test_a_worker_that_did_not_name_itself_is_sent_nothing_again(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take("127.0.0.1 Chrome", named=False)
    clock.advance(20)
    assert queue.take("127.0.0.1 Chrome", named=False, holding=[]) == []


def test_a_worker_that_did_not_name_itself_renews_what_it_names_all_the_same(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take("127.0.0.1 Chrome", named=False)
    clock.advance(20)
    queue.take("127.0.0.1 Chrome", named=False, holding=["1.1"])
    assert queue.lease(1) == 320


def test_nothing_comes_again_from_a_paused_comic(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.take()
    queue.pause(comic)
    clock.advance(20)
    assert queue.take(holding=[]) == []
    queue.resume(comic)
    assert queue.take(holding=[]) == ["1.1"]


def test_a_worker_is_sent_again_only_what_is_its_own(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take("w1")
    clock.advance(20)
    assert queue.take("w2", holding=[]) == []


def test_a_receipt_of_another_worker_is_ignored(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    queue.take("w1", limit=1)
    queue.take("w2", limit=1)
    clock.advance(10)
    queue.take("w2", holding=["1.1", "2.1"])
    assert (queue.lease(1), queue.lease(2)) == (60, 310)


@pytest.mark.parametrize("receipt", ["1.2", "1.0", "99.1", "9223372036854775807.1"])
def test_a_receipt_that_is_nobodys_is_ignored(queue: Queue, clock: FrozenClock, receipt: str) -> None:
    queue.comic()
    queue.take()
    clock.advance(10)
    assert queue.take(holding=[receipt]) == []
    assert queue.lease(1) == 60


def test_a_receipt_of_an_attempt_that_is_over_is_ignored(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=3)
    queue.take()
    queue.tell_all(("1.1", "completed"), ("2.1", "cancelled"))
    before = queue.everything()["task"][:2]
    assert queue.take(holding=["1.1", "2.1", "3.1"]) == []
    assert queue.everything()["task"][:2] == before


def test_a_lapsed_lease_that_is_named_is_brought_back(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(100)
    assert queue.take(holding=["1.1"]) == []
    assert (queue.status(1), queue.lease(1)) == ("leased", 400)
    assert queue.history(1)[1:] == [Line("expired", 1, "w1", 60), Line("revived", 1, "w1", 400)]


def test_a_named_lease_is_brought_back_before_anything_is_claimed(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2, parallel=1)
    queue.take(limit=1)
    clock.advance(100)
    assert queue.take(holding=["1.1"]) == []


def test_a_named_lease_whose_lapse_was_recorded_is_brought_back_though_its_comic_is_paused(
    queue: Queue, clock: FrozenClock
) -> None:
    comic = queue.comic()
    queue.take("w1")
    queue.pause(comic)
    clock.advance(100)
    queue.take("w2")
    assert queue.told(1) == ["handed_out", "expired"]
    queue.take("w1", holding=["1.1"])
    assert (queue.status(1), queue.lease(1)) == ("leased", 400)


def test_a_named_lease_of_a_task_that_failed_by_lapsing_is_brought_back(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    for _ in range(3):
        (receipt,) = queue.take()
        queue.tell(receipt, "running")
        clock.advance(300)
    queue.take("w2")
    assert queue.status(1) == "failed"
    queue.take("w1", holding=["1.3"])
    assert (queue.status(1), queue.lease(1)) == ("running", 900 + 300)


def test_renewing_is_no_line_of_history(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(20)
    queue.take(holding=["1.1"])
    assert queue.told(1) == ["handed_out"]


def test_what_comes_again_counts_against_the_limit(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=4)
    queue.take(limit=2)
    clock.advance(20)
    assert queue.take(holding=[], limit=3) == ["1.1", "2.1", "3.1"]


def test_what_comes_again_begins_no_new_attempt_and_is_handed_out_only_once(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    clock.advance(20)
    queue.take(holding=[])
    assert queue.task(1).attempt == 1
    assert queue.told(1).count("handed_out") == 1


# ---- pacing


def test_with_a_gap_a_hand_out_carries_one_panel(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=5)
    queue.pace(gap_seconds=20)
    assert queue.take("w1") == ["1.1"]
    assert queue.take("w2") == []
    clock.advance(19)
    assert queue.take("w2") == []
    clock.advance(1)
    assert queue.take("w2") == ["2.1"]


def test_a_gap_is_of_the_site_and_not_of_the_comic(queue: Queue) -> None:
    queue.comic("A", panels=2)
    queue.comic("B", panels=2)
    queue.comic("C", panels=2, domain=GEMINI)
    queue.pace(gap_seconds=20)
    assert titles(queue.poll()) == ["A", "C", "C"]


def test_with_a_gap_what_comes_again_is_alone_in_its_hand_out_too(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=3)
    queue.pace(gap_seconds=10)
    queue.take()
    clock.advance(20)
    assert all(len(hand_out.panels) == 1 for hand_out in queue.poll(holding=[]))


def test_a_break_follows_every_n_panels_handed_out_over_all_comics(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("A", panels=3)
    queue.comic("B", panels=9)
    queue.pace(break_after=5, break_seconds=60)
    assert titles(queue.poll("w1")) == ["A", "A", "A", "B", "B"]
    assert queue.take("w2") == []
    clock.advance(59)
    assert queue.take("w2") == []
    queue.tell("1.1", "running")  # so that nothing lapses
    clock.advance(1)
    assert titles(queue.poll("w2")) == ["B"] * 5


def test_a_daily_cap_starts_anew_at_midnight_utc(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=9)
    queue.pace(daily_cap=4)
    assert len(queue.take("w1", limit=3)) == 3
    assert len(queue.take("w2", limit=3)) == 1
    assert queue.take("w3") == []
    queue.tell_all(*((f"{n}.1", "completed") for n in (1, 2, 3, 4)))
    clock.advance(6 * 3600 - 1)
    assert queue.take("w3") == []
    clock.advance(1)
    assert len(queue.take("w3")) == 4


def test_a_paced_site_of_high_priority_hides_no_other_site(queue: Queue) -> None:
    queue.comic("A", panels=9, priority=Priority.HIGH)
    queue.comic("B", domain=GEMINI)
    queue.pace(daily_cap=1)
    assert titles(queue.poll(limit=1)) == ["A"]
    assert titles(queue.poll(limit=1)) == ["B"]


def test_pacing_that_is_turned_off_holds_nothing_back(queue: Queue) -> None:
    queue.comic(panels=9)
    queue.pace(gap_seconds=1000, break_after=1, break_seconds=1000, daily_cap=1)
    queue.take(limit=1)
    queue.pace()
    assert len(queue.take()) == 8


# ---- being seen


def test_an_empty_poll_writes_nothing_but_when_the_worker_was_seen(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    before = queue.everything()
    clock.advance(299)
    queue.take()
    assert queue.everything() == before
    clock.advance(1)
    queue.take()
    after = queue.everything()
    assert {name for name in after if after[name] != before[name]} <= {"worker", "revision"}
    assert after["worker"] != before["worker"]


def test_an_empty_poll_from_another_address_writes_no_more_often(queue: Queue, clock: FrozenClock) -> None:
    queue.take(address="10.0.0.1")
    before = queue.everything()
    clock.advance(10)
    queue.take(address="10.0.0.2")
    assert queue.everything() == before


def test_the_empty_poll_of_a_worker_that_holds_panels_writes_nothing(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2, parallel=1)
    queue.take(limit=1)
    before = queue.everything()
    clock.advance(10)
    assert queue.take() == []
    assert queue.everything() == before


def test_a_poll_that_gives_something_notes_once_a_minute_when_the_worker_was_seen(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic(panels=2)
    queue.take(limit=1)
    clock.advance(61)
    queue.take(limit=1)
    assert [row[-1] for row in queue.everything()["worker"]] == [clock.now]


def test_a_name_made_up_and_the_same_name_inferred_are_two_workers(queue: Queue) -> None:
    queue.comic(panels=3)
    queue.set(worker_tasks=1)
    assert queue.take("w", named=True) == ["1.1"]
    assert queue.take("w", named=False) == ["2.1"]
