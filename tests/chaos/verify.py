"""What must be so in the end: the rules of the queue, recomputed from the history and from what workers were told.

Told independently of the server's code: nothing of it is asked but its tables and `semantest-server check`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from semantest_server.models import Comic, Event
from semantest_server.upkeep.check import check

from .histories import BEGINNINGS, ENDINGS, History, Line, lease_problems, read_histories, result_problems
from .journal import FAILURE, GIVE_BACK, PROGRESS, SUCCESS, Entry, Given, Told, Unknown

LINES = {
    PROGRESS: ("running",),
    SUCCESS: ("completed",),
    FAILURE: ("failed", "noted"),  # of another tab than the one that draws
    GIVE_BACK: ("given_back",),
}


class Rule(StrEnum):
    """What can be violated."""

    DONE = "Every task is completed."
    RESULT = "A completed task has one accepted result, and no other has any."
    LEASE = "A task has at most one live lease, as long as it was promised."
    CAP = "No claim takes a comic over its cap."
    REPORT = "A report that was answered 2xx is in the database."
    HAND_OUT = "What a worker was given is in the database, and is no other worker's."
    QUEUE = "What was queued is there, once."
    CHECK = "The check finds nothing."
    ANSWERS = "The server answers as it should."
    HAND = "The server needs no hand."


@dataclass(frozen=True)
class Violation:
    """A rule that was not kept, and where."""

    rule: Rule
    text: str


def verify(session: Session, entries: Iterable[Entry], tasks: int) -> Iterator[Violation]:
    """Every violation that the database and the journals show; `tasks` is how many were queued."""
    histories = read_histories(session)
    if len(histories) != tasks:
        yield Violation(Rule.QUEUE, f"{tasks} tasks were queued, and there are {len(histories)}.")
    for history in histories.values():
        if history.status != "completed":
            yield Violation(Rule.DONE, str(history))
        yield from (Violation(Rule.RESULT, f"{text} {history}") for text in result_problems(history))
        yield from (Violation(Rule.LEASE, f"{text} {history}") for text in lease_problems(history))
    parallel = {row.id: row.parallel for row in session.execute(select(Comic.id, Comic.parallel))}
    events = session.execute(select(Event.comic_id, Event.task_id, Event.type).order_by(Event.id))
    yield from (Violation(Rule.CAP, text) for text in caps(parallel, ((a, b, kind.value) for a, b, kind in events)))
    yield from journals(histories, entries)
    yield from (Violation(Rule.CHECK, text) for text in check(session))


def caps(parallel: Mapping[int, int], events: Iterable[tuple[int, int, str]]) -> Iterator[str]:
    """Whether a claim took more of a comic than its `parallel`, by the order of the events: comic, task, type."""
    out: dict[int, set[int]] = defaultdict(set)
    for comic, task, kind in events:
        if kind in ENDINGS:
            out[comic].discard(task)
        elif kind in BEGINNINGS:
            if kind == "handed_out" and len(out[comic]) >= parallel[comic]:
                yield f"Task {task} was handed out while {len(out[comic])} of comic {comic} were out already."
            out[comic].add(task)


def journals(histories: Mapping[int, History], entries: Iterable[Entry]) -> Iterator[Violation]:
    """Compare what workers wrote down with the history."""
    owners: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, Unknown):
            yield Violation(Rule.HAND_OUT, f"{entry.by} was given {entry.receipt}, and the server does not know it.")
        elif isinstance(entry, Given):
            for receipt in entry.receipts:
                yield from (Violation(Rule.HAND_OUT, text) for text in given(histories, entry, receipt))
                if owners.setdefault(receipt, entry.by) != entry.by:
                    yield Violation(Rule.HAND_OUT, f"{receipt} was given to {owners[receipt]} and to {entry.by}.")
        elif problem := told(histories, entry):
            yield Violation(Rule.REPORT, f"{entry}: {problem} {_named(histories, entry.receipt)[0]}")


def given(histories: Mapping[int, History], entry: Given, receipt: str) -> Iterator[str]:
    """A receipt that arrived was handed out before, and does not run out before the time that came with it."""
    history, attempt = _named(histories, receipt)
    lines = history.lines if history else []
    if not any(line.type == "handed_out" and line.attempt == attempt for line in lines):
        yield f"{entry.by} was given {receipt}, and no event tells of it."
    until = datetime.fromisoformat(entry.until) if entry.until else None
    for line in lines:
        is_after = line.at.timestamp() > entry.at  # it may have run out before too, and been brought back
        if until and line.type == "expired" and line.attempt == attempt and is_after and line.at < until:
            yield f"{entry.by} was given {receipt} until {until}, and it ran out at {line.at}."


def told(histories: Mapping[int, History], entry: Told) -> str | None:
    """Why a report that was answered 2xx at that time cannot be in the database, or None if it is.

    `continue` says that it was accepted, so the history has a line of it. `stop` says that it came again, or that
    the task was over. Where the answer says neither, a later attempt may have begun.
    """
    history, attempt = _named(histories, entry.receipt)
    if history is None:
        return "there is no such task."
    lines = history.until(entry.at)
    own = [line for line in lines if line.type in LINES[entry.kind] and attempt in (line.attempt, None)]
    is_there = any(line.note == entry.note and line.attempt in history.heard for line in own)
    if entry.directive == "continue":
        return None if is_there else "it was accepted, and no event tells of it."
    says_nothing = entry.directive is None and entry.kind != SUCCESS
    reasons = (
        _is_over(lines, entry.kind),
        is_there and entry.directive is None,
        own and entry.directive == "stop" and entry.kind != PROGRESS,  # it came again
        attempt and (entry.whole or says_nothing) and _is_ended(lines, attempt),
    )
    if any(reasons):
        return None
    return "nothing in the history by then is a reason for that answer."


def _is_over(lines: Iterable[Line], kind: str) -> bool:
    """Whether a report of that kind changes nothing, since the task is over; a success still would."""
    return any(line.type == "completed" or (line.type == "cancelled" and kind != SUCCESS) for line in lines)


def _is_ended(lines: Iterable[Line], attempt: int) -> bool:
    """Whether the attempt was given up or followed by another one."""
    for line in lines:
        if line.type in ("failed", "given_back") and line.attempt == attempt:
            return True
        if line.type == "handed_out" and (line.attempt or 0) > attempt:
            return True
    return False


def _named(histories: Mapping[int, History], receipt: str) -> tuple[History | None, int | None]:
    """The history of a task, and which attempt is meant, None if it may be any."""
    task, _, attempt = receipt.partition(".")
    return histories.get(int(task)), int(attempt) if attempt else None
