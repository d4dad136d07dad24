"""The seven rules that hold on every database, under any crash, and however requests are repeated or reordered.

Other modules test them in every corner; here each one is said once, by its number.
"""

import signal
import subprocess
import sys

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from semantest_server.errors import KeyReused, RaceLost
from semantest_server.models import Task, TaskStatus
from semantest_server.queue.drafts import PanelDraft
from semantest_server.queue.lapses import open_journal
from semantest_server.queue.states import OF_TASKS, read_held

from ..conftest import FrozenClock
from .callers import Queue

REPORT_AND_DIE = """
import os, signal, sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from semantest_server.database import write_transaction
from semantest_server.policy import Policy
from semantest_server.queue.report import report
from semantest_server.queue.statuses import Report, ReportStatus
from semantest_server.queue.workers import Poller

with Session(create_engine(sys.argv[1]), autoflush=False) as session:
    with write_transaction(session):
        report(session, Policy(), Poller("w1", True), [Report(sys.argv[2], ReportStatus.COMPLETED)])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_rule_1_a_task_has_at_most_one_live_lease(queue: Queue, clock: FrozenClock) -> None:
    queue.comic()
    for worker in ("w1", "w2", "w3"):
        assert len(queue.take(worker)) == 1
        assert [queue.take(other) for other in ("w1", "w2", "w3", "w4")] == [[], [], [], []]
        clock.advance(60)
    assert queue.tell("1.3", "running", by="w3") == (200, "continue")  # brings its own back
    assert queue.tell("1.1", "running", by="w1") == (409, "stop")
    assert queue.take("w2", holding=["1.2"]) == []
    assert queue.task(1).worker == "w3"


def test_rule_2_a_task_has_at_most_one_result_and_a_finished_picture_is_never_thrown_away(
    queue: Queue, clock: FrozenClock
) -> None:
    comic = queue.comic()
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    queue.cancel(comic)
    assert queue.tell("1.1", "completed", by="w1", image_url="https://example.com/1.png") == (200, "continue")
    assert queue.tell("1.2", "completed", by="w2", image_url="https://example.com/2.png") == (200, "stop")
    assert (queue.status(1), queue.task(1).image_url) == ("completed", "https://example.com/1.png")
    assert queue.told(1).count("completed") == 1


def test_rule_3_what_is_reported_about_an_attempt_that_is_not_the_latest_changes_nothing(
    queue: Queue, clock: FrozenClock
) -> None:
    queue.comic()
    queue.take("w1")
    clock.advance(60)
    queue.take("w2")
    before = queue.everything()
    for status in ("delivered", "running", "failed", "timeout", "no_tabs", "cancelled"):
        assert queue.tell("1.1", status).status == 409
    assert queue.everything() == before


def test_rule_4_a_report_that_was_answered_survives_the_death_of_its_process(queue: Queue, database_url: str) -> None:
    queue.comic()
    queue.take()
    died = subprocess.run([sys.executable, "-c", REPORT_AND_DIE, database_url, "1.1"], timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert queue.status(1) == "completed"


def test_rule_4_what_is_committed_survives_power_loss(queue: Queue) -> None:
    with queue.reading() as session:
        if queue.engine.dialect.name == "sqlite":
            assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        else:  # it is the server's to say, and nothing here says otherwise
            source = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
            assert session.scalar(text(source)) == "configuration file"


def test_rule_5_a_repeated_poll_is_recovered_by_leases(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=2)
    lost = queue.take()
    assert queue.take() == []
    clock.advance(16)
    assert queue.take(holding=[]) == lost
    clock.advance(60)
    assert queue.take("w2") == ["1.2", "2.2"]


def test_rule_5_a_repeated_report_is_recognised_by_its_receipt(queue: Queue, clock: FrozenClock) -> None:
    queue.comic(panels=3)
    queue.take()
    said = [("1.1", "completed"), ("2.1", "failed"), ("3.1", "cancelled")]
    queue.tell_all(*said)
    before = queue.everything()
    for target, status in said:
        assert queue.tell(target, status) == (200, "stop")
    assert queue.everything() == before


def test_rule_5_a_repeated_submission_is_recognised_by_its_key(queue: Queue) -> None:
    comic = queue.comic(panels=2, key="k", body="{}")
    before = queue.everything()
    assert queue.comic(panels=2, key="k", body="{}") == comic
    with pytest.raises(KeyReused):
        queue.comic(panels=3, key="k", body="{...}")
    assert queue.everything() == before


def test_rule_5_a_repeated_submission_is_recognised_by_its_correlation_id(queue: Queue) -> None:
    task, _ = queue.picture(correlation_id="x")
    before = queue.everything()
    assert queue.picture(correlation_id="x") == (task, False)
    assert queue.everything() == before


def test_rule_6_a_lapsed_lease_counts_as_ended_everywhere_at_once(queue: Queue, clock: FrozenClock) -> None:
    queue.set(worker_tasks=1)
    comic = queue.comic(panels=2, parallel=1)
    queue.take()
    clock.advance(60)
    assert (queue.status(1), queue.lease(1)) == ("queued", None)
    assert (queue.progress(comic).queued, queue.progress(comic).running) == (2, 0)
    assert sorted(queue.listed("queued")) == [1, 2]
    assert queue.listed("leased") == []
    assert queue.told(1) == ["handed_out"]  # nothing was written so far
    assert queue.take() == ["1.2"]  # in the caps of the comic and of the worker
    assert queue.told(1) == ["handed_out", "expired", "handed_out"]


def test_rule_7_a_statement_that_meets_a_row_that_is_not_as_it_was_read_undoes_the_whole(queue: Queue) -> None:
    comic = queue.comic(panels=2)
    queue.take()
    before = queue.everything()

    def change() -> None:
        with queue.writing() as session:
            journal = open_journal(session, queue.policy, [comic])
            held = read_held(journal.connection, OF_TASKS, tasks=[1, 2])
            journal.set(journal.comics[comic], title="Changed")
            for one in held:
                journal.change(one.task, message="Changed")
            session.execute(update(Task).where(Task.id == 2).values(status=TaskStatus.RUNNING))
            journal.post()

    with pytest.raises(RaceLost):
        change()
    assert queue.everything() == before


def test_rule_7_what_must_never_happen_is_a_constraint_of_the_database(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("a", correlation_id="x"), PanelDraft("b")])
    before = queue.everything()
    with pytest.raises(IntegrityError), queue.writing() as session:
        session.execute(update(Task).values(correlation_id="x"))
    assert queue.everything() == before
