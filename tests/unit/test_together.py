"""Wishes of several threads, done at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from semantest_server.together import MOST_AT_ONCE, Together


class Doer:
    """Doubles numbers and notes which came together; the first call takes its list and waits until it is let go."""

    def __init__(self, refuses: Callable[[int], bool] = lambda number: False) -> None:
        self.calls: list[list[int]] = []
        self.begun, self.go_on = Event(), Event()
        self.refuses = refuses

    def __call__(self, waiting: Callable[[], list[int]]) -> list[int]:
        numbers = waiting()
        self.calls.append(numbers)
        if len(self.calls) == 1:
            self.begun.set()
            assert self.go_on.wait(30)
        for number in numbers:
            if self.refuses(number):
                raise ValueError(number)
        return [number * 2 for number in numbers]


def results(doer: Doer, numbers: range) -> list[int | str]:
    """What each gets: the first is being done when all the others come."""
    together: Together[int, int] = Together(doer)

    def wish(number: int) -> int | str:
        try:
            return together(number)
        except ValueError as error:
            return f"refused {error}"

    with ThreadPoolExecutor(len(numbers) + 1) as threads:
        first = threads.submit(wish, -1)
        assert doer.begun.wait(30)
        others = [threads.submit(wish, number) for number in numbers]
        while len(together._waiting) < len(numbers):
            pass
        doer.go_on.set()
        assert first.result() == -2
        return [other.result() for other in others]


def test_a_single_wish_is_done_alone() -> None:
    together: Together[int, int] = Together(lambda waiting: [number + 1 for number in waiting()])
    assert together(1) == 2


def test_what_comes_meanwhile_is_done_in_one_call_and_everybody_gets_their_own() -> None:
    doer = Doer()
    assert results(doer, range(5)) == [0, 2, 4, 6, 8]
    assert sorted(map(sorted, doer.calls)) == [[-1], [0, 1, 2, 3, 4]]


def test_what_comes_before_the_call_is_ready_is_done_in_that_call() -> None:
    calls, begun, ready = [], Event(), Event()

    def do(waiting: Callable[[], list[int]]) -> list[int]:
        begun.set()
        assert ready.wait(30)
        calls.append(waiting())
        return calls[-1]

    together: Together[int, int] = Together(do)
    with ThreadPoolExecutor(3) as threads:
        told = [threads.submit(together, 0)]
        assert begun.wait(30)
        told += [threads.submit(together, number) for number in (1, 2)]
        while len(together._waiting) < 3:
            pass
        ready.set()
        assert [one.result() for one in told] == [0, 1, 2]
    assert [sorted(call) for call in calls] == [[0, 1, 2]]


def test_a_call_is_for_so_many_at_most() -> None:
    doer = Doer()
    assert results(doer, range(MOST_AT_ONCE + 3)) == [number * 2 for number in range(MOST_AT_ONCE + 3)]
    assert [len(call) for call in doer.calls] == [1, MOST_AT_ONCE, 3]


def test_what_fails_for_one_fails_for_that_one_only() -> None:
    doer = Doer(refuses=lambda number: number == 2)
    assert results(doer, range(4)) == [0, 2, "refused 2", 6]
    assert [len(call) for call in doer.calls] == [1, 4, 1, 1, 1, 1]


def test_what_fails_before_any_wish_was_asked_for_fails_for_those_that_wait() -> None:
    def do(waiting: Callable[[], list[int]]) -> list[int]:
        raise OSError("The disk is full.")

    together: Together[int, int] = Together(do)
    with pytest.raises(OSError, match="full"):
        together(1)
    with pytest.raises(OSError, match="full"):
        together(2)


def test_after_a_failure_it_goes_on() -> None:
    together: Together[int, int] = Together(lambda waiting: [1 // number for number in waiting()])
    with pytest.raises(ZeroDivisionError):
        together(0)
    assert together(1) == 1
