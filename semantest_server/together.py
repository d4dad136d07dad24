"""Doing at once what several threads want done at the same time."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Wish = TypeVar("Wish")
Result = TypeVar("Result")

MOST_AT_ONCE = 16


class Together(Generic[Wish, Result]):
    """A function of many wishes, called for single ones: those that wait for one call are the next one's.

    `do` is given a function that answers the wishes, which it calls once it is ready for them, and not before: the
    later, the more there are. It answers the results in their order. If it fails for several, it is called for
    each alone, so that nobody is told of what somebody else's wish has brought about.
    """

    def __init__(self, do: Callable[[Callable[[], list[Wish]]], list[Result]]) -> None:
        self._do = do
        self._turn = Lock()
        self._arriving = Lock()
        self._waiting: list[_Call[Wish, Result]] = []

    def __call__(self, wish: Wish) -> Result:
        """Have it done, by this thread or by another that was there before; raises what it brings about."""
        mine: _Call[Wish, Result] = _Call(wish)
        with self._arriving:
            self._waiting.append(mine)
        with self._turn:
            while not mine.is_done:  # it may be one of the next list's
                self._do_next()
        return mine.result()

    def _do_next(self) -> None:
        taken: list[_Call[Wish, Result]] = []

        def take() -> list[Wish]:
            with self._arriving:
                taken.extend(self._waiting[:MOST_AT_ONCE])
                del self._waiting[:MOST_AT_ONCE]
            return [call.wish for call in taken]

        try:
            results = self._do(take)
        except Exception as error:
            if not taken:
                take()
            if len(taken) == 1:
                taken[0].fail(error)
            else:
                self._do_each(taken)
        else:
            for call, result in zip(taken, results, strict=True):
                call.succeed(result)

    def _do_each(self, calls: "list[_Call[Wish, Result]]") -> None:
        for call in calls:
            wish = call.wish
            try:
                (result,) = self._do(lambda wish=wish: [wish])  # type: ignore[misc]
            except Exception as error:
                call.fail(error)
            else:
                call.succeed(result)


class _Call(Generic[Wish, Result]):
    """A wish and what became of it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.is_done = False
        self._error: Exception | None = None
        self._results: list[Result] = []

    def succeed(self, result: Result) -> None:
        self._results, self.is_done = [result], True

    def fail(self, error: Exception) -> None:
        self._error, self.is_done = error, True

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        (result,) = self._results
        return result
