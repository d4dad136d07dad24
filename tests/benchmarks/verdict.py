"""What became of every panel of a fleet, as the API tells it: none twice, none lost, no report forgotten."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .browsers import Journal, Said
from .generators import ask, burst
from .messages import request

PAGE = 100
LINES = {
    "delivered": {"running", "revived"},
    "running": {"running", "revived"},
    "completed": {"completed"},
    "failed": {"failed"},
    "no_tabs": {"given_back"},
}
MOST_FAILURES = 3


@dataclass
class Verdict:
    """The panels by what became of them, and what must not be: texts, one for each."""

    panels: Counter[str] = field(default_factory=Counter)
    doubles: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was that must not be."""
        return not (self.doubles or self.losses or self.forgotten)


def verdict(port: int, queued: int, holders: Mapping[str, set[str]], journal: Journal) -> Verdict:
    """Look at every panel; `queued`: how many there should be, `holders`: what each browser has in its memory."""
    tasks = [*_all_tasks(port)]
    begun = [task for task in tasks if task["attempt"]]
    histories = dict(zip((task["id"] for task in begun), _histories(port, begun), strict=True))
    found = Verdict()
    if len({task["id"] for task in tasks}) != queued:
        found.losses.append(f"{queued} panels were queued, and there are {len(tasks)}.")
    for task in tasks:
        history = histories.get(task["id"], [])
        found.doubles += _doubles(task, history)
        outcome = _outcome(task, history, holders, journal)
        found.panels[outcome or "lost"] += 1
        if outcome is None:
            found.losses.append(f"{task} {history}")
    found.forgotten += _forgotten(histories, journal.said)
    return found


def _doubles(task: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    results = [event for event in history if event["type"] == "completed"]
    if len(results) > 1:
        yield f"{task} {results}"


def _outcome(
    task: Mapping[str, Any], history: list[dict[str, Any]], holders: Mapping[str, set[str]], journal: Journal
) -> str | None:
    """What became of a panel, in words; None if that cannot be."""
    kinds = Counter(event["type"] for event in history)
    match task["status"]:
        case "completed" if kinds["completed"] and task["imageUrl"] in journal.pictures[task["id"]]:
            return "completed"
        case "queued" if not kinds["completed"]:
            return "waiting again" if task["attempt"] else "waiting"
        case "failed" if kinds["failed"] >= MOST_FAILURES:
            return f"failed {MOST_FAILURES} times"
        case "leased" | "running":
            return _where(task, holders, journal)
    return None


def _where(task: Mapping[str, Any], holders: Mapping[str, set[str]], journal: Journal) -> str | None:
    if task["receipt"] in holders[task["worker"]]:
        return "in a browser's hands"
    if task["receipt"] in journal.dead:
        return "leased to a browser that died"
    return "leased in an answer that was lost" if task["worker"] in journal.missed else None


def _forgotten(histories: Mapping[str, list[dict[str, Any]]], said: Iterable[Said]) -> Iterator[str]:
    """The reports that were answered 2xx and that no event tells of."""
    lines: dict[tuple[str, str], set[str]] = defaultdict(set)
    finished = set()
    for task, history in histories.items():
        for event in history:
            lines[task, f"{task}.{event['attempt']}"].add(event["type"])
            finished |= {task} if event["type"] == "completed" else set()
    for one in said:
        task = one.receipt.partition(".")[0]
        came_late = one.directive == "stop" and task in finished
        if not came_late and not lines[task, one.receipt] & LINES[one.status]:
            yield str(one)


def _all_tasks(port: int) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        page = ask(port, request("GET", f"/tasks?limit={PAGE}{cursor and f'&cursor={cursor}'}")).json
        yield from page["tasks"]
        cursor = page["next"]


def _histories(port: int, tasks: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for answer in burst(port, [request("GET", f"/tasks/{task['id']}/events?limit={PAGE}") for task in tasks]).answers:
        page = json.loads(answer.body)
        assert page["next"] is None, page
        yield page["events"]
