"""What is measured over HTTP. Each section drives the lanes in turn, next to bare Flask, round by round."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .figures import Figures
from .generators import NOTHING, Burst, Generator, Pace, ask, burst, generator
from .lanes import OTHER_SITE, Lane, poll
from .messages import Unexpected, request
from .names import (
    BARE,
    CLAIM_ONE,
    CLAIM_TEN,
    EMPTY,
    EMPTY_BACKOFF,
    EMPTY_ELSEWHERE,
    EMPTY_PAUSED,
    PROGRESS,
    REPORT_FIFTY,
    REPORT_ONE,
    UNCHANGED,
)
from .plan import Plan
from .servers import Server

EMPTY_LIST = b"[]"
LOAD_CLIENTS = 4  # which ask at once; eight that do often have one gunicorn process take all of them, at half the rate
BARE_REQUESTS = 500
WARM_UP_PASSES = 6  # each process is to know most of those who ask
WARM_UP_REQUESTS = 100
WARM_UP_ROUNDS = 1
LEAST_ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """Requests that a lane is asked in turn."""

    what: str
    lane: Lane
    requests: Sequence[bytes]
    status: int = 200
    body: bytes | None = None

    def warm_up(self) -> None:
        """Ask everything a few times, after a check."""
        self.check()
        passes = max(WARM_UP_PASSES, WARM_UP_REQUESTS // len(self.requests))
        burst(self.lane.port, [*self.requests] * passes, statuses=(self.status,), keep=False)

    def check(self) -> None:
        """Ask once; `Unexpected` if the answer is not what it is to be."""
        answer = ask(self.lane.port, self.requests[0], statuses=(self.status,))
        if self.body is not None and answer.body.strip() != self.body:
            raise Unexpected(f"This is not the answer to {self.what}:\n{answer}")


class Bench:
    """One backend's lanes, the bare app beside them, and the figures so far."""

    def __init__(
        self, plan: Plan, by_size: Sequence[Lane], by_comics: Sequence[Lane], bare: Server, figures: Figures
    ) -> None:
        self.plan, self.by_size, self.by_comics, self.bare = plan, by_size, by_comics, bare
        self.lanes = [*by_size, *by_comics]
        self.generator: Generator = generator(plan.load_seconds)
        self.figures = figures

    def take_turns(self, loads: Sequence[Load]) -> None:
        """Warm up, then put every load on its lane once a round, each after one on bare Flask."""
        for load in loads:
            load.warm_up()
        for _ in range(self.plan.load_rounds):
            for load in loads:
                reference = self._pace_of(self.bare.port, [NOTHING])
                self.figures.add_pace(BARE, self.generator.name, reference)
                pace = self._pace_of(load.lane.port, load.requests)
                self.figures.add_pace(load.what, load.lane.shape.name, pace, reference)
        for load in loads:
            load.check()

    def _pace_of(self, port: int, requests: Sequence[bytes]) -> Pace:
        return self.generator.load(port, requests, self.plan.load_seconds, LOAD_CLIENTS)


def reads(bench: Bench) -> None:
    """Polls for a site that nothing waits for, unchanged tasks, and progress, while panels are being drawn."""
    for lane in bench.lanes:
        lane.see_workers()
    held = [lane.claim(limit=10)[1] for lane in bench.lanes]
    polls = [poll(name, domain=OTHER_SITE) for name in bench.plan.pollers]
    bench.take_turns([Load(EMPTY_ELSEWHERE, lane, polls, body=EMPTY_LIST) for lane in bench.lanes])
    bench.take_turns([Load(UNCHANGED, lane, [_unchanged(lane)], status=304) for lane in bench.lanes])
    comics = [request("GET", f"/comics/{hand_outs[0]['payload']['batchId']}") for hand_outs in held]
    bench.take_turns([Load(PROGRESS, lane, [comic]) for lane, comic in zip(bench.lanes, comics, strict=True)])
    for lane, hand_outs in zip(bench.lanes, held, strict=True):
        lane.put_back(hand_outs)


def _unchanged(lane: Lane) -> bytes:
    tag = ask(lane.port, request("GET", "/tasks")).header("ETag")
    return request("GET", "/tasks", headers={"If-None-Match": tag})


def draws(bench: Bench) -> None:
    """Panels are handed out and reported drawn: one at a time and many, then everything is put back."""
    end = time.monotonic() + bench.plan.draw_seconds
    for times in range(-WARM_UP_ROUNDS, bench.plan.draw_rounds):
        if times >= LEAST_ROUNDS and time.monotonic() > end:
            break
        for lane in bench.lanes:
            reference = burst(bench.bare.port, [NOTHING] * BARE_REQUESTS)
            measured = draw(lane)
            if times >= 0:
                bench.figures.add_burst(BARE, "loop", reference)
                for what, made in measured.items():
                    bench.figures.add_burst(what, lane.shape.name, made, reference)


def draw(lane: Lane) -> dict[str, Burst]:
    """One round."""
    made = {}
    made[CLAIM_TEN], hand_outs = lane.claim(limit=10)
    made[REPORT_ONE] = lane.report_each(hand_outs)
    lane.put_back(hand_outs)
    made[CLAIM_ONE], hand_outs = lane.claim(limit=1)
    made[REPORT_FIFTY] = lane.report_together(hand_outs)
    lane.put_back(hand_outs)
    return made


def waits(bench: Bench) -> None:
    """Empty polls while everything is paused, in backoff, or done. Leaves nothing that could be drawn."""
    many = bench.by_comics[-1]
    polls = [poll(name) for name in bench.plan.pollers]
    many.pause()
    _measure_empty(bench, [many], EMPTY_PAUSED, polls)
    many.resume()
    many.back_off()
    _measure_empty(bench, [many], EMPTY_BACKOFF, polls)
    for lane in bench.by_size:
        lane.drain()
    _measure_empty(bench, bench.by_size, EMPTY, polls)


def _measure_empty(bench: Bench, lanes: Sequence[Lane], what: str, polls: Sequence[bytes]) -> None:
    for lane in lanes:
        lane.see_workers()
    bench.take_turns([Load(what, lane, polls, body=EMPTY_LIST) for lane in lanes])
