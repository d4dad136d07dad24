"""What is struck, and when: a schedule that follows from a seed, in shares of the tasks completed, not in seconds."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

LAST_SHARE = 0.9  # what comes later would strike when all is done
LONGEST_DELAY = 1.0


class Target(StrEnum):
    """What a strike kills, or who it is that strikes."""

    PROCESS = "server processes"
    SERVER = "whole servers"
    WORKERS = "worker processes"
    DATABASE = "databases"
    PERSON = "pauses and cancellations"


@dataclass(frozen=True)
class Strike:
    """One blow: once this share of the tasks is completed, and so many seconds later. `lot` chooses the victim."""

    share: float
    delay: float
    target: Target
    lot: float


class Schedule:
    """The strikes in their order."""

    def __init__(self, seed: str, counts: Mapping[Target, int]) -> None:
        chance = Random(f"{seed} schedule")
        targets = [target for target, count in counts.items() for _ in range(count)]
        strikes = [
            Strike(chance.uniform(0, LAST_SHARE), chance.uniform(0, LONGEST_DELAY), target, chance.random())
            for target in targets
        ]
        self._waiting = deque(sorted(strikes, key=lambda strike: strike.share))
        self._drawn: list[tuple[float, Strike]] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be struck."""
        return not self._waiting and not self._drawn

    def put_off(self, strike: Strike, now: float) -> None:
        """Let a strike that hit nothing come again at once."""
        self._drawn.append((now, strike))

    def due(self, share: float, now: float) -> list[Strike]:
        """The strikes whose time has come, once each; `now` in seconds on any clock."""
        while self._waiting and self._waiting[0].share <= share:
            strike = self._waiting.popleft()
            self._drawn.append((now + strike.delay, strike))
        due = [strike for at, strike in self._drawn if at <= now]
        self._drawn = [(at, strike) for at, strike in self._drawn if at > now]
        return due
