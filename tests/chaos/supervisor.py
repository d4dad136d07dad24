"""A whole run: a server under gunicorn, its database, 20 workers and a creator; struck, tended and verified."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.orm import Session

from .creator import Creator
from .databases import START_SECONDS, Database
from .journal import Told, read_journals
from .processes import ROOT, Kept, clean_environment, command
from .proxy import Losses, Proxy, Traffic
from .schedule import Schedule, Strike, Target
from .verify import Rule, Violation, verify
from .wire import Wire
from .workers import DRAIN_SECONDS, Setup

LEASE_SECONDS = 2.0
SETTINGS = {
    "ACK_SECONDS": 1.5,
    "LEASE_SECONDS": LEASE_SECONDS,
    "RESEND_SECONDS": 0.5,
    "BACKOFF_SECONDS": 0.1,
    "GIVE_BACK_SECONDS": 0.3,
    "MAX_ATTEMPTS": 1000,
    "POLL_SECONDS": 1,
    "IDLE_POLL_SECONDS": 1,
    "PROCESSES": 3,
}
WORKERS = [
    ["named-1", "holding-1", "nameless-1", "old-1"],
    ["named-1", "holding-2", "nameless-1", "old-2"],
    ["named-2", "holding-3", "nameless-2", "old-3"],
    ["named-3", "holding-4", "nameless-3", "old-4"],
    ["named-4", "holding-5", "nameless-4", "holding-6"],
]
SERVER: tuple[str | Path, ...] = (command("semantest-server"), "run")
LOSSES = Losses(before=0.01, after=0.03)
TICK_SECONDS = 0.2
CREATOR_SECONDS = 5.0  # who waits longer keeps what was struck from being started again
MOST_SHOWN = 10
MIGRATION_STRUCK = "Error: Signal 9 has ended the migration.\n"


@dataclass(frozen=True)
class Plan:
    """What a run does.

    `enough`: the share of the tasks after which it stops; `patience`: seconds after which it is given up, which no
    machine should need.
    """

    seed: str
    tasks: int
    strikes: Mapping[Target, int]
    losses: Losses = LOSSES
    command: tuple[str | Path, ...] = SERVER
    enough: float = 1.0
    patience: float = 300.0


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    traffic: Traffic
    struck: Counter[Target] = field(default_factory=Counter)
    completed: int = 0
    reports: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    def broken(self, *rules: Rule) -> int:
        """How many violations of these rules there are."""
        return sum(violation.rule in rules for violation in self.violations)

    @property
    def figures(self) -> str:
        """The run in a few lines."""
        traffic = self.traffic
        struck = ", ".join(f"{self.struck[target]} {target}" for target in Target)
        return "\n".join(
            [
                f"seed {self.plan.seed}: {self.completed} of {self.plan.tasks} tasks completed in {self.seconds:.0f} s",
                f"struck: {struck}",
                f"answers lost: {traffic.lost_after} after they came, {traffic.lost_before} before",
                f"requests answered: {traffic.requests}, with 503: {traffic.answers[503]}",
                f"reports answered 2xx: {self.reports}",
                f"duplicates: {self.broken(Rule.RESULT, Rule.LEASE)}",
                f"lost: {self.broken(Rule.REPORT, Rule.HAND_OUT, Rule.QUEUE)}",
                f"violations: {len(self.violations)}",
                *(f"{violation.rule} {violation.text}" for violation in self.violations[:MOST_SHOWN]),
            ]
        )


class Supervisor:
    """Keeps everything running that the schedule strikes, until all is drawn."""

    def __init__(self, plan: Plan, database: Database, folder: Path) -> None:
        self.plan, self.database, self.folder = plan, database, folder
        self.journals = folder / "journals"
        self.journals.mkdir()
        port = free_port(plan.seed)
        settings = {
            "BIND": f"127.0.0.1:{port}",
            "INSTANCE": str(folder),
            "DATABASE_URL": database.url,
            **{name: str(value) for name, value in SETTINGS.items()},
        }
        environment = clean_environment(**{f"SEMANTEST_{name}": value for name, value in settings.items()})
        self.server = Kept(plan.command, folder / "server.log", environment, cwd=ROOT)
        self.proxy = Proxy(port, plan.seed, plan.losses)
        self.workers = [self._worker_process(index, names) for index, names in enumerate(WORKERS)]
        self.creator = Creator(Wire(self.proxy.port, {}, CREATOR_SECONDS), plan.seed, plan.tasks)
        self.schedule = Schedule(plan.seed, plan.strikes)
        self.outcome = Outcome(plan, self.proxy.traffic)
        self._begun = time.monotonic()

    def run(self) -> Outcome:
        """Let it all happen, stop everything, and verify what is left."""
        try:
            self._draw_everything()
            if self.plan.enough == 1:
                self._finish()
        finally:
            self._end()
        self.outcome.seconds = time.monotonic() - self._begun
        self._verify()
        return self.outcome

    def _draw_everything(self) -> None:
        while not (self._is_enough() and self.schedule.is_over):
            now = time.monotonic()
            if now - self._begun > self.plan.patience:
                return  # what is missing will be found
            self._tend(now, self.workers)
            self.creator.tick()
            for strike in self.schedule.due(self.creator.share, now):
                self._strike(strike, now)
            time.sleep(TICK_SECONDS)

    def _is_enough(self) -> bool:
        return self.creator.is_done or self.creator.share >= self.plan.enough < 1

    def _finish(self) -> None:
        """Let the workers say what they still have to say, to a server that is kept running; then stop that."""
        for process in self.workers:
            process.strike(signal.SIGTERM, whole_group=False)
        deadline = time.monotonic() + 2 * DRAIN_SECONDS
        while any(process.pid for process in self.workers) and time.monotonic() < deadline:
            self._tend(time.monotonic(), [])
            time.sleep(TICK_SECONDS)
        self.creator.wire.close()
        if code := self.server.stop():
            self._violation(Rule.HAND, f"The server ended with {code} when it was asked to stop.")
        self._tell("all is said")

    def _end(self) -> None:
        for process in (*self.workers, self.server):
            process.strike()
            process.stop()
        self.creator.wire.close()
        self.proxy.close()

    def _tend(self, now: float, workers: list[Kept]) -> None:
        self.database.tend(now)
        self.server.tend(now)
        for process in workers:
            process.tend(now)
        for code in self.server.unasked:
            was_struck = self.server.log.endswith(MIGRATION_STRUCK)  # then so was a child of a server that starts
            if not was_struck and now - self.database.down_at > START_SECONDS:
                self._violation(Rule.HAND, f"The server ended with {code}, and nobody had struck it.")
        self.server.unasked.clear()

    def _strike(self, strike: Strike, now: float) -> None:
        if self._hits(strike):
            self.outcome.struck[strike.target] += 1
            self._tell(strike.target)
        elif strike.target is not Target.PERSON:  # who comes too late has nothing left to pause
            self.schedule.put_off(strike, now)

    def _hits(self, strike: Strike) -> bool:
        worker = self.workers[int(strike.lot * len(self.workers))]
        ways: dict[Target, Callable[[], bool]] = {
            Target.PROCESS: lambda: self.server.strike_child(strike.lot),
            Target.SERVER: self.server.strike,
            Target.WORKERS: worker.strike,
            Target.DATABASE: lambda: self.database.strike(strike.lot, time.monotonic()),
            Target.PERSON: lambda: self.creator.interfere(strike.lot),
        }
        return ways[strike.target]()

    def _worker_process(self, index: int, names: list[str]) -> Kept:
        seed = f"{self.plan.seed} {index}"
        setup = Setup(self.proxy.port, str(self.journals), seed, LEASE_SECONDS, names)
        run = [sys.executable, "-m", "tests.chaos.workers", setup.as_argument()]
        return Kept(run, self.folder / f"workers-{index}.log", clean_environment(), cwd=ROOT)

    def _verify(self) -> None:
        entries = list(read_journals(self.journals))
        self.outcome.reports = sum(isinstance(entry, Told) for entry in entries)
        self.outcome.completed = self.creator.completed
        engine = create_engine(make_url(self.database.url), poolclass=NullPool)
        with Session(engine) as session:
            self.outcome.violations += verify(session, entries, self.plan.tasks)
        engine.dispose()
        for fault in self.proxy.traffic.faults + self.creator.refusals:
            self._violation(Rule.ANSWERS, fault)
        for process in (self.server, *self.workers):
            if "Traceback" in process.log:
                self._violation(Rule.HAND, process.log[process.log.index("Traceback") :][:2_000])

    def _tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._begun:6.1f} s, {self.creator.share:4.0%}: {what}")

    def _violation(self, rule: Rule, text: str) -> None:
        self.outcome.violations.append(Violation(rule, text))


def free_port(seed: str) -> int:
    """A port that nobody has, and that the system gives to no outgoing connection while the server is down."""
    chance = Random(f"{seed} {os.getpid()}")
    while True:
        port = chance.randint(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
