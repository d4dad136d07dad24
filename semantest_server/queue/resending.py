"""What a worker holds, as it says itself: leases that it names are renewed, and what it does not name comes again."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select, union, update

from semantest_server.models import Attempt, ComicStatus, EventType, Task
from semantest_server.queue.choosing import Asker, Choice
from semantest_server.queue.hand_outs import Leased
from semantest_server.queue.journal import Journal
from semantest_server.queue.leases import extend
from semantest_server.queue.states import LOST_BY_WORKER, NAMED_BY_WORKER, ComicState, Held, read_held
from semantest_server.statements import Asked, Statement, Write

COMICS_NAMED_OR_HELD = Statement(
    union(
        select(Task.comic_id).where(Task.id.in_(bindparam("tasks", expanding=True))),
        select(Task.comic_id).where(Task.worker_id == bindparam("worker"), Task.leased_until.is_not(None)),
    ),
    int,
)
LEASED = Statement(
    select(*(getattr(Task, name) for name in Leased._fields))
    .where(Task.id.in_(bindparam("tasks", expanding=True)))
    .order_by(Task.comic_id, Task.position),
    Leased,
)
RESEND = Write(
    update(Attempt)
    .where(Attempt.task_id == bindparam("of_task"), Attempt.number == bindparam("of_number"))
    .values(resent=True, poll=bindparam("token"))
)


def comics_asked(asker: Asker) -> list[Asked[int]]:
    """The statement that looks for the comics of what a worker names, and of what it might have lost."""
    poll = asker.poll
    if not poll.holding and not poll.resends:
        return []
    tasks = sorted({task_id for task_id, _ in poll.holding or ()})
    return [COMICS_NAMED_OR_HELD.asked({"tasks": tasks, "worker": asker.worker.id if poll.resends else None})]


def renew_named(journal: Journal, asker: Asker) -> None:
    """Renew the leases of the open attempts that the worker says it holds."""
    named = asker.poll.holding or ()
    tasks = sorted({task_id for task_id, _ in named})
    held = read_held(journal.connection, NAMED_BY_WORKER, tasks=tasks, worker=asker.worker.id)
    extend(journal, [one for one in held if one.receipt in named and _is_locked(journal, one)])
    journal.post()


def resend(journal: Journal, choice: Choice, asker: Asker, token: str) -> Sequence[Leased]:
    """Put what was handed out and never arrived into this hand-out, once per attempt."""
    lost = _spaced(journal, choice, _lost(journal, asker))[: asker.poll.limit]
    if not lost:
        return ()
    until = journal.now + journal.policy.ack
    for held in lost:
        if held.task.leased_until and held.task.leased_until < until:
            journal.renew(held.task, until)
        journal.told(
            EventType.NOTED,
            held.task,
            attempt=held.attempt.number,
            worker_id=asker.worker.id,
            leased_until=held.task.leased_until,
            message="Sent again: the worker does not hold it.",
        )
    journal.post()
    receipts = [{"of_task": held.task.id, "of_number": held.attempt.number, "token": token} for held in lost]
    RESEND.each(journal.connection, receipts)
    return LEASED.rows(journal.connection, tasks=[held.task.id for held in lost])


def _lost(journal: Journal, asker: Asker) -> list[Held]:
    """What is leased to the worker, has been silent, is not named, and could be drawn."""
    now = journal.now
    silent = {"worker": asker.worker.id, "now": now, "silent_since": now - journal.policy.resend}
    return [
        held
        for held in read_held(journal.connection, LOST_BY_WORKER, **silent)
        if _is_locked(journal, held)
        and held.receipt not in (asker.poll.holding or ())
        and _is_drawable(asker, journal.comics[held.task.comic_id])
    ]


def _is_locked(journal: Journal, held: Held) -> bool:
    return held.task.comic_id in journal.comics


def _is_drawable(asker: Asker, comic: ComicState) -> bool:
    return comic.domain in asker.tabs and comic.status is ComicStatus.ACTIVE


def _spaced(journal: Journal, choice: Choice, lost: list[Held]) -> list[Held]:
    """Of those for a site with a gap, only the first."""
    spaced: dict[object, Held] = {}
    for held in lost:
        domain = journal.comics[held.task.comic_id].domain
        spaced.setdefault(domain if choice.sites[domain].gap_seconds else held.receipt, held)
    return list(spaced.values())
