"""Reports: what a worker says about a receipt, a task or a hand-out, and what that changes."""

import re
from collections.abc import Iterable, Sequence
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

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class _Target:
    """What a report is about: attempts, and how they were named."""

    receipts: list[Receipt]
    by_task: bool = False
    hand_out: str | None = None


def report(session: Session, policy: Policy, reporter: Poller, reports: Sequence[Report]) -> list[Outcome]:
    """Apply reports in their order, each as if it had come alone.

    Afterwards the leases of everything that the same polls gave, and that is still open, run the full time anew:
    a worker draws one panel after the other.
    """
    targets = [_resolve(session, one.target) for one in reports]
    receipts = {receipt for target in targets if target for receipt in target.receipts}
    _see_workers(session, receipts)
    journal = open_journal(session, policy, _comics_given_with(session, receipts))
    outcomes = [
        _apply(journal, reporter, one, target) if target else Outcome(error=_unknown(one.target))
        for one, target in zip(reports, targets, strict=True)
    ]
    _extend_given_with(journal, _answered(targets, outcomes))
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
    journal = open_journal(session, policy, _comics_given_with(session, set(target.receipts)))
    for held in _read(journal, target.receipts):
        if held.attempt.tab_id in (None, one.tab_id):
            return False
        journal.told(
            EventType.NOTED,
            held.task,
            attempt=held.attempt.number,
            worker_id=held.attempt.worker_id,
            message=one.message or "Another tab failed.",
            details=one.said,
        )
    journal.post()
    return True


def _resolve(session: Session, target: str) -> _Target | None:
    """Find the attempts that a report is about, or None if nothing of that name was ever handed out."""
    if match := re.fullmatch(r"([0-9]+)\.([0-9]+)", target):
        receipt = int(match[1]), int(match[2])
        if max(receipt) > LARGEST_ID or session.get(Attempt, receipt) is None:
            return None
        return _Target([receipt])
    if target.startswith("h-"):
        return _resolve_hand_out(session, target)
    by_id = re.fullmatch(r"[0-9]+", target)
    if by_id and int(target) > LARGEST_ID:
        return None
    named = Task.id == int(target) if by_id else Task.correlation_id == target
    row = session.execute(select(Task.id, Task.attempt).where(named).order_by(Task.id.desc()).limit(1)).first()
    return _Target([(row.id, row.attempt)], by_task=True) if row and row.attempt else None


def _resolve_hand_out(session: Session, target: str) -> _Target | None:
    match = re.fullmatch(r"h-([0-9a-f]{1,40})-([0-9]{1,18})", target)
    if match is None:
        return None
    statement = attempts(Attempt.poll == match[1], Task.comic_id == int(match[2]))
    receipts = [Held.of(row).receipt for row in session.execute(statement)]
    return _Target(receipts, hand_out=target) if receipts else None


def _unknown(target: str) -> NotFound:
    return NotFound(f"Nothing was handed out under the id {target[:100]!r}.")


def _see_workers(session: Session, receipts: set[Receipt]) -> None:
    statement = select(Attempt.task_id, Attempt.number, Attempt.worker_id)
    rows = session.execute(statement.where(Attempt.task_id.in_(sorted({task for task, _ in receipts}))))
    workers = {row.worker_id for row in rows if (row.task_id, row.number) in receipts}
    seen_reporting(session, workers, clock.now(session))


def _polls(session: Session, receipts: Iterable[Receipt]) -> set[str]:
    wanted = set(receipts)
    statement = select(Attempt.task_id, Attempt.number, Attempt.poll)
    rows = session.execute(statement.where(Attempt.task_id.in_(sorted({task for task, _ in wanted}))))
    return {row.poll for row in rows if (row.task_id, row.number) in wanted}


def _comics_given_with(session: Session, receipts: set[Receipt]) -> list[int]:
    """The comics of everything that the polls which gave these receipts gave."""
    given = select(Task.comic_id).join(Attempt, Attempt.task_id == Task.id)
    polls = sorted(_polls(session, receipts))
    return list(session.scalars(given.where(Attempt.poll.in_(polls)).distinct()))


def _answered(targets: list[_Target | None], outcomes: list[Outcome]) -> set[Receipt]:
    """The receipts of the reports that are answered 2xx."""
    pairs = zip(targets, outcomes, strict=True)
    return {receipt for target, one in pairs if target and not one.is_conflict for receipt in target.receipts}


def _extend_given_with(journal: Journal, receipts: set[Receipt]) -> None:
    polls = sorted(_polls(journal.session, receipts))
    statement = attempts(Attempt.poll.in_(polls), is_open(), Task.comic_id.in_(journal.comics))
    extend(journal, [Held.of(row) for row in journal.session.execute(statement)])


def _read(journal: Journal, receipts: list[Receipt]) -> list[Held]:
    statement = attempts(Attempt.task_id.in_([task_id for task_id, _ in receipts]))
    found = (Held.of(row) for row in journal.session.execute(statement))
    return [held for held in found if held.receipt in receipts and held.task.comic_id in journal.comics]


def _apply(journal: Journal, reporter: Poller, one: Report, target: _Target) -> Outcome:
    held = _read(journal, target.receipts)
    if not held:
        return Outcome(error=_unknown(one.target))
    if target.hand_out:
        if len(held) > 1:  # facts about one panel would be untrue of the others
            one = Report(one.target, one.status, message=one.message, tab_id=one.tab_id, details=one.said)
        verdicts = {each.task.id: _apply_to_hand_out(journal, one, each) for each in held}
        return Outcome(verdicts, hand_out=target.hand_out)
    if target.by_task and one.kind is not Kind.SUCCESS and _is_of_another(journal, reporter, held[0]):
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
        held = _read(journal, [held.receipt])[0]
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
