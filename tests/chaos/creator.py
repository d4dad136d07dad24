"""The person who queues comics, and now and then pauses one, or cancels it and wants it drawn after all."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .wire import Answer, Unanswered, Wire
from .workers import SITES

QUEUED_BY = 0.6  # by when, in shares of the tasks completed, the last comic is queued
PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.5
MOST_COMICS = 200


@dataclass(frozen=True)
class Wish:
    """A request that is repeated until it is answered; `pause`: the seconds to wait before the first time."""

    method: str
    path: str
    body: dict[str, Any]
    key: str | None = None
    pause: float = 0.0


@dataclass
class Creator:
    """Has comics drawn: `tasks` panels in all."""

    wire: Wire
    seed: str
    tasks: int
    completed: int = 0
    finished: bool = False
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = Random(f"{self.seed} creator")
        self._comics = deque(_comics(self.tasks, chance))
        self._count = len(self._comics)
        self._seen: list[dict[str, Any]] = []
        self._wishes: deque[Wish] = deque()
        self._not_before = self._look_at = 0.0

    @property
    def share(self) -> float:
        """How much of everything was completed when it was last looked at."""
        return self.completed / self.tasks

    @property
    def is_done(self) -> bool:
        """Whether everything was queued and nothing is left to draw."""
        return not self._comics and not self._wishes and self.finished

    def tick(self) -> None:
        """Look how far the comics are, now and then, and do the next thing that is to be done."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look()
        queued = self._count - len(self._comics)
        if self._comics and queued / self._count <= self.share / QUEUED_BY + 0.5:
            comic = self._comics.popleft()
            self._wish(Wish("POST", "/comics", comic, key=f"{self.seed} {comic['title']}"))
        self._fulfil()

    def interfere(self, lot: float) -> bool:
        """Pause a comic and resume it, or cancel it and retry; say whether there was one to do it to."""
        active = [comic["id"] for comic in self._seen if comic["status"] == "active"]
        if not active:
            return False
        which, way = divmod(lot * len(active), 1)
        path = f"/comics/{active[int(which)]}"
        self._wish(Wish("PATCH", path, {"status": "cancelled" if way < 0.5 else "paused"}))
        if way < 0.5:
            self._wish(Wish("POST", f"{path}/retry", {}, pause=PAUSE_SECONDS))
        else:
            self._wish(Wish("PATCH", path, {"status": "active"}, pause=PAUSE_SECONDS))
        return True

    def _look(self) -> None:
        answer = self._ask(Wish("GET", f"/comics?limit={MOST_COMICS}", {}))
        if answer is None or not answer.is_good:
            return
        self._seen = answer.body["comics"]
        progress = [comic["progress"] for comic in self._seen]
        self.completed = sum(one["completed"] for one in progress)
        is_all_seen = len(progress) == self._count
        self.finished = is_all_seen and not any(one["queued"] + one["running"] for one in progress)

    def _wish(self, wish: Wish) -> None:
        if not self._wishes:
            self._not_before = time.monotonic() + wish.pause
        self._wishes.append(wish)

    def _fulfil(self) -> None:
        if not self._wishes or time.monotonic() < self._not_before:
            return
        wish = self._wishes[0]
        answer = self._ask(wish)
        if answer is None or answer.status == 503:
            return  # the same again at the next tick
        if not answer.is_good and answer.status != 409:  # a comic may be finished in the meantime
            self.refusals.append(f"{wish.method} {wish.path} was answered {answer.status}.")
        self.finished = False  # so it was before this
        self._wishes.popleft()
        if self._wishes:
            self._not_before = time.monotonic() + self._wishes[0].pause

    def _ask(self, wish: Wish) -> Answer | None:
        headers = {"Idempotency-Key": wish.key} if wish.key else {}
        try:
            return self.wire.ask(wish.method, wish.path, wish.body or None, headers)
        except Unanswered:
            return None


def _comics(tasks: int, chance: Random) -> Iterator[dict[str, Any]]:
    """Comics of 1 to 400 panels, of every priority, on both sites."""
    number, left = 0, tasks
    while left:
        number += 1
        panels = min(left, chance.randint(1, max(20, min(400, tasks // 6))))
        left -= panels
        yield {
            "title": f"Comic {number}",
            "prompts": [f"Panel {panel} of comic {number}" for panel in range(1, panels + 1)],
            "priority": chance.choice(["high", "normal", "low"]),
            "parallel": chance.choice([5, 10, 20, 100]),
            "domain": chance.choice(SITES),
        }
