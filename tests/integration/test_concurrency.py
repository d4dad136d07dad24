"""Many at once: nothing is drawn twice, no cap is passed, nothing is empty by accident, nothing fails on a lock."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, select, text

from semantest_server.errors import Invalid
from semantest_server.models import Comic, ComicStatus, Event, EventType, Priority, Task
from semantest_server.policy import Policy
from semantest_server.queue.claim import claim
from semantest_server.queue.drafts import ComicDraft, PanelDraft, PictureDraft
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.report import report
from semantest_server.queue.statuses import Report, ReportStatus
from semantest_server.queue.steer import change_comic
from semantest_server.queue.submit import IdempotencyKey, submit_comic, submit_picture
from semantest_server.queue.workers import Poller

from ..conftest import FrozenClock
from .callers import Queue, titles
from .drawing import EVERY, FAILS, GIVEN_BACK

PROCESSES = 8
GEMINI = "gemini.google.com"
TIMES = int(os.environ.get("SEMANTEST_TEST_TIMES", "1"))  # 10 draws 20,000 panels
COMICS = {1: 10, 2: 20, 3: 30, 5: 60, 8: 80, 13: 200, 40: 700, 100: 900}  # how many at once: how many panels
BACK = (EventType.COMPLETED, EventType.FAILED, EventType.GIVEN_BACK)

Found = TypeVar("Found")


# ---- real processes


def test_eight_processes_draw_two_thousand_panels_each_exactly_once(connections: Engine, database_url: str) -> None:
    queue = Queue(connections)
    for number, (parallel, panels) in enumerate(COMICS.items()):
        queue.comic(
            f"Comic {parallel}",
            panels=panels * TIMES,
            parallel=parallel,
            priority=Priority(number % 3),
            domain=GEMINI if number % 2 else None,
        )
    queue.pace(GEMINI, daily_cap=1_000_000)  # never reached: it makes claims lock the site too
    seen = draw_with_processes(database_url)
    assert [one["error"] for one in seen] == [None] * (PROCESSES + 1)
    assert [one["over"] for one in seen] == [[]] * (PROCESSES + 1)
    assert [one["refused"] for one in seen] == [[]] * (PROCESSES + 1)
    every_task_was_completed_once(queue)
    no_cap_was_passed(queue)


def draw_with_processes(url: str) -> list[dict[str, Any]]:
    """Let real processes draw everything; what each of them saw."""
    script = str(Path(__file__).with_name("drawing.py"))
    done = subprocess.run(
        [sys.executable, script, url, str(PROCESSES)], capture_output=True, text=True, timeout=300 * TIMES, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: list[dict[str, Any]] = json.loads(done.stdout)
    return seen


def every_task_was_completed_once(queue: Queue) -> None:
    """Assert that each task has as many attempts as were needed, and one result."""
    with queue.reading() as session:
        tasks = session.scalars(select(Task)).all()
        told = Counter((task_id, kind) for task_id, kind in session.execute(select(Event.task_id, Event.type)))
    assert len(tasks) == sum(COMICS.values()) * TIMES == 2_000 * TIMES
    for task in tasks:
        assert (task.status, task.attempt) == ("completed", 2 if task.number % EVERY in (GIVEN_BACK, FAILS) else 1)
        lines = {kind: told[task.id, kind] for kind in EventType if told[task.id, kind]}
        extra = {GIVEN_BACK: {EventType.GIVEN_BACK: 1}, FAILS: {EventType.FAILED: 1}}.get(task.number % EVERY, {})
        assert lines == {
            EventType.QUEUED: 1,
            EventType.HANDED_OUT: task.attempt,
            EventType.COMPLETED: 1,
            **extra,
        }


def no_cap_was_passed(queue: Queue) -> None:
    """Assert from the history that never more was out than `parallel`, and no worker held more than it may."""
    with queue.reading() as session:
        caps = {comic.id: comic.parallel for comic in session.scalars(select(Comic))}
        columns = (Event.comic_id, Event.worker_id, Event.type)
        lines = session.execute(select(*columns).order_by(Event.id)).all()
    out: Counter[int] = Counter()
    held: Counter[int | None] = Counter()
    for comic, worker, kind in lines:
        step = 1 if kind is EventType.HANDED_OUT else -1 if kind in BACK else 0
        out[comic] += step
        held[worker] += step
        assert out[comic] <= caps[comic]
        assert held[worker] <= Policy().worker_tasks
    assert set(out.values()) == {0}


# ---- two at once: one is in the middle of its transaction when the other begins


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def wait_until_it_waits(queue: Queue, other: Future[Any]) -> None:
    """Let the other one come as far as it can while this one holds its locks; on SQLite it cannot even begin."""
    if queue.engine.dialect.name == "sqlite":
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with queue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not other.done() and not connection.scalar(waiting):
            pass


def poll_of(worker: str, limit: int = 1) -> Poll:
    return Poll(Poller(worker, True), limit=limit)


def test_the_loser_of_a_race_for_the_last_task_finds_the_other_comics(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    queue.comic("A", priority=Priority.HIGH)
    queue.comic("B")
    with queue.writing() as session:
        assert titles(claim(session, queue.policy, poll_of("w1")).hand_outs) == ["A"]
        loser = threads.submit(queue.poll, "w2", limit=1)
        wait_until_it_waits(queue, loser)
    assert titles(loser.result()) == ["B"]


def test_the_loser_of_a_race_for_the_last_place_under_a_cap_finds_the_other_comics(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    queue.comic("A", panels=9, parallel=2, priority=Priority.HIGH)
    queue.comic("B")
    with queue.writing() as session:
        assert titles(claim(session, queue.policy, poll_of("w1", limit=2)).hand_outs) == ["A", "A"]
        loser = threads.submit(queue.poll, "w2", limit=5)
        wait_until_it_waits(queue, loser)
    assert titles(loser.result()) == ["B"]


def test_the_loser_of_a_race_for_a_paced_site_finds_the_other_sites(queue: Queue, threads: ThreadPoolExecutor) -> None:
    queue.comic("A", panels=9, priority=Priority.HIGH)
    queue.comic("C", panels=9, priority=Priority.HIGH)
    queue.comic("B", domain=GEMINI)
    queue.pace(gap_seconds=60)
    with queue.writing() as session:
        assert titles(claim(session, queue.policy, poll_of("w1")).hand_outs) == ["A"]
        loser = threads.submit(queue.poll, "w2", limit=3)
        wait_until_it_waits(queue, loser)
    assert titles(loser.result()) == ["B"]


def test_whoever_races_for_two_tasks_nobody_goes_away_empty(queue: Queue, threads: ThreadPoolExecutor) -> None:
    start = Barrier(2)

    def race(worker: str) -> list[str]:
        start.wait()
        return queue.take(worker, limit=1)

    for number in range(15):
        queue.comic("A", priority=Priority.HIGH)
        queue.comic("B")
        one, two = threads.submit(race, f"one {number}"), threads.submit(race, f"two {number}")
        assert sorted(one.result() + two.result()) == sorted([f"{2 * number + 1}.1", f"{2 * number + 2}.1"])


def test_overlapping_polls_of_one_worker_do_not_make_it_hoard(queue: Queue, threads: ThreadPoolExecutor) -> None:
    queue.comic(panels=40, parallel=100)
    with queue.writing() as session:
        assert len(titles(claim(session, queue.policy, poll_of("w1", limit=7)).hand_outs)) == 7
        overlapping = [threads.submit(queue.take, "w1", limit=7) for _ in range(4)]
        wait_until_it_waits(queue, overlapping[0])
    assert sum(len(one.result()) for one in overlapping) == 3


def test_the_first_polls_of_a_worker_that_nobody_knows_yet_make_one_worker(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    queue.comic(panels=40, parallel=100)
    start = Barrier(8)

    def poll() -> list[str]:
        start.wait()
        return queue.take("new", limit=2)

    assert sum(len(one.result()) for one in [threads.submit(poll) for _ in range(8)]) == 10
    assert len(queue.everything()["worker"]) == 1


def test_of_two_successes_at_once_one_wins(queue: Queue, clock: FrozenClock, threads: ThreadPoolExecutor) -> None:
    queue.comic()
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    with queue.writing() as session:
        report(session, queue.policy, Poller("w1", True), [Report("1.1", ReportStatus.COMPLETED)])
        other = threads.submit(queue.tell, "1.2", "completed", by="w2")
        wait_until_it_waits(queue, other)
    assert other.result() == (200, "stop")
    assert queue.told(1).count("completed") == 1


def test_a_lapse_that_two_meet_at_once_is_recorded_once(
    queue: Queue, clock: FrozenClock, threads: ThreadPoolExecutor
) -> None:
    queue.comic(panels=2)
    queue.take("w1")
    clock.advance(60)
    with queue.writing() as session:
        claim(session, queue.policy, poll_of("w2"))
        other = threads.submit(queue.take, "w3")
        wait_until_it_waits(queue, other)
    assert other.result() == ["2.2"]
    assert [queue.told(task).count("expired") for task in (1, 2)] == [1, 1]


def test_a_lease_that_is_being_renewed_while_it_lapses_stays_its_workers(
    queue: Queue, clock: FrozenClock, threads: ThreadPoolExecutor
) -> None:
    queue.comic()
    queue.take("w1")
    clock.advance(60)
    with queue.writing() as session:
        report(session, queue.policy, Poller("w1", True), [Report("1.1", ReportStatus.RUNNING)])
        other = threads.submit(queue.take, "w2")
        wait_until_it_waits(queue, other)
    assert other.result() == []
    assert queue.task(1).worker == "w1"


def test_nothing_is_handed_out_of_a_comic_that_is_being_paused(queue: Queue, threads: ThreadPoolExecutor) -> None:
    comic = queue.comic("A", panels=3)
    queue.comic("B")
    with queue.writing() as session:
        change_comic(session, queue.policy, comic, status=ComicStatus.PAUSED)
        other = threads.submit(queue.poll, "w1", limit=1)
        wait_until_it_waits(queue, other)
    assert titles(other.result()) == ["B"]


# ---- submissions at once


def at_once(threads: ThreadPoolExecutor, work: Callable[[], Found]) -> list[Found]:
    """Do the same in eight threads that start together."""
    start = Barrier(8)

    def run() -> Found:
        start.wait()
        return work()

    return [one.result() for one in [threads.submit(run) for _ in range(8)]]


def test_submissions_with_one_key_at_once_make_one_comic(queue: Queue, threads: ThreadPoolExecutor) -> None:
    comics = at_once(threads, lambda: queue.comic(panels=5, key="k", body="{}"))
    assert len(set(comics)) == 1
    assert len(queue.everything()["task"]) == 5


def test_a_submission_waits_for_one_with_the_same_key_that_is_under_way(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    draft = ComicDraft("A", [PanelDraft("a")])
    with queue.writing() as session:
        comic = submit_comic(session, draft, queue.defaults, IdempotencyKey("k", "{}")).id
        other = threads.submit(queue.comic, "A", key="k", body="{}")
        wait_until_it_waits(queue, other)
    assert other.result() == comic


def test_a_submission_goes_on_by_itself_when_the_one_with_the_same_key_is_undone(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    draft = ComicDraft("A", [PanelDraft("a")])
    with queue.reading() as session:  # which is rolled back
        session.connection(execution_options={"semantest_begin": "IMMEDIATE"})
        submit_comic(session, draft, queue.defaults, IdempotencyKey("k", "{}"))
        other = threads.submit(queue.comic, "A", key="k", body="{}")
        wait_until_it_waits(queue, other)
    assert queue.statuses(other.result()) == ["queued"]
    assert len(queue.everything()["comic"]) == 1


def test_pictures_of_one_correlation_id_at_once_are_one_task(queue: Queue, threads: ThreadPoolExecutor) -> None:
    answers = at_once(threads, lambda: queue.picture("Hero", correlation_id="x"))
    assert {task for task, _ in answers} == {1}
    assert [is_new for _, is_new in answers].count(True) == 1


def test_pictures_of_one_key_at_once_are_one_task(queue: Queue, threads: ThreadPoolExecutor) -> None:
    answers = at_once(threads, lambda: queue.picture("Hero", key="k"))
    assert {task for task, _ in answers} == {1}


def test_pictures_of_new_sites_at_once_make_one_standing_comic_for_each(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    tasks = at_once(threads, lambda: queue.picture("Hero", domain=GEMINI))
    assert len({task for task, _ in tasks}) == 8
    assert len(queue.everything()["comic"]) == 1
    assert queue.progress(queue.task(tasks[0][0]).batch_id).queued == 8


def test_a_picture_that_turns_out_to_be_queued_already_records_the_lapses_that_it_met(
    queue: Queue, clock: FrozenClock, threads: ThreadPoolExecutor
) -> None:
    queue.picture("Hero")
    queue.take()
    draft = PictureDraft(PanelDraft("Monster", correlation_id="x"))
    with queue.writing() as session:
        task = submit_picture(session, queue.policy, draft, queue.defaults).task.id
        clock.advance(60)
        other = threads.submit(queue.picture, "Monster", correlation_id="x")
        wait_until_it_waits(queue, other)
    assert other.result() == (task, False)
    queue.take("w2")
    assert queue.told(1) == ["handed_out", "expired", "handed_out"]


def test_pictures_of_one_correlation_id_for_two_sites_at_once_are_one_task(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    draft = PictureDraft(PanelDraft("Hero", correlation_id="x"), GEMINI)
    with queue.writing() as session:
        task = submit_picture(session, queue.policy, draft, queue.defaults).task.id
        other = threads.submit(queue.picture, "Hero", correlation_id="x")
        wait_until_it_waits(queue, other)
    assert other.result() == (task, False)


def test_a_comic_with_a_correlation_id_that_is_being_queued_is_refused_at_its_pointer(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    draft = PictureDraft(PanelDraft("Hero", correlation_id="x"), GEMINI)
    panels = [PanelDraft("a"), PanelDraft("b", correlation_id="x")]
    with queue.writing() as session:
        submit_picture(session, queue.policy, draft, queue.defaults)
        other = threads.submit(queue.comic, panels=panels)
        wait_until_it_waits(queue, other)
    with pytest.raises(Invalid) as raised:
        other.result()
    assert [error.pointer for error in raised.value.errors] == ["/panels/1/correlationId"]


def test_a_task_whose_correlation_id_is_being_taken_over_is_not_retried(
    queue: Queue, threads: ThreadPoolExecutor
) -> None:
    comic = queue.comic(panels=[PanelDraft("a", correlation_id="x"), PanelDraft("b")])
    queue.cancel(comic)
    draft = PictureDraft(PanelDraft("Hero", correlation_id="x"), GEMINI)
    with queue.writing() as session:
        submit_picture(session, queue.policy, draft, queue.defaults)
        other = threads.submit(queue.retry, comic)
        wait_until_it_waits(queue, other)
    other.result()
    assert queue.statuses(comic) == ["cancelled", "queued"]
