"""`python -m tests.benchmarks.fleet`: plays a fleet of browsers on one server, and says how busy that was.

First nothing is queued: all browsers poll in vain. Then half of them find work, on the one site that has any. At the
end every panel is looked at, and the cost of single requests is measured. Times are those of real browsers, and the
server runs with its defaults, unless `--speed` shortens them all. What is drawn when depends on the seed and on how
fast the server answers.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from ..browser.server import free_port
from ..chaos.processes import Kept, clean_environment, command
from .browsers import Browser, Journal, Life, Stretch
from .databases import Backend, backend
from .effort import Part, effort, since
from .errands import errands
from .fleet_report import IDLE, WORKER_TASKS, WORKING, Phase, Plan, Result, as_json, as_text
from .generators import ask
from .machine import machine
from .messages import Unexpected, request
from .verdict import verdict

LASTING = Path("/var/tmp")  # on disk where /tmp is memory
BUSY_SITE, IDLE_SITE = "chatgpt.com", "quiet.example"
COMIC_PANELS = 100
WARM_UP_SHARE, IDLE_SHARE = 0.1, 0.3  # of the run; the rest is with work
START_SECONDS = 60.0
TROUBLE, LOG_CHARACTERS = "Error", 3_000


@contextmanager
def served(chosen: Backend, folder: Path) -> Iterator[tuple[int, list[Part]]]:
    """Run the server with its defaults on an empty database: its port, and the parts that do the work."""
    port = free_port()
    with chosen.empty(folder) as url:
        settings = {"BIND": f"127.0.0.1:{port}", "INSTANCE": str(folder), "DATABASE_URL": url, "LOG_LEVEL": "warning"}
        environment = clean_environment(**{f"SEMANTEST_{name}": value for name, value in settings.items()})
        process = Kept([command("semantest-server"), "run"], folder / "server.log", environment)
        try:
            process.tend(time.monotonic())
            _wait_for(process, port)
            assert process.pid is not None
            parts = [Part("gunicorn", process.pid)]
            if (file := folder / "postgres" / "postmaster.pid").exists():
                parts.append(Part("postgresql", int(file.read_text().splitlines()[0])))
            yield port, parts
            if TROUBLE in process.log:
                print(process.log[-LOG_CHARACTERS:], file=sys.stderr)
        finally:
            process.stop()


def play(plan: Plan, port: int, parts: list[Part]) -> Result:
    """Let the fleet live, look at what became of its panels, and measure single requests."""
    journal = Journal()
    life = Life(plan.seconds, plan.speed)
    browsers = [_browser(plan, index, port, journal, life) for index in range(plan.workers)]
    phases = asyncio.run(_live(plan, port, parts, journal, browsers))
    memory = {part.name: part.memory_mib() for part in parts}
    load_average = os.getloadavg()[0]
    holders = {browser.name: {*browser.held} for browser in browsers}
    found = verdict(port, plan.panels, holders, journal)
    idle = [browser.name for browser in browsers if browser.site == IDLE_SITE]
    full = [(browser.name, [*browser.held]) for browser in browsers if len(browser.held) == WORKER_TASKS]
    costs = errands(port, parts, idle, full, (BUSY_SITE, IDLE_SITE))
    return Result(plan, phases, memory, load_average, journal.died, found, costs)


async def _live(plan: Plan, port: int, parts: list[Part], journal: Journal, browsers: Sequence[Browser]) -> list[Phase]:
    phases = []
    async with asyncio.TaskGroup() as group:
        for browser in browsers:
            group.create_task(browser.run())
        await asyncio.sleep(WARM_UP_SHARE * plan.seconds)
        phases.append(await _phase(IDLE, IDLE_SHARE * plan.seconds, parts, journal))
        queueing = group.create_task(asyncio.to_thread(_queue, plan, port))  # it is part of the work
        rest = (1 - WARM_UP_SHARE - IDLE_SHARE) * plan.seconds
        phases.append(await _phase(WORKING, rest, parts, journal))
        for browser in browsers:
            browser.end()
        await queueing
    return phases


async def _phase(name: str, seconds: float, parts: list[Part], journal: Journal) -> Phase:
    journal.now = stretch = Stretch()
    before, begun, own = effort(parts), time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    journal.now = Stretch()
    spent = since(before, effort(parts))
    return Phase(name, time.perf_counter() - begun, stretch, spent, time.process_time() - own)


def _browser(plan: Plan, index: int, port: int, journal: Journal, life: Life) -> Browser:
    chance = Random(f"{plan.seed} {index}")
    name = f"{chance.getrandbits(128):032x}"
    return Browser(name, BUSY_SITE if index < plan.drawing else IDLE_SITE, port, journal, life, chance)


def _queue(plan: Plan, port: int) -> None:
    """Queue comics enough for the whole fleet."""
    for begin in range(0, plan.panels, COMIC_PANELS):
        count = min(COMIC_PANELS, plan.panels - begin)
        prompts = [f"Panel {begin + number} of the fleet, noir, high contrast" for number in range(count)]
        comic = {"title": f"Fleet {begin}", "prompts": prompts, "parallel": 100, "domain": BUSY_SITE}
        ask(port, request("POST", "/comics", comic), statuses=(201,))


def _wait_for(process: Kept, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.pid is not None:
        try:
            ask(port, request("GET", "/health"))
            return
        except (ConnectionError, Unexpected):
            time.sleep(0.05)
    raise TimeoutError(process.log)


def main() -> None:
    """Play, print and write; exit code 1 if a panel was drawn twice or lost, or a report forgotten."""
    options = _options()
    plan = Plan(options.workers, options.minutes * 60, options.speed, options.seed)
    with tempfile.TemporaryDirectory(prefix="semantest-", dir=options.folder, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        described = machine(folder)
        with backend(options.backend, folder) as chosen, served(chosen, folder) as (port, parts):
            result = play(plan, port, parts)
    print(as_text(options.backend, described, result))
    if options.json:
        options.json.write_text(json.dumps(as_json(options.backend, described, result), indent=1) + "\n")
    sys.exit(not result.verdict.is_good)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet", description=__doc__)
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1000, help="browsers; each has an open connection")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--speed", type=float, default=1, help="divides all times of the browsers; 1 is honest")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--json", type=Path, help="a file to write everything to")
    folder = LASTING if LASTING.is_dir() else None
    parser.add_argument("--folder", type=Path, default=folder, help="where the database is; on a disk that counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
