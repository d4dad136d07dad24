"""Simulated browsers with the extension, all in one event loop: they poll, draw and report at the pace of real ones.

A browser behaves as `examples/extension` does. It polls when `Retry-After` is over and an alarm fires, never earlier,
says what it holds, and draws one panel after the other. It has one connection, which stays open as a browser's does,
and sends one request at a time over it; a browser would open a second one rather than wait.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Any

from .generators import HOST
from .messages import HEADER_END, Answer, answer_of, request

PANELS_PER_POLL = 4
REQUEST_SECONDS = 20.0
ALARM_SECONDS = 30.0  # when a poll fails, and nobody says when to come again
ALARM_LATE_SECONDS = 1.0  # an alarm fires up to so much after its time
START_SECONDS = 5.0  # within which all begin to poll
REPEAT_SECONDS = (1.0, 5.0)
DRAWING_SECONDS = (30.0, 90.0)
AWAY_SECONDS = (10.0, 30.0)
OUTCOMES = {"completed": 96, "failed": 3, "no_tabs": 1}
FINAL = (200, 404, 409, 422)  # any other answer to a report, or none, and it is sent again
LOST_ANSWERS = 0.003
DEATHS = 0.04
RETURNS = 0.5  # of the dead, that come back under the same name, with nothing in memory

EMPTY_POLL = "empty poll"
HOLDING_POLL = "poll with panels in hand"
CLAIM = "poll that claims"
REPORT = "report"


@dataclass(frozen=True)
class Life:
    """How long and how fast browsers live: seconds of the run, and by what all other times are divided."""

    seconds: float
    speed: float


@dataclass(frozen=True)
class Said:
    """A report that was answered 2xx."""

    receipt: str
    status: str
    directive: str


@dataclass
class Stretch:
    """What happened in one part of the run; latencies in seconds, by what was asked."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    thrown_away: int = 0
    connections: int = 0


@dataclass
class Journal:
    """What the whole fleet has seen; `now` is the stretch that is going on."""

    now: Stretch = field(default_factory=Stretch)
    said: list[Said] = field(default_factory=list)
    pictures: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    dead: set[str] = field(default_factory=set)
    died: int = 0
    missed: set[str] = field(default_factory=set)  # the workers that lost an answer to a poll


class Line:
    """A browser's connection to the server."""

    def __init__(self, port: int, name: str, journal: Journal, chance: Random) -> None:
        self._port, self._headers, self._journal, self._chance = port, {"X-Worker-Id": name}, journal, chance
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, kind: str, method: str, path: str, body: Any = None) -> Answer | None:
        """Send a request; None if no answer arrives."""
        message = request(method, path, body, self._headers)
        async with self._lock:
            begun = perf_counter()
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    answer = await self._exchange(message)
            except (OSError, EOFError, TimeoutError):
                self._journal.now.unanswered[kind] += 1
                self.close()
                return None
            if answer is None:
                return None
            seconds = perf_counter() - begun
        if kind != REPORT and answer.body.strip() != b"[]":
            kind = CLAIM
        self._journal.now.latencies[kind].append(seconds)
        if not 200 <= answer.status < 300:
            self._journal.now.refused[f"{kind}: {answer.status}"] += 1
        return answer

    def close(self) -> None:
        """Hang up, whatever is under way."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, message: bytes) -> Answer | None:
        was_open = self._streams is not None
        try:
            return await self._send(message)
        except (OSError, EOFError):
            if not was_open:
                raise
            self.close()
            return await self._send(message)  # browsers do, once, when a connection that was open turns out closed

    async def _send(self, message: bytes) -> Answer | None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._port)
            self._journal.now.connections += 1
        reader, writer = self._streams
        writer.write(message)
        await writer.drain()
        if self._chance.random() < LOST_ANSWERS:
            self._journal.now.thrown_away += 1
            self.close()
            return None
        head = await reader.readuntil(HEADER_END)
        length = int(answer_of(head).header("Content-Length"))
        return answer_of(head + await reader.readexactly(length))


class Browser:
    """One browser with the extension."""

    def __init__(self, name: str, site: str, port: int, journal: Journal, life: Life, chance: Random) -> None:
        self.name, self.site = name, site
        self.held: dict[str, None] = {}
        self._journal, self._life, self._chance = journal, life, chance
        self._line = Line(port, name, journal, chance)
        self._to_draw: asyncio.Queue[str | None] = asyncio.Queue()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Live until it is over. Some die in the middle, and some of those come back."""
        await self._sleep(self._chance.uniform(0, START_SECONDS))
        if self._chance.random() < DEATHS:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0.3, 0.9) * self._life.seconds):
                    await self._live()
                return
            self._die()
            if self._chance.random() >= RETURNS or not await self._sleep(self._chance.uniform(*AWAY_SECONDS)):
                return
        await self._live()
        self._line.close()

    def end(self) -> None:
        """Send nothing more; what is under way is still answered."""
        self._over.set()

    def _die(self) -> None:
        self._journal.died += 1
        self._journal.dead |= {*self.held}
        self._journal.missed.add(self.name)  # perhaps it was in the middle of a poll
        self.held, self._to_draw = {}, asyncio.Queue()
        self._line.close()

    async def _live(self) -> None:
        await asyncio.gather(self._poll_on(), self._draw_on())

    async def _poll_on(self) -> None:
        goes_on = True
        while goes_on:
            retry_after = await self._poll()
            late = self._chance.uniform(0, ALARM_LATE_SECONDS)
            goes_on = await self._sleep((ALARM_SECONDS if retry_after is None else retry_after) + late)
        self._to_draw.put_nowait(None)

    async def _poll(self) -> float | None:
        """Take panels; the seconds until the server wants to be asked again, None if it did not say."""
        path = f"/tasks/pending?limit={PANELS_PER_POLL}&domain={self.site}&holding={','.join(self.held)}"
        answer = await self._line.ask(HOLDING_POLL if self.held else EMPTY_POLL, "GET", path)
        if answer is None:
            self._journal.missed.add(self.name)
            return None
        for hand_out in answer.json:
            receipts = [panel["id"] for panel in hand_out["payload"]["panels"]]
            new = [receipt for receipt in receipts if receipt not in self.held]
            self.held |= dict.fromkeys(new)
            await self._report_delivered(hand_out["id"], receipts)
            for receipt in new:
                self._to_draw.put_nowait(receipt)
        return float(answer.header("Retry-After"))

    async def _report_delivered(self, hand_out: str, receipts: list[str]) -> None:
        told = await self._report(hand_out, {"status": "delivered"})
        by_task = {receipt.partition(".")[0]: receipt for receipt in receipts}
        for task in told.get("tasks", []):
            self._journal.said.append(Said(by_task[task["id"]], "delivered", task["directive"]))

    async def _draw_on(self) -> None:
        while (receipt := await self._to_draw.get()) is not None:
            if self._over.is_set() or not await self._draw(receipt):
                return

    async def _draw(self, receipt: str) -> bool:
        """Draw a panel and say what came of it; whether to go on with others."""
        directive = await self._tell(receipt, {"status": "running", "progress": 0})
        if directive is None:
            return False
        if directive == "continue":
            if not await self._sleep(self._chance.uniform(*DRAWING_SECONDS)):
                return False
            (status,) = self._chance.choices([*OUTCOMES], [*OUTCOMES.values()])
            body = {"status": status}
            if status == "completed":
                body["imageUrl"] = f"https://{self.site}/{receipt}/{self._chance.getrandbits(64):016x}.png"
                self._journal.pictures[receipt.partition(".")[0]].add(body["imageUrl"])
            if await self._tell(receipt, body) is None:
                return False
        self.held.pop(receipt, None)
        return True

    async def _tell(self, receipt: str, body: Mapping[str, Any]) -> str | None:
        """Report about a receipt; the directive, None if it is over before there was an answer."""
        told = await self._report(receipt, body)
        directive: str | None = told.get("directive")
        if directive is not None and told.get("id") is not None:
            self._journal.said.append(Said(receipt, body["status"], directive))
        return directive

    async def _report(self, target: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a report until it is answered for good; {} if it never was."""
        while True:
            answer = await self._line.ask(REPORT, "PATCH", f"/tasks/{target}", body)
            if answer is not None and answer.status in FINAL:
                told: dict[str, Any] = json.loads(answer.body)
                return told if answer.status == 200 else {"directive": "stop"}
            if not await self._sleep(self._chance.uniform(*REPEAT_SECONDS)):
                return {}

    async def _sleep(self, seconds: float) -> bool:
        """Wait; whether it is not over yet."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds / self._life.speed)
        return not self._over.is_set()
