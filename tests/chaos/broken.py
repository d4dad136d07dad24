"""Servers with one guard taken out, to show that the verification sees it.

`gunicorn 'tests.chaos.broken:app("lease")'` serves the real app, patched in its own processes only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from semantest_server import create_app
from semantest_server.database import Database, write_transaction
from semantest_server.models import OUT, Ending, Task, TaskStatus
from semantest_server.queue import claim, report
from semantest_server.queue.choosing import Asker
from semantest_server.queue.hand_outs import Leased
from semantest_server.queue.journal import Journal
from semantest_server.queue.states import ComicState, Held
from semantest_server.queue.statuses import Kind, Report, Verdict

EVERY = 5


def app(guard: str) -> Flask:
    """The app without this guard."""
    BREAKS[guard]()
    return create_app()


def hand_out_what_is_leased() -> None:
    """Let the first claim that could, and every fifth after it, take a panel that another worker draws."""
    take, numbers = claim._Claims._take, count()

    def take_again(self: claim._Claims, asker: Asker, comic: ComicState, room: int) -> Sequence[Leased]:
        drawn_by_others = Task.worker_id != asker.worker.id
        taken = select(Task.id).where(Task.comic_id == comic.id, Task.status.in_(OUT), drawn_by_others)
        task = self.journal.session.scalar(taken.limit(1))
        if task is not None and next(numbers) % EVERY == 0:
            loose = {"status": TaskStatus.QUEUED, "leased_until": None, "worker_id": None}
            self.journal.connection.execute(update(Task).where(Task.id == task).values(**loose))
            self.journal.moved(comic.id, "out", "ready")
        return take(self, asker, comic, room)

    claim._Claims._take = take_again  # type: ignore[method-assign]


def accept_a_result_again() -> None:
    """Take a repeated success for a new one."""
    apply = report._apply_to_attempt

    def apply_again(journal: Journal, one: Report, held: Held) -> Verdict:
        if one.kind is Kind.SUCCESS and held.attempt.ended is Ending.COMPLETED:
            report._complete(journal, one, held)
            return Verdict.ACCEPTED
        return apply(journal, one, held)

    report._apply_to_attempt = apply_again


def answer_without_commit() -> None:
    """Answer every fifth request as though it had been done."""
    numbers = count(1)

    @contextmanager
    def forgetful(database: Database) -> Iterator[Session]:
        session = database.session()
        if next(numbers) % EVERY:
            with write_transaction(session):
                yield session
            return
        session.rollback()
        session.connection(execution_options={"semantest_begin": "IMMEDIATE"})
        yield session
        session.flush()
        session.rollback()

    Database.writing = forgetful  # type: ignore[method-assign, assignment]


BREAKS: dict[str, Callable[[], None]] = {
    "lease": hand_out_what_is_leased,
    "result": accept_a_result_again,
    "commit": answer_without_commit,
}
