"""Reports: what a worker says about a receipt, a task or a hand-out, and what that changes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import NotFound
from semantest_server.models import (
    OUT,
    OVER,
    Attempt,
    Ending,
    EventType,
    MissingTab,
    Task,
    TaskStatus,
    Worker,
    counter_of,
)
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal, insert_missing
from semantest_server.queue.lapses import open_journal
from semantest_server.queue.leases import Held, Receipt, attempts, extend, is_open, revive
from semantest_server.queue.statuses import Kind, Outcome, Report, ReportStatus, Verdict
from semantest_server.queue.workers import Poller, find_worker, seen_reporting

OURS = re.compile(r"[0-9]+(\.[0-9]+)?")  # such a name is never a correlationId
RECEIPT = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")  # longer ids belong to nothing
TASK = re.compile(r"[0-9]{1,18}")
HAND_OUT = re.compile(r"h-([0-9a-f]{1,40})-([0-9]{1,18})")


@dataclass(frozen=True)
class _Target:
    """What a report is about: attempts, as they were before the locks, and how they were named."""

    attempts: Sequence[Attempt]
    by_task: bool = False
    hand_out: str | None = None

    @property
    def receipts(self) -> set[Receipt]:
        return {(attempt.task_id, attempt.number) for attempt in self.attempts}


def report(session: Session, policy: Policy, reporter: Poller, reports: Sequence[Report]) -> list[Outcome]:
    """Apply reports in their order, each as if it had come alone.

    Afterwards the leases of everything that the same polls gave, and that is still open, run the full time anew:
    a worker draws one panel after the other.
    """
    targets = [_resolve(session, one.target) for one in reports]
    given = [attempt for target in targets if target for attempt in target.attempts]
    seen_reporting(session, {attempt.worker_id for attempt in given}, clock.now(session))
    journal = open_journal(session, policy, _comics_given_with(session, given))
    outcomes, polls = [], set()
    for one, target in zip(reports, targets, strict=True):
        held = _read(journal, target.receipts) if target else []
        outcomes.append(_apply(journal, reporter, one, target, held) if target and held else _unknown(one.target))
        if not outcomes[-1].is_conflict:
            polls |= {each.attempt.poll for each in held}
    _extend_given_by(journal, polls)
    journal.post()
    return outcomes


def give_back_held(session: Session, policy: Policy, poller: Poller, one: Report) -> Outcome | None:
    """Apply a report without a target to the one task that the worker holds, if there is just one."""
    worker = find_worker(session, poller)
    if worker is None:
        return None
    held = select(Task.id, Task.attempt).where(Task.worker_id == worker.id, Task.leased_until > clock.now(session))
    rows = session.execute(held.limit(2)).all()
    if len(rows) != 1:
        return None
    target = f"{rows[0].id}.{rows[0].attempt}"
    named = Report(target, ReportStatus.NO_TABS, message=one.message, tab_id=one.tab_id, details=one.said)
    return report(session, policy, poller, [named])[0]


def note_failure_of_other_tab(session: Session, policy: Policy, one: Report) -> bool:
    """Write a failure down as an event only, if another tab than this one took the panel; say whether so."""
    target = _resolve(session, one.target)
    if target is None or one.kind is not Kind.FAILURE or one.tab_id is None:
        return False
    journal = open_journal(session, policy, _comics_given_with(session, target.attempts))
    taken = _read(journal, target.receipts)
    if any(held.attempt.tab_id in (None, one.tab_id) for held in taken):
        return False
    for held in taken:
        journal.told(
            EventType.NOTED,
            held.task,
            attempt=held.attempt.number,
            worker_id=held.attempt.worker_id,
            message=one.message or "Another tab failed.",
            details=one.said,
        )
    _extend_given_by(journal, {held.attempt.poll for held in taken})
    journal.post()
    return True


def _resolve(session: Session, target: str) -> _Target | None:
    """Find the attempts that a report is about, or None if nothing of that name was ever handed out."""
    if match := HAND_OUT.fullmatch(target):
        given = select(Attempt).join(Task, Task.id == Attempt.task_id)
        given = given.where(Attempt.poll == match[1], Task.comic_id == int(match[2]))
        found = session.scalars(given.order_by(Attempt.task_id)).all()
        return _Target(found, hand_out=target) if found else None
    if match := RECEIPT.fullmatch(target):
        attempt = session.get(Attempt, (int(match[1]), int(match[2])), populate_existing=True)
        return _Target([attempt]) if attempt else None
    if target.startswith("h-") or (OURS.fullmatch(target) and not TASK.fullmatch(target)):
        return None
    named = Task.id == int(target) if TASK.fullmatch(target) else Task.correlation_id == target
    newest = select(Task.id).where(named).order_by(Task.id.desc()).limit(1).scalar_subquery()
    latest = select(Attempt).where(Attempt.task_id == newest).order_by(Attempt.number.desc()).limit(1)
    found = session.scalars(latest).all()
    return _Target(found, by_task=True) if found else None


def _unknown(target: str) -> Outcome:
    return Outcome(error=NotFound(f"Nothing was handed out under the id {target[:100]!r}."))


def _comics_given_with(session: Session, given: Sequence[Attempt]) -> list[int]:
    """The comics of everything that the polls which gave these attempts gave."""
    polls = sorted({attempt.poll for attempt in given})
    comics = select(Task.comic_id).join(Attempt, Attempt.task_id == Task.id).where(Attempt.poll.in_(polls))
    return list(session.scalars(comics.distinct()))


def _extend_given_by(journal: Journal, polls: set[str]) -> None:
    statement = attempts(Attempt.poll.in_(sorted(polls)), is_open(), Task.comic_id.in_(journal.comics))
    extend(journal, [Held.of(row) for row in journal.session.execute(statement)])


def _read(journal: Journal, receipts: set[Receipt]) -> list[Held]:
    """The attempts and their tasks as they are now that their comics are locked."""
    statement = attempts(Attempt.task_id.in_(sorted({task_id for task_id, _ in receipts})))
    found = (Held.of(row) for row in journal.session.execute(statement))
    return [held for held in found if held.receipt in receipts and held.task.comic_id in journal.comics]


def _apply(journal: Journal, reporter: Poller, one: Report, target: _Target, held: list[Held]) -> Outcome:
    if target.hand_out:
        if len(held) > 1:  # facts about one panel would be untrue of the others
            one = Report(one.target, one.status, message=one.message, tab_id=one.tab_id, details=one.said)
        verdicts = {each.task.id: _apply_to_hand_out(journal, one, each) for each in held}
        return Outcome(verdicts, hand_out=target.hand_out)
    may_be_refused = target.by_task and one.kind in (Kind.PROGRESS, Kind.FAILURE)
    if may_be_refused and _is_of_another(journal, reporter, held[0]):
        return Outcome({held[0].task.id: Verdict.CONFLICT})
    return Outcome({each.task.id: _apply_to_attempt(journal, one, each) for each in held})


def _is_of_another(journal: Journal, reporter: Poller, held: Held) -> bool:
    """Whether the reporter names itself, and is not the worker whose open attempt this is."""
    if not reporter.named or not held.is_open:
        return False
    worker = journal.session.get_one(Worker, held.attempt.worker_id)
    return (worker.name, worker.named) != (reporter.name, True)


def _apply_to_hand_out(journal: Journal, one: Report, held: Held) -> Verdict:
    """As for one attempt, but a success of the whole does not undo what was said of a part."""
    ended = held.attempt.ended in (Ending.FAILED, Ending.GIVEN_BACK)
    if one.kind is Kind.SUCCESS and ended:
        return Verdict.UNCHANGED
    return _apply_to_attempt(journal, one, held)


def _apply_to_attempt(journal: Journal, one: Report, held: Held) -> Verdict:
    """The table of reports, row by row."""
    if one.kind is Kind.SUCCESS:
        if held.task.status is TaskStatus.COMPLETED:
            return Verdict.UNCHANGED
        _complete(journal, one, held)
        return Verdict.ACCEPTED
    if held.task.status in OVER:
        return Verdict.UNCHANGED
    if held.is_open:
        return _OPEN[one.kind](journal, one, held)
    if one.kind.value == held.attempt.ended:
        return Verdict.UNCHANGED
    return Verdict.CONFLICT


def _progress(journal: Journal, one: Report, held: Held) -> Verdict:
    """The panel is being drawn; an attempt counts from its first report other than `delivered`."""
    task, attempt = held.task, held.attempt
    until = journal.now + journal.policy.lease
    if task.status not in OUT:
        revive(journal, held, until, TaskStatus.RUNNING)
        (held,) = _read(journal, {held.receipt})
        task = held.task
    _change(journal, task, status=TaskStatus.RUNNING, leased_until=until, **_facts(one), **_count(one, held))
    if one.news != attempt.said:
        _tell(journal, EventType.RUNNING, one, held)
    tab_id = attempt.tab_id or (one.tab_id if one.status is ReportStatus.DELIVERED else None)
    _note(journal, attempt, said=one.news, tab_id=tab_id)
    return Verdict.ACCEPTED


def _fail(journal: Journal, one: Report, held: Held) -> Verdict:
    """The attempt is over; the task waits for its next, or fails with its last."""
    counted = _count(one, held)
    used = int(counted.get("attempts_used", held.task.attempts_used))
    values: dict[str, Any] = {"leased_until": None, "message": one.message or one.status.value, **counted}
    if used >= journal.policy.max_attempts:
        _change(journal, held.task, status=TaskStatus.FAILED, available_at=None, **values)
    else:
        wait = journal.policy.backoff(used)
        available_at = journal.now + wait if wait > timedelta() else None
        _change(journal, held.task, status=TaskStatus.QUEUED, available_at=available_at, worker_id=None, **values)
    _end(journal, EventType.FAILED, one, held)
    return Verdict.ACCEPTED


def _take_back(journal: Journal, one: Report, held: Held) -> Verdict:
    """The task is another worker's to draw; this one does not get it again for a while."""
    _change(
        journal,
        held.task,
        status=TaskStatus.QUEUED,
        leased_until=None,
        available_at=None,
        worker_id=None,
        lapses=0,
        message=one.message or held.task.message,
    )
    _end(journal, EventType.GIVEN_BACK, one, held)
    if one.status is ReportStatus.NO_TABS:
        _miss_tab(journal, held)
    return Verdict.TAKEN_BACK


def _complete(journal: Journal, one: Report, held: Held) -> None:
    """The first success wins, whichever attempt it comes from and whatever has become of its lease."""
    facts = {"message": None, **_facts(one), "progress": 100}
    counted = _count(one, held) if held.is_open else {}
    _change(
        journal,
        held.task,
        status=TaskStatus.COMPLETED,
        leased_until=None,
        available_at=None,
        worker_id=held.attempt.worker_id,
        **facts,
        **counted,
    )
    journal.completed(held.task.comic_id)
    _end(journal, EventType.COMPLETED, one, held)


_OPEN = {Kind.PROGRESS: _progress, Kind.FAILURE: _fail, Kind.GIVE_BACK: _take_back}


def _facts(one: Report) -> dict[str, Any]:
    """What the report says of the panel; what it does not say stays."""
    facts = {
        "progress": one.progress,
        "image_url": one.image_url,
        "download_path": one.download_path,
        "message": one.message,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _count(one: Report, held: Held) -> dict[str, Any]:
    """Use up one of the attempts allowed, once per attempt."""
    if one.status is ReportStatus.DELIVERED or not held.counts:
        return {}
    return {"counted": True, "attempts_used": held.task.attempts_used + 1, "lapses": 0}


def _change(journal: Journal, task: Task, *, status: TaskStatus, **values: Any) -> None:
    """Change a task that is as it was read, and move it between the counters of its comic."""
    as_read = update(Task).where(Task.id == task.id, Task.status == task.status, Task.attempt == task.attempt)
    journal.change(as_read.values(status=status, updated_at=journal.now, **values))
    journal.moved(task.comic_id, task.counter, counter_of(status, values.get("available_at")))


def _note(journal: Journal, attempt: Attempt, **values: Any) -> None:
    this = update(Attempt).where(Attempt.task_id == attempt.task_id, Attempt.number == attempt.number)
    journal.change(this.values(reported_at=journal.now, **values))


def _end(journal: Journal, kind: EventType, one: Report, held: Held) -> None:
    _note(journal, held.attempt, ended=Ending(kind.value), ended_at=journal.now, said=one.news)
    _tell(journal, kind, one, held)


def _tell(journal: Journal, kind: EventType, one: Report, held: Held) -> None:
    journal.told(
        kind,
        held.task,
        attempt=held.attempt.number,
        worker_id=held.attempt.worker_id,
        leased_until=journal.now + journal.policy.lease if kind is EventType.RUNNING else None,
        message=one.message,
        details=one.said,
    )


def _miss_tab(journal: Journal, held: Held) -> None:
    domain = journal.comics[held.task.comic_id].domain
    until = journal.now + journal.policy.give_back
    worker_id = held.attempt.worker_id
    if insert_missing(journal.session, MissingTab, worker_id=worker_id, domain=domain, until=until):
        return
    this = update(MissingTab).where(MissingTab.worker_id == worker_id, MissingTab.domain == domain)
    journal.change(this.values(until=until))
