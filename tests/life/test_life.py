"""The queue against the model of `model.py`: any steps in any order, on both databases (Hypothesis).

After every step: the same statuses and answers, the counters equal to a recount, one result at most, no cap passed
by a claim, and a history that leads to the present (`upkeep.check`).
"""

import os
import random
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete
from sqlalchemy.orm import Session

from semantest_server import policy as policy_module
from semantest_server import snapshots
from semantest_server.changes import Changes
from semantest_server.clock import clock as the_clock
from semantest_server.database import write_transaction
from semantest_server.errors import Conflict
from semantest_server.models import Base, ComicStatus, Priority
from semantest_server.policy import Pacing, Policy, SiteDefaults
from semantest_server.queue.claim import hand_out
from semantest_server.queue.drafts import ComicDraft, PanelDraft
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.lookout import Lookout
from semantest_server.queue.report import report
from semantest_server.queue.statuses import Directive, Report, ReportStatus
from semantest_server.queue.steer import change_comic, retry
from semantest_server.queue.submit import submit_comic
from semantest_server.queue.workers import Poller
from semantest_server.upkeep.check import check

from . import model

EXAMPLES = int(os.environ.get("SEMANTEST_TEST_EXAMPLES", "15"))
STEPS = 40
DOMAINS = ("chatgpt.com", "gemini.google.com")
WORKERS = {"w1": True, "w2": True, "w3": False}  # by name: whether it names itself
POLICY = Policy(worker_tasks=model.WORKER_TASKS)
WORDS = (*model.PROGRESS, *model.SUCCESS, *model.FAILURE, *model.GIVE_BACKS)
SEEN = {"steps": 0, "examples": 0}


class Steady(random.Random):
    """No jitter: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class Life(RuleBasedStateMachine):
    """The queue and the model, side by side."""

    session: ClassVar[Session]
    set_time: ClassVar[Any]  # a function of the seconds since the start

    comics = Bundle("comics")
    receipts = Bundle("receipts")
    hand_outs = Bundle("hand_outs")

    def __init__(self) -> None:
        super().__init__()
        self.session.rollback()
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "revision":
                self.session.execute(delete(table))
        self.session.commit()
        self.session.expunge_all()
        self.world = model.World()
        self.lookout = Lookout(Changes(self.session.get_bind().engine.url))
        self.set_time(0)
        SEEN["examples"] += 1

    @rule(
        target=comics,
        panels=st.integers(1, 4),
        parallel=st.integers(1, 3),
        priority=st.sampled_from(Priority),
        domain=st.sampled_from(DOMAINS),
    )
    def submit(self, panels: int, parallel: int, priority: Priority, domain: str) -> int:
        """A comic comes in."""
        drafts = [PanelDraft(f"prompt {number}") for number in range(panels)]
        draft = ComicDraft("A comic", drafts, priority=priority, parallel=parallel, domain=domain)
        with write_transaction(self.session):
            made = submit_comic(self.session, draft, SiteDefaults(DOMAINS[0], Pacing()))
            comic_id = made.id
        comic = model.Comic(comic_id, domain, parallel, int(priority))
        self.world.comics[comic_id] = comic
        for shown in snapshots.panels(self.session, POLICY, comic_id)[0]:
            comic.tasks.append(model.Task(shown.id, comic, shown.number))
            self.world.tasks[shown.id] = comic.tasks[-1]
        return comic_id

    @precondition(lambda self: self.world.comics)
    @rule(
        target=receipts,
        worker=st.sampled_from(sorted(WORKERS)),
        limit=st.integers(1, 6),
        domains=st.sampled_from([None, None, *({name} for name in DOMAINS)]),
        keeps=st.sampled_from([None, "nothing", "all", "half"]),
    )
    def poll(self, worker: str, limit: int, domains: set[str] | None, keeps: str | None) -> Any:
        """A worker polls; what it says it holds may be all, half or nothing of what it has."""
        has = sorted(f"{task.id}.{task.latest.number}" for task in self._had_by(worker))
        holding = {None: None, "nothing": set(), "all": {*has}, "half": {*has[::2]}}[keeps]
        asked = Poll(
            poller=Poller(worker, WORKERS[worker]),
            limit=limit,
            domains=None if domains is None else frozenset(domains),
            holding=None if holding is None else frozenset(_receipt(one) for one in holding),
        )
        self.lookout.look(self.session)
        in_vain = self.lookout.is_in_vain(lambda: self.session, asked)
        self.session.rollback()
        claimed = hand_out(lambda: write_transaction(self.session), POLICY, asked)
        self.lookout.met(asked.poller, claimed.worker)
        given = {one.comic.id: [panel.receipt for panel in one.panels] for one in claimed.hand_outs}
        names = {one.comic.id: one.id for one in claimed.hand_outs}
        assert not (in_vain and given), "a poll that was in vain found something"
        expected = self.world.poll(worker, WORKERS[worker], limit, domains, holding)
        assert given == expected
        self.world.names.update({(self.world.polls, comic_id): name for comic_id, name in names.items()})
        return multiple(*(receipt for one in given.values() for receipt in one))

    @rule(receipt=receipts, word=st.sampled_from(WORDS), reporter=st.sampled_from(sorted(WORKERS)))
    def report_receipt(self, receipt: str, word: str, reporter: str) -> None:
        """A report about a receipt: early, late, repeated, in any order, from anybody who has it."""
        self._report(receipt, [receipt], word, reporter)

    @rule(receipt=receipts, word=st.sampled_from(WORDS), reporter=st.sampled_from(sorted(WORKERS)))
    def report_task(self, receipt: str, word: str, reporter: str) -> None:
        """A report about a task means its latest attempt."""
        task, _ = self.world.find(receipt)
        latest = f"{task.id}.{task.latest.number}"
        self._report(str(task.id), [latest], word, reporter, by_task=True)

    @rule(receipt=receipts, word=st.sampled_from(WORDS), reporter=st.sampled_from(sorted(WORKERS)))
    def report_hand_out(self, receipt: str, word: str, reporter: str) -> None:
        """A report about a hand-out is about what belongs to it now."""
        task, attempt = self.world.find(receipt)
        name = self.world.names[attempt.poll, task.comic.id]
        together = [
            f"{other.id}.{one.number}"
            for other in task.comic.tasks
            for one in other.attempts
            if one.poll == attempt.poll
        ]
        self._report(name, together, word, reporter, whole=True)

    @rule(seconds=st.sampled_from([1.0, 10.0, 16.0, 31.0, 61.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        """Leases and backoffs run out."""
        self.world.pass_time(seconds)
        self.set_time(self.world.now)

    @rule(comic_id=comics, status=st.sampled_from(["active", "paused", "cancelled", "active", "paused"]))
    def steer(self, comic_id: int, status: str) -> None:
        """A person pauses, resumes or cancels."""
        possible = self.world.set_status(self.world.comics[comic_id], status)
        try:
            with write_transaction(self.session):
                change_comic(self.session, POLICY, comic_id, status=ComicStatus(status))
            assert possible
        except Conflict:
            assert not possible

    @rule(comic_id=comics)
    def try_again(self, comic_id: int) -> None:
        """A person retries what failed or was cancelled."""
        with write_transaction(self.session):
            retry(self.session, POLICY, comic_id)
        self.world.retry(self.world.comics[comic_id])

    @rule(comic_id=comics, priority=st.sampled_from(Priority), parallel=st.integers(1, 3))
    def hurry(self, comic_id: int, priority: Priority, parallel: int) -> None:
        """A person changes how urgent a comic is and how many of its panels are drawn at once."""
        with write_transaction(self.session):
            change_comic(self.session, POLICY, comic_id, priority=priority, parallel=parallel)
        comic = self.world.comics[comic_id]
        comic.priority, comic.parallel = int(priority), parallel

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """The seven rules."""
        SEEN["steps"] += 1
        assert list(check(self.session)) == []
        shown = {one.id: one for page in self._pages() for one in page}
        statuses = {task_id: one.status.value for task_id, one in shown.items()}
        assert statuses == {task.id: task.status for task in self.world.tasks.values()}
        for comic in self.world.comics.values():
            self._compare(comic)
        assert all(count == 1 for count in self.world.results.values())
        self.session.rollback()

    def _compare(self, comic: model.Comic) -> None:
        shown = snapshots.comic(self.session, POLICY, comic.id)
        assert shown.status.value == comic.effective()
        counts = {"queued": 0, "running": 0, "completed": 0, "failed": 0, "cancelled": 0}
        for task in comic.tasks:
            counts["running" if task.is_out else task.status] += 1
        assert {name: getattr(shown.progress, name) for name in counts} == counts

    def _pages(self) -> list[list[snapshots.PanelSnapshot]]:
        return [snapshots.panels(self.session, POLICY, comic_id)[0] for comic_id in self.world.comics]

    def _had_by(self, worker: str) -> list[model.Task]:
        tasks = self.world.tasks.values()
        return [task for task in tasks if task.attempts and task.latest.worker == worker]

    def _report(
        self,
        target: str,
        receipts: list[str],
        word: str,
        reporter: str,
        *,
        by_task: bool = False,
        whole: bool = False,
    ) -> None:
        foreign = by_task and WORKERS[reporter] and self.world.find(receipts[0])[1].worker != reporter
        expected = self.world.report(receipts, word, whole=whole, foreign=foreign)
        with write_transaction(self.session):
            one = Report(target, ReportStatus(word))
            (outcome,) = report(self.session, POLICY, Poller(reporter, WORKERS[reporter]), [one])
        assert outcome.is_conflict == all(verdict == "conflict" for verdict in expected.values())
        going_on = {task_id: verdict.directive for task_id, verdict in outcome.verdicts.items()}
        assert going_on == {
            _receipt(receipt)[0]: Directive.CONTINUE if verdict == "accepted" else Directive.STOP
            for receipt, verdict in expected.items()
        }


def _receipt(text: str) -> tuple[int, int]:
    task_id, _, number = text.partition(".")
    return int(task_id), int(number)


def test_any_steps_in_any_order_lead_where_the_model_says(
    session: Session, backend: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_module, "_chance", Steady())
    start = clock.now
    SEEN.update(steps=0, examples=0)

    def set_time(seconds: float) -> None:
        moment = start + timedelta(seconds=seconds)
        monkeypatch.setattr(the_clock, "source", lambda: moment)

    monkeypatch.setattr(Life, "session", session, raising=False)
    monkeypatch.setattr(Life, "set_time", staticmethod(set_time), raising=False)
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{backend}: {SEEN['steps']} steps in {SEEN['examples']} lives")
