"""The whole at a glance: what is drawn, how fast, what needs a person, how well workers do."""

import pytest

from semantest_server import snapshots
from semantest_server.models import URL_CHARACTERS
from semantest_server.queue.oversight import hold_worker, label_worker
from semantest_server.snapshots import Home, Need, WorkerRecord

from ..conftest import START, FrozenClock
from .callers import CHATGPT, Queue

GEMINI = "gemini.google.com"


def home(queue: Queue) -> Home:
    with queue.reading() as session:
        return snapshots.overview(session, queue.policy)


def needs(queue: Queue) -> list[str]:
    """What needs a person, in short."""
    return [short(need) for need in snapshots.needs(home(queue))]


def short(need: Need) -> str:
    """A need as text."""
    about = [need.worker.shown] if need.worker else []
    return " ".join([need.kind, *about, *([need.domain] if need.domain else []), *(c.comic.title for c in need.comics)])


def fleet(queue: Queue) -> dict[str, WorkerRecord]:
    with queue.reading() as session:
        return {record.worker.name: record for record in snapshots.worker_records(session, queue.policy)}


def draw(queue: Queue, clock: FrozenClock, times: int, seconds: float) -> None:
    """Draw so many panels, each for that long, one after the other."""
    for _ in range(times):
        (receipt,) = queue.take(limit=1)
        clock.advance(seconds)
        queue.tell(receipt, "completed")


# ---- what is drawn


def test_an_empty_queue_is_empty(queue: Queue) -> None:
    found = home(queue)
    assert (found.unfinished, found.finished, found.drawing, found.pictures) == ([], [], [], [])
    assert needs(queue) == []


def test_what_is_being_drawn_comes_before_what_waits_its_turn(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("Cave", panels=3)
    clock.advance(5)
    queue.take(limit=2)
    queue.tell("2.1", "running", progress=40)
    found = home(queue)
    assert [(one.number, one.status, one.progress) for one in found.drawing] == [
        (2, "running", 40),
        (1, "leased", None),
    ]
    assert {(one.title, one.worker, (one.since - START).total_seconds()) for one in found.drawing} == {
        ("Cave", "w1", 5)
    }
    assert (found.running, found.leased) == (1, 1)
    clock.advance(400)
    assert (home(queue).drawing, home(queue).running) == ([], 0)


def test_unfinished_comics_are_apart_from_finished_ones(queue: Queue) -> None:
    done, paused, active = queue.comic("Done"), queue.comic("Paused"), queue.comic("Active")
    queue.take(limit=1)
    queue.tell("1.1", "completed")
    queue.pause(paused)
    queue.cancel(queue.comic("Cancelled"))
    found = home(queue)
    assert [one.comic.id for one in found.unfinished] == [active, paused]
    assert [one.comic.id for one in found.finished] == [done]


def test_more_unfinished_comics_than_are_shown_are_said(queue: Queue) -> None:
    for number in range(21):
        queue.comic(f"Comic {number}")
    found = home(queue)
    assert (len(found.unfinished), found.has_more) == (20, True)


def test_the_average_time_and_the_finish_follow_from_the_last_completions(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=10)
    draw(queue, clock, 2, 60)
    assert queue.progress(comic).seconds_per_panel is None
    draw(queue, clock, 3, 30)
    found = queue.progress(comic)
    assert found.seconds_per_panel == (60 + 3 * 30) / 4
    assert found.eta_seconds == 188
    assert found.finish_at is not None
    assert (found.finish_at - clock.now).total_seconds() == 188
    assert found.percent == 50
    queue.pause(comic)
    assert queue.progress(comic).finish_at is None


def test_the_latest_pictures_come_first_and_long_ones_stay_in_the_database(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("Cave", panels=3)
    queue.take()
    for task, address in ((2, "https://a.example/2.png"), (1, "data:image/png;base64," + "A" * 1_000_000), (3, None)):
        clock.advance(1)
        queue.tell(f"{task}.1", "completed", image_url=address)
    found = home(queue).pictures
    assert [(one.number, one.title) for one in found] == [(3, "Cave"), (1, "Cave"), (2, "Cave")]
    assert found[0].address is None
    assert found[1].address is not None
    assert found[1].address.startswith("data:image/png")
    assert len(found[1].address) < URL_CHARACTERS / 100
    assert found[2].address == "https://a.example/2.png"


# ---- what needs a person


def test_nobody_is_needed_while_it_goes_on_by_itself(queue: Queue) -> None:
    queue.comic(panels=2)
    queue.take(limit=1)
    assert needs(queue) == []


def test_an_extension_is_needed_where_something_waits(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    assert needs(queue) == ["no_worker"]
    queue.pause(queue.comic("B"))
    queue.take()
    queue.tell("1.1", "failed")
    clock.advance(601)
    assert needs(queue) == ["no_worker w1", "paused B"]


def test_a_tab_is_needed_for_a_site_that_something_waits_for(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic(panels=2, domain=GEMINI)
    queue.take(limit=1)
    queue.tell("1.1", "no_tabs")
    assert needs(queue) == [f"no_tab w1 {GEMINI}"]
    queue.pause(comic)
    assert needs(queue) == ["paused A"]
    queue.resume(comic)
    clock.advance(120)
    assert needs(queue) == []


def test_a_worker_on_hold_is_called_as_a_person_calls_it(queue: Queue, clock: FrozenClock) -> None:
    queue.take()
    with queue.writing() as session:
        label_worker(session, 1, "studio laptop")
    with queue.writing() as session:
        hold_worker(session, 1, True)
    assert needs(queue) == ["held studio laptop"]
    clock.advance(601)
    assert needs(queue) == []


def test_a_daily_cap_is_said_and_a_break_is_none_of_a_persons_business(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=3)
    queue.pace(daily_cap=1)
    queue.take()
    (cap,) = snapshots.needs(home(queue))
    assert short(cap) == f"daily_cap {CHATGPT}"
    assert cap.until is not None
    assert cap.until.isoformat() == "2026-11-23T00:00:00+00:00"
    queue.pace(break_after=1, break_seconds=600)
    queue.take(limit=1)
    found = home(queue)
    assert snapshots.needs(found) == []
    (rest,) = snapshots.rests(found)
    assert (rest.domain, (rest.until - clock.now).total_seconds()) == (CHATGPT, 600)
    clock.advance(570)
    assert snapshots.rests(home(queue)) == []


def test_failed_panels_are_needs_even_of_a_comic_that_is_finished(queue: Queue) -> None:
    queue.set(max_attempts=1)
    queue.comic("Cave")
    queue.take()
    queue.tell("1.1", "failed")
    assert needs(queue) == ["failed Cave"]


# ---- how well workers do


def test_a_worker_is_shown_with_what_it_holds_and_how_well_it_did(queue: Queue, clock: FrozenClock) -> None:
    queue.comic("Cave", panels=20)
    queue.take(limit=4)
    queue.tell_all(("1.1", "completed"), ("2.1", "completed"), ("3.1", "failed"))
    queue.take("w2", limit=1)
    found = fleet(queue)
    assert [(one.title, one.number) for one in found["w1"].in_hand] == [("Cave", 4)]
    assert (found["w1"].completed, found["w1"].failed, found["w1"].percent) == (2, 1, 66)
    assert (found["w2"].completed, found["w2"].failed, found["w2"].percent) == (0, 0, None)
    clock.advance(24 * 3600 + 1)
    assert (fleet(queue)["w1"].percent, fleet(queue)["w1"].in_hand) == (None, [])


def test_of_a_fast_worker_only_the_last_panels_count(
    queue: Queue, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantest_server.snapshots.fleet.COUNTED", 2)
    queue.comic(panels=10)
    for status in ("failed", "completed", "completed", "failed", "completed"):
        (receipt,) = queue.take(limit=1)
        queue.tell(receipt, status)
        clock.advance(1)
    assert (fleet(queue)["w1"].completed, fleet(queue)["w1"].failed) == (2, 1)


@pytest.mark.parametrize(("completed", "failed", "percent"), [(48, 2, 96), (999, 1, 99), (5, 0, 100), (0, 3, 0)])
def test_only_a_worker_that_never_failed_has_a_hundred_percent(completed: int, failed: int, percent: int) -> None:
    record = WorkerRecord(worker=None, in_hand=[], completed=completed, failed=failed)  # type: ignore[arg-type]
    assert record.percent == percent
