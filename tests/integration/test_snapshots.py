"""What is seen: progress, lists, workers, health; a lapsed lease counts as ended everywhere, though nobody wrote so."""

from datetime import datetime

import pytest
from sqlalchemy import select

from semantest_server import snapshots
from semantest_server.changes import Changes
from semantest_server.errors import NotFound
from semantest_server.models import Priority, Task, TaskStatus
from semantest_server.queue.drafts import PanelDraft
from semantest_server.queue.lookout import Lookout

from ..conftest import FrozenClock
from .callers import CHATGPT, Queue

GEMINI = "gemini.google.com"
EMPTY = ["no-work.example"]  # what a worker polls for that is only seen


def counts(queue: Queue, comic: int) -> tuple[int, int, int, int, int]:
    """How many tasks are queued, running, completed, failed and cancelled."""
    progress = queue.progress(comic)
    five = (progress.queued, progress.running, progress.completed, progress.failed, progress.cancelled)
    assert sum(five) == progress.total
    return five


def draw(queue: Queue, clock: FrozenClock, times: int, seconds: float) -> None:
    """Draw so many panels, each for that long, one after the other."""
    for _ in range(times):
        (receipt,) = queue.take(limit=1)
        clock.advance(seconds)
        queue.tell(receipt, "completed")


# ---- progress


def test_the_five_counts_say_where_every_panel_is(queue: Queue) -> None:
    comic = queue.comic(panels=7)
    queue.set(max_attempts=1)
    queue.take(limit=5)
    queue.tell_all(("2.1", "running"), ("3.1", "completed"), ("4.1", "failed"))
    queue.set(max_attempts=3)
    queue.tell("5.1", "failed")
    assert counts(queue, comic) == (3, 2, 1, 1, 0)
    queue.cancel(comic)
    assert counts(queue, comic) == (0, 0, 1, 0, 6)


def test_current_is_the_panel_that_is_being_drawn(queue: Queue) -> None:
    comic = queue.comic(panels=[PanelDraft("Hero enters", 45), PanelDraft("Monster appears", 46)])
    assert queue.progress(comic).current is None
    queue.take()
    assert queue.progress(comic).current == "Panel 45: Hero enters"
    queue.tell("2.1", "running")
    assert queue.progress(comic).current == "Panel 46: Monster appears"
    queue.tell_all(("1.1", "completed"), ("2.1", "completed"))
    assert queue.progress(comic).current is None


def test_a_long_prompt_is_shortened_to_one_line(queue: Queue) -> None:
    comic = queue.comic(panels=["Hero\n enters  " + "the cave " * 100])
    queue.take()
    current = queue.progress(comic).current
    assert current is not None
    assert current.startswith("Panel 1: Hero enters the cave the")
    assert current.endswith("…")
    assert len(current) < 100


def test_comics_are_listed_newest_first_a_page_at_a_time(queue: Queue) -> None:
    ids = [queue.comic(title) for title in "ABCDE"]
    with queue.reading() as session:
        page, following = snapshots.comics(session, queue.policy, limit=2)
        assert [one.comic.id for one in page] == [ids[4], ids[3]]
        page, following = snapshots.comics(session, queue.policy, limit=2, before=following)
        assert [one.comic.id for one in page] == [ids[2], ids[1]]
        page, following = snapshots.comics(session, queue.policy, limit=2, before=following)
        assert ([one.comic.id for one in page], following) == ([ids[0]], None)


# ---- rule 6: a lapsed lease counts as ended everywhere at once, without a write


@pytest.fixture
def lapsed(queue: Queue, clock: FrozenClock) -> int:
    """A comic of four panels: one whose lease has lapsed, one failed by a lapse, one leased and one queued."""
    comic = queue.comic(panels=4)
    queue.take("w1", limit=1)
    queue.set(max_attempts=1)
    queue.take("w1", limit=1)
    queue.tell("2.1", "running")
    clock.advance(290)
    queue.take("w2", limit=1, domains=[CHATGPT])
    queue.tell("1.2", "completed", by="w2")
    queue.take("w1", limit=1)
    queue.take("w2", limit=1, domains=[CHATGPT])
    queue.tell("4.1", "running", by="w2")
    clock.advance(60)
    return comic


def test_rule_6_nothing_of_what_lapsed_was_written(queue: Queue, lapsed: int) -> None:
    with queue.reading() as session:
        stored = session.scalars(select(Task.status).order_by(Task.id)).all()
    assert stored == ["completed", "running", "leased", "running"]


def test_rule_6_in_the_statuses_of_tasks(queue: Queue, lapsed: int) -> None:
    assert [queue.status(task) for task in (1, 2, 3, 4)] == ["completed", "failed", "queued", "running"]
    assert [queue.lease(task) for task in (1, 2, 3, 4)] == [None, None, None, 590]
    assert [queue.task(task).worker for task in (2, 3, 4)] == ["w1", None, "w2"]


def test_rule_6_in_the_progress_of_a_comic(queue: Queue, lapsed: int) -> None:
    assert counts(queue, lapsed) == (1, 1, 1, 1, 0)
    assert queue.progress(lapsed).current == "Panel 4: Panel 4"


def test_rule_6_in_the_panels_of_a_comic(queue: Queue, lapsed: int) -> None:
    assert queue.statuses(lapsed) == ["completed", "failed", "queued", "running"]
    for status, expected in (("completed", [1]), ("failed", [2]), ("queued", [3]), ("running", [4]), ("leased", [])):
        with queue.reading() as session:
            found, _ = snapshots.panels(session, queue.policy, lapsed, statuses=frozenset({TaskStatus(status)}))
        assert [task.id for task in found] == expected, status


def test_rule_6_in_the_filters_of_the_list_of_tasks(queue: Queue, lapsed: int) -> None:
    assert queue.listed("completed") == [1]
    assert queue.listed("failed") == [2]
    assert queue.listed("queued") == [3]
    assert queue.listed("running") == [4]
    assert queue.listed("leased") == []
    assert sorted(queue.listed("queued", "failed", comic=lapsed)) == [2, 3]
    assert sorted(queue.listed(worker="w1")) == [2]
    assert sorted(queue.listed(worker="w2")) == [1, 4]
    assert queue.listed("queued", worker="w1") == []


def test_rule_6_in_what_workers_hold(queue: Queue, lapsed: int) -> None:
    with queue.reading() as session:
        holding = {worker.name: worker.holding for worker in snapshots.workers(session, queue.policy)}
    assert holding == {"w1": 0, "w2": 1}


def test_rule_6_in_the_health(queue: Queue, lapsed: int) -> None:
    with queue.reading() as session:
        assert snapshots.health(session, queue.policy).pending_tasks == 1


def test_rule_6_in_the_token_of_the_list(queue: Queue, clock: FrozenClock) -> None:
    def token() -> str:
        with queue.reading() as session:
            return snapshots.lapsed_since(session)

    queue.comic(panels=2)
    queue.take(limit=1)
    clock.advance(30)
    queue.take(limit=1)
    tokens = [token()]
    clock.advance(29)
    assert token() == tokens[0]
    clock.advance(1)
    tokens.append(token())
    clock.advance(30)
    tokens.append(token())
    assert len(set(tokens)) == 3


def test_rule_6_in_the_status_of_a_comic(queue: Queue, clock: FrozenClock) -> None:
    queue.set(max_attempts=1)
    comic = queue.comic()
    queue.take()
    queue.tell("1.1", "running")
    clock.advance(300)
    assert queue.comic_now(comic).status == "finished"
    assert queue.blocked(comic) is None


def test_rule_6_the_write_that_records_it_changes_nothing_of_what_is_seen(
    queue: Queue, lapsed: int, clock: FrozenClock
) -> None:
    def seen() -> list[object]:
        return [queue.statuses(lapsed), queue.progress(lapsed), queue.listed("queued"), queue.listed("failed")]

    before = seen()
    queue.take("w3", domains=EMPTY)
    assert (queue.told(2)[-1], queue.told(3)[-1]) == ("expired", "expired")
    assert seen() == before


# ---- blocked


def test_what_is_being_drawn_is_not_blocked(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.take(limit=1)
    assert queue.blocked(comic) is None


def test_a_paused_comic_is_blocked_by_its_pause(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.take(limit=1)
    queue.pause(comic)
    assert queue.blocked(comic) == "paused"
    queue.resume(comic)
    assert queue.blocked(comic) is None


def test_a_comic_that_nobody_polls_for_is_blocked_by_a_missing_worker(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    assert queue.blocked(comic) == "no_worker"
    queue.take(domains=EMPTY)
    assert queue.blocked(comic) is None
    clock.advance(3600)
    assert queue.blocked(comic) == "no_worker"


def test_a_worker_that_polls_every_five_seconds_is_never_thought_missing(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    for _ in range(200):
        queue.take(domains=EMPTY)
        assert queue.blocked(comic) is None
        clock.advance(5)


def test_a_worker_that_only_lost_its_lease_is_no_worker_that_draws(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.take("127.0.0.1", named=False)
    clock.advance(1000)
    assert queue.blocked(comic) == "no_worker"


def test_a_missing_tab_blocks_and_says_for_which_site_and_until_when(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=2)
    other = queue.comic("B", domain=GEMINI)
    queue.take(limit=1)
    queue.tell("1.1", "no_tabs")
    blocked = queue.progress(comic).blocked
    assert blocked is not None
    assert (blocked.reason, blocked.domain) == ("no_tab", CHATGPT)
    assert blocked.until is not None
    assert (blocked.until - clock.now).total_seconds() == 30
    assert queue.blocked(other) is None


def test_a_missing_tab_of_one_worker_blocks_nothing_that_another_draws(queue: Queue) -> None:
    comic = queue.comic(panels=3)
    queue.take("w1", limit=1)
    queue.tell("1.1", "no_tabs")
    queue.take("w2", limit=1)
    assert queue.blocked(comic) is None


def test_pacing_blocks_and_says_until_when(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=3)
    queue.pace(gap_seconds=20)
    queue.take()
    blocked = queue.progress(comic).blocked
    assert blocked is not None
    assert (blocked.reason, blocked.domain) == ("pacing", CHATGPT)
    assert blocked.until is not None
    assert (blocked.until - clock.now).total_seconds() == 20
    clock.advance(20)
    assert queue.blocked(comic) is None


def test_a_daily_cap_blocks_until_midnight_utc(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=3)
    queue.pace(daily_cap=1)
    queue.take()
    queue.tell("1.1", "completed")
    blocked = queue.progress(comic).blocked
    assert blocked is not None
    assert (blocked.reason, blocked.domain) == ("daily_cap", CHATGPT)
    assert blocked.until == datetime.fromisoformat("2026-11-23T00:00:00Z")


def test_a_comic_that_is_over_is_not_blocked(queue: Queue) -> None:
    finished, cancelled = queue.comic("A"), queue.comic("B")
    queue.take(limit=1)
    queue.tell("1.1", "completed")
    queue.cancel(cancelled)
    assert (queue.blocked(finished), queue.blocked(cancelled)) == (None, None)


# ---- the remaining time


def test_the_remaining_time_follows_from_the_last_completions(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=50)
    draw(queue, clock, 2, 60)
    assert (queue.progress(comic).eta, queue.progress(comic).eta_seconds) == (None, None)
    draw(queue, clock, 1, 60)
    assert queue.progress(comic).eta == "47 minutes remaining"
    assert queue.progress(comic).eta_seconds == 47 * 60


def test_only_the_last_twenty_completions_matter(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=40)
    draw(queue, clock, 5, 500)
    draw(queue, clock, 20, 10)
    assert queue.progress(comic).eta_seconds == 15 * 10


def test_gaps_over_ten_minutes_and_pauses_count_as_nothing(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=13)
    draw(queue, clock, 2, 60)
    clock.advance(3600)
    draw(queue, clock, 1, 60)
    queue.pause(comic)
    clock.advance(300)
    queue.resume(comic)
    draw(queue, clock, 1, 60)
    assert queue.progress(comic).eta_seconds == 9 * (60 + 0 + 60) // 3


def test_what_is_completed_during_a_pause_took_no_longer_for_it(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=10)
    queue.take("w1", limit=3, named=False)
    clock.advance(60)
    queue.tell("1.1", "completed")
    clock.advance(60)
    queue.pause(comic)
    clock.advance(200)
    queue.tell("2.1", "completed")
    queue.resume(comic)
    clock.advance(60)
    queue.tell("3.1", "completed")
    assert queue.progress(comic).eta_seconds == 7 * 60


def test_breaks_that_are_still_to_come_are_added(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=13)
    draw(queue, clock, 3, 60)
    queue.pace(break_after=4, break_seconds=300)
    assert queue.progress(comic).eta_seconds == 10 * 60 + 2 * 300


@pytest.mark.parametrize("reason", ["paused", "no_worker", "no_tab", "pacing", "daily_cap"])
def test_the_remaining_time_is_frozen_with_the_reason_while_blocked(
    queue: Queue, clock: FrozenClock, reason: str
) -> None:
    comic = queue.comic(panels=6)
    queue.pace(daily_cap=100)
    draw(queue, clock, 3, 60)
    if reason == "paused":
        queue.pause(comic)
    elif reason == "no_worker":
        clock.advance(3600)
    elif reason == "no_tab":
        (receipt,) = queue.take(limit=1)
        queue.tell(receipt, "no_tabs")
    elif reason == "pacing":
        queue.pace(gap_seconds=600)
    else:
        queue.pace(daily_cap=1)
    frozen = queue.progress(comic)
    assert frozen.blocked is not None
    assert frozen.blocked.reason == reason
    assert frozen.eta is not None
    assert frozen.eta.startswith("3 minutes remaining (")
    assert frozen.eta_seconds == 180
    clock.advance(25)
    assert queue.progress(comic) == frozen


def test_a_comic_that_is_over_has_no_remaining_time(queue: Queue, clock: FrozenClock) -> None:
    finished, cancelled = queue.comic("A", panels=3), queue.comic("B", panels=4)
    draw(queue, clock, 6, 60)
    queue.cancel(cancelled)
    assert [queue.progress(comic).eta for comic in (finished, cancelled)] == [None, None]


# ---- the list of tasks


def pages(queue: Queue, limit: int, wanted: snapshots.TaskFilter | None = None) -> list[list[int]]:
    """The tasks of each page, following the cursors."""
    found, after = [], None
    with queue.reading() as session:
        while True:
            page, after = snapshots.tasks(session, queue.policy, wanted, limit, after)
            found.append([task.id for task in page])
            if after is None:
                return found


def test_tasks_are_listed_last_changed_first(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=4)
    queue.take(limit=3)
    for receipt in ("2.1", "1.1"):
        clock.advance(1)
        queue.tell(receipt, "running")
    clock.advance(1)
    queue.tell("2.1", "completed")
    assert queue.listed() == [2, 1, 4, 3]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 8, 50])
def test_pages_of_tasks_that_were_changed_at_the_same_moment_miss_none_and_repeat_none(
    queue: Queue, limit: int
) -> None:
    queue.comic(panels=7)
    queue.take(limit=3)
    found = pages(queue, limit)
    assert [task for page in found for task in page] == [7, 6, 5, 4, 3, 2, 1]
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_with_filters_and_lapsed_leases_miss_none_and_repeat_none(
    queue: Queue, clock: FrozenClock, limit: int
) -> None:
    comic = queue.comic(panels=9)
    queue.comic("B", panels=2)
    for _ in range(3):
        queue.take("w1", limit=2)
        clock.advance(20)
    queue.tell("5.1", "completed")
    wanted = snapshots.TaskFilter(frozenset({TaskStatus.QUEUED, TaskStatus.COMPLETED}), comic)
    listed = [task for page in pages(queue, limit, wanted) for task in page]
    assert listed == queue.listed("queued", "completed", comic=comic)
    assert sorted(listed) == sorted(task for task in range(1, 10) if queue.status(task) in ("queued", "completed"))


def test_a_page_that_ends_with_the_list_has_no_next(queue: Queue) -> None:
    queue.comic(panels=4)
    assert pages(queue, 2) == [[4, 3], [2, 1]]


def test_an_unknown_worker_or_comic_has_no_tasks(queue: Queue) -> None:
    queue.comic()
    queue.take()
    assert queue.listed(worker="nobody") == []
    assert queue.listed(comic=99) == []
    assert queue.listed("leased", worker="w1", comic=1) == [1]


def test_a_comics_panels_are_listed_by_number_a_page_at_a_time(queue: Queue) -> None:
    comic = queue.comic(panels=[PanelDraft("c", 30), PanelDraft("a", 10), PanelDraft("b", 20)])
    with queue.reading() as session:
        page, following = snapshots.panels(session, queue.policy, comic, limit=2)
        assert ([task.number for task in page], following) == ([10, 20], 20)
        page, following = snapshots.panels(session, queue.policy, comic, after=20, limit=2)
        assert ([task.number for task in page], following) == ([30], None)


def test_history_is_listed_oldest_first_a_page_at_a_time(queue: Queue) -> None:
    queue.comic()
    queue.take()
    queue.tell("1.1", "completed")
    with queue.reading() as session:
        page, following = snapshots.events(session, 1, limit=2)
        assert [line.type for line in page] == ["queued", "handed_out"]
        page, following = snapshots.events(session, 1, limit=2, after=following or 0)
        assert ([line.type for line in page], following) == (["completed"], None)


# ---- looking a task up


def found(queue: Queue, name: str) -> int | None:
    with queue.reading() as session:
        try:
            return snapshots.find_task(session, name)
        except NotFound:
            return None


def test_a_task_is_found_by_its_id_its_receipts_and_its_correlation_id(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=[PanelDraft("a", correlation_id="x")])
    queue.take()
    clock.advance(60)
    queue.take()
    assert [found(queue, name) for name in ("1", "1.1", "1.2", "x")] == [1, 1, 1, 1]
    assert [found(queue, name) for name in ("2", "1.0", "1.3", "y", "", "9" * 30, "1." + "9" * 30)] == [None] * 7


def test_by_correlation_id_the_newest_task_is_found(queue: Queue) -> None:
    queue.picture(correlation_id="x")
    queue.cancel(1)
    queue.picture(correlation_id="x")
    assert found(queue, "x") == 2


def test_the_status_of_each_correlation_id_is_that_of_its_newest_task(queue: Queue, clock: FrozenClock) -> None:
    queue.picture(correlation_id="a")
    queue.take()
    queue.tell("1.1", "completed")
    queue.picture(correlation_id="a")
    queue.picture(correlation_id="b")
    queue.take(limit=1)
    with queue.reading() as session:
        assert snapshots.statuses_of(session, queue.policy, ["b", "a", "c"]) == ["queued", "leased", "unknown"]
    clock.advance(60)
    with queue.reading() as session:
        assert snapshots.statuses_of(session, queue.policy, ["a"]) == ["queued"]


# ---- workers and health


def test_workers_are_listed_last_seen_first_with_what_they_hold_and_lack(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=3)
    queue.take("w1", limit=2)
    queue.tell("1.1", "no_tabs")
    clock.advance(10)
    queue.take("w2", limit=1, named=False)
    with queue.reading() as session:
        two, one = snapshots.workers(session, queue.policy)
    assert (one.name, one.named, one.holding, one.missing_tabs) == ("w1", True, 1, [CHATGPT])
    assert (two.name, two.named, two.holding, two.missing_tabs) == ("w2", False, 1, [])
    assert one.is_connected
    assert two.is_connected


def test_a_worker_that_polls_is_connected_and_one_that_stopped_is_not(queue: Queue, clock: FrozenClock) -> None:
    queue.take("gone")
    clock.advance(3600)
    queue.take("here")
    with queue.reading() as session:
        connected = {worker.name: worker.is_connected for worker in snapshots.workers(session, queue.policy)}
        assert connected == {"gone": False, "here": True}
        assert snapshots.health(session, queue.policy).workers_connected == 1


def test_health_counts_what_waits_in_all_comics(queue: Queue) -> None:
    queue.comic("A", panels=3)
    queue.comic("B", panels=2, priority=Priority.LOW)
    queue.take(limit=1)
    with queue.reading() as session:
        assert snapshots.health(session, queue.policy) == snapshots.Health(4, 1)


def test_an_empty_database_is_healthy(queue: Queue) -> None:
    with queue.reading() as session:
        assert snapshots.health(session, queue.policy) == snapshots.Health(0, 0)


# ---- how long there has been nothing to do


def idle(queue: Queue) -> float | None:
    with queue.reading() as session:
        found = Lookout(Changes(queue.engine.url)).idle_for(lambda: session)
    return None if found is None else found.total_seconds()


def test_nothing_is_idle_while_there_is_something_to_draw(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    assert idle(queue) is None
    queue.take()
    assert idle(queue) is None
    queue.tell_all(("1.1", "completed"), ("2.1", "failed"))
    assert idle(queue) is None


def test_idleness_begins_with_the_last_change(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    queue.take()
    queue.tell("1.1", "completed")
    assert idle(queue) == 0
    clock.advance(100)
    assert idle(queue) == 100
    queue.comic("B")
    assert idle(queue) is None


def test_what_is_paused_is_nothing_to_do(queue: Queue, clock: FrozenClock) -> None:
    queue.pause(queue.comic())
    clock.advance(100)
    assert idle(queue) == 100


# ---- the revision


def test_the_revision_changes_with_every_committed_change(queue: Queue, clock: FrozenClock) -> None:
    revisions = [queue.revision()]

    def changed() -> bool:
        revisions.append(queue.revision())
        return revisions[-1] not in revisions[:-1]

    comic = queue.comic(panels=3)
    assert changed()
    queue.take(limit=2)
    assert changed()
    queue.tell("1.1", "running")
    assert changed()
    clock.advance(1)
    queue.tell("1.1", "running")
    assert changed()
    queue.tell("1.1", "completed")
    assert changed()
    queue.pause(comic)
    assert changed()
    queue.cancel(comic)
    assert changed()
    queue.retry(comic)
    assert changed()
    queue.pace(gap_seconds=1)
    assert changed()
    queue.picture()
    assert changed()


def test_the_revision_stays_while_it_is_only_read(queue: Queue) -> None:
    comic = queue.comic()
    before = queue.revision()
    queue.progress(comic)
    queue.listed()
    queue.history(1)
    assert queue.revision() == before


def test_the_revision_stays_over_empty_polls(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    before = queue.revision()
    for _ in range(5):
        clock.advance(5)
        queue.take()
    assert queue.revision() == before


def test_the_revision_stays_over_the_empty_polls_of_a_worker_that_holds_all_it_may(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.set(worker_tasks=2)
    queue.comic(panels=5)
    queue.take()
    before = queue.revision()
    for _ in range(5):
        clock.advance(5)
        assert queue.take() == []
    assert queue.revision() == before


def test_the_revision_stays_when_a_change_is_rolled_back(queue: Queue) -> None:
    queue.comic()
    listed, before = queue.listed(), queue.revision()
    with pytest.raises(ZeroDivisionError), queue.writing():
        raise ZeroDivisionError
    assert (queue.listed(), queue.revision()) == (listed, before)
