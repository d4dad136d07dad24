"""Simulated workers: a process of some, each polling, drawing and reporting as an extension does, often badly.

`python -m tests.chaos.workers SETUP` runs until SIGTERM. A worker's name says what it is: `named-2` sends an
`X-Worker-Id`, `holding-2` also says what it holds, `nameless-2` says nothing of itself, `old-2` speaks the dialect of
the 2.x extension. Two of one name are one worker whose polls overlap.
"""

import json
import os
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from .journal import Journal
from .scripts import PANELS, PICTURES, Script, Scripts, Step
from .wire import Answer, Unanswered, Wire

SITES = ("chatgpt.com", "stub.example")
OVERLAP = 0.1  # of the steps, that is an alarm which fires while panels are being drawn
BAD_ITEM = {"taskId": "nonsense", "status": "abracadabra"}
DRAWING_SECONDS = 0.03
POLL_SECONDS = 1.5
REPEAT_SECONDS = 0.3
DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Setup:
    """What a process of workers is told."""

    port: int
    folder: str
    seed: str
    lease_seconds: float
    names: list[str]

    def as_argument(self) -> str:
        """The setup as one argument of a command."""
        return json.dumps(asdict(self))


@dataclass
class Panel:
    """A panel in a worker's memory: its receipt and what is still to be said of it."""

    receipt: str
    script: Script
    steps: deque[Step] = field(init=False)

    def __post_init__(self) -> None:
        self.steps = deque(self.script.steps)

    @property
    def task(self) -> str:
        """The id of its task."""
        return self.receipt.partition(".")[0]


class Worker(ABC):
    """One browser, which lives in a thread."""

    scripts: dict[str, int]

    def __init__(self, name: str, wire: Wire, journal: Journal, chance: Random, lease_seconds: float) -> None:
        self.name, self.wire, self.journal, self.chance = name, wire, journal, chance
        self._lease_seconds = lease_seconds
        self._scripts = Scripts(self.scripts, chance)
        self._panels: deque[Panel] = deque()
        self._later: list[tuple[float, Panel]] = []
        self._said = 0
        self._drain_until: float | None = None

    def run(self, is_over: Callable[[], bool]) -> None:
        """Poll and draw until it is over; then say what was still to be said late."""
        while not is_over():
            if not self._panels or self.chance.random() < OVERLAP:
                self.poll()
            if self._panels:
                self._draw(self._panels.popleft() if self.chance.random() < 0.5 else self._panels.pop())
            else:
                time.sleep(self.chance.uniform(0.2, 1) * POLL_SECONDS)
            self._say_late(time.monotonic())
        self._drain_until = time.monotonic() + DRAIN_SECONDS
        while self._later:
            self._say_late(float("inf"))
        self.wire.close()

    @abstractmethod
    def poll(self) -> None:
        """Ask for panels, and take those that are not here already."""

    @abstractmethod
    def say(self, panel: Panel, step: Step) -> bool:
        """Report one step of a panel until it is answered; say whether to go on with the panel."""

    @property
    def holding(self) -> set[str]:
        """The receipts of what it has."""
        return {panel.receipt for panel in [*self._panels, *(panel for _, panel in self._later)]}

    def take(self, receipts: Iterable[str]) -> None:
        """Draw these too."""
        held = self.holding
        self._panels += [Panel(receipt, self._scripts.draw()) for receipt in receipts if receipt not in held]

    def drop(self, receipts: Iterable[str]) -> None:
        """Have done with these."""
        done = set(receipts)
        self._panels = deque(panel for panel in self._panels if panel.receipt not in done)

    def note(self) -> str:
        """Words that no other report has."""
        self._said += 1
        return f"{self.name} {os.getpid()} {threading.get_ident()} {self._said}"

    def until_answered(self, method: str, path: str, body: Any) -> Answer | None:
        """Send a report again and again until it is answered; None if the server is gone for good."""
        while True:
            try:
                answer = self.wire.ask(method, path, body)
                if answer.status != 503:
                    return answer
            except Unanswered:
                pass
            if self._drain_until and time.monotonic() > self._drain_until:
                return None
            time.sleep(self.chance.uniform(0.2, 1) * REPEAT_SECONDS)

    def _draw(self, panel: Panel) -> None:
        while panel.steps:
            step = panel.steps[0]
            if step.is_late:
                panel.steps[0] = Step(step.status, is_repeated=step.is_repeated)
                late = self.chance.uniform(0.5, 1.6) * self._lease_seconds
                self._later.append((time.monotonic() + late, panel))
                return
            panel.steps.popleft()
            time.sleep(self.chance.random() * DRAWING_SECONDS)
            if not self.say(panel, step) and not panel.script.is_deaf:
                return

    def _say_late(self, now: float) -> None:
        due = [panel for at, panel in self._later if at <= now]
        self._later = [(at, panel) for at, panel in self._later if at > now]
        for panel in due:
            self._draw(panel)


class Extension(Worker):
    """A browser that polls `/tasks/pending`."""

    scripts = PANELS

    def poll(self) -> None:
        """Ask for panels of some number and some sites."""
        parameters = []
        if self.chance.random() < 0.5:
            parameters.append(f"limit={self.chance.randint(1, 12)}")
        if self.chance.random() < 0.3:
            parameters += [f"domain={site}" for site in self.chance.sample(SITES, self.chance.randint(1, len(SITES)))]
        if self.name.startswith("holding"):
            parameters.append("holding=" + ",".join(sorted(self.holding)))
        try:
            answer = self.wire.ask("GET", "/tasks/pending?" + "&".join(parameters))
        except Unanswered:
            return  # leases and resending are for this
        for hand_out in answer.body or []:
            self._take(hand_out)

    def say(self, panel: Panel, step: Step) -> bool:
        """Report by receipt, by task or in a list, once or twice."""
        ways = [self._by_receipt, self._by_task, self._in_a_list]
        (way,) = self.chance.choices(ways, [75, 8, 17])
        body = self._body(step.status)
        goes_on = way(panel, body)
        return way(panel, body) if step.is_repeated else goes_on

    def _take(self, hand_out: Any) -> None:
        receipts = [panel["id"] for panel in hand_out["payload"]["panels"]]
        self.journal.given(receipts, hand_out["leasedUntil"])
        self.take(receipts)
        draw = self.chance.random()
        if draw < 0.1:
            self._of_hand_out(hand_out["id"], receipts, "delivered" if draw < 0.05 else "running")
        elif draw < 0.14:
            self._of_hand_out(hand_out["id"], receipts, "completed")
            self.drop(receipts)
        elif draw < 0.16:
            self._of_hand_out(hand_out["id"], receipts, "failed" if draw < 0.15 else "cancelled")
            self.drop(receipts)

    def _body(self, status: str) -> dict[str, Any]:
        note = self.note()
        body: dict[str, Any] = {"status": status, "message": note}
        if status in ("running", "generating", "in_progress", "processing"):
            body["progress"] = self.chance.randint(0, 100)
        if status == "completed":
            body["imageUrl"] = f"https://chatgpt.com/{note.replace(' ', '/')}.png"
        return body

    def _by_receipt(self, panel: Panel, body: dict[str, Any]) -> bool:
        answer = self.until_answered("PATCH", f"/tasks/{panel.receipt}", body)
        if answer is None:
            return False
        if answer.status == 404:
            self.journal.unknown(panel.receipt)
        if not answer.is_good:
            return False
        directive = answer.body["directive"]
        self.journal.told(panel.receipt, body["status"], body["message"], directive)
        return bool(directive == "continue")

    def _by_task(self, panel: Panel, body: dict[str, Any]) -> bool:
        """The server finds out which attempt is meant: the latest when the report came in."""
        answer = self.until_answered("PATCH", f"/tasks/{panel.task}", body)
        if answer is None or not answer.is_good:
            return False
        directive = answer.body["directive"]
        self.journal.told(panel.task, body["status"], body["message"], directive)
        return bool(directive == "continue")

    def _in_a_list(self, panel: Panel, body: dict[str, Any]) -> bool:
        """Together with one of another panel, and sometimes with one that nobody can read."""
        others = [(self.chance.choice(self._panels).receipt, self._body("running"))] if self._panels else []
        reports = [(panel.receipt, body), *others]
        items = [{**report, "taskId": receipt} for receipt, report in reports]
        if self.chance.random() < 0.2:
            items.append(BAD_ITEM)
        answer = self.until_answered("POST", "/tasks/status", items)
        if answer is None or not answer.is_good:
            return False
        results = answer.body["results"]
        for (receipt, report), result in zip(reports, results, strict=False):
            if result["status"] == 404:
                self.journal.unknown(receipt)
            if result["status"] == 200:
                self.journal.told(receipt, report["status"], report["message"], result["directive"])
        return bool(results[0]["directive"] == "continue")

    def _of_hand_out(self, hand_out: str, receipts: list[str], status: str) -> None:
        by_task = {receipt.partition(".")[0]: receipt for receipt in receipts}
        body = {"status": status, "message": self.note()}
        answer = self.until_answered("PATCH", f"/tasks/{hand_out}", body)
        if answer is None or not answer.is_good:
            return
        for task in answer.body["tasks"]:
            directive = task["directive"]
            self.journal.told(by_task[task["id"]], status, body["message"], directive, whole=True)


class OldExtension(Worker):
    """A browser with the 2.x extension, which takes no notice of what its reports are answered."""

    scripts = PICTURES

    def poll(self) -> None:
        """Ask for a picture."""
        try:
            headers = {"X-Extension-Id": extension_id(self.name), "X-Last-Id": ""}
            answer = self.wire.ask("GET", "/pending-tasks", headers=headers)
        except Unanswered:
            return
        if answer.is_good and answer.body["tasks"]:
            receipts = [task["id"] for task in answer.body["tasks"]]
            self.journal.given(receipts, None)
            self.take(receipts)

    def say(self, panel: Panel, step: Step) -> bool:
        """Report as its content script does, from one tab or the other."""
        status, tab = step.status.rstrip("?^"), 8 if step.status.endswith("^") else 7
        body = {"status": status, "tabId": tab, "timestamp": self.note()}
        names_it = not step.status.endswith("?")
        answer = self.until_answered("POST", "/task-status", {**body, "taskId": panel.receipt} if names_it else body)
        if names_it and answer is not None and answer.is_good:
            self.journal.told(panel.receipt, status, str(body["timestamp"]), None)
        return answer is not None


def extension_id(name: str) -> str:
    """An extension's id, one for each name."""
    return ("abcdefghijklmnop" * 2)[:-1] + "abcdefghijklmnop"[int(name.rpartition("-")[2]) % 16]


def make_worker(setup: Setup, index: int) -> Worker:
    """One of a process's workers, as its name says."""
    name = setup.names[index]
    headers = {"User-Agent": f"Chrome of {name}"}
    if name.startswith("old"):
        headers["Origin"] = f"chrome-extension://{extension_id(name)}"
    elif not name.startswith("nameless"):
        headers["X-Worker-Id"] = name
    kind = OldExtension if name.startswith("old") else Extension
    journal = Journal(Path(setup.folder) / f"{name}.{os.getpid()}.{index}.jsonl", name)
    return kind(name, Wire(setup.port, headers), journal, Random(f"{setup.seed} {name} {index}"), setup.lease_seconds)


def main() -> None:
    """Run workers in threads until SIGTERM, or until whoever started this process is gone."""
    setup = Setup(**json.loads(sys.argv[1]))
    stop, parent = threading.Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def is_over() -> bool:
        return stop.is_set() or os.getppid() != parent

    workers = [make_worker(setup, index) for index in range(len(setup.names))]
    threads = [threading.Thread(target=worker.run, args=[is_over]) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
