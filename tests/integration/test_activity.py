"""The history of everything: newest first, filtered, a page at a time, and never looked through without end."""

import pytest
from sqlalchemy import select

from semantest_server import snapshots
from semantest_server.models import EventType, Worker
from semantest_server.queue.oversight import label_worker
from semantest_server.snapshots import TROUBLE, Activity, EventFilter

from .callers import Queue


@pytest.fixture
def told(queue: Queue) -> Queue:
    """Two comics with 11 events: 3 + 2 queued, 2 + 1 handed out to two workers, 1 completed, 1 failed, 1 given back."""
    queue.comic("Cave", panels=3)
    queue.take("w1", limit=2)
    queue.comic("Shore", panels=2, priority=0)  # type: ignore[arg-type]
    queue.take("w2", limit=1)
    queue.tell("1.1", "completed")
    queue.tell("2.1", "failed", message="content policy")
    queue.tell("4.1", "no_tabs", by="w2")
    return queue


def history(queue: Queue, **given: object) -> Activity:
    paging = {name: given.pop(name) for name in ("limit", "before", "window") if name in given}
    with queue.reading() as session:
        return snapshots.history(session, EventFilter(**given), **paging)  # type: ignore[arg-type]


def short(found: Activity) -> list[str]:
    return [f"{line.type} {line.title} {line.number}" for line in found.lines]


def worker(queue: Queue, name: str) -> int:
    with queue.reading() as session:
        return session.scalars(select(Worker.id).where(Worker.name == name)).one()


def test_everything_is_told_newest_first(told: Queue) -> None:
    found = history(told)
    assert short(found) == [
        "given_back Shore 1",
        "failed Cave 2",
        "completed Cave 1",
        "handed_out Shore 1",
        "queued Shore 2",
        "queued Shore 1",
        "handed_out Cave 2",
        "handed_out Cave 1",
        "queued Cave 3",
        "queued Cave 2",
        "queued Cave 1",
    ]
    assert (found.following, found.is_cut_off) == (None, False)
    assert (found.lines[1].message, found.lines[1].worker, found.lines[1].attempt) == ("content policy", "w1", 1)


def test_a_worker_is_told_by_its_label(told: Queue) -> None:
    with told.writing() as session:
        label_worker(session, worker(told, "w1"), "studio laptop")
    assert history(told).lines[1].worker == "studio laptop"


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({EventType.FAILED}, ["failed Cave 2"]),
        (TROUBLE, ["given_back Shore 1", "failed Cave 2"]),
        ({EventType.COMPLETED, EventType.FAILED}, ["failed Cave 2", "completed Cave 1"]),
        ({EventType.EXPIRED}, []),
    ],
)
def test_some_types_are_told_alone(told: Queue, types: set[EventType], expected: list[str]) -> None:
    assert short(history(told, types=frozenset(types))) == expected


def test_a_comic_is_told_alone_and_with_a_type(told: Queue) -> None:
    assert [line.title for line in history(told, comic_id=2).lines] == ["Shore"] * 4
    assert short(history(told, comic_id=2, types=frozenset({EventType.GIVEN_BACK}))) == ["given_back Shore 1"]
    assert short(history(told, comic_id=9)) == []


def test_a_worker_is_told_alone_and_with_a_type_and_a_comic(told: Queue) -> None:
    w1 = worker(told, "w1")
    assert {line.worker for line in history(told, worker_id=w1).lines} == {"w1"}
    assert short(history(told, worker_id=w1, types=TROUBLE)) == ["failed Cave 2"]
    assert short(history(told, worker_id=w1, comic_id=2)) == []


@pytest.mark.parametrize(
    "wanted", [{}, {"comic_id": 1}, {"worker_id": 1}, {"types": TROUBLE}, {"types": frozenset({EventType.QUEUED})}]
)
def test_pages_follow_each_other_and_leave_nothing_out(told: Queue, wanted: dict[str, object]) -> None:
    every = history(told, **wanted).lines
    paged, before = [], None
    while True:
        found = history(told, limit=2, before=before, **wanted)
        paged += found.lines
        assert len(found.lines) <= 2
        if (before := found.following) is None:
            break
    assert paged == every


def test_where_no_index_helps_only_the_newest_are_looked_through_and_then_the_ones_before(told: Queue) -> None:
    queued = frozenset({EventType.QUEUED})
    first = history(told, types=queued, window=6)
    assert (short(first), first.is_cut_off) == (["queued Shore 2", "queued Shore 1"], True)
    then = history(told, types=queued, window=6, before=first.following)
    assert (short(then), then.is_cut_off) == (["queued Cave 3", "queued Cave 2", "queued Cave 1"], False)
    assert then.following is None


@pytest.mark.parametrize("wanted", [{}, {"comic_id": 1}, {"types": TROUBLE}])
def test_where_an_index_helps_everything_is_looked_through(told: Queue, wanted: dict[str, object]) -> None:
    assert history(told, window=1, **wanted) == history(told, **wanted)


def test_comics_to_choose_from_are_the_newest_and_the_one_that_is_chosen(told: Queue) -> None:
    with told.reading() as session:
        assert snapshots.titles(session, limit=1) == {2: "Shore"}
        assert snapshots.titles(session, limit=1, also=1) == {2: "Shore", 1: "Cave"}
        assert snapshots.titles(session, limit=1, also=77) == {2: "Shore"}
