"""Reports: what a worker says about a receipt, a task or a hand-out, and what that changes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import NotFound, NotYours
from semantest_server.models import OVER, Ending, EventType, MissingTab, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.journal import Journal, insert_missing
from semantest_server.queue.lapses import record_lapsed
from semantest_server.queue.leases import RENEWED_LATELY, extend, revive
from semantest_server.queue.states import (
    LAPSED,
    OF_TASKS,
    OF_TASKS_AND_STALE_OF_POLLS,
    Held,
    Receipt,
    read_held,
    with_shared_tasks,
)
from semantest_server.queue.statuses import Kind, Outcome, Report, ReportStatus, Verdict
from semantest_server.queue.targets import COMICS_OF_POLLS, Given, Target, find_targets
from semantest_server.queue.workers import Poller, find_worker, seen_reporting
from semantest_server.statements import send


def report(session: Session, policy: Policy, reporter: Poller, reports: Sequence[Report]) -> list[Outcome]:
    """Apply a worker's reports in their order, each as if it had come alone."""
    return report_all(session, policy, [(reporter, one) for one in reports])


def report_all(session: Session, policy: Policy, reports: Sequence[tuple[Poller, Report]]) -> list[Outcome]:
    """Apply the reports of several workers in their order, each as if it had come alone.

    Afterwards the leases of everything that the same polls gave, and that is still open, run the full time anew:
    a worker draws one panel after the other.
    """
    targets, comics = find_targets(session.connection(), [one.target for _, one in reports])
    are_foreign = [_is_foreign(reporter, target) for (reporter, _), target in zip(reports, targets, strict=True)]
    own = [None if is_foreign else target for target, is_foreign in zip(targets, are_foreign, strict=True)]
    journal, found = _open(session, policy, [target for target in own if target], comics)
    outcomes, polls = [], set()
    for (reporter, one), target, is_foreign in zip(reports, own, are_foreign, strict=True):
        held = [found[receipt] for receipt in target.receipts if receipt in found] if target else []
        if target and held:
            outcomes.append(_apply(journal, reporter, one, target, held))
        else:
            outcomes.append(_not_yours(one.target) if is_foreign else _unknown(one.target))
        if not outcomes[-1].is_conflict:
            polls |= {each.attempt.poll for each in held}
    extend(journal, [held for held in found.values() if held.attempt.poll in polls and held.is_open])
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


def note_failure_of_other_tab(session: Session, policy: Policy, reporter: Poller, one: Report) -> bool:
    """Write a failure down as an event only, if another tab than this one took the panel; say whether so."""
    (target,), comics = find_targets(session.connection(), [one.target])
    if target is None or one.kind is not Kind.FAILURE or one.tab_id is None or _is_foreign(reporter, target):
        return False
    journal, found = _open(session, policy, [target], comics)
    taken = [found[receipt] for receipt in target.receipts if receipt in found]
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
    polls = {held.attempt.poll for held in taken}
    extend(journal, [held for held in found.values() if held.attempt.poll in polls and held.is_open])
    journal.post()
    return True


def _open(
    session: Session, policy: Policy, targets: Sequence[Target], comics: set[int]
) -> tuple[Journal, dict[Receipt, Held]]:
    """Lock the comics of all that came with what is reported on, and read it all as it is now."""
    given = [row for target in targets for row in target.given]
    others = sorted({row.poll for target in targets if not target.is_receipt for row in target.given})
    connection, polls = session.connection(), sorted({row.poll for row in given})
    seen_reporting(session, {row.worker_id: row.seen_at for row in given})
    if others:
        comics = comics | {*COMICS_OF_POLLS.rows(connection, polls=others)}
    journal = Journal(session, policy, comics)
    if not journal.comics:
        return journal, {}
    tasks = sorted({row.task_id for row in given})
    stale = journal.now + policy.lease - RENEWED_LATELY
    lapsed = LAPSED.asked({"comics": list(journal.comics), "now": journal.now})
    found = OF_TASKS_AND_STALE_OF_POLLS.asked({"polls": polls, "tasks": tasks, "stale": stale})
    send(connection, lapsed, found)
    if lapsed.rows:
        record_lapsed(journal, lapsed.rows)
        send(connection, found)
    held = with_shared_tasks(found.rows)
    if set(tasks) - {one.task.id for one in held}:  # sent again by another poll at this moment
        held = read_held(connection, OF_TASKS, tasks=tasks)
    return journal, {one.receipt: one for one in held if one.task.comic_id in journal.comics}


def _unknown(target: str) -> Outcome:
    return Outcome(error=NotFound(f"Nothing was handed out under the id {target[:100]!r}."))


def _is_foreign(reporter: Poller, target: Target | None) -> bool:
    """Whether the reporter is held to what is its own, and this is not."""
    return reporter.bound and target is not None and any(row.worker != reporter.name for row in target.given)


def _not_yours(target: str) -> Outcome:
    return Outcome(error=NotYours(f"{target[:100]!r} was handed out to another worker."))


def _apply(journal: Journal, reporter: Poller, one: Report, target: Target, held: list[Held]) -> Outcome:
    if target.hand_out:
        if len(held) > 1:  # facts about one panel would be untrue of the others
            one = Report(one.target, one.status, message=one.message, tab_id=one.tab_id, details=one.said)
        verdicts = {each.task.id: _apply_to_hand_out(journal, one, each) for each in held}
        return Outcome(verdicts, hand_out=target.hand_out)
    may_be_refused = target.by_task and one.kind in (Kind.PROGRESS, Kind.FAILURE)
    if may_be_refused and _is_of_another(reporter, target.given[0], held[0]):
        return Outcome({held[0].task.id: Verdict.CONFLICT})
    return Outcome({each.task.id: _apply_to_attempt(journal, one, each) for each in held})


def _is_of_another(reporter: Poller, given: Given, held: Held) -> bool:
    """Whether the reporter names itself, and is not the worker whose open attempt this is."""
    return reporter.named and held.is_open and (given.worker, given.named) != (reporter.name, True)


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
    attempt = held.attempt
    until = journal.now + journal.policy.lease
    if not held.task.is_out:
        revive(journal, held, until, TaskStatus.RUNNING)
    journal.change(held.task, status=TaskStatus.RUNNING, leased_until=until, **_facts(one), **_count(one, held))
    if one.news != attempt.said:
        _tell(journal, EventType.RUNNING, one, held)
    tab_id = attempt.tab_id or (one.tab_id if one.status is ReportStatus.DELIVERED else None)
    journal.note(attempt, said=one.news, tab_id=tab_id)
    return Verdict.ACCEPTED


def _fail(journal: Journal, one: Report, held: Held) -> Verdict:
    """The attempt is over; the task waits for its next, or fails with its last."""
    counted = _count(one, held)
    used = int(counted.get("attempts_used", held.task.attempts_used))
    _end(journal, EventType.FAILED, one, held)
    values: dict[str, Any] = {"leased_until": None, "message": one.message or one.status.value, **counted}
    if used >= journal.policy.max_attempts:
        journal.change(held.task, status=TaskStatus.FAILED, available_at=None, **values)
    else:
        wait = journal.policy.backoff(used)
        available_at = journal.now + wait if wait > timedelta() else None
        journal.change(held.task, status=TaskStatus.QUEUED, available_at=available_at, worker_id=None, **values)
    return Verdict.ACCEPTED


def _take_back(journal: Journal, one: Report, held: Held) -> Verdict:
    """The task is another worker's to draw; this one does not get it again for a while."""
    _end(journal, EventType.GIVEN_BACK, one, held)
    journal.change(
        held.task,
        status=TaskStatus.QUEUED,
        leased_until=None,
        available_at=None,
        worker_id=None,
        lapses=0,
        message=one.message or held.task.message,
    )
    if one.status is ReportStatus.NO_TABS:
        _miss_tab(journal, held)
    return Verdict.TAKEN_BACK


def _complete(journal: Journal, one: Report, held: Held) -> None:
    """The first success wins, whichever attempt it comes from and whatever has become of its lease."""
    facts = {"message": None, **_facts(one), "progress": 100}
    counted = _count(one, held) if held.is_open else {}
    _end(journal, EventType.COMPLETED, one, held)
    journal.change(
        held.task,
        status=TaskStatus.COMPLETED,
        leased_until=None,
        available_at=None,
        worker_id=held.attempt.worker_id,
        **facts,
        **counted,
    )
    journal.completed(held.task.comic_id)


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


def _end(journal: Journal, kind: EventType, one: Report, held: Held) -> None:
    journal.note(held.attempt, ended=Ending(kind.value), said=one.news)
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
    journal.connection.execute(this.values(until=until))
