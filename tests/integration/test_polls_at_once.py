"""Polls that are answered in one transaction: each gets what it would have got alone, in their order."""

from typing import Any

import pytest

from semantest_server.models import Priority
from semantest_server.queue.choosing import Overtaken
from semantest_server.queue.claim import hand_out_all
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.workers import Poller

from ..conftest import FrozenClock
from .callers import CHATGPT, Queue, receipts

GEMINI = "gemini.google.com"


def poll_together(queue: Queue, *polls: Poll) -> list[list[str]]:
    """Let polls be answered in one transaction; the receipts that each was given."""
    claimed = hand_out_all(queue.writing, queue.policy, lambda: polls)
    return [receipts(one.hand_outs) for one in claimed]


def known(queue: Queue, *workers: str) -> None:
    """Let workers have polled before, in vain."""
    for worker in workers:
        queue.poll(worker, domains=["elsewhere.example"])


def asked(worker: str, limit: int = 10, **poll: Any) -> Poll:
    return Poll(Poller(worker, True), limit=limit, **poll)


def test_polls_at_once_are_answered_as_if_each_had_come_alone_in_their_order(queue: Queue) -> None:
    queue.comic("A", panels=5, parallel=3)
    queue.comic("B", panels=4)
    known(queue, "w1", "w2", "w3")
    given = poll_together(queue, asked("w2", 2), asked("w1", 4), asked("w3", 9))
    assert given == [["1.1", "2.1"], ["6.1", "7.1", "8.1", "9.1"], ["3.1"]]
    assert [queue.task(task).worker for task in (1, 3, 6)] == ["w2", "w3", "w1"]


def test_polls_at_once_are_each_a_hand_out_of_their_own(queue: Queue) -> None:
    queue.comic(panels=4)
    known(queue, "w1", "w2")
    one, other = hand_out_all(queue.writing, queue.policy, lambda: [asked("w1", 2), asked("w2", 2)])
    assert one.hand_outs[0].id != other.hand_outs[0].id
    assert queue.tell(one.hand_outs[0].id, "completed") == (200, "continue")
    assert queue.statuses(1) == ["completed", "completed", "leased", "leased"]
    assert queue.told(3) == ["handed_out"]


def test_polls_at_once_of_one_worker_do_not_make_it_hoard(queue: Queue) -> None:
    queue.comic(panels=40, parallel=100)
    known(queue, "w1")
    assert [len(given) for given in poll_together(queue, asked("w1", 7), asked("w1", 7), asked("w1", 7))] == [7, 3, 0]


def test_polls_at_once_keep_the_gap_of_a_site(queue: Queue) -> None:
    queue.comic("A", panels=9)
    queue.comic("B", panels=9, domain=GEMINI)
    queue.pace(gap_seconds=60)
    known(queue, "w1", "w2")
    assert poll_together(queue, asked("w1", 2), asked("w2", 2)) == [["1.1", "10.1"], ["11.1", "12.1"]]
    assert queue.site().handed_out_at is not None


def test_polls_at_once_keep_the_daily_cap_of_a_site(queue: Queue) -> None:
    queue.comic(panels=9)
    queue.pace(daily_cap=3)
    known(queue, "w1", "w2", "w3")
    assert poll_together(queue, asked("w1", 2), asked("w2", 2), asked("w3", 2)) == [["1.1", "2.1"], ["3.1"], []]
    assert queue.site().today == 3


def test_polls_at_once_get_only_panels_for_the_sites_that_each_names(queue: Queue) -> None:
    queue.comic("A", panels=2)
    queue.comic("B", panels=2, domain=GEMINI)
    known(queue, "w1", "w2", "w3")
    polls = [asked("w1", domains=frozenset({GEMINI})), asked("w2", domains=frozenset({CHATGPT})), asked("w3")]
    assert poll_together(queue, *polls) == [["3.1", "4.1"], ["1.1", "2.1"], []]


def test_of_polls_at_once_one_may_renew_and_another_lose(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=6)
    held, lost = queue.take("w1", limit=2), queue.take("w2", limit=2)
    clock.advance(20)
    holding = frozenset({(1, 1), (2, 1)})
    polls = [asked("w1", 1, holding=holding), asked("w2", 3, holding=frozenset())]
    assert poll_together(queue, *polls) == [["5.1"], [*lost, "6.1"]]
    assert [queue.lease(int(one.partition(".")[0])) for one in held] == [320, 320]
    assert queue.told(3) == ["handed_out", "noted"]


def test_polls_at_once_find_again_what_has_lapsed(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    queue.take("w1")
    known(queue, "w2", "w3")
    clock.advance(60)
    assert poll_together(queue, asked("w2", 1), asked("w3", 1)) == [["1.2"], ["2.2"]]
    assert queue.told(1) == ["handed_out", "expired", "handed_out"]


def test_polls_at_once_of_a_worker_that_nobody_knows_are_answered_one_by_one(queue: Queue) -> None:
    queue.comic(panels=4)
    known(queue, "w1")
    with pytest.raises(Overtaken):
        poll_together(queue, asked("w1", 2), asked("new", 2))
    assert poll_together(queue, asked("new", 2)) == [["1.1", "2.1"]]


def test_polls_at_once_are_answered_one_by_one_if_comics_gave_less_than_they_seemed_to_have(queue: Queue) -> None:
    queue.comic("A", panels=1, priority=Priority.HIGH)
    queue.comic("B", panels=4)
    queue.comic("C", panels=4, domain=GEMINI)
    queue.tell(queue.take("w1", limit=1)[0], "cancelled")  # w1 does not get it again for a while
    known(queue, "w2")
    with pytest.raises(Overtaken):
        poll_together(queue, asked("w1", 1, domains=frozenset({CHATGPT})), asked("w2", 1, domains=frozenset({GEMINI})))
    assert queue.take("w1", limit=1) == ["2.1"]
    assert queue.take("w2", limit=1) == ["1.2"]
